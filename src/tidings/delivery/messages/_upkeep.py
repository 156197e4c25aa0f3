"""What keeps rolling sends small: crowds become chunks, chunks that are done go, and sends that are old enough go whole."""

from datetime import datetime, timedelta

from tidings.core.db import Tx, sql
from tidings.delivery.messages._messages import OPEN_FOR

KEPT_FOR = timedelta(days=45)
"""How long a message can be looked up. What it said is personal, and a password link is nobody's business for ever."""

_CROWD = 200
_GATHERED = 1000
_AT_ONCE = 5000

_CLEARED = """
DELETE FROM chunks AS c USING (
    SELECT d.workspace_id, d.send_id, d.chunk_no
    FROM sends AS s
    CROSS JOIN LATERAL (
        SELECT c.workspace_id, c.send_id, c.chunk_no FROM chunks AS c
        WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state = 'done' LIMIT $1
    ) AS d
    WHERE s.campaign_id IS NULL
    LIMIT $1
) AS d
WHERE c.workspace_id = d.workspace_id AND c.send_id = d.send_id AND c.chunk_no = d.chunk_no AND c.state = 'done'
"""
_ENDED = """
UPDATE sends AS s SET status = 'done', finished_at = $1
WHERE s.campaign_id IS NULL AND s.status = 'running' AND s.created_at < $2
  AND NOT EXISTS (SELECT FROM message_sends AS m WHERE m.workspace_id = s.workspace_id AND m.send_id = s.id)
  AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done')
"""
# A delivery that may still be tried keeps its send: deferred ones give up after a few days by themselves.
_OLDEST = """
SELECT s.workspace_id, s.id FROM sends AS s
WHERE s.campaign_id IS NULL AND s.status = 'done' AND s.created_at < $1
  AND NOT EXISTS (SELECT FROM retries AS r WHERE r.workspace_id = s.workspace_id AND r.send_id = s.id)
  AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done')
ORDER BY s.created_at LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_FORGOTTEN = """
WITH old AS (
    DELETE FROM messages AS m USING (
        SELECT workspace_id, send_id, n FROM deliveries WHERE workspace_id = $1 AND send_id = $2 LIMIT $3
    ) AS d
    WHERE m.workspace_id = d.workspace_id AND m.send_id = d.send_id AND m.n = d.n
)
DELETE FROM deliveries AS d USING (
    SELECT workspace_id, send_id, n FROM deliveries WHERE workspace_id = $1 AND send_id = $2 LIMIT $3
) AS o
WHERE d.workspace_id = o.workspace_id AND d.send_id = o.send_id AND d.n = o.n
RETURNING 1
"""


async def gather_messages(tx: Tx) -> int:
    """Make chunks of a thousand where hundreds of messages wait one by one; returns how many messages it took."""
    rows = await tx.fetch(sql(__package__, "_gather_messages"), _CROWD, _GATHERED)
    return sum(row["gathered"] for row in rows)


async def tidy_messages(tx: Tx, *, now: datetime) -> bool:
    """One step of keeping rolling sends small: call it again while it says True."""
    cleared = await tx.fetchval(f"WITH gone AS ({_CLEARED} RETURNING 1) SELECT count(*) FROM gone", _AT_ONCE)  # noqa: S608
    # Twice as long as it takes messages: a transaction that began before its successor may still add one.
    await tx.execute(_ENDED, now, now - 2 * OPEN_FOR)
    oldest = await tx.fetchrow(_OLDEST, now - KEPT_FOR)
    if oldest is None:
        return cleared == _AT_ONCE
    gone = await tx.fetch(_FORGOTTEN, oldest["workspace_id"], oldest["id"], _AT_ONCE)
    if len(gone) < _AT_ONCE:
        for table in ("message_contents", "send_counters"):
            await tx.execute(
                f"DELETE FROM {table} WHERE workspace_id = $1 AND send_id = $2",  # noqa: S608 - our own names
                oldest["workspace_id"],
                oldest["id"],
            )
        await tx.execute("DELETE FROM sends WHERE workspace_id = $1 AND id = $2", oldest["workspace_id"], oldest["id"])
    return True
