"""What hangs on a list that is deleted: taken away in batches, in the background where there are many.

Nobody waits for a million rows. See docs/decisions/0242-large-lists-are-cleared-in-the-background.md.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tidings.audience.leaving import announce_withdrawn
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, ListId, WorkspaceId
from tidings.core.jobs import enqueue

JOB = "audience.clear_list"

BATCH = 5000
"""Rows a transaction: some hundredths of a second, for which others may wait."""

_SWEPT_FOR = timedelta(days=1)
"""For so long somebody who merged or deleted people in that very moment may have written one more row."""

# Locked in the order of everybody else, and each looked up by its key, whatever the statistics say.
_SUBSCRIPTIONS = """
WITH batch AS MATERIALIZED (
    SELECT contact_id FROM subscriptions
    WHERE workspace_id = $1 AND list_id = $2 AND contact_id > $3
    ORDER BY contact_id LIMIT $4 FOR UPDATE
)
DELETE FROM subscriptions
WHERE workspace_id = $1 AND list_id = $2 AND contact_id = ANY (ARRAY(SELECT contact_id FROM batch))
RETURNING contact_id, status::text AS status
"""

_SUPPRESSIONS = """
WITH batch AS MATERIALIZED (
    SELECT address_hash FROM list_suppressions
    WHERE workspace_id = $1 AND list_id = $2 AND address_hash > $3
    ORDER BY address_hash LIMIT $4 FOR UPDATE
)
DELETE FROM list_suppressions
WHERE workspace_id = $1 AND list_id = $2 AND address_hash = ANY (ARRAY(SELECT address_hash FROM batch))
RETURNING address_hash
"""


def jobs(db: Database) -> dict[str, Callable[[Any], Awaitable[None]]]:
    """The background jobs of lists, for `core.jobs.run_jobs`."""

    async def work(payload: Any) -> None:
        await clear_list(db, workspace=WorkspaceId(payload["workspace"]), list=ListId(payload["list"]))

    return {JOB: work}


async def begin_clearing(tx: Tx, *, workspace: WorkspaceId, list: ListId, now: datetime) -> list[ContactId]:  # noqa: A002
    """Take one batch away, and queue the others if there are any; returns those of the batch who were subscribed."""
    rows, _, gone = await _some_subscriptions(tx, workspace=workspace, list_=list, after=0)
    hashes = await _some_suppressions(tx, workspace=workspace, list_=list, after=b"")
    if max(rows, len(hashes)) == BATCH:
        await tx.execute(
            "INSERT INTO lists_gone (workspace_id, list_id, gone_at) VALUES ($1, $2, $3)", workspace, list, now
        )
        await enqueue(tx, job=JOB, payload={"workspace": workspace, "list": list})
    return gone


async def clear_list(db: Database, *, workspace: WorkspaceId, list: ListId) -> None:  # noqa: A002
    """Take away what is left of a list that is gone. Begun anew after a crash, it goes on with what is there."""
    after, rows = 0, BATCH
    while rows == BATCH:
        rows, after, _ = await db.transact(partial(_some_subscriptions, workspace=workspace, list_=list, after=after))
    last, hashes = b"", [b""] * BATCH
    while len(hashes) == BATCH:
        hashes = await db.transact(partial(_some_suppressions, workspace=workspace, list_=list, after=last))
        last = max(hashes, default=last)


async def sweep_lists(db: Database, *, now: datetime) -> None:
    """Look once more for rows of lists that are gone, and forget those that went long ago."""
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT workspace_id, list_id FROM lists_gone ORDER BY gone_at")
    for row in rows:
        await clear_list(db, workspace=WorkspaceId(row["workspace_id"]), list=ListId(row["list_id"]))
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM lists_gone WHERE gone_at < $1", now - _SWEPT_FOR)


async def _some_subscriptions(
    tx: Tx, *, workspace: WorkspaceId, list_: ListId, after: int
) -> tuple[int, int, list[ContactId]]:
    """How many went, up to which contact, and who of them was subscribed: the workers hear of those."""
    rows = await tx.fetch(_SUBSCRIPTIONS, workspace, list_, after, BATCH)
    gone = [ContactId(row["contact_id"]) for row in rows if row["status"] == "subscribed"]
    await announce_withdrawn(tx, workspace=workspace, contacts=gone)
    return len(rows), max((row["contact_id"] for row in rows), default=after), gone


async def _some_suppressions(tx: Tx, *, workspace: WorkspaceId, list_: ListId, after: bytes) -> list[bytes]:
    rows = await tx.fetch(_SUPPRESSIONS, workspace, list_, after, BATCH)
    return [row["address_hash"] for row in rows]
