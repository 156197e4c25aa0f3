"""Merging two contacts: nobody who left comes back by it, and nobody is mailed twice."""

from datetime import datetime

from tidings import delivery
from tidings.accounts import Principal
from tidings.audience import contacts, merging
from tidings.audience.contacts import Contact
from tidings.audience.merging import Side
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId


async def merge_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    into: ContactId,
    merged: ContactId,
    prefer: Side = Side.INTO,
    address: Side = Side.INTO,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> Contact:
    """Make one contact of two, with the history of both; repeating it is harmless.

    `prefer` says whose fields count where both have one, `address` whose address is kept. Links in messages that were
    sent to the merged one go on working for the one who stays. The caller waits at `withdraw_barrier` for both afterwards.
    Raises ContactNotFound, Invalid.
    """
    pair = await merging.lock_pair(tx, workspace=workspace, into=into, merged=merged)
    if pair is None:
        return await contacts.get_contact(tx, workspace=workspace, contact=into)
    await delivery.hand_over(tx, workspace=workspace, contact=merged, into=into)
    return await merging.merge_contacts(
        tx, workspace=workspace, pair=pair, prefer=prefer, address=address, keys=keys, by=by, now=now
    )
