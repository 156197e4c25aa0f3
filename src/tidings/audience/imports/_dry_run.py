"""A dry run: the whole file read and checked, and counted against what is there. Changes nothing but the import's report."""

import asyncio
import contextlib
from typing import Any

from tidings.audience.imports._formats import FileFormat
from tidings.audience.imports._plan import Plan, no_such_list
from tidings.audience.imports._reader import read_checked, stored_pieces
from tidings.audience.imports._stage import PLANS, stage
from tidings.audience.imports._states import Import
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx
from tidings.core.ids import WorkspaceId

_PROBLEMS_KEPT = 100

_SEEN = """
CREATE TEMP TABLE IF NOT EXISTS import_seen (address_hash bytea, known boolean, is_out boolean, leaves boolean)
ON COMMIT DROP
"""

_LOOK_UP = """
INSERT INTO import_seen
SELECT r.address_hash, k.status IS NOT NULL,
       coalesce(k.status <> 'active', EXISTS (
           SELECT FROM (SELECT address_hash FROM suppressions  -- see _new.sql
                        WHERE workspace_id = $1 AND address_hash >= r.address_hash ORDER BY address_hash LIMIT 1) AS s
           WHERE s.address_hash = r.address_hash))
       OR (EXISTS (SELECT FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
           AND split_part(r.email, '@', -1) IN (
               SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)),
       coalesce(r.status, '') IN ('unsubscribed', 'bounced', 'complained')
FROM import_rows AS r
LEFT JOIN LATERAL (
    SELECT email, status FROM contacts WHERE workspace_id = $1 AND email >= r.email ORDER BY email LIMIT 1
) AS k ON k.email = r.email
"""

_COUNT = """
SELECT count(*)::integer AS people, (count(*) FILTER (WHERE NOT known))::integer AS new,
       (count(*) FILTER (WHERE known))::integer AS known, (count(*) FILTER (WHERE is_out))::integer AS suppressed,
       (count(*) FILTER (WHERE leaves AND NOT is_out))::integer AS leaving
FROM (
    SELECT address_hash, bool_or(known) AS known, bool_or(is_out) AS is_out, bool_or(leaves) AS leaves
    FROM import_seen GROUP BY address_hash
) AS s
"""


async def dry_run(db: Database, key: bytes, *, workspace: WorkspaceId, job: Import, plan: Plan) -> None:
    """Count what the import would do, note it as `analysis`, and leave the import waiting for its start.

    Raises BrokenFile. A cancellation is seen between batches.
    """
    pieces = stored_pieces(db, workspace, job.id)
    assert job.format is not None
    batches = read_checked(pieces, FileFormat.of(job.format), plan, key, skip=0, size=job.size)
    rows = rejected = 0
    problems: list[dict[str, Any]] = []
    named = set[str]()
    async with contextlib.aclosing(batches), db.transaction() as tx:
        await tx.execute(_SEEN)
        await tx.execute(PLANS)
        async for batch in batches:
            if await _ended(db, workspace, job):
                return
            rows += batch.size
            rejected += len(batch.rejects)
            named.update(batch.on)
            for row_no, line, field, message, _ in batch.rejects[: _PROBLEMS_KEPT - len(problems)]:
                problems.append({"row": row_no, "line": line, "field": field, "message": message})
            if batch.people:
                await stage(tx, batch)
                await tx.execute(_LOOK_UP, workspace)
                await tx.execute("TRUNCATE pg_temp.import_rows")
            await asyncio.sleep(0)
        counts = await _counts(tx)
        found = "SELECT name FROM lists WHERE workspace_id = $1 AND name = ANY ($2::text[])"
        strange = sorted(named - {row["name"] for row in await tx.fetch(found, workspace, [*named])})
        problems = [*map(no_such_list, strange), *problems][:_PROBLEMS_KEPT]
    report = {
        "rows": rows,
        "rejected": rejected,
        "duplicates": rows - rejected - counts["people"],
        **{name: counts[name] for name in ("new", "known", "suppressed", "leaving")},
        "problems": problems,
        "whole_file": True,
    }
    async with db.transaction() as tx:
        await tx.execute(
            """UPDATE imports SET status = 'uploaded', dry_run = false, analysis = $3, total = $4, total_exact = true
               WHERE workspace_id = $1 AND id = $2 AND status IN ('queued', 'running')""",
            workspace,
            job.id,
            report | {"at": utc_now()},
            rows,
        )


async def _counts(tx: Tx) -> dict[str, int]:
    await tx.execute("SET LOCAL work_mem = '32MB'; SET LOCAL enable_hashjoin = on; SET LOCAL enable_sort = on")
    row = await tx.fetchrow(_COUNT)
    assert row is not None
    return dict(row)


async def _ended(db: Database, workspace: WorkspaceId, job: Import) -> bool:
    async with db.connection() as connection:
        return not await connection.fetchval(
            "SELECT status IN ('queued', 'running') FROM imports WHERE workspace_id = $1 AND id = $2",
            workspace,
            job.id,
        )
