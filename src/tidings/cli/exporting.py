"""`tidings export`: contacts into a file or a pipe, straight from the database."""

import gzip
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidings.audience import exports
from tidings.audience.exports import ExportAs, ExportFormat, ExportOf
from tidings.audience.states import ContactStatus
from tidings.bootstrap import open_app
from tidings.cli.manage import find_workspace, reachable
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, SegmentId, WorkspaceId, public_id
from tidings.core.settings import Settings

_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export, and where to. `output` `-` is standard output; names ending in .gz are compressed."""

    output: str = "-"
    workspace: str = ""
    list: str = ""
    segment: str = ""
    status: str = ""
    format: str = ""
    fields: Sequence[str] = ()
    safe: bool = True
    bom: bool = False


async def run(settings: Settings, wanted: Wanted) -> int:
    """Export; returns how many contacts. A file appears whole or not at all. Raises Invalid."""
    format_ = _format(wanted)
    status = _status(wanted.status)
    async with open_app(reachable(settings), pool_size=2, wait_seconds=_PATIENCE_SECONDS) as app:
        async with app.db.connection() as connection:
            workspace = (await find_workspace(connection, wanted.workspace)).id
            of = ExportOf(
                list=None if not wanted.list else ListId(await _find(connection, workspace, "list", wanted.list)),
                segment=None
                if not wanted.segment
                else SegmentId(await _find(connection, workspace, "segment", wanted.segment)),
                status=status,
            )
        now = utc_now()
        total = await exports.count_exported(app.db, workspace=workspace, of=of, now=now)
        as_ = ExportAs(format_, wanted.fields or None, wanted.safe, wanted.bom)
        console = Console(stderr=True)
        with (
            Progress(
                TextColumn("Exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console,
                disable=not console.is_terminal,
            ) as progress,
            ExitStack() as stack,
        ):  # fmt: skip
            task = progress.add_task("", total=total)
            async with exports.export_contacts(app.db, workspace=workspace, of=of, as_=as_, now=now) as blocks:
                output = _Output(stack, wanted.output)
                async for block in blocks:
                    output.write(block)
                    progress.advance(task, block.count(b"\n"))
                output.done()
            progress.update(task, completed=total)
        people = "contact" if total == 1 else "contacts"
        console.print(f"{total:,} {people} exported{'' if wanted.output == '-' else f' to {wanted.output}'}")
        return total


class _Output:
    """Where the bytes go: a draft beside the file, which takes its place at the end."""

    def __init__(self, stack: ExitStack, target: str) -> None:
        self._file: IO[bytes] | gzip.GzipFile = sys.stdout.buffer
        self._target = None if target == "-" else Path(target)
        self._draft = None if self._target is None else self._target.with_name(f".{self._target.name}.part")
        if self._draft is None:
            return
        try:
            raw = stack.enter_context(self._draft.open("wb"))
        except OSError as error:
            raise Invalid.at("--output", f"cannot be written: {error.strerror}") from None
        stack.callback(self._draft.unlink, missing_ok=True)
        self._file = raw
        if target.endswith(".gz"):
            self._file = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=5))

    def write(self, block: bytes) -> None:
        self._file.write(block)

    def done(self) -> None:
        self._file.flush()
        if self._target is not None and self._draft is not None:
            if isinstance(self._file, gzip.GzipFile):
                self._file.close()
            self._draft.replace(self._target)


async def _find(tx: Tx, workspace: WorkspaceId, kind: str, wanted: str) -> int:
    """The list or segment of this name or id. Raises Invalid."""
    table = {"list": "lists", "segment": "segments"}[kind]
    number = await tx.fetchval(
        f"SELECT id FROM {table} WHERE workspace_id = $1 AND (name = $2 OR $3 || '_' || id = $2) ORDER BY name <> $2 LIMIT 1",  # noqa: S608
        workspace,
        wanted,
        kind,
    )
    if number is None:
        rows = await tx.fetch(f"SELECT id, name FROM {table} WHERE workspace_id = $1 ORDER BY id LIMIT 20", workspace)  # noqa: S608
        names = ", ".join(f"{row['name']} ({public_id(kind, row['id'])})" for row in rows) or "none yet"
        raise Invalid.at(f"--{kind}", f"there is no {wanted!r}; there are: {names}")
    return number


def _format(wanted: Wanted) -> ExportFormat:
    told = wanted.format
    if not told:
        suffixes = Path(wanted.output).suffixes
        told = "jsonl" if ".jsonl" in suffixes or ".ndjson" in suffixes else "csv"
    try:
        return ExportFormat(told)
    except ValueError:
        raise Invalid.at("--format", f"must be one of {', '.join(ExportFormat)}") from None


def _status(told: str) -> ContactStatus | None:
    try:
        return ContactStatus(told) if told else None
    except ValueError:
        raise Invalid.at("--status", f"must be one of {', '.join(ContactStatus)}") from None
