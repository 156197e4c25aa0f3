"""Warm-up plans: a provider whose IP or domain is new gets a little more each day, at each mailbox provider by itself.

The caps are held by the budgets that all workers share (see `_caps`); who is beyond them is held back, or goes through another
provider of the route. Once in 24 hours `step_warmup` judges the day and moves each group's cap; never more than one step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidings.accounts import Principal, audit
from tidings.core.db import Tx, sql
from tidings.core.errors import NotFound
from tidings.core.ids import ProviderId, WorkspaceId, public_id
from tidings.delivery.limits import DAY, OTHER, Cap, by_domain, set_caps
from tidings.delivery.quotas._warmup_plan import GROUPS, Move, Signals, decide
from tidings.delivery.ways import get_provider

_SOURCE = "warm-up"
_DAY = timedelta(days=1)
_DAYS_SHOWN = 60


class WarmupNotFound(NotFound):
    """The provider has no warm-up."""

    code = "warmup_not_found"


@dataclass(frozen=True, slots=True)
class WarmupGroup:
    """A mailbox provider's place on the ladder. `cap` is None once it is warm; `sent`: in the last 24 hours."""

    group: str
    step: int
    cap: int | None
    sent: int


@dataclass(frozen=True, slots=True)
class WarmupDay:
    """What one day was judged by, and what came of it."""

    group: str
    at: datetime
    cap: int
    signals: Signals
    move: Move
    reason: str


@dataclass(frozen=True, slots=True)
class Warmup:
    """A provider's warm-up: `caps` is the ladder, messages a day; `ended_at` is set once every group is warm."""

    caps: tuple[int, ...]
    started_at: datetime
    next_at: datetime
    ended_at: datetime | None
    groups: tuple[WarmupGroup, ...]
    days: tuple[WarmupDay, ...]
    """The last ones, newest first."""


async def start_warmup(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, caps: Sequence[int], by: Principal, now: datetime
) -> Warmup:
    """Begin at the ladder's first step, anew if there was one. Raises ProviderNotFound. Holds within a second."""
    # Two that begin at once take turns: else the second would find the first one's row, which it could not see to delete.
    await tx.execute("SELECT FROM providers WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE", workspace, provider)
    await get_provider(tx, workspace=workspace, provider=provider)
    await tx.execute("DELETE FROM warmups WHERE workspace_id = $1 AND provider_id = $2", workspace, provider)
    await tx.execute(
        "INSERT INTO warmups (workspace_id, provider_id, caps, started_at, next_at) VALUES ($1, $2, $3, $4, $5)",
        workspace,
        provider,
        list(caps),
        now,
        now + _DAY,
    )
    await tx.execute(
        "INSERT INTO warmup_groups (workspace_id, provider_id, scope, step) SELECT $1, $2, unnest($3::text[]), 0",
        workspace,
        provider,
        list(GROUPS),
    )
    await _hold(tx, workspace, provider, tuple(caps), dict.fromkeys(GROUPS, 0))
    await audit(
        tx,
        by=by,
        action="provider.warmup_started",
        subject=public_id("provider", provider),
        detail={"caps": list(caps)},
        now=now,
    )
    return await get_warmup(tx, workspace=workspace, provider=provider, now=now)


async def get_warmup(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, now: datetime) -> Warmup:
    """Where it stands, with the last days and why they went as they did. Raises WarmupNotFound."""
    row = await tx.fetchrow("SELECT * FROM warmups WHERE workspace_id = $1 AND provider_id = $2", workspace, provider)
    if row is None:
        raise WarmupNotFound(f"{public_id('provider', provider)} has no warm-up")
    caps = tuple(row["caps"])
    groups = await tx.fetch(
        "SELECT scope, step, warm FROM warmup_groups WHERE workspace_id = $1 AND provider_id = $2", workspace, provider
    )
    days = await tx.fetch(
        "SELECT * FROM warmup_days WHERE workspace_id = $1 AND provider_id = $2 ORDER BY at DESC, scope LIMIT $3",
        workspace,
        provider,
        _DAYS_SHOWN * len(GROUPS),
    )
    sent = await _sent(tx, workspace, provider, now - _DAY)
    return Warmup(
        caps,
        row["started_at"],
        row["next_at"],
        row["ended_at"],
        tuple(
            WarmupGroup(
                one["scope"], one["step"], None if one["warm"] else caps[one["step"]], sent.get(one["scope"], 0)
            )
            for one in sorted(groups, key=lambda one: GROUPS.index(one["scope"]))
        ),
        tuple(
            WarmupDay(
                day["scope"],
                day["at"],
                day["cap"],
                Signals(day["sent"], day["bounced"], day["complained"], day["slowed"]),
                Move(day["move"]),
                day["reason"],
            )
            for day in days
        ),
    )


async def stop_warmup(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, by: Principal, now: datetime) -> None:
    """End it: its caps hold no more, within a second. Raises WarmupNotFound."""
    found = await tx.fetchval(
        "DELETE FROM warmups WHERE workspace_id = $1 AND provider_id = $2 RETURNING 1", workspace, provider
    )
    if not found:
        raise WarmupNotFound(f"{public_id('provider', provider)} has no warm-up")
    await set_caps(tx, workspace=workspace, provider=provider, source=_SOURCE, caps={})
    await _let_go(tx, workspace, provider, now)
    await audit(tx, by=by, action="provider.warmup_stopped", subject=public_id("provider", provider), now=now)


