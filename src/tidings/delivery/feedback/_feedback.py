"""What the outside tells of messages after they were handed over, from providers' notifications and from mail.

    Feedback → each once → its delivery → where that goes (_feedback_states) → counters, events, suppressions, soft bounces

All of a workspace's reports in a batch are applied together, set-based; in any order, and repeated ones change nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tidings.core.db import Tx, sql
from tidings.core.ids import WorkspaceId
from tidings.delivery.feedback._report import Feedback, FeedbackCounts, clean
from tidings.delivery.feedback._states import Standing, gravest, move, told_state
from tidings.delivery.feedback._store import fresh, keep
from tidings.delivery.feedback._upshots import Known, act_upon
from tidings.delivery.recording import settle_late_receipts
from tidings.delivery.states import DeliveryState

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('tidings feedback'), ($1::bigint % 2147483647)::integer)"
# Whoever gathers receipts of one of them (_receipts.py) is either done or waits. Rolling sends have none.
_LOCK_SENDS = """
SELECT FROM sends WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) AND campaign_id IS NOT NULL ORDER BY id FOR SHARE
"""
_ARRIVED = {DeliveryState.SENT, DeliveryState.DELIVERED}
_Key = tuple[int, int]


async def apply_feedback(
    tx: Tx, *, workspace: WorkspaceId, reports: Sequence[Feedback], now: datetime
) -> FeedbackCounts:
    """Take in what was reported of a workspace's messages.

    Moves deliveries with their counters (see _feedback_states), records bounced, deferred, complained and unsubscribed, and
    suppresses: hard bounces and complaints at once, soft bounces when they add up by the workspace's policy, the
    unsubscribed. Applies one batch of a workspace after the other: call it in a transaction that holds no locks yet.
    """
    if not reports:
        return FeedbackCounts()
    await tx.execute(_LOCK, workspace)
    found = await _found(tx, workspace, [clean(report, now) for report in reports])
    new = await fresh(tx, workspace=workspace, reports=found, now=now)
    await keep(tx, workspace=workspace, reports=found, now=now)
    standings = await _standings(tx, workspace, new)
    moved = await _move(tx, workspace, new, standings)
    await act_upon(tx, workspace=workspace, reports=new, known=standings, moved=moved, now=now)
    unmatched = sum(1 for report in found if (report.send, report.n) not in standings)
    return FeedbackCounts(len(reports), len(reports) - len(new), unmatched, len(moved))


async def _found(tx: Tx, workspace: WorkspaceId, reports: list[Feedback]) -> list[Feedback]:
    """The reports, those that name only send and address with their n."""
    nameless = {(r.send, r.address.lower()) for r in reports if r.send is not None and r.n is None and r.address}
    if not nameless:
        return reports
    columns = ([send for send, _ in nameless], [address for _, address in nameless])
    rows = await tx.fetch(sql(__package__, "_feedback_find"), workspace, *columns)
    ns = {(row["send_id"], row["address"]): row["n"] for row in rows}
    return [replace(r, n=ns.get((r.send, r.address.lower()))) if r.n is None else r for r in reports]


async def _standings(tx: Tx, workspace: WorkspaceId, reports: Iterable[Feedback]) -> dict[_Key, Known]:
    keys = sorted({(r.send, r.n) for r in reports if r.send is not None and r.n is not None})
    if not keys:
        return {}
    columns = ([send for send, _ in keys], [n for _, n in keys])
    await tx.execute(_LOCK_SENDS, workspace, sorted(set(columns[0])))
    rows = await tx.fetch(sql(__package__, "_feedback_lock"), workspace, *columns)
    return {
        (send, n): Known(
            contact,
            complained,
            Standing(DeliveryState(state), attempts, unknowns, DeliveryState(told) if told else None, in_hand),
        )
        for send, n, contact, state, attempts, unknowns, told, complained, in_hand in rows
    }


async def _move(
    tx: Tx, workspace: WorkspaceId, reports: Iterable[Feedback], standings: Mapping[_Key, Known]
) -> dict[_Key, DeliveryState]:
    """Move deliveries; returns where to."""
    told: dict[_Key, dict[DeliveryState, Feedback]] = {}
    for report in reports:
        state = told_state(report.happening, report.bounce)
        if state is None or report.send is None or report.n is None:
            continue
        by_state = told.setdefault((report.send, report.n), {})
        if state not in by_state or report.at < by_state[state].at:
            by_state[state] = report
    rows: list[tuple[int, int, str, str, datetime, str | None, bool, bool]] = []
    for key, by_state in sorted(told.items()):
        if key not in standings:
            continue
        state = gravest(set(by_state))
        step = move(standings[key].standing, state)
        if step is not None:
            report = by_state[state]
            detail = report.reason or report.status or None
            rows.append(
                (
                    *key,
                    standings[key].standing.state,
                    step.state,
                    report.at,
                    None if state is DeliveryState.DELIVERED else detail,
                    step.taken,
                    step.possible_duplicate,
                )
            )
    if rows:
        lost = [(send, n) for send, n, before, after, *_ in rows if before in _ARRIVED and after not in _ARRIVED]
        if lost:
            await tx.execute(sql(__package__, "_feedback_receipts"), workspace, *map(list, zip(*lost, strict=True)))
        # Counter rows of this connection, as those of messages are: writers never wait for each other.
        writer = -1 - tx.get_server_pid() % 200
        await tx.execute(sql(__package__, "_feedback_move"), workspace, *map(list, zip(*rows, strict=True)), writer)
        found = [
            (workspace, send, n) for send, n, before, after, *_ in rows if before not in _ARRIVED and after in _ARRIVED
        ]
        if found:
            workspaces, sends, ns = map(list, zip(*found, strict=True))
            await settle_late_receipts(tx, workspaces=workspaces, sends=sends, ns=ns)
    return {(row[0], row[1]): DeliveryState(row[3]) for row in rows}
