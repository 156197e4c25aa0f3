"""Working off an import: batch by batch, each in a transaction that also moves `processed` on.

So whatever dies, wherever, an import continues after its last finished batch and takes no row twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import asyncpg
import orjson

from tidings.audience.addresses import address_key
from tidings.audience.fields import declared_fields
from tidings.audience.imports._dry_run import dry_run
from tidings.audience.imports._formats import FileFormat
from tidings.audience.imports._mapping import Column, written_here
from tidings.audience.imports._plan import OUT, Checked, Plan, no_such_list
from tidings.audience.imports._reader import ReaderFault, read_checked, stored_pieces
from tidings.audience.imports._stage import PLANS, stage
from tidings.audience.imports._states import JOB, Import, ImportStatus, get_import, take_turn
from tidings.audience.leaving import announce_withdrawn, suppress
from tidings.audience.tags import register_tags
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx, sql
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ImportId, WorkspaceId, public_id
from tidings.core.loops import RETRYABLE

_log = logging.getLogger(__name__)

PROBLEMS_KEPT = 100

_MANY = 10_000
"""Rows of an import that can change the shape of the audience."""

_QUIET_SECONDS = 2.0
"""How long an import that another worker has moved on must rest before we take it over."""

_COLLISIONS = 20
_GOES_ON = {ImportStatus.QUEUED, ImportStatus.RUNNING}

_LOCK = """
SELECT FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""

_OUT = """
SELECT c.id, r.status, c.status::text AS was
FROM import_rows AS r
CROSS JOIN LATERAL (
    SELECT id, email, status FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE c.email = r.email AND r.status = ANY ($2::text[])
ORDER BY c.id
"""

_LEAVING = """
SELECT c.id
FROM import_rows AS r
CROSS JOIN LATERAL (
    SELECT id, email FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE c.email = r.email AND r.left_lists IS NOT NULL
"""

_KNOWN_OUT = """
SELECT count(*)::integer
FROM import_rows AS r
CROSS JOIN LATERAL (
    SELECT email, status FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE c.email = r.email AND c.status <> 'active'
"""


_OF_DOMAINS = """
SELECT count(*)::integer
FROM import_rows AS r
CROSS JOIN LATERAL (
    SELECT email, status FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS c
WHERE EXISTS (SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
  AND split_part(r.email, '@', -1) IN (
      SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
  AND c.email = r.email AND c.status = 'active'
"""


def jobs(db: Database, keys: Keyring) -> dict[str, Callable[[Any], Awaitable[None]]]:
    """The background jobs of imports, for `core.jobs.run_jobs`."""

    async def work(payload: Any) -> None:
        await run_import(db, keys, workspace=WorkspaceId(payload["workspace"]), import_=ImportId(payload["import"]))

    return {JOB: work}


async def run_import(db: Database, keys: Keyring, *, workspace: WorkspaceId, import_: ImportId) -> None:
    """Work off what is left of an import. Raises only what is worth trying again (`core.loops.RETRYABLE`)."""
    try:
        async with db.connection() as connection:
            job = await get_import(connection, workspace=workspace, import_=import_)
            plan = await plan_of(connection, workspace, job)
        if job.status not in _GOES_ON:
            return
        if job.dry_run:
            await dry_run(db, address_key(keys), workspace=workspace, job=job, plan=plan)
        else:
            await _Worker(db, address_key(keys), workspace, job, plan).run()
    except RETRYABLE:
        raise
    except Invalid as error:
        first = error.fields[0]
        await _fail(db, workspace, import_, first.message, first.field)
    except Exception as error:  # noqa: BLE001 - whatever it is, the import must say that it ended
        _log.exception("import %s of workspace %s failed", import_, workspace)
        await _fail(db, workspace, import_, f"a fault of ours stopped the import: {_words(error)}")


async def plan_of(tx: Tx, workspace: WorkspaceId, job: Import) -> Plan:
    """What the job does with each row."""
    contacts = job.format is None or job.format["kind"] == "contacts"
    return Plan(
        None if contacts else [Column.of(column) for column in job.columns],
        job.status_all,
        job.policy == "overwrite",
        job.policy == "skip",
        dict(await declared_fields(tx, workspace=workspace)),
        job.format is not None
        and job.format["kind"] in {"csv", "xlsx"}
        and written_here([column["name"] for column in job.columns]),
    )


class _Overtaken(Exception):
    """Another worker is at this import, or what we read does not fit what was taken."""


