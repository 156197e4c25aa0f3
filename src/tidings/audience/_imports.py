"""Imports: many contacts at once, accepted in one transaction and worked off in the background."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
import orjson

from tidings.accounts import Principal, audit
from tidings.audience._lists import missing_lists
from tidings.core.db import Tx
from tidings.core.errors import Invalid, NotFound
from tidings.core.ids import ImportId, ListId, WorkspaceId, public_id
from tidings.core.jobs import enqueue

JOB = "audience.import"

BATCH = 4000
"""Rows a transaction of the job."""

_SELECT = """
SELECT id, list_id, status, total, processed, created, updated, unchanged, rejected, problems, created_at, finished_at
FROM imports
WHERE workspace_id = $1 AND id = $2
"""


class ImportStatus(StrEnum):
    """How far an import is."""

    QUEUED = "queued"
    """Accepted and stored; work has not begun."""
    RUNNING = "running"
    """Being worked off."""
    DONE = "done"
    """Every row was taken or rejected."""
    FAILED = "failed"
    """It could not go on; `problems` says why. What was processed stays."""
    CANCELLED = "cancelled"
    """Somebody stopped it. What was processed stays."""


class ImportNotFound(NotFound):
    """There is no such import in this workspace."""

    code = "import_not_found"


@dataclass(frozen=True, slots=True)
class Import:
    """An import. total = created + updated + unchanged + rejected once it is done; `problems` keeps the first hundred."""

    id: ImportId
    list_id: ListId | None
    status: ImportStatus
    total: int
    processed: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    problems: list[dict[str, Any]]
    created_at: datetime
    finished_at: datetime | None


async def start_import(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId | None,  # noqa: A002 - it is one
    contacts: Sequence[Any],
    by: Principal,
    now: datetime,
) -> Import:
    """Accept rows as they are; each is checked when its turn comes. Raises Invalid if the list does not exist."""
    if list is not None and await missing_lists(tx, workspace=workspace, lists=[list]):
        raise Invalid.at("list_id", f"there is no list {public_id('list', list)}")
    number = await tx.fetchval(
        "INSERT INTO imports (workspace_id, list_id, total, created_at) VALUES ($1, $2, $3, $4) RETURNING id",
        workspace,
        list,
        len(contacts),
        now,
    )
    starts = range(0, len(contacts), BATCH)
    await tx.execute(
        """INSERT INTO import_batches (workspace_id, import_id, batch_no, first_row, rows)
           SELECT $1, $2, position, first_row, rows
           FROM unnest($3::integer[], $4::bytea[]) WITH ORDINALITY AS t (first_row, rows, position)""",
        workspace,
        number,
        [*starts],
        [orjson.dumps(contacts[start : start + BATCH]) for start in starts],
    )
    await enqueue(tx, job=JOB, payload={"workspace": workspace, "import": number})
    detail = {"rows": len(contacts)}
    await audit(tx, by=by, action="import.started", subject=public_id("import", number), detail=detail, now=now)
    return await get_import(tx, workspace=workspace, import_=ImportId(number))


async def get_import(tx: Tx, *, workspace: WorkspaceId, import_: ImportId) -> Import:
    """The import as it stands. Raises ImportNotFound."""
    row = await tx.fetchrow(_SELECT, workspace, import_)
    if row is None:
        raise ImportNotFound(f"there is no import {public_id('import', import_)}")
    return _import(row)


def _import(row: asyncpg.Record) -> Import:
    values: dict[str, Any] = dict(row)
    values["status"] = ImportStatus(row["status"])
    return Import(**values)
