"""People who are deleted: what they did goes with them, and the facts stay as numbers."""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId


async def forget_people(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """Delete what segments are told of these contacts. Facts and counts stay: they name an id that nobody has any more."""
    for table in ("contact_activity", "contact_receipts"):
        await tx.execute(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])",  # noqa: S608 - our own words
            workspace,
            contacts,
        )
