"""Two contacts became one: what happened to the one happened to the other."""

from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, WorkspaceId


async def hand_over(tx: Tx, *, workspace: WorkspaceId, contact: ContactId, into: ContactId) -> None:
    """Every fact and engagement of `contact` is one of `into` from now on. Facts that come later name whom they are told."""
    await tx.execute(
        "UPDATE events SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, contact, into
    )
    await tx.execute(
        "UPDATE engagements SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, contact, into
    )
    await tx.execute(sql(__package__, "_hand_over"), workspace, contact, into)
