"""Limits of a provider that are in nobody's settings: of a warm-up plan, or of the provider's own account.

Whoever has such limits replaces its own with `set_caps`; workers hold them, beside the settings', within a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tidings.core.db import Tx
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.limits._limits import Limit
from tidings.delivery.limits._mailbox_providers import OTHER

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages in any second, and in any 24 hours; None: no such limit. `why` is for people."""

    per_second: float | None = None
    per_day: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Restraints:
    """What holds beside a provider's settings: `caps` by scope, and the scopes that are `slowed` down at present."""

    caps: Mapping[str, Cap] = field(default_factory=dict[str, Cap])
    """'' : the whole provider; else a mailbox provider; `OTHER`: all the rest together."""
    slowed: Mapping[str, str] = field(default_factory=dict[str, str])
    """With the receiving side's words."""

    def of(self, group: str) -> tuple[str, Cap] | None:
        """The scope and cap for mail to a mailbox provider ('' : to nobody's domain)."""
        for scope in (group, OTHER):
            if scope and (cap := self.caps.get(scope)) is not None:
                return scope, cap
        return None


async def set_caps(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, source: str, caps: Mapping[str, Cap]
) -> None:
    """Replace what `source` allows of a provider; no caps: nothing of it holds any more. Workers follow within a second.

    Scopes: '' is the whole provider, else the name of a mailbox provider, or `OTHER` for all others together.
    """
    await tx.execute(
        """
        DELETE FROM provider_caps
        WHERE workspace_id = $1 AND provider_id = $2 AND source = $3 AND scope <> ALL ($4::text[])
        """,
        workspace,
        provider,
        source,
        list(caps),
    )
    columns = ([getattr(cap, name) for cap in caps.values()] for name in ("per_second", "per_day", "why"))
    await tx.execute(
        """
        INSERT INTO provider_caps AS c (workspace_id, provider_id, source, scope, per_second, per_day, why)
        SELECT $1, $2, $3, * FROM unnest($4::text[], $5::float8[], $6::bigint[], $7::text[])
        ON CONFLICT (workspace_id, provider_id, source, scope) DO UPDATE
        SET per_second = excluded.per_second, per_day = excluded.per_day, why = excluded.why
        WHERE (c.per_second, c.per_day, c.why) IS DISTINCT FROM (excluded.per_second, excluded.per_day, excluded.why)
        """,
        workspace,
        provider,
        source,
        list(caps),
        *columns,
    )


async def restraints(tx: Tx, *, providers: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Restraints]:
    """What holds beside the settings of these (workspace, provider), all of them named; of several caps the least."""
    pairs = [workspace for workspace, _ in providers], [provider for _, provider in providers]
    caps: dict[tuple[int, int], dict[str, Cap]] = {pair: {} for pair in providers}
    slowed: dict[tuple[int, int], dict[str, str]] = {pair: {} for pair in providers}
    rows = await tx.fetch(
        """
        SELECT t.workspace_id, t.id, c.scope, c.per_second, c.per_day, c.why, NULL AS reason
        FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, id)
        JOIN provider_caps AS c ON c.workspace_id = t.workspace_id AND c.provider_id = t.id
        UNION ALL
        SELECT t.workspace_id, t.id, b.scope, NULL, NULL, '', b.reason
        FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, id)
        JOIN budgets AS b ON b.workspace_id = t.workspace_id AND b.provider_id = t.id AND b.factor < 1
        """,
        *pairs,
    )
    for row in rows:
        pair, scope = (row["workspace_id"], row["id"]), row["scope"]
        if row["reason"] is not None:
            slowed[pair][scope] = row["reason"]
            continue
        cap = Cap(row["per_second"], row["per_day"], row["why"])
        before = caps[pair].get(scope)
        caps[pair][scope] = cap if before is None else _both(before, cap)
    return {pair: Restraints(caps[pair], slowed[pair]) for pair in providers}


def within(limit: Limit, cap: Cap | None) -> Limit:
    """Both together: the least of each."""
    if cap is None:
        return limit
    return Limit(
        _least(limit.per_second, cap.per_second), limit.per_minute, limit.per_hour, _least(limit.per_day, cap.per_day)
    )


def _both(one: Cap, other: Cap) -> Cap:
    why = "; ".join(dict.fromkeys(why for why in (one.why, other.why) if why))
    return Cap(_least(one.per_second, other.per_second), _least(one.per_day, other.per_day), why)


def _least(one: _Number | None, other: _Number | None) -> _Number | None:
    return min((number for number in (one, other) if number is not None), default=None)
