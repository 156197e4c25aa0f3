"""`tidings bench import`: a file imported by the real roles, beside a bare COPY of the same rows into the same table.

With a list, chosen for the import or named in a column of the file, beside two: of the contacts, and of their subscriptions.
"""

import asyncio
import csv
import hashlib
import io
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
from rich.console import Console

from tidings.accounts import SYSTEM, create_workspace
from tidings.audience import imports
from tidings.audience.imports import Choices, Import, ImportStatus, Reading, Upload
from tidings.audience.lists import create_list
from tidings.bench._system import System, throw_away_system
from tidings.core.clock import utc_now
from tidings.core.ids import ListId, WorkspaceId

_HEADER = ("Email Address", "First Name", "Last Name", "Phone", "Language", "City", "Points")
_FIRST = ("Ann", "Bob", "Chloé", "Dmitri", "Eve", "Fatima", "Günter", "Hiro", "Ines", "Jack")
_LAST = ("Lee", "Smith", "García", "Novák", "Okafor", "Müller", "Rossi", "Sato", "da Silva", "O'Brien")
_CITIES = ("Berlin", "Paris", "Lagos", "Osaka", "Porto", "Quito", "Riga", "Seoul", "Turin", "Utrecht")
_COLUMNS = (
    *("workspace_id", "id", "email", "address_hash", "first_name", "last_name", "phone", "language", "attributes"),
    *("status", "created_at", "updated_at"),
)
_SUBSCRIPTION = ("workspace_id", "list_id", "contact_id", "status", "subscribed_at")


