"""Recording outcomes: one transaction for a few hundred of them, with the counters, and exact when it is repeated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings.audience import leaving
from tidings.audience.states import SuppressionReason
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.delivery.providers import refusal_class
from tidings.delivery.recording._soft_bounces import ADDS_UP, add_soft_bounces
from tidings.delivery.states import DeliveryState
from tidings.events import Event, EventType, record

UNKNOWN_RESENDS = 1
"""A message whose reply was never read is sent once more, with the same Message-ID and flagged; then it stays unknown."""
GAVE_UP = "gave up after "
"""How the detail of a delivery begins that was deferred for too long (_record_other.sql)."""
UNKNOWN_WAIT_SECONDS = 30.0
"""Long enough for the receiving server to finish what it was doing, so that it can see the second is the first."""

_NEVER_AGAIN = """
DELETE FROM retries AS r USING unnest($1::bigint[], $2::bigint[], $3::integer[]) AS a (workspace_id, send_id, n)
WHERE r.workspace_id = a.workspace_id AND r.send_id = a.send_id AND r.n = a.n
"""

_HANDFUL = 10
"""Of fewer attempts the share that failed says nothing at the end of a send."""


@dataclass(slots=True)
class Told:
    """What became of deliveries that were not accepted: columns, one element a delivery."""

    workspaces: list[int] = field(default_factory=list)
    sends: list[int] = field(default_factory=list)
    ns: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    waits: list[float | None] = field(default_factory=list)
    first_waits: list[float] = field(default_factory=list)
    give_ups: list[float] = field(default_factory=list)
    attempts: list[int | None] = field(default_factory=list)
    providers: list[int] = field(default_factory=list)
    helds: list[bool] = field(default_factory=list)

    def add(
        self,
        workspace: WorkspaceId,
        send: SendId,
        n: int,
        state: DeliveryState,
        detail: str,
        *,
        attempts: int | None = None,
        wait_seconds: float | None = None,
        first_wait_seconds: float = 300.0,
        give_up_seconds: float = 72 * 3600.0,
        provider: int = 0,
        held: bool = False,
    ) -> None:
        """One more.

        `attempts` were made before this one, if that is known: what was recorded already does not move twice.
        `wait_seconds` is what the server asked for, or its kind of refusal waits first; the next two are the retry
        policy of `provider`, which was tried (0: none).
        `held`: a limit of ours keeps it back for `wait_seconds`; nothing was tried, so no attempt counts and nothing is reported.
        """
        self.workspaces.append(workspace)
        self.sends.append(send)
        self.ns.append(n)
        self.states.append(state)
        # A server's reply is bytes of its choosing, and must be storable as text.
        self.details.append(detail[:500].replace("\0", "").encode("utf-8", "replace").decode())
        self.waits.append(wait_seconds)
        self.first_waits.append(first_wait_seconds)
        self.give_ups.append(give_up_seconds)
        self.attempts.append(attempts)
        self.providers.append(provider)
        self.helds.append(held)


@dataclass(slots=True)
class Accepted:
    """Deliveries handed over with a yes: columns, one element a delivery."""

    workspaces: list[int] = field(default_factory=list)
    sends: list[int] = field(default_factory=list)
    ns: list[int] = field(default_factory=list)
    providers: list[int] = field(default_factory=list)
    """Who took it; 0: not known."""


async def record_accepted(
    tx: Tx, *, accepted: Accepted, state: DeliveryState, retried: Accepted | None = None, writer: int, now: datetime
) -> None:
    """Record deliveries as `state` (sent or delivered). `retried`: those among them that may have a retry row.

    Repeating it changes nothing: only a pending delivery moves, or one whose reply was read late: an unknown one, and one
    that is deferred because its resend was put off.
    """
    columns = (accepted.workspaces, accepted.sends, accepted.ns)
    statement = sql(__package__, "_record_accepted")
    again = set() if retried is None else set(zip(retried.workspaces, retried.sends, retried.ns, strict=True))
    moved, settled = 0, list[tuple[int, ...]]()
    for source in (DeliveryState.PENDING, DeliveryState.UNKNOWN, DeliveryState.DEFERRED):
        late = source is not DeliveryState.PENDING
        row = await tx.fetchrow(
            statement, *columns, state, now, writer, source, accepted.providers, late or bool(again)
        )
        assert row is not None
        moved += row["many"]
        settled += [key for key in map(tuple, row["which"]) if late or key in again]
        if moved == len(accepted.ns):
            break
    if gone := sorted(again.union(settled)):
        await tx.execute(_NEVER_AGAIN, *map(list, zip(*gone, strict=True)))
    if settled:
        # Only of those that moved: what was reported before is settled already.
        workspaces, sends, ns = map(list, zip(*settled, strict=True))
        await settle_late_receipts(tx, workspaces=workspaces, sends=sends, ns=ns)


async def record_others(tx: Tx, *, told: Told, writer: int, now: datetime) -> None:
    """Record bounces, failures, deferrals, skips and unknowns; bounces suppress, deferrals and unknowns are queued again.

    `told` may say bounced only when the recipient is at fault. Repeating it changes nothing.
    """
    rows = await tx.fetch(
        sql(__package__, "_record_other"),
        told.workspaces,
        told.sends,
        told.ns,
        told.states,
        told.details,
        told.waits,
        told.first_waits,
        told.give_ups,
        now,
        writer,
        UNKNOWN_RESENDS,
        UNKNOWN_WAIT_SECONDS,
        told.attempts,
        told.providers,
        told.helds,
    )
    rows = await _named(tx, rows)
    kinds = {DeliveryState.BOUNCED: EventType.BOUNCED, DeliveryState.DEFERRED: EventType.DEFERRED}
    facts = [
        Event(
            workspace=WorkspaceId(workspace),
            type=kinds[DeliveryState(state)],
            at=now,
            send=SendId(send),
            n=n,
            contact=ContactId(contact) if isinstance(contact, int) else None,
            data={"reply": detail},
        )
        for workspace, send, n, contact, state, detail in rows
        if state in kinds
    ]
    if facts:
        await record(tx, events=facts, writer=writer)
    bounced: dict[WorkspaceId, list[tuple[ContactId, str]]] = {}
    strangers: dict[WorkspaceId, list[tuple[bytes, str]]] = {}
    for workspace, _, _, contact, state, detail in rows:
        if state == DeliveryState.BOUNCED and isinstance(contact, bytes):
            strangers.setdefault(WorkspaceId(workspace), []).append((contact, detail))
        elif state == DeliveryState.BOUNCED and contact is not None:
            bounced.setdefault(WorkspaceId(workspace), []).append((ContactId(contact), detail))
    for workspace, contacts in bounced.items():
        await leaving.suppress(tx, workspace=workspace, contacts=contacts, reason="bounced", source="smtp", now=now)
    for workspace, addresses in strangers.items():
        reason = SuppressionReason.BOUNCED
        await leaving.suppress_hashes(
            tx, workspace=workspace, addresses=addresses, reason=reason, source="smtp", now=now
        )
    await _count_give_ups(tx, rows, now)


async def _count_give_ups(tx: Tx, rows: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Days of deferrals that came to nothing are a soft bounce, if they were because of the recipient."""
    soft: dict[WorkspaceId, list[tuple[ContactId | bytes, datetime, str]]] = {}
    for workspace, _, _, contact, state, detail in rows:
        if state != DeliveryState.FAILED or contact is None or not detail.startswith(GAVE_UP):
            continue
        if refusal_class("", detail.partition(": ")[2]) in ADDS_UP:
            whom = contact if isinstance(contact, bytes) else ContactId(contact)
            soft.setdefault(WorkspaceId(workspace), []).append((whom, now, detail))
    for workspace, bounces in soft.items():
        await add_soft_bounces(tx, workspace=workspace, bounces=bounces, now=now)


