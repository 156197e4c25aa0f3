"""`tidings import`: a file from the shell into the audience, through the same upload and the same job as over HTTP."""

import asyncio
import contextlib
import gzip
import io
import signal
import sys
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidings.accounts import SYSTEM
from tidings.audience import imports
from tidings.audience.imports import Choices, Import, ImportPolicy, ImportState, ImportStatus, Reading, Upload
from tidings.audience.lists import create_list, list_lists
from tidings.bootstrap import App, open_app
from tidings.cli.manage import find_workspace, reachable
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, WorkspaceId, public_id
from tidings.core.settings import Settings

_PIECE = 1024 * 1024
_ALONE_SECONDS = 3.0
"""How long a queued import may wait for a conductor before we do the work ourselves."""

_TRIED = ("rows", "new", "known", "duplicates", "rejected", "suppressed", "leaving", "problems", "whole_file", "at")
_SHOWN = 10
_WHOSE = {
    "mailchimp": "an export of Mailchimp",
    "listmonk": "an export of listmonk",
    "mautic": "an export of Mautic",
    "tidings": "an export of Tidings",
}
_MOVING = {ImportStatus.QUEUED, ImportStatus.RUNNING}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command was told."""

    file: str
    workspace: str
    lists: Sequence[str]
    create_lists: bool
    tags: Sequence[str]
    policy: str
    mapping: Sequence[str]
    status: str
    reading: Reading
    dry_run: bool
    rejected: Path | None
    json: bool


async def run(settings: Settings, wanted: Wanted) -> bool:
    """Import, show progress, print what came of it; False if the import failed or was cancelled (Ctrl-C)."""
    console = Console(stderr=True)
    mapping = _mapping(wanted.mapping)
    if wanted.policy not in list(ImportPolicy):
        raise Invalid.at("--policy", f"must be one of {', '.join(ImportPolicy)}")
    async with open_app(reachable(settings), pool_size=4, wait_seconds=3.0) as app:
        async with app.db.connection() as connection:
            workspace = (await find_workspace(connection, wanted.workspace)).id
            lists, new = await _lists(connection, workspace, wanted)
        choices = Choices(
            lists=lists, tags=wanted.tags, policy=ImportPolicy(wanted.policy), mapping=mapping, status=wanted.status
        )
        uploaded = await _upload(app, workspace, wanted, console)
        try:
            async with app.db.transaction() as tx:
                if not wanted.dry_run:
                    choices = replace(choices, lists=[*lists, *[await _new_list(tx, workspace, name) for name in new]])
                await imports.queue_import(
                    tx,
                    workspace=workspace,
                    import_=uploaded.id,
                    choices=choices,
                    dry_run=wanted.dry_run,
                    by=SYSTEM(workspace),
                    now=utc_now(),
                )
        except Invalid:
            await _cancel(app, workspace, uploaded)
            raise
        done = await _follow(app, workspace, uploaded, console, dry_run=wanted.dry_run)
        if wanted.rejected is not None and done.rejected:
            await _write_rejected(app, workspace, done, wanted.rejected)
        if wanted.dry_run and done.status == ImportStatus.UPLOADED:
            await _cancel(app, workspace, done)  # a file from the shell is sent again; this one need not wait
    _print(done, wanted, console)
    return done.status not in {ImportStatus.FAILED, ImportStatus.CANCELLED}


async def _upload(app: App, workspace: WorkspaceId, wanted: Wanted, console: Console) -> Import:
    name = "" if wanted.file == "-" else Path(wanted.file).name.removesuffix(".gz")
    source = _open(wanted.file)
    upload = Upload(app.db, workspace, app.import_limit)
    with source, console.status("Reading …"):
        await upload.begin(filename=name, now=utc_now())
        try:
            async for piece in _pieces(source, wanted.file):
                await upload.write(piece)
            return await upload.end(filename=name, reading=wanted.reading)
        except BaseException:
            await upload.give_up()
            raise


def _open(file: str) -> BinaryIO:
    """The file, unpacked if it is gzipped: `tidings export -o x.csv.gz` makes such."""
    try:
        source = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise Invalid.at(file, f"cannot be read: {error.strerror}") from None
    peeked = source.peek(2) if isinstance(source, io.BufferedReader) else b""
    return cast("BinaryIO", gzip.open(source)) if peeked.startswith(b"\x1f\x8b") else source


async def _pieces(source: BinaryIO, file: str) -> AsyncIterator[bytes]:
    while True:
        try:
            piece = await asyncio.to_thread(source.read, _PIECE)
        except (EOFError, OSError, zlib.error) as error:
            raise Invalid.at(file, f"cannot be read to its end: {error}") from None
        if not piece:
            return
        yield piece


async def _follow(app: App, workspace: WorkspaceId, import_: Import, console: Console, *, dry_run: bool) -> Import:
    """Until it waits or has ended. Ctrl-C cancels it: what was processed stays. Without a conductor we do the work."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, interrupted.set)
    began, ours = loop.time(), None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rejected]} rejected"),
        TimeRemainingColumn(),
        console=console,
    )
    try:
        with bar:
            task = bar.add_task("trying" if dry_run else "importing", total=None, rejected=0)
            while True:
                async with app.db.connection() as connection:
                    seen = await imports.get_import(connection, workspace=workspace, import_=import_.id)
                # A dry run tells its counts at the end.
                bar.update(
                    task,
                    total=None if dry_run else seen.total or None,
                    completed=seen.processed,
                    rejected=seen.rejected,
                )
                if seen.status not in _MOVING:
                    return seen
                if interrupted.is_set():
                    return await _cancel(app, workspace, seen)
                if ours is None and seen.status == ImportStatus.QUEUED and loop.time() - began > _ALONE_SECONDS:
                    work = imports.run_import(app.db, app.keys, workspace=workspace, import_=import_.id)
                    ours = asyncio.ensure_future(work)
                if ours is not None and ours.done():
                    ours.result()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await interrupted.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        if ours is not None:
            ours.cancel()
            await asyncio.gather(ours, return_exceptions=True)


