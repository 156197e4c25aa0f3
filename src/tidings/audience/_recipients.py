"""Who may be mailed: the question that every launch asks."""

from collections.abc import Sequence

from tidings.core.db import Tx, sql
from tidings.core.ids import ListId, WorkspaceId

# Finds the first in an instant; the whole audience would be joined before one came out.
_ANYONE = """
SELECT EXISTS (
    SELECT
    FROM subscriptions AS b
    WHERE b.workspace_id = $1 AND b.list_id = ANY ($2::bigint[]) AND b.status = 'subscribed'
      AND NOT EXISTS (
          SELECT
          FROM subscriptions AS x
          WHERE x.workspace_id = $1 AND x.list_id = ANY ($3::bigint[]) AND x.contact_id = b.contact_id
            AND x.status <> 'unsubscribed'))
"""


def recipients_sql() -> str:
    """A SELECT of (contact_id, skip_reason) over $1 workspace, $2 lists, $3 excluded lists: see `_recipients.sql`."""
    return sql(__package__, "_recipients")


async def anyone(tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId], excluded: Sequence[ListId]) -> bool:
    """Whether the lists hold anyone at all to send to, mailable or not."""
    return await tx.fetchval(_ANYONE, workspace, list(lists), list(excluded))