async def run(*, rows: int, with_list: bool, lists_column: bool, json: bool) -> dict[str, object]:
    """Measure, print, and return what was measured."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="tidings-bench-") as name:
        folder = Path(name)
        with console.status(f"Writing {rows:,} rows …"):
            await asyncio.to_thread(_write_files, folder, rows, "News" if lists_column else "")
        async with throw_away_system() as system:
            result = await _measure(system, folder, with_list=with_list, lists_column=lists_column, console=console)
    result = {"rows": rows, "list": with_list, "lists_column": lists_column} | result
    if json:
        print(orjson.dumps(result).decode(), flush=True)
    else:
        console.print_json(data=result)
    return result


async def _measure(
    system: System, folder: Path, *, with_list: bool, lists_column: bool, console: Console
) -> dict[str, object]:
    async with system.app.db.transaction() as tx:
        workspace = await create_workspace(tx, name="Import", postal_address="1 Bench Road", now=utc_now())
        news = await create_list(tx, workspace=workspace, name="News", by=SYSTEM(workspace), now=utc_now())
    choices = Choices(lists=[news.id] if with_list else [], mapping={"lists": "lists"} if lists_column else {})
    subscribed = [news.id] if with_list or lists_column else []
    with console.status("Bare COPY …"):
        await _bare_copy(system, folder, workspace, subscribed)  # the first one also makes the table's files grow
        copied = await _bare_copy(system, folder, workspace, subscribed)
    with console.status("Import …"):
        first = await _import(system, folder, workspace, choices)
    with console.status("The same file again …"):
        again = await _import(system, folder, workspace, choices)
    return {
        "file_mb": round((folder / "contacts.csv").stat().st_size / 2**20, 1),
        "copy_seconds": round(copied, 2),
        "import_seconds": first["seconds"],
        "reimport_seconds": again["seconds"],
        "ratio": round(first["seconds"] / copied, 2),
        "reimport_ratio": round(again["seconds"] / copied, 2),
        "subscriptions": await _subscriptions(system),
        "rows_per_second": round(first["total"] / first["seconds"]),
        "first": first,
        "again": again,
    }


async def _bare_copy(system: System, folder: Path, workspace: WorkspaceId, lists: list[ListId]) -> float:
    """Seconds that PostgreSQL takes to COPY the rows into the empty tables, with their indexes, in one transaction."""
    rows = 0

    async def lines() -> AsyncIterator[bytes]:
        nonlocal rows
        with (folder / "contacts.copy").open("rb") as source:
            while block := source.readlines(1024 * 1024):
                yield b"".join(b"%d\t%d\t%b" % (workspace, rows + n, line) for n, line in enumerate(block, 1))
                rows += len(block)

    async def subscriptions(list_: ListId) -> AsyncIterator[bytes]:
        behind = f"\tsubscribed\t{datetime.now(UTC).isoformat()}\n".encode()
        for start in range(1, rows + 1, 20_000):
            yield b"".join(
                b"%d\t%d\t%d%b" % (workspace, list_, n, behind) for n in range(start, min(rows + 1, start + 20_000))
            )

    await _empty(system)
    began = time.monotonic()
    async with system.app.db.transaction() as tx:
        await tx.copy_to_table("contacts", source=lines(), columns=_COLUMNS, format="text")
        for list_ in lists:
            await tx.copy_to_table("subscriptions", source=subscriptions(list_), columns=_SUBSCRIPTION, format="text")
    seconds = time.monotonic() - began
    await _empty(system)
    return seconds


async def _empty(system: System) -> None:
    async with system.app.db.connection() as connection:
        await connection.execute("TRUNCATE contacts CASCADE")
        await connection.execute("CHECKPOINT")


async def _import(system: System, folder: Path, workspace: WorkspaceId, choices: Choices) -> dict[str, Any]:
    began = time.monotonic()
    upload = Upload(system.app.db, workspace, 2**33)
    await upload.begin(filename="contacts.csv", now=utc_now())
    with (folder / "contacts.csv").open("rb") as source:
        while piece := source.read(1024 * 1024):
            await upload.write(piece)
    await upload.end(filename="contacts.csv", reading=Reading())
    uploaded = time.monotonic()
    async with system.app.db.transaction() as tx:
        await imports.queue_import(
            tx,
            workspace=workspace,
            import_=upload.id,
            choices=choices,
            dry_run=False,
            by=SYSTEM(workspace),
            now=utc_now(),
        )
    peak = 0.0
    while True:
        await asyncio.sleep(0.2)
        peak = max(peak, _memory(system))
        async with system.app.db.connection() as connection:
            seen = await imports.get_import(connection, workspace=workspace, import_=upload.id)
        if seen.status not in {ImportStatus.QUEUED, ImportStatus.RUNNING}:
            break
    return _told(seen) | {
        "seconds": round(time.monotonic() - began, 2),
        "upload_seconds": round(uploaded - began, 2),
        "peak_memory_mb": round(peak, 1),
    }


async def _subscriptions(system: System) -> int:
    async with system.app.db.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM subscriptions")


def _told(seen: Import) -> dict[str, Any]:
    names = ("status", "total", "created", "updated", "unchanged", "rejected")
    return {name: getattr(seen, name) for name in names}


def _memory(system: System) -> float:
    """Of the conducting process and the one that reads for it, in MB."""
    total = 0
    for name, process in system.processes().items():
        if name.startswith("conduct"):
            for one in (process, *process.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.Error:
                    continue
    return total / 2**20


def _write_files(folder: Path, rows: int, list_: str) -> None:
    """The file to import, and what the database stores of it as COPY wants it; addresses in no order.

    With the name of a list, the file has a column that names it in each row.
    """
    with (
        (folder / "contacts.csv").open("w", encoding="utf-8", newline="") as table,
        (folder / "contacts.copy").open("w", encoding="utf-8") as copy,
    ):
        writer = csv.writer(table)
        writer.writerow((*_HEADER, "lists") if list_ else _HEADER)
        now = datetime.now(UTC).isoformat()
        for start in range(0, rows, 10_000):
            some = list(_rows(start, min(rows, start + 10_000)))
            writer.writerows([(*row, list_) for row in some] if list_ else some)
            lines = io.StringIO()
            for email, first, last, phone, language, city, points in some:
                digest = hashlib.blake2b(email.encode(), digest_size=16).hexdigest()
                attributes = f'{{"city": "{city}", "points": {points}}}'
                lines.write(
                    f"{email}\t\\\\x{digest}\t{first}\t{last}\t{phone}\t{language}\t{attributes}\tactive\t{now}\t{now}\n"
                )
            copy.write(lines.getvalue())


def _rows(start: int, end: int) -> Iterator[tuple[str, ...]]:
    for i in range(start, end):
        mixed = (i * 2_654_435_761) % 2**32
        first, last = _FIRST[mixed % 10], _LAST[mixed // 10 % 10]
        yield (
            f"person.{mixed:08x}.{i}@{_CITIES[mixed // 100 % 10].lower()}.example.com",
            first,
            last,
            f"+49 30 {mixed % 10_000_000:07}",
            ("en", "de", "fr", "es")[mixed % 4],
            _CITIES[mixed // 1000 % 10],
            str(mixed % 1000),
        )
