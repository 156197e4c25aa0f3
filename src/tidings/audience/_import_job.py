"""Working off an import: batch by batch, each in a transaction that also takes the batch away.

So whatever dies, wherever, an import continues after its last finished batch and takes no row twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tidings.audience._addresses import address_hash, address_key
from tidings.audience._fields import ContactFields, clean_contact
from tidings.audience._imports import JOB
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx, sql
from tidings.core.errors import Invalid
from tidings.core.ids import ImportId, WorkspaceId
from tidings.core.loops import RETRYABLE

_log = logging.getLogger(__name__)

PROBLEMS_KEPT = 100

_BREATH = 250
"""Rows checked before others on the loop get their turn: some three milliseconds."""

_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS import_rows (
    email text, address_hash bytea, first_name text, last_name text, phone text, language text, time_zone text,
    tags text[], attributes jsonb
) ON COMMIT DELETE ROWS
"""
_COLUMNS = ("first_name", "last_name", "phone", "language", "time_zone", "tags", "attributes")


def jobs(db: Database, keys: Keyring) -> dict[str, Callable[[Any], Awaitable[None]]]:
    """The background jobs of this slice, for `core.jobs.run_jobs`."""

    async def work(payload: Any) -> None:
        await run_import(db, keys, workspace=WorkspaceId(payload["workspace"]), import_=ImportId(payload["import"]))

    return {JOB: work}


async def run_import(db: Database, keys: Keyring, *, workspace: WorkspaceId, import_: ImportId) -> None:
    """Work off what is left of an import. Raises only what is worth trying again (`core.loops.RETRYABLE`)."""
    key = address_key(keys)
    try:
        more = True
        while more:
            async with db.transaction() as tx:
                more = await _next_batch(tx, key, workspace, import_)
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the import must say that it ended
        _log.exception("import %s of workspace %s failed", import_, workspace)
        async with db.transaction() as tx:
            await _fail(tx, workspace, import_, f"a fault of ours stopped the import: {type(error).__name__}")


@dataclass(slots=True)
class _Batch:
    """Checked rows, one a person: those whom the batch names twice are merged, the later word counting."""

    people: dict[str, ContactFields] = field(default_factory=dict)
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)

    def take(self, row: Any, number: int) -> None:
        """Check one row, the `number`-th of the import."""
        try:
            if not isinstance(row, dict):
                raise Invalid.at("", "must be an object with an email")
            fields = clean_contact(row)
            if not fields.email:
                raise Invalid.at("email", "is required")
        except Invalid as error:
            self.rejected += 1
            if len(self.problems) < PROBLEMS_KEPT:
                first = error.fields[0]
                self.problems.append({"row": number, "field": first.field, "message": first.message})
            return
        known = self.people.setdefault(fields.email, fields)
        if known is not fields:
            if _merge(known, fields):
                self.updated += 1
            else:
                self.unchanged += 1


def _merge(known: ContactFields, told: ContactFields) -> bool:
    changed = False
    for name in _COLUMNS:
        new, old = getattr(told, name), getattr(known, name)
        if name == "tags" and new and old:
            new = [*old, *(tag for tag in new if tag not in old)]
        elif name == "attributes" and new and old:
            new = {**old, **new}
        if new and new != old:
            setattr(known, name, new)
            changed = True
    return changed


async def _next_batch(tx: Tx, key: bytes, workspace: WorkspaceId, import_: ImportId) -> bool:
    """Take one batch; False once there is none left."""
    # The lock makes two workers of one import (a slow one and its stand-in) take turns.
    import_row = await tx.fetchrow(
        "SELECT list_id, status FROM imports WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, import_
    )
    if import_row is None or import_row["status"] not in {"queued", "running"}:
        return False
    list_id = import_row["list_id"]
    if list_id is not None and not await tx.fetchval(
        "SELECT true FROM lists WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE", workspace, list_id
    ):
        await _fail(tx, workspace, import_, "the list was deleted; what was imported before stays", "list_id")
        return False
    stored = await tx.fetchrow(
        """DELETE FROM import_batches WHERE workspace_id = $1 AND import_id = $2 AND batch_no =
               (SELECT min(batch_no) FROM import_batches WHERE workspace_id = $1 AND import_id = $2)
           RETURNING first_row, rows""",
        workspace,
        import_,
    )
    if stored is None:
        await tx.execute(
            "UPDATE imports SET status = 'done', finished_at = $3 WHERE workspace_id = $1 AND id = $2",
            workspace,
            import_,
            utc_now(),
        )
        return False
    rows = orjson.loads(stored["rows"])
    batch = await _checked(rows, stored["first_row"])
    created, updated = await _store(tx, key, workspace, list_id, batch)
    await tx.execute(
        sql(__package__, "_import_progress"),
        workspace,
        import_,
        len(rows),
        created,
        updated + batch.updated,
        len(batch.people) - created - updated + batch.unchanged,
        batch.rejected,
        batch.problems,
        PROBLEMS_KEPT,
    )
    return True


async def _checked(rows: Sequence[Any], first_row: int) -> _Batch:
    batch = _Batch()
    for position, row in enumerate(rows):
        batch.take(row, first_row + position)
        if position % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
    return batch


async def _store(tx: Tx, key: bytes, workspace: WorkspaceId, list_id: int | None, batch: _Batch) -> tuple[int, int]:
    """Merge into contacts and put on the list; returns how many were created and changed."""
    if not batch.people:
        return 0, 0
    await tx.execute(_STAGE)
    # In one order always, so that two imports of the same people wait for each other instead of deadlocking.
    records = [
        (email, address_hash(key, email), *(getattr(fields, name) for name in _COLUMNS))
        for email, fields in sorted(batch.people.items())
    ]
    await tx.copy_records_to_table(
        "import_rows", records=records, columns=["email", "address_hash", *_COLUMNS], schema_name="pg_temp"
    )
    now = utc_now()
    counts = await tx.fetchrow(sql(__package__, "_import_merge"), workspace, now)
    assert counts is not None
    if list_id is not None:
        await tx.execute(sql(__package__, "_import_subscribe"), workspace, list_id, now)
    return counts["created"], counts["updated"]


async def _fail(tx: Tx, workspace: WorkspaceId, import_: ImportId, message: str, field_name: str = "") -> None:
    await tx.execute(
        """UPDATE imports SET status = 'failed', finished_at = $3, problems = problems || $4::jsonb
           WHERE workspace_id = $1 AND id = $2""",
        workspace,
        import_,
        utc_now(),
        [{"row": None, "field": field_name, "message": message}],
    )
    await tx.execute("DELETE FROM import_batches WHERE workspace_id = $1 AND import_id = $2", workspace, import_)