class _Worker:
    """Works off one import. While PostgreSQL stores a batch, the next one is read and checked."""

    def __init__(self, db: Database, key: bytes, workspace: WorkspaceId, job: Import, plan: Plan) -> None:
        self._db = db
        self._key = key
        self._of = (workspace, job.id)
        self._job = job
        self._plan = plan
        self._lists = [int(list_id) for list_id in job.list_ids]
        self._told = [problem for problem in job.problems if problem["row"] is None]

    async def run(self) -> None:
        """Until nothing is left, or the import is no longer to be worked on."""
        while True:
            job = self._job
            batches = read_checked(
                stored_pieces(self._db, *self._of),
                FileFormat.of(job.format or {"kind": "contacts"}),
                self._plan,
                self._key,
                skip=job.processed,
                size=job.size,
            )
            try:
                async with contextlib.aclosing(batches):
                    if not await self._store_all(batches):
                        return
                break
            except _Overtaken:
                if not await self._rests():
                    return
        await self._finish()

    async def _store_all(self, batches: AsyncGenerator[Checked, None]) -> bool:
        batch = await anext(batches, None)
        while batch is not None:
            reading = asyncio.ensure_future(anext(batches, None))
            try:
                if not await self._store_again_and_again(batch):
                    return False
                batch = await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return True

    async def _rests(self) -> bool:
        """Wait until nobody moves the import on; False once it has ended."""
        seen = -1
        while True:
            async with self._db.connection() as connection:
                self._job = await get_import(connection, workspace=self._of[0], import_=self._of[1])
            if self._job.status not in _GOES_ON:
                return False
            if self._job.processed == seen:
                return True
            seen = self._job.processed
            await asyncio.sleep(_QUIET_SECONDS)

    async def _finish(self) -> None:
        # Waits for the disk, and with it everything before.
        async with self._db.transaction() as tx:
            total = await tx.fetchval(
                """UPDATE imports SET status = 'done', finished_at = $3, total = processed, total_exact = true
                   WHERE workspace_id = $1 AND id = $2 AND status IN ('queued', 'running') RETURNING total""",
                *self._of,
                utc_now(),
            )
            await tx.execute("DELETE FROM import_pieces WHERE workspace_id = $1 AND import_id = $2", *self._of)
        if total is not None and total >= _MANY:
            # A launch may follow at once: its plan must know of these people before autovacuum's next round.
            async with self._db.connection() as connection:
                await connection.execute("ANALYZE contacts, subscriptions")

    async def _store_again_and_again(self, batch: Checked) -> bool:
        """Store the batch; another import that made the same people at the same moment makes us look again."""
        for attempt in range(_COLLISIONS):
            try:
                return await self._store(batch)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                if attempt == _COLLISIONS - 1:
                    raise
        return False

    async def _store(self, batch: Checked) -> bool:
        """Take the batch and move on, at once; False if the import is not to go on."""
        workspace, import_ = self._of
        async with self._db.transaction() as tx:
            # A commit that the disk never saw is undone whole, progress and all: no need to wait for the disk each time.
            await tx.execute("SET LOCAL synchronous_commit = off")
            await take_turn(tx, workspace=workspace, import_=import_)
            # The lock makes two workers of one import (a slow one and its stand-in) take turns.
            row = await tx.fetchrow(
                "SELECT status, processed FROM imports WHERE workspace_id = $1 AND id = $2 FOR UPDATE", *self._of
            )
            if row is None or row["status"] not in _GOES_ON:
                return False
            if row["processed"] != batch.first_row:
                raise _Overtaken
            strange = await self._lock_lists(tx, batch)
            created = updated = suppressed = 0
            if batch.people:
                created, updated, suppressed = await self._merge(tx, batch)
            problems = [
                {"row": row_no, "line": line, "field": field, "message": message}
                for row_no, line, field, message, _ in batch.rejects[:PROBLEMS_KEPT]
            ]
            problems = [problem for problem in map(no_such_list, strange) if problem not in self._told] + problems
            if batch.rejects:
                await tx.execute(
                    "INSERT INTO import_rejects (workspace_id, import_id, first_row, rows) VALUES ($1, $2, $3, $4)",
                    *self._of,
                    batch.first_row,
                    orjson.dumps(batch.rejects),
                )
            await tx.execute(
                sql(__package__, "_progress"),
                workspace,
                import_,
                batch.size,
                created,
                updated + batch.updated,
                batch.people - created - updated + batch.unchanged,
                len(batch.rejects),
                suppressed,
                problems,
                PROBLEMS_KEPT,
                utc_now(),
            )
        self._told += [problem for problem in problems if problem["row"] is None]
        return True

    async def _lock_lists(self, tx: Tx, batch: Checked) -> list[str]:
        """Lists before people, as everywhere: those that they come on, and those that they left. Returns names that people
        were to come on and no list has."""
        if not self._lists and not batch.left and not batch.on:
            return []
        there = await tx.fetch(
            """SELECT id, name FROM lists WHERE workspace_id = $1 AND (id = ANY ($2::bigint[]) OR name = ANY ($3::text[]))
               ORDER BY id FOR KEY SHARE""",
            self._of[0],
            self._lists,
            [*batch.left, *batch.on],
        )
        if gone := set(self._lists) - {row["id"] for row in there}:
            named = ", ".join(public_id("list", id_) for id_ in sorted(gone))
            raise Invalid.at("list_id", f"the list was deleted ({named}); what was imported before stays")
        return sorted(set(batch.on) - {row["name"] for row in there})

    async def _merge(self, tx: Tx, batch: Checked) -> tuple[int, int, int]:
        """Merge into contacts and put on the lists; returns how many were created, changed, and are out."""
        workspace, now, job = self._of[0], utc_now(), self._job
        await tx.execute(PLANS)
        await stage(tx, batch)
        if batch.tags or job.tags:
            await register_tags(tx, workspace=workspace, names=[*job.tags, *batch.tags], now=now)
        counts = await tx.fetchrow(sql(__package__, "_new"), workspace, now, job.tags)
        assert counts is not None
        created, suppressed, updated = counts["created"], counts["suppressed"], 0
        if created < batch.people:
            counts = await tx.fetchrow(
                sql(__package__, "_changed"), workspace, now, job.tags, str(job.policy), self._plan.customs
            )
            assert counts is not None
            updated, suppressed = counts["updated"], counts["suppressed"]
        if created < batch.people:
            known: list[int] = []
            if self._lists:
                known += [row["id"] for row in await tx.fetch(sql(__package__, "_unlocked"), workspace, self._lists)]
            if batch.on:
                known += [row["id"] for row in await tx.fetch(sql(__package__, "_unlocked_named"), workspace)]
            if batch.left:
                known += [row["id"] for row in await tx.fetch(_LEAVING, workspace)]
            await tx.execute(_LOCK, workspace, known)
        if batch.left:
            await self._leave_lists(tx)
        for list_id in self._lists:
            await tx.execute(sql(__package__, "_subscribe"), workspace, list_id, now)
        if batch.on:
            await tx.execute(sql(__package__, "_subscribe_named"), workspace, now)
        if batch.out:
            await self._take_out(tx)
            suppressed = await tx.fetchval(_KNOWN_OUT, workspace)
        return created, updated, suppressed + await tx.fetchval(_OF_DOMAINS, workspace)

    async def _leave_lists(self, tx: Tx) -> None:
        """Who left a list where they come from has left the one of this name here. They are not put on it below."""
        workspace = self._of[0]
        rows = await tx.fetch(sql(__package__, "_leave_lists"), workspace, utc_now())
        gone = list(dict.fromkeys(ContactId(row["contact_id"]) for row in rows))
        await announce_withdrawn(tx, workspace=workspace, contacts=gone)

    async def _take_out(self, tx: Tx) -> None:
        """Who is out where they come from is out here: status, suppression, every subscription."""
        workspace = self._of[0]
        rows = await tx.fetch(_OUT, workspace, list(OUT))
        for status in OUT:
            people = [(ContactId(row["id"]), "") for row in rows if row["status"] == status]
            await suppress(tx, workspace=workspace, contacts=people, reason=status, source="import", now=utc_now())


async def _fail(db: Database, workspace: WorkspaceId, import_: ImportId, message: str, field: str = "") -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """UPDATE imports SET status = 'failed', finished_at = $3, problems = $4::jsonb || problems
               WHERE workspace_id = $1 AND id = $2 AND status IN ('queued', 'running')""",
            workspace,
            import_,
            utc_now(),
            [{"row": None, "line": None, "field": field, "message": message}],
        )
        await tx.execute("DELETE FROM import_pieces WHERE workspace_id = $1 AND import_id = $2", workspace, import_)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, ReaderFault) else type(error).__name__
