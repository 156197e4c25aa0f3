"""Contacts that are no more. What they did stays among the facts under their number; segments must not find it."""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId


async def note_gone(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """Remember these numbers, in the transaction that deletes the contacts. Numbers are never given twice."""
    await tx.execute(
        """INSERT INTO contacts_gone (workspace_id, contact_id) SELECT $1, unnest($2::bigint[])
           ON CONFLICT (workspace_id, contact_id) DO NOTHING""",
        workspace,
        contacts,
    )
