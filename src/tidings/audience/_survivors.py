"""Who was merged into whom: mails that went to the merged one still carry their old id."""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId


async def survivor(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> dict[ContactId, ContactId]:
    """For those of `contacts` that were merged into others: whom they are now. Never a chain: one look says it."""
    rows = await tx.fetch(
        "SELECT merged_id, into_id FROM contact_merges WHERE workspace_id = $1 AND merged_id = ANY ($2::bigint[])",
        workspace,
        contacts,
    )
    return {ContactId(row["merged_id"]): ContactId(row["into_id"]) for row in rows}