async def _cancel(app: App, workspace: WorkspaceId, import_: Import) -> Import:
    async with app.db.transaction() as tx:
        try:
            return await imports.cancel_import(
                tx, workspace=workspace, import_=import_.id, by=SYSTEM(workspace), now=utc_now()
            )
        except ImportState:  # it ended meanwhile
            return await imports.get_import(tx, workspace=workspace, import_=import_.id)


async def _lists(tx: Tx, workspace: WorkspaceId, wanted: Wanted) -> tuple[list[ListId], list[str]]:
    """The lists that were named, and the names of those to be made. Raises Invalid, saying which there are."""
    found: list[ListId] = []
    new: list[str] = []
    there = await list_lists(tx, workspace=workspace, limit=10_000) if wanted.lists else []
    for name in wanted.lists:
        match = next((one.id for one in there if name in {one.name, public_id("list", one.id)}), None)
        if match is not None:
            found.append(match)
        elif wanted.create_lists and not name.startswith("list_"):
            new.append(name)
        else:
            names = ", ".join(f"{one.name!r}" for one in there[:_SHOWN]) + (" …" if len(there) > _SHOWN else "")
            mend = "" if name.startswith("list_") else "; --create-list makes it"
            raise Invalid.at("--list", f"there is no list {name!r}; there are: {names or 'none'}{mend}")
    return found, [*dict.fromkeys(new)]


async def _new_list(tx: Tx, workspace: WorkspaceId, name: str) -> ListId:
    made = await create_list(tx, workspace=workspace, name=name, by=SYSTEM(workspace), now=utc_now())
    return made.id


def _mapping(told: Sequence[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for one in told:
        column, equals, target = one.rpartition("=")
        if not equals or not column:
            raise Invalid.at("--map", f"{one!r} must be COLUMN=FIELD, such as 'Kundennummer=field:customer_no:number'")
        mapping[column] = target
    return mapping


async def _write_rejected(app: App, workspace: WorkspaceId, done: Import, path: Path) -> None:
    with path.open("wb") as output:
        async for part in imports.rejected_rows(app.db, workspace=workspace, import_=done.id):
            output.write(part)


def _told(done: Import, wanted: Wanted) -> dict[str, Any]:
    names = ("status", "total", "created", "updated", "unchanged", "rejected", "suppressed", "problems")
    told: dict[str, Any] = {"import_id": public_id("import", done.id)} | {name: getattr(done, name) for name in names}
    told["mapping"] = {column["name"]: column["target"] for column in done.columns}
    if wanted.dry_run and done.analysis is not None:
        told = {"import_id": told["import_id"], "dry_run": True, "mapping": told["mapping"]}
        told |= {name: done.analysis[name] for name in _TRIED if name in done.analysis}
    return told


def _print(done: Import, wanted: Wanted, console: Console) -> None:
    told = _told(done, wanted)
    for problem in told["problems"][:_SHOWN]:
        line = "" if problem["line"] is None else f"line {problem['line']}: "
        name = f"{problem['field']}: " if problem["field"] else ""
        console.print(f"{line}{name}{problem['message']}", markup=False, highlight=False)
    if told["rejected"] > _SHOWN and wanted.rejected is None:
        console.print(f"… {told['rejected']:,} rows were rejected; --rejected FILE writes them all", highlight=False)
    if wanted.json:
        print(orjson.dumps(told).decode(), flush=True)
        return
    if (source := (done.format or {}).get("source")) is not None:
        console.print(f"recognised: {_WHOSE[source]}", highlight=False)
    types = {column["name"]: f" ({column['type']})" for column in done.columns if column.get("type")}
    for column, target in told["mapping"].items():
        console.print(f"  {column} → {target}{types.get(column, '')}", markup=False, highlight=False)
    numbers = {name: value for name, value in told.items() if isinstance(value, int) and not isinstance(value, bool)}
    said = ", ".join(f"{name} {value:,}" for name, value in numbers.items())
    console.print(f"{'dry run' if wanted.dry_run else done.status}: {said}", highlight=False)
