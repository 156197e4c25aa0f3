"""Working off an import: batch by batch, each in a transaction that also takes the batch away.

So whatever dies, wherever, an import continues after its last finished batch and takes no row twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
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

_MANY = 10_000
"""Rows of an import that can change the shape of the audience."""

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
    worker = _Worker(db, address_key(keys), workspace, import_)
    try:
        await worker.run()
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the import must say that it ended
        _log.exception("import %s of workspace %s failed", import_, workspace)
        async with db.transaction() as tx:
            await _fail(tx, workspace, import_, f"a fault of ours stopped the import: {type(error).__name__}")


@dataclass(slots=True)
class _Batch:
    """Checked rows, one a person: those whom the batch names twice are merged, the later word counting."""

    number: int
    size: int = 0
    people: dict[str, ContactFields] = field(default_factory=dict)
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)

    def take(self, row: Any, number: int) -> None:
        """Check one row, the `number`-th of the import."""
        self.size += 1
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


class _Worker:
    """Works off one import. While PostgreSQL stores a batch, the next one is read and checked."""

    def __init__(self, db: Database, key: bytes, workspace: WorkspaceId, import_: ImportId) -> None:
        self._db = db
        self._key = key
        self._of = (workspace, import_)

    async def run(self) -> None:
        """Until nothing is left, or the import is no longer to be worked on."""
        batch = await self._read(-1)
        while batch is not None:
            reading = asyncio.ensure_future(self._read(batch.number))
            try:
                goes_on = await self._store(batch)
                batch = await reading if goes_on else None
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        # Waits for the disk, and with it everything before.
        async with self._db.transaction() as tx:
            total = await tx.fetchval(
                """UPDATE imports SET status = 'done', finished_at = $3
                   WHERE workspace_id = $1 AND id = $2 AND status IN ('queued', 'running') AND NOT EXISTS (
                       SELECT FROM import_batches AS b WHERE b.workspace_id = $1 AND b.import_id = $2)
                   RETURNING total""",
                *self._of,
                utc_now(),
            )
        if total is not None and total >= _MANY:
            # A launch may follow at once: its plan must know of these people before autovacuum's next round.
            async with self._db.connection() as connection:
                await connection.execute("ANALYZE contacts, subscriptions")

    async def _read(self, after: int) -> _Batch | None:
        async with self._db.connection() as connection:
            stored = await connection.fetchrow(
                """SELECT batch_no, first_row, rows FROM import_batches
                   WHERE workspace_id = $1 AND import_id = $2 AND batch_no > $3 ORDER BY batch_no LIMIT 1""",
                *self._of,
                after,
            )
        if stored is None:
            return None
        batch = _Batch(stored["batch_no"])
        rows = orjson.loads(stored["rows"])
        for position, row in enumerate(rows):
            batch.take(row, stored["first_row"] + position)
            if position % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        return batch

    async def _store(self, batch: _Batch) -> bool:
        """Take the batch and what is in it, at once; False if the import is not to go on."""
        workspace, import_ = self._of
        async with self._db.transaction() as tx:
            # A commit that the disk never saw is undone whole, batch and all: no need to wait for the disk each time.
            await tx.execute("SET LOCAL synchronous_commit = off")
            # The lock makes two workers of one import (a slow one and its stand-in) take turns.
            row = await tx.fetchrow(
                "SELECT list_id, status FROM imports WHERE workspace_id = $1 AND id = $2 FOR UPDATE", *self._of
            )
            if row is None or row["status"] not in {"queued", "running"}:
                return False
            list_id = row["list_id"]
            if list_id is not None and not await tx.fetchval(
                "SELECT true FROM lists WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE", workspace, list_id
            ):
                await _fail(tx, workspace, import_, "the list was deleted; what was imported before stays", "list_id")
                return False
            taken = await tx.fetchval(
                """DELETE FROM import_batches WHERE workspace_id = $1 AND import_id = $2 AND batch_no = $3
                   RETURNING true""",
                *self._of,
                batch.number,
            )
            if not taken:  # another worker was quicker
                return True
            created, updated = await self._merge(tx, list_id, batch)
            await tx.execute(
                sql(__package__, "_import_progress"),
                workspace,
                import_,
                batch.size,
                created,
                updated + batch.updated,
                len(batch.people) - created - updated + batch.unchanged,
                batch.rejected,
                batch.problems,
                PROBLEMS_KEPT,
            )
        return True

    async def _merge(self, tx: Tx, list_id: int | None, batch: _Batch) -> tuple[int, int]:
        """Merge into contacts and put on the list; returns how many were created and changed."""
        if not batch.people:
            return 0, 0
        await tx.execute(_STAGE)
        records = [
            (email, address_hash(self._key, email), *(getattr(fields, name) for name in _COLUMNS))
            for email, fields in batch.people.items()
        ]
        await tx.copy_records_to_table(
            "import_rows", records=records, columns=["email", "address_hash", *_COLUMNS], schema_name="pg_temp"
        )
        now = utc_now()
        counts = await tx.fetchrow(sql(__package__, "_import_merge"), self._of[0], now)
        assert counts is not None
        if list_id is not None:
            await tx.execute(sql(__package__, "_import_subscribe"), self._of[0], list_id, now)
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
