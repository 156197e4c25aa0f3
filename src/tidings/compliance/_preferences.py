"""The preference page: which lists somebody is on, and changing it, for whoever holds a token from one of their messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidings.audience import consents, contacts, fields, gone, states, subscriptions
from tidings.audience.consents import Proof
from tidings.audience.lists import public_lists
from tidings.audience.states import ContactStatus, SuppressionReason
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, ListId, SendId, WorkspaceId
from tidings.delivery import Withdrawals


class Access(StrEnum):
    """What the page lets them do."""

    OPEN = "open"
    """Switch lists on and off."""
    LEFT = "left"
    """They left everything; switching a list on brings them back."""
    CLOSED = "closed"
    """They complained or were shut out: there is nothing to switch."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One public list, and whether they are on it."""

    id: ListId
    name: str
    description: str
    on: bool


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the page shows."""

    contact: ContactId
    email: str
    access: Access
    choices: Sequence[Choice]


async def preferences(tx: Tx, *, workspace: WorkspaceId, contact: ContactId, keys: Keyring) -> Preferences | None:
    """Where a contact, or whoever they were merged into, stands with the public lists; None if they were erased."""
    person = await whoever(tx, workspace=workspace, contact=contact)
    try:
        known = await contacts.get_contact(tx, workspace=workspace, contact=person)
    except contacts.ContactNotFound:
        return None
    lists = await public_lists(tx, workspace=workspace)
    stands = await consents.standing(
        tx, workspace=workspace, email=known.email, lists=[one.id for one in lists], keys=keys
    )
    choices = [
        Choice(
            one.id,
            one.shown_name,
            one.public_description,
            stands.lists.get(one.id) is states.SubscriptionStatus.SUBSCRIBED,
        )
        for one in lists
    ]
    access = Access.CLOSED if stands.forbidden else Access.OPEN
    if stands.suppressed is SuppressionReason.UNSUBSCRIBED or known.status is ContactStatus.UNSUBSCRIBED:
        access = Access.CLOSED if stands.forbidden else Access.LEFT
    return Preferences(person, known.email, access, choices)


async def choose(
    db: Database,
    withdrawals: Withdrawals,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    shown: Collection[ListId],
    on: Collection[ListId],
    proof: Proof,
    send: SendId | None = None,
    n: int | None = None,
    keys: Keyring,
    now: datetime,
) -> bool:
    """Of the public lists that were shown to them, they want to be on these and no others; True if that changed anything.

    Returns once nothing of a send to a list that they left can reach them any more. Whoever complained or was shut out stays so.
    """

    async def switch(tx: Tx) -> tuple[ContactId | None, list[ListId], list[ListId]]:
        stands = await preferences(tx, workspace=workspace, contact=contact, keys=keys)
        if stands is None or stands.access is Access.CLOSED:
            return None, [], []
        offered = [choice for choice in stands.choices if choice.id in shown]
        joined = [choice.id for choice in offered if choice.id in on and not choice.on]
        left = await subscriptions.leave_lists(
            tx,
            workspace=workspace,
            contact=stands.contact,
            lists=[choice.id for choice in offered if choice.id not in on],
            source="preferences",
            send=send,
            n=n,
            now=now,
        )
        if joined:
            await consents.choose_lists(
                tx,
                workspace=workspace,
                contact=stands.contact,
                email=stands.email,
                lists=joined,
                keys=keys,
                now=now,
            )
            await consents.ask_consent(
                tx,
                workspace=workspace,
                email=stands.email,
                lists=joined,
                answers=fields.ContactFields(),
                proof=proof,
                expires_at=None,
                contact=stands.contact,
                now=now,
            )
        return stands.contact, left, joined

    person, left, joined = await db.transact(switch)
    if person is not None and left:
        await withdrawals.settled(workspace=workspace, contacts=[person])
    return bool(left or joined)


async def whoever(tx: Tx, *, workspace: WorkspaceId, contact: ContactId) -> ContactId:
    """Who they are now: links in messages that were sent carry the id from before they were merged into somebody."""
    return (await gone.survivor(tx, workspace=workspace, contacts=[contact])).get(contact, contact)


async def any_public_list(tx: Tx, *, workspace: WorkspaceId) -> bool:
    """Whether there is anything to choose from on the preference page."""
    return bool(await public_lists(tx, workspace=workspace))
