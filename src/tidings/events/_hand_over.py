"""Two contacts became one: what happened to the one happened to the other."""

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId

_ACTIVITY = """
WITH gone AS (DELETE FROM contact_activity WHERE workspace_id = $1 AND contact_id = $2 RETURNING *)
INSERT INTO contact_activity AS a (workspace_id, contact_id, human_opens, other_opens, human_clicks, other_clicks, received)
SELECT workspace_id, $3, human_opens, other_opens, human_clicks, other_clicks, received FROM gone
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET
    human_opens = activity_joined(a.human_opens, excluded.human_opens),
    other_opens = activity_joined(a.other_opens, excluded.other_opens),
    human_clicks = activity_joined(a.human_clicks, excluded.human_clicks),
    other_clicks = activity_joined(a.other_clicks, excluded.other_clicks),
    received = activity_joined(a.received, excluded.received)
"""


async def hand_over(tx: Tx, *, workspace: WorkspaceId, contact: ContactId, into: ContactId) -> None:
    """Every fact and engagement of `contact` is one of `into` from now on. Facts that come later name whom they are told."""
    await tx.execute(
        "UPDATE events SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, contact, into
    )
    await tx.execute(
        "UPDATE engagements SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, contact, into
    )
    await tx.execute(_ACTIVITY, workspace, contact, into)
