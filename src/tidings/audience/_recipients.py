"""Who may be mailed: the question that every launch asks."""

from collections.abc import Sequence

from tidings.core.db import Tx, sql
from tidings.core.ids import ListId, WorkspaceId


def recipients_sql() -> str:
    """A SELECT of (contact_id, skip_reason) over $1 workspace, $2 lists, $3 excluded lists: see `_recipients.sql`."""
    return sql(__package__, "_recipients")


async def anyone(tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId], excluded: Sequence[ListId]) -> bool:
    """Whether the lists hold anyone at all to send to, mailable or not."""
    return await tx.fetchval(
        f"SELECT EXISTS ({recipients_sql()})",
        workspace,
        list(lists),
        list(excluded),
    )
