"""What each contact did and got, in the form in which segments ask: kept by `record`, and here what else changes it."""

from collections.abc import Sequence
from datetime import datetime

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId

_RECEIVED = """
INSERT INTO contact_activity AS a (workspace_id, contact_id, received)
SELECT $1, contact_id, array_agg(second ORDER BY second)
FROM (SELECT contact_id, activity_second(at) AS second FROM unnest($2::bigint[], $3::timestamptz[]) AS t (contact_id, at)) AS got
GROUP BY contact_id
ORDER BY contact_id
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET received = activity_joined(a.received, excluded.received)
"""


async def note_received(tx: Tx, *, workspace: WorkspaceId, got: Sequence[tuple[ContactId, datetime]]) -> None:
    """These contacts got a message, each at its time. The caller tells of each message once."""
    if got:
        await tx.execute(_RECEIVED, workspace, [contact for contact, _ in got], [at for _, at in got])


async def forget(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """These contacts were deleted: nothing is to be asked of their activity any more."""
    await tx.execute(
        "DELETE FROM contact_activity WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])",
        workspace,
        list(contacts),
    )
