"""Who is on a list: adding, removing, leafing through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.audience.gone import LOCK, lock_survivors
from tidings.audience.leaving import announce_withdrawn
from tidings.audience.states import SubscriptionStatus
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ContactId, ListId, SendId, WorkspaceId, public_id
from tidings.events import Event, EventType, record

_ONE_BY_ONE = 0
"""The rollup shard of events that come one at a time."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of contacts that were to be added: newly on the list, on it before, or refused because they left."""

    added: list[ContactId]
    already: list[ContactId]
    refused: list[ContactId]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a contact stands with one list."""

    list_id: ListId
    list_name: str
    status: SubscriptionStatus
    subscribed_at: datetime
    unsubscribed_at: datetime | None


async def contact_subscriptions(tx: Tx, *, workspace: WorkspaceId, contact: ContactId) -> list[Subscription]:
    """Every list a contact is or was on, by the list's id."""
    rows = await tx.fetch(
        """SELECT b.list_id, l.name AS list_name, b.status, b.subscribed_at, b.unsubscribed_at
           FROM subscriptions AS b
           JOIN lists AS l ON l.workspace_id = b.workspace_id AND l.id = b.list_id
           WHERE b.workspace_id = $1 AND b.contact_id = $2 ORDER BY b.list_id""",
        workspace,
        contact,
    )
    return [
        Subscription(
            row["list_id"],
            row["list_name"],
            SubscriptionStatus(row["status"]),
            row["subscribed_at"],
            row["unsubscribed_at"],
        )
        for row in rows
    ]


async def subscribe(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002 - it is one
    contacts: Sequence[ContactId],
    now: datetime,
) -> Added:
    """Put contacts on an existing list. Whoever left, this list or everything, stays out.

    Raises Invalid naming each contact that does not exist, as `contact_ids[position]`.
    """
    rows = await tx.fetch(sql(__package__, "_subscribe"), workspace, list, [*dict.fromkeys(contacts)], now)
    outcome = {ContactId(row["id"]): row["outcome"] for row in rows}
    if missing := [(position, id_) for position, id_ in enumerate(contacts) if id_ not in outcome]:
        problems = tuple(
            FieldProblem(f"contact_ids[{position}]", f"there is no contact {public_id('contact', id_)}")
            for position, id_ in missing
        )
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems)
    return Added(**{word: [id_ for id_, w in outcome.items() if w == word] for word in ("added", "already", "refused")})


async def remove(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002
    contacts: Sequence[ContactId],
) -> list[ContactId]:
    """Take contacts off a list, without a trace; returns those who were on it.

    Who left by themselves is remembered as such and stays. The caller waits at `compliance.withdraw_barrier` afterwards.
    """
    await tx.execute("SELECT FROM lists WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE", workspace, list)
    await tx.execute(LOCK, workspace, contacts)
    rows = await tx.fetch(
        """DELETE FROM subscriptions
           WHERE workspace_id = $1 AND list_id = $2 AND contact_id = ANY ($3::bigint[]) AND status <> 'unsubscribed'
           RETURNING contact_id""",
        workspace,
        list,
        contacts,
    )
    gone = [ContactId(row["contact_id"]) for row in rows]
    await announce_withdrawn(tx, workspace=workspace, contacts=gone)
    return gone


async def leave_lists(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    lists: Sequence[ListId],
    source: str,
    send: SendId | None = None,
    n: int | None = None,
    now: datetime,
) -> list[ListId]:
    """A contact leaves single lists, as they wished; returns those they had not left yet.

    `send` and `n` say which message they left from. The caller waits at `compliance.withdraw_barrier` afterwards.
    """
    contact = (await lock_survivors(tx, workspace=workspace, contacts=[contact]))[contact]
    rows = await tx.fetch(
        """UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = $4
           WHERE workspace_id = $1 AND contact_id = $2 AND list_id = ANY ($3::bigint[]) AND status <> 'unsubscribed'
           RETURNING list_id""",
        workspace,
        contact,
        lists,
        now,
    )
    left = sorted(ListId(row["list_id"]) for row in rows)
    if left:
        data = {"reason": "", "source": source, "lists": [public_id("list", one) for one in left]}
        fact = Event(workspace, EventType.UNSUBSCRIBED, now, send=send, n=n, contact=contact, data=data)
        await record(tx, events=[fact], writer=_ONE_BY_ONE)
        await announce_withdrawn(tx, workspace=workspace, contacts=[contact])
    return left
