"""The ways out: people leave, addresses die. Whoever is out is announced to the send workers in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from tidings.audience.gone import LOCK, deleted_hashes, heirs, lock_survivors
from tidings.audience.leaving._hashes import suppress_hashes
from tidings.audience.states import SuppressionReason
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.events import Event, EventType, record

Reason: TypeAlias = SuppressionReason | Literal["bounced", "manual", "unsubscribed", "complained"]

WITHDRAWN = "tidings_withdrawn"
"""The channel on which send workers hear who is out: `workspace:contact,contact,…`."""

_ONE_BY_ONE = 0
"""The rollup shard of events that come one at a time."""

_ANNOUNCED_AT_ONCE = 350
"""Contacts a notification: its payload ends at 8000 bytes, an id has at most 19 digits."""

_WORDS = 1000

_ANNOUNCE = """
SELECT pg_notify($1, $2::bigint || ':' || string_agg(id::text, ','))
FROM unnest($3::bigint[]) WITH ORDINALITY AS t (id, position)
GROUP BY (position - 1) / $4::integer
"""


async def unsubscribe(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contacts: Sequence[ContactId],
    reason: str,
    source: str,
    send: SendId | None = None,
    n: int | None = None,
    now: datetime,
) -> list[ContactId]:
    """Take people out of everything in the workspace, as they wished; returns those who were not out yet.

    Whoever was merged into another contact is that one now, and so is whoever was deleted and made anew. `reason` is their own
    words, `source` the way they took (one_click, page, api …); `send` and `n` the message they left from. Repeating it is
    harmless. Call it through `compliance.leave`, which also waits for the workers.
    """
    left = await _take_out(
        tx,
        workspace=workspace,
        contacts=[(contact, reason) for contact in contacts],
        reason=SuppressionReason.UNSUBSCRIBED,
        source=source,
        now=now,
    )
    if left:
        data = {"reason": _storable(reason), "source": source}
        facts = [
            Event(workspace=workspace, type=EventType.UNSUBSCRIBED, at=now, send=send, n=n, contact=contact, data=data)
            for contact in left
        ]
        await record(tx, events=facts, writer=_ONE_BY_ONE)
    return left


async def suppress(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contacts: Sequence[tuple[ContactId, str]],
    reason: Reason,
    source: str,
    now: datetime,
) -> list[ContactId]:
    """Never mail these addresses again: (contact, what their server or the person said) each.

    Returns those whose status changed. The caller records the events, and never calls it for a fault of the sender.
    """
    return await _take_out(
        tx, workspace=workspace, contacts=contacts, reason=SuppressionReason(reason), source=source, now=now
    )


async def announce_withdrawn(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """Tell every send worker, at the commit, to drop these contacts up to the moment of transmission."""
    if contacts:
        await tx.fetch(_ANNOUNCE, WITHDRAWN, workspace, list(contacts), _ANNOUNCED_AT_ONCE)


async def _take_out(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contacts: Sequence[tuple[ContactId, str]],
    reason: SuppressionReason,
    source: str,
    now: datetime,
) -> list[ContactId]:
    if not contacts:
        return []
    told = dict(contacts)
    if reason is SuppressionReason.BOUNCED:
        # The address of the one who was merged is dead, not that of the one they were merged into.
        await tx.execute(LOCK, workspace, list(told))
    else:
        now_known_as = await lock_survivors(tx, workspace=workspace, contacts=list(told))
        told = {now_known_as[contact]: detail for contact, detail in told.items()}
    # Links in messages work on for whoever was deleted meanwhile, and nobody may bring that address back by importing it.
    hashes = await deleted_hashes(tx, workspace=workspace, contacts=list(told))
    if hashes and reason is not SuppressionReason.BOUNCED:
        # Who was made anew since then is the same person. People before what is known of their addresses, as everywhere.
        again = await heirs(tx, workspace=workspace, hashes=set(hashes.values()), reason=reason)
        told |= {contact: next(iter(told.values())) for contact in again if contact not in told}
    ids = list(told)
    details = [_storable(detail) for detail in told.values()]
    rows = await tx.fetch(sql(__package__, "_suppress"), workspace, ids, details, reason, source, now)
    if hashes:
        addresses = [(hashed, "") for hashed in hashes.values()]
        await suppress_hashes(tx, workspace=workspace, addresses=addresses, reason=reason, source=source, now=now)
    await announce_withdrawn(tx, workspace=workspace, contacts=ids)
    return [ContactId(row["id"]) for row in rows]


def _storable(text: str) -> str:
    """Words of strangers, people's or servers': what PostgreSQL cannot hold is left out, and all of it kept short."""
    return text[:_WORDS].encode("utf-8", "replace").decode().replace("\0", "")
