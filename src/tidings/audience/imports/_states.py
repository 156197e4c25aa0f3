"""What an import is: its states, its policies, and how far it got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from tidings.core.db import Tx
from tidings.core.errors import Conflict, NotFound
from tidings.core.ids import ImportId, ListId, WorkspaceId, public_id

JOB = "audience.import"

_COLUMNS = """
id, list_id, list_ids, tags, policy::text AS policy, dry_run, status::text AS status, filename, size, total, total_exact,
processed, created, updated, unchanged, rejected, suppressed, problems, format, columns, status_all, analysis, created_at,
started_at, finished_at
"""
SELECT = f"SELECT {_COLUMNS} FROM imports"  # noqa: S608 - a constant


class ImportStatus(StrEnum):
    """How far an import is."""

    UPLOADING = "uploading"
    """Its file is on the way."""
    UPLOADED = "uploaded"
    """Its file is here and was looked at; it waits for `start`."""
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


class ImportPolicy(StrEnum):
    """What becomes of people who are known already. Whoever is out stays out under each of them."""

    SKIP = "skip"
    """Their data stay as they are; lists and tags of the import are given all the same."""
    UPDATE = "update"
    """What the row says counts, what it leaves empty stays; tags and attributes are added."""
    OVERWRITE = "overwrite"
    """Every column that is mapped counts, empty ones too; tags and mapped custom fields are replaced."""


class ImportNotFound(NotFound):
    """There is no such import in this workspace."""

    code = "import_not_found"


class ImportState(Conflict):
    """The import is in a state that does not allow this."""

    code = "import_state"


@dataclass(frozen=True, slots=True)
class Import:
    """An import. total = created + updated + unchanged + rejected once it is done; `problems` keeps the first hundred.

    Until it is done, `total` is an estimate unless `total_exact`. `columns` has one object a column of the file: name,
    target (see `mapping`), samples, and why. `analysis` is what the last dry run found.
    """

    id: ImportId
    list_id: ListId | None
    list_ids: list[ListId]
    tags: list[str]
    policy: ImportPolicy
    dry_run: bool
    status: ImportStatus
    filename: str
    size: int
    total: int
    total_exact: bool
    processed: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    suppressed: int
    problems: list[dict[str, Any]]
    format: dict[str, Any] | None
    columns: list[dict[str, Any]]
    status_all: str
    analysis: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def get_import(tx: Tx, *, workspace: WorkspaceId, import_: ImportId) -> Import:
    """The import as it stands. Raises ImportNotFound."""
    row = await tx.fetchrow(f"{SELECT} WHERE workspace_id = $1 AND id = $2", workspace, import_)
    if row is None:
        raise unknown(import_)
    return of_row(row)


async def take_turn(tx: Tx, *, workspace: WorkspaceId, import_: ImportId) -> None:
    """Whoever asks first is next, until the transaction ends.

    The lock of a row is nobody's turn: whoever stores batch after batch takes it again before another that waits for it has
    woken up, and a cancelled import would run on to its end on a busy machine.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('tidings import', $1))", workspace << 32 ^ import_)


async def lock_import(tx: Tx, *, workspace: WorkspaceId, import_: ImportId, states: Sequence[ImportStatus]) -> Import:
    """The import, kept from changing until the transaction ends. Raises ImportNotFound; ImportState if in another state."""
    await take_turn(tx, workspace=workspace, import_=import_)
    row = await tx.fetchrow(f"{SELECT} WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, import_)
    if row is None:
        raise unknown(import_)
    found = of_row(row)
    if found.status not in states:
        wanted = " or ".join(states)
        raise ImportState(f"{public_id('import', import_)} is {found.status}; this needs one that is {wanted}")
    return found


async def list_imports(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, limit: int = 50, offset: int = 0
) -> list[Import]:
    """Imports, newest first: `limit` of them after `offset`, or those with ids below `before`."""
    rows = await tx.fetch(
        f"{SELECT} WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3 OFFSET $4",
        workspace,
        2**63 - 1 if before is None else before,
        limit,
        offset,
    )
    return [of_row(row) for row in rows]


async def count_imports(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many imports there are."""
    return await tx.fetchval("SELECT count(*) FROM imports WHERE workspace_id = $1", workspace)


def unknown(import_: ImportId) -> ImportNotFound:
    """The error for an id that leads nowhere."""
    return ImportNotFound(f"there is no import {public_id('import', import_)}")


def of_row(row: asyncpg.Record) -> Import:
    """An import from a row of `SELECT`."""
    values: dict[str, Any] = dict(row)
    values["status"] = ImportStatus(row["status"])
    values["policy"] = ImportPolicy(row["policy"])
    return Import(**values)