async def step_warmup(tx: Tx, *, now: datetime) -> bool:
    """Judge the day of one warm-up that is due; False when none is.

    Once in 24 hours whatever the number of conductors, and one step at most after a longer rest: a missed day sent nothing
    that a mailbox provider could have got used to.
    """
    row = await tx.fetchrow(
        """SELECT workspace_id, provider_id, caps FROM warmups WHERE ended_at IS NULL AND next_at <= $1
           ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
        now,
    )
    if row is None:
        return False
    workspace, provider, caps = WorkspaceId(row["workspace_id"]), ProviderId(row["provider_id"]), tuple(row["caps"])
    groups = await tx.fetch(
        "SELECT scope, step FROM warmup_groups WHERE workspace_id = $1 AND provider_id = $2 AND NOT warm",
        workspace,
        provider,
    )
    signals = await _signals(tx, workspace, provider, now)
    steps: dict[str, int] = {}
    warm: list[str] = []
    days: list[tuple[object, ...]] = []
    for group in groups:
        scope, step = group["scope"], group["step"]
        of = signals.get(scope, Signals())
        move, reason = decide(of, cap=caps[step], last=step == len(caps) - 1)
        days.append((scope, caps[step], of.sent, of.bounced, of.complained, of.slowed, move.value, reason))
        if move is Move.WARM:
            warm.append(scope)
        else:
            steps[scope] = max(0, step + {Move.GROW: 1, Move.BACK: -1}.get(move, 0))
    await tx.execute(
        """INSERT INTO warmup_days (workspace_id, provider_id, at, scope, cap, sent, bounced, complained, slowed, move, reason)
           SELECT $1, $2, $3, * FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[],
                                            $10::text[], $11::text[])""",
        workspace,
        provider,
        now,
        *([day[column] for day in days] for column in range(8)),
    )
    await tx.execute(
        """UPDATE warmup_groups AS g SET step = coalesce(s.step, g.step), warm = s.step IS NULL
           FROM unnest($3::text[], $4::integer[]) AS s (scope, step)
           WHERE g.workspace_id = $1 AND g.provider_id = $2 AND g.scope = s.scope""",
        workspace,
        provider,
        [*steps, *warm],
        [*steps.values(), *(None for _ in warm)],
    )
    await tx.execute(
        """UPDATE warmups SET next_at = $3, ended_at = CASE WHEN $4 THEN $5::timestamptz END
           WHERE workspace_id = $1 AND provider_id = $2""",
        workspace,
        provider,
        now + _DAY,
        not steps,
        now,
    )
    await _hold(tx, workspace, provider, caps, steps)
    if any(day[6] in {Move.GROW.value, Move.WARM.value} for day in days):
        await _let_go(tx, workspace, provider, now)
    return True


async def _let_go(tx: Tx, workspace: WorkspaceId, provider: ProviderId, now: datetime) -> None:
    """Whoever is held back is looked at again within seconds: there is more room than when they were told to wait."""
    await tx.execute(
        "UPDATE providers SET limits_changed_at = $3 WHERE workspace_id = $1 AND id = $2", workspace, provider, now
    )


async def _hold(
    tx: Tx, workspace: WorkspaceId, provider: ProviderId, caps: tuple[int, ...], steps: dict[str, int]
) -> None:
    held = {
        scope: Cap(per_day=caps[step], why=f"step {step + 1} of {len(caps)} of the warm-up")
        for scope, step in steps.items()
    }
    await set_caps(tx, workspace=workspace, provider=provider, source=_SOURCE, caps=held)


async def _signals(tx: Tx, workspace: WorkspaceId, provider: ProviderId, now: datetime) -> dict[str, Signals]:
    since = now - _DAY
    told: dict[tuple[str, str], int] = {}
    for row in await tx.fetch(sql(__package__, "_warmup_signals"), workspace, provider, since, now):
        group = by_domain(row["domain"]) or row["mailbox_provider"]
        key = row["type"], group if group in GROUPS else OTHER
        told[key] = told.get(key, 0) + row["messages"]
    slowed = {
        row["scope"]
        for row in await tx.fetch(
            "SELECT scope FROM budgets WHERE workspace_id = $1 AND provider_id = $2 AND slowed_at > $3",
            workspace,
            provider,
            since,
        )
    }
    sent = await _sent(tx, workspace, provider, since)
    return {
        group: Signals(
            sent.get(group, 0),
            told.get(("bounced", group), 0),
            told.get(("complained", group), 0),
            bool(slowed & {group, ""}),
        )
        for group in GROUPS
    }


async def _sent(tx: Tx, workspace: WorkspaceId, provider: ProviderId, since: datetime) -> dict[str, int]:
    rows = await tx.fetch(
        """SELECT scope, sum(taken)::bigint AS sent FROM budget_uses
           WHERE workspace_id = $1 AND provider_id = $2 AND seconds = $3 AND part >= floor($4::float8 / 1200) GROUP BY scope""",
        workspace,
        provider,
        DAY,
        since.timestamp(),
    )
    return {row["scope"]: row["sent"] for row in rows}
