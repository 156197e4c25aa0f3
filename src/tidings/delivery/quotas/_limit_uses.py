"""What limits a provider has now, how much of them is used, and which are slowed down: for people to read."""

from dataclasses import dataclass
from datetime import datetime

from tidings.core.db import Tx
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.limits import DAY, HOUR, MINUTE, OTHER, Limit, by_domain, limits_of, restraints, within
from tidings.delivery.ways import get_provider

_USES = """
SELECT b.scope, b.factor::float8 AS factor, (b.pace * b.factor)::float8 AS pace, b.slowed_at, b.reason,
    u.seconds, coalesce(sum(u.taken), 0)::bigint AS used
FROM budgets AS b
LEFT JOIN budget_uses AS u ON u.workspace_id = b.workspace_id AND u.provider_id = b.provider_id AND u.scope = b.scope
    AND u.part > extract(epoch FROM $3::timestamptz - make_interval(secs => u.seconds))
        / CASE u.seconds WHEN 60 THEN 1 WHEN 3600 THEN 60 ELSE 1200 END - 1
WHERE b.workspace_id = $1 AND b.provider_id = $2
GROUP BY b.scope, b.factor, b.pace, b.slowed_at, b.reason, u.seconds
ORDER BY b.scope
"""


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit: of the whole provider (`scope` is ''), of a mailbox provider, or of a domain."""

    scope: str
    limit: Limit
    """As it is set, and capped."""
    factor: float
    """How much of it is used at present: less than 1 after the receiving side asked for less."""
    pace: float | None
    """Messages a second, while it is slowed down and has no limit a second."""
    slowed_at: datetime | None
    reason: str
    """The receiving side's words; '' while it is not slowed down."""
    why: str
    """Where a limit comes from that is in nobody's settings; '' for the others."""
    used_minute: int | None
    used_hour: int | None
    used_day: int | None
    """What went in the last of each, as far as there is such a limit."""


async def provider_limits(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, now: datetime) -> list[LimitUse]:
    """All limits of a provider; of `other` those that something was sent under. Raises ProviderNotFound."""
    settings = await get_provider(tx, workspace=workspace, provider=provider)
    limits = limits_of(settings.config)
    wanted = {name: limit for name, limit in limits.groups.items() if name != OTHER}
    if limits.whole.some:
        wanted = {"": limits.whole} | wanted
    pair = (int(workspace), int(provider))
    caps = (await restraints(tx, providers=[pair]))[pair].caps
    for scope, cap in caps.items():
        wanted[scope] = within(wanted.get(scope, Limit()), cap)
    used: dict[str, dict[int, int]] = {}
    slowed: dict[str, tuple[float, float | None, datetime | None, str]] = {}
    for row in await tx.fetch(_USES, workspace, provider, now):
        scope = row["scope"]
        if row["factor"] < 1 and scope not in wanted:
            wanted[scope] = Limit()
        elif scope and scope not in wanted and (under := limits.of(by_domain(scope) or scope, scope)) is not None:
            wanted[scope] = under[1]
        if row["seconds"] is not None:
            used.setdefault(scope, {})[row["seconds"]] = row["used"]
        slowed[scope] = row["factor"], row["pace"], row["slowed_at"], row["reason"]
    found: list[LimitUse] = []
    for scope, limit in wanted.items():
        factor, pace, slowed_at, reason = slowed.get(scope, (1.0, None, None, ""))
        of = used.get(scope, {})
        found.append(
            LimitUse(
                scope,
                limit,
                round(factor, 3),
                pace if factor < 1 else None,
                slowed_at if factor < 1 else None,
                reason if factor < 1 else "",
                caps[scope].why if scope in caps else "",
                None if limit.per_minute is None else of.get(MINUTE, 0),
                None if limit.per_hour is None else of.get(HOUR, 0),
                None if limit.per_day is None else of.get(DAY, 0),
            )
        )
    return found