async def _named(tx: Tx, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows with whom they went to, also of messages: a contact, the hash of an address that is no contact's, or None."""
    nameless = [row for row in rows if row["contact_id"] is None]
    if not nameless:
        return [tuple(row) for row in rows]
    workspaces, sends, ns = ([row[name] for row in nameless] for name in ("workspace_id", "send_id", "n"))
    found = await messages_of(tx, workspaces=workspaces, sends=sends, ns=ns)
    whom = {tuple(row)[:3]: row["address_hash"] if row["contact_id"] is None else row["contact_id"] for row in found}
    return [
        (workspace, send, n, whom.get((workspace, send, n)) if contact is None else contact, state, detail)
        for workspace, send, n, contact, state, detail in rows
    ]


async def release_chunks(tx: Tx, *, chunks: Sequence[tuple[int, int, int]], owner: str) -> list[tuple[int, int]]:
    """Give back chunks (workspace, send, number) that `owner` holds; returns the sends of those that are done now."""
    if not chunks:
        return []
    rows = await tx.fetch(sql(__package__, "_release"), *map(list, zip(*chunks, strict=True)), owner)
    return sorted({(workspace, send) for workspace, send, state in rows if state == "done"})


async def finish_sends(tx: Tx, *, sends: Sequence[tuple[int, int]], now: datetime) -> int:
    """Mark those of `sends` (workspace, send) done that have no chunk left; returns how many.

    Call it after the commit of the release.
    Those of which more failed, or bounced, than their workspace puts up with say so in their reason.
    """
    if not sends:
        return 0
    return len(await tx.fetch(sql(__package__, "_finish"), *map(list, zip(*sends, strict=True)), now, _HANDFUL))


async def settle_late_receipts(tx: Tx, *, workspaces: Sequence[int], sends: Sequence[int], ns: Sequence[int]) -> None:
    """Columns, one element a delivery that arrived late, after a retry or by a report: its receipts are gathered now."""
    await tx.execute(sql(__package__, "_late_receipts"), workspaces, sends, ns)


async def messages_of(tx: Tx, *, workspaces: Sequence[int], sends: Sequence[int], ns: Sequence[int]) -> list[Any]:
    """Whom messages to single recipients went to: `workspace_id`, `send_id`, `n`, `contact_id` (or null), `address_hash`."""
    return await tx.fetch(sql(__package__, "_messages_of"), workspaces, sends, ns)
