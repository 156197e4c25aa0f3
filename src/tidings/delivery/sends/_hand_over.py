"""Two contacts became one: their deliveries, so that nobody is mailed twice by one send."""

from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, WorkspaceId


async def hand_over(tx: Tx, *, workspace: WorkspaceId, contact: ContactId, into: ContactId) -> None:
    """Deliveries and messages to `contact` are to `into` from now on. Both contacts are locked, and announced as withdrawn.

    Of two in the same send the one that got further is theirs. The other stays with the id that nobody has any more, and is
    skipped if its turn is still to come.
    """
    swapped = [
        row["send_id"]
        for row in await tx.fetch(sql(__package__, "_rival_deliveries"), workspace, contact, into)
        if row["theirs"] > row["own"]
    ]
    # One contact has one delivery a send at any moment, so they pass by an id that no contact can have.
    parked = -contact
    await tx.execute(
        """UPDATE deliveries AS d SET contact_id = $4
           WHERE workspace_id = $1 AND contact_id = $2 AND (send_id = ANY ($5::bigint[]) OR NOT EXISTS (
               SELECT FROM deliveries AS o WHERE o.workspace_id = $1 AND o.contact_id = $3 AND o.send_id = d.send_id))""",
        workspace,
        contact,
        into,
        parked,
        swapped,
    )
    await tx.execute(
        "UPDATE deliveries SET contact_id = $2 WHERE workspace_id = $1 AND contact_id = $3 AND send_id = ANY ($4::bigint[])",
        workspace,
        contact,
        into,
        swapped,
    )
    await tx.execute(
        "UPDATE deliveries SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, parked, into
    )
    await tx.execute(
        "UPDATE messages SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2", workspace, contact, into
    )
