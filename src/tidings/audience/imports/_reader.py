"""Reading and checking a file beside the event loop: in a process of its own, or in a thread where it is small and plain."""

import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import orjson

from tidings.audience.imports._check import Checker
from tidings.audience.imports._child import checked_batches, look_at
from tidings.audience.imports._formats import FileFormat
from tidings.audience.imports._open import open_table
from tidings.audience.imports._plan import Checked, Plan
from tidings.audience.imports._protocol import BATCH, MEMORY_LIMIT, frame, frame_length
from tidings.audience.imports._tables import BrokenFile
from tidings.core.db import Database
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ImportId, WorkspaceId

SMALL = 256 * 1024
"""Bytes up to which a thread does: starting a process takes half a second."""

Pieces = Callable[[], AsyncIterator[bytes]]


def stored_pieces(db: Database, workspace: WorkspaceId, import_: ImportId) -> Pieces:
    """The file of an import, piece by piece from the database."""

    async def pieces() -> AsyncIterator[bytes]:
        number = 0
        while True:
            async with db.connection() as connection:
                piece = await connection.fetchval(
                    "SELECT bytes FROM import_pieces WHERE workspace_id = $1 AND import_id = $2 AND piece_no = $3",
                    workspace,
                    import_,
                    number,
                )
            if piece is None:
                return
            yield piece
            number += 1

    return pieces


class ReaderFault(RuntimeError):
    """A defect of ours in the other process."""


async def look(pieces: Pieces, format_: FileFormat, *, size: int) -> dict[str, Any]:
    """Columns and first rows of a file. Raises BrokenFile."""
    if _is_small(format_, size):
        data = b"".join([piece async for piece in pieces()])
        return await asyncio.to_thread(lambda: look_at(open_table(io.BytesIO(data), format_)))
    async for header, _ in _frames({"look": True, "format": format_.as_json()}, pieces):
        if "look" in header:
            return header["look"]
    raise BrokenFile.at("file", "has no rows")


async def read_checked(
    pieces: Pieces, format_: FileFormat, plan: Plan, key: bytes, *, skip: int, size: int
) -> AsyncGenerator[Checked, None]:
    """The file's rows after the first `skip`, checked, in batches. Raises BrokenFile where it cannot be read on."""
    if _is_small(format_, size):
        data = b"".join([piece async for piece in pieces()])
        table = await asyncio.to_thread(open_table, io.BytesIO(data), format_)
        batches = checked_batches(table, Checker(plan, key), skip=skip, size=BATCH)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            batch.bytes_read = size
            yield batch
        return
    job = {"look": False, "format": format_.as_json(), "plan": plan.as_json(), "key": key.hex(), "skip": skip}
    async with contextlib.aclosing(_frames(job, pieces)) as frames:
        async for header, data in frames:
            if "batch" in header:
                batch = Checked(**header["batch"], data=data)
                yield batch


def _is_small(format_: FileFormat, size: int) -> bool:
    return size <= SMALL and not format_.zipped


async def _frames(job: dict[str, Any], pieces: Pieces) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tidings.audience.imports._child import main; main()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=4 * 1024 * 1024,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    feeding = asyncio.ensure_future(_feed(child.stdin, job, pieces))
    try:
        while True:
            try:
                header = orjson.loads(await _frame(child.stdout))
                data = await _frame(child.stdout)
            except asyncio.IncompleteReadError:
                if feeding.done() and not feeding.cancelled() and (fault := feeding.exception()) is not None:
                    raise fault from None
                await child.wait()
                raise BrokenFile.at("file", f"cannot be read: its reader ended ({child.returncode})") from None
            if "end" in header:
                return
            if "broken" in header:
                problems = tuple(FieldProblem(*problem) for problem in header["broken"])
                kind = BrokenFile if header["code"] == BrokenFile.code else Invalid
                raise kind("; ".join(f"{p.field}: {p.message}" for p in problems), fields=problems)
            if "fault" in header:
                raise ReaderFault(header["fault"])
            yield header, data
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.gather(feeding, return_exceptions=True)
        await child.wait()


async def _frame(stream: asyncio.StreamReader) -> bytes:
    return await stream.readexactly(frame_length(await stream.readexactly(4)))


async def _feed(stdin: asyncio.StreamWriter, job: dict[str, Any], pieces: Pieces) -> None:
    try:
        await _write(stdin, orjson.dumps(job | {"memory": MEMORY_LIMIT}))
        async for piece in pieces():
            await _write(stdin, piece)
        await _write(stdin, b"")
    except _ReaderGone:  # it has read enough, or is dead: its output says which
        pass
    finally:
        stdin.close()


class _ReaderGone(Exception):
    """The other process reads no more."""


async def _write(stdin: asyncio.StreamWriter, data: bytes) -> None:
    try:
        stdin.write(frame(data))
        await stdin.drain()
    except (BrokenPipeError, ConnectionResetError, RuntimeError):
        raise _ReaderGone from None
