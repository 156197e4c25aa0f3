"""The file of rejected rows: as they came, with the reason beside each, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from tidings.audience.imports._mapping import REJECTED
from tidings.audience.imports._states import Import, get_import
from tidings.audience.spreadsheets import neutralised
from tidings.core.db import Database
from tidings.core.ids import ImportId, WorkspaceId


async def rejected_rows(db: Database, *, workspace: WorkspaceId, import_: ImportId) -> AsyncGenerator[bytes, None]:
    """A CSV file (UTF-8 with BOM, RFC 4180) in parts: the original columns, then line, column and reason.

    Values that a spreadsheet would take for a formula begin with an apostrophe, which an import of the file takes away.
    Raises ImportNotFound before the first part.
    """
    async with db.connection() as connection:
        job = await get_import(connection, workspace=workspace, import_=import_)
    names = _names(job)
    kept = [position for position, name in enumerate(names) if name not in REJECTED]  # of a file mended once already
    yield b"\xef\xbb\xbf" + _csv([[*(neutralised(names[position]) for position in kept), *REJECTED]])
    first = -1
    while True:
        async with db.connection() as connection:
            row = await connection.fetchrow(
                """SELECT first_row, rows FROM import_rejects
                   WHERE workspace_id = $1 AND import_id = $2 AND first_row > $3 ORDER BY first_row LIMIT 1""",
                workspace,
                import_,
                first,
            )
        if row is None:
            return
        first = row["first_row"]
        rejects = orjson.loads(row["rows"])
        for start in range(0, len(rejects), 1000):
            yield _csv(_row(reject, kept, contacts=not job.columns) for reject in rejects[start : start + 1000])


def _names(job: Import) -> list[str]:
    return [column["name"] for column in job.columns] if job.columns else ["contact"]


def _row(reject: list[Any], kept: list[int], *, contacts: bool) -> list[str]:
    row, line, field, message, cells = reject
    shown = (
        [orjson.dumps(cells[0]).decode()] if contacts else [str(cells[at]) if at < len(cells) else "" for at in kept]
    )
    return [*map(neutralised, shown), str(row if line is None else line), field, message]


def _csv(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
