"""Who received what, gathered a row a contact once a send is over, so that segments need not read every delivery."""

from datetime import datetime

from tidings.core.db import Tx, sql

_AT_ONCE = 10_000

_NEXT = """
SELECT workspace_id, id FROM sends AS s
WHERE gathered_at IS NULL AND campaign_id IS NOT NULL AND (
    status IN ('done', 'cancelled') AND finished_at IS NOT NULL
    -- Or of which only those are left whom limits hold back, for weeks maybe: theirs come later, one by one.
    OR status = 'running'
        AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done')
        AND EXISTS (SELECT FROM retries AS r WHERE r.workspace_id = s.workspace_id AND r.send_id = s.id AND r.held)
)
ORDER BY workspace_id, id LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
"""


async def gather_receipts(tx: Tx, *, now: datetime) -> bool:
    """Gather some of one send that is over; whether there was one. Any number of callers may work side by side."""
    send = await tx.fetchrow(_NEXT)
    if send is None:
        return False
    await tx.execute(sql(__package__, "_gather_receipts"), _AT_ONCE, now, send["workspace_id"], send["id"])
    return True
