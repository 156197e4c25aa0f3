"""What a provider's limits still allow, shared by all workers: each takes small shares of it from the database.

For each scope (the provider as a whole, each mailbox provider) a worker takes a little at a time and gives back what it
did not use, so that the limit is never exceeded and nearly used, and one that dies loses at most a share.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tidings.core.clock import steady
from tidings.core.db import Database, Tx, sql
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.limits._budget_shares import PACE_USED, SHARE_OF_PACE, Share
from tidings.delivery.limits._caps import Restraints, within
from tidings.delivery.limits._limits import Limit, Limits
from tidings.delivery.limits._mailbox_providers import by_domain

SLACK_SECONDS = 2.0
"""What was taken is sent within this, or not at all."""
_LATE_SECONDS = 0.06
_AHEAD_SECONDS = 0.4
_UNUSED_SECONDS = 1.2  # after which a share of a period's limit is given back
_QUICKLY_SECONDS = 0.2  # the next share is larger if one was used up so quickly
_LONG_SECONDS = 5.0
_MANY_DOMAINS = 50_000

_LOCK = """
SELECT scope, factor FROM budgets
WHERE workspace_id = $1 AND provider_id = $2 AND scope = ANY ($3::text[]) ORDER BY scope FOR UPDATE
"""
_BEGIN = """
INSERT INTO budgets (workspace_id, provider_id, scope, free_at)
SELECT $1, $2, scope, clock_timestamp() FROM unnest($3::text[]) AS s (scope) ORDER BY scope
ON CONFLICT DO NOTHING
"""

_SLOW = """
UPDATE budgets
SET factor = greatest($4, factor / 2), reason = $5, slowed_at = clock_timestamp(), grown_at = NULL, pace = coalesce(pace, $7),
    free_at = greatest(free_at, clock_timestamp() + make_interval(secs => $8))
WHERE workspace_id = $1 AND provider_id = $2 AND scope = $3
  AND (slowed_at IS NULL OR slowed_at < clock_timestamp() - make_interval(secs => $6))
"""
_GROW = """
UPDATE budgets AS b
SET factor = g.factor, grown_at = clock_timestamp(), pace = CASE WHEN g.factor < 1 THEN b.pace END
FROM (
    SELECT scope,
           least(1, factor + $4 * floor(extract(epoch FROM now - coalesce(greatest(slowed_at, grown_at), now)) / 60)) AS factor
    FROM budgets, clock_timestamp() AS now
    WHERE workspace_id = $1 AND provider_id = $2 AND scope = ANY ($3::text[]) AND factor < 1
) AS g
WHERE b.workspace_id = $1 AND b.provider_id = $2 AND b.scope = g.scope AND g.factor > b.factor
"""
_LEAST_FACTOR = 0.05
_GROWS_BY = 0.1
_LEAST_PACE = 10.0  # a second before the first halving, should less have gone yet: half of one is left at the least
_BELIEVED_SECONDS = 3.0
_HELD_SECONDS = 1.0  # after the receiving side asked for less and did not say for how long
_MANY_SCOPES, _MANY_SECONDS = (
    3,
    10.0,
)  # so many that ask for less so soon: it is the provider, not the mailbox providers
_SLOWS_ONCE_IN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Messages wanted of a scope."""

    scope: str
    limit: Limit
    wanted: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What was given: `many` messages in `wait_seconds`, or none, and then it is to be asked again after that.

    `full_for` is the period whose limit is reached, in seconds, if one is.
    """

    scope: str
    many: int
    taken_at: float
    wait_seconds: float
    full_for: int | None
    rate: float | None = None
    """Messages a second, while the scope is slowed down below its limit."""


@dataclass(frozen=True, slots=True)
class Slower:
    """A scope of which the receiving side wants less."""

    scope: str
    reason: str
    rate: float | None
    """Messages a second that went there, all workers together, if no limit of its own says how many may."""
    wait_seconds: float = 0.0
    """For which it wants nothing at all."""


@dataclass(frozen=True, slots=True)
class Return:
    """Messages of a grant that were not sent."""

    scope: str
    taken_at: float
    many: int


async def take(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, asks: Sequence[Ask], returns: Sequence[Return] = ()
) -> list[Grant]:
    """Give back, then take of each scope what its limits allow now. In a transaction, so that workers take turns."""
    scopes = sorted({*(ask.scope for ask in asks), *(back.scope for back in returns)})
    found = await tx.fetch(_LOCK, workspace, provider, scopes)
    if len(found) < len(scopes):
        await tx.execute(_BEGIN, workspace, provider, scopes)
        await tx.fetch(_LOCK, workspace, provider, scopes)
    if any(row["factor"] < 1 for row in found):
        await tx.execute(_GROW, workspace, provider, scopes, _GROWS_BY)
    if returns:
        columns = ([getattr(back, name) for back in returns] for name in ("scope", "taken_at", "many"))
        await tx.execute(sql(__package__, "_return_budgets"), workspace, provider, *columns)
    if not asks:
        return []
    limits = [ask.limit for ask in asks]
    rows = await tx.fetch(
        sql(__package__, "_take_budgets"),
        workspace,
        provider,
        [ask.scope for ask in asks],
        [limit.per_second for limit in limits],
        [limit.per_minute for limit in limits],
        [limit.per_hour for limit in limits],
        [limit.per_day for limit in limits],
        [ask.wanted for ask in asks],
        SLACK_SECONDS,
        _AHEAD_SECONDS,
        PACE_USED,
        SHARE_OF_PACE,
    )
    return [Grant(**row) for row in rows]


async def slow_down(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    provider: ProviderId,
    scope: str,
    reason: str,
    rate: float | None = None,
    wait_seconds: float = 0.0,
) -> None:
    """The receiving side asks for less: half of the limits from now on, and a tenth more with every quiet minute.

    Without a limit a second, `rate` is what went so far (messages a second): half of that, then. Nothing goes for `wait_seconds`.
    (Additive increase, multiplicative decrease; Chiu and Jain 1989.) Once in ten seconds, whoever of the workers hears of it.
    """
    words = reason[:500].replace("\0", "").encode("utf-8", "replace").decode()
    await tx.execute(_BEGIN, workspace, provider, [scope])
    pace = None if rate is None else max(rate, _LEAST_PACE)
    await tx.execute(
        _SLOW, workspace, provider, scope, _LEAST_FACTOR, words, _SLOWS_ONCE_IN_SECONDS, pace, wait_seconds
    )


class Budget:
    """A worker's shares of one provider's limits. `ready` and `spend` are cheap; `keep` fetches what was asked for.

    `wake` is called whenever there is something again.
    """

    def __init__(
        self,
        db: Database,
        *,
        workspace: WorkspaceId,
        provider: ProviderId,
        limits: Limits,
        wake: Callable[[], None],
        group_of: Callable[[str], str] = lambda domain: by_domain(domain) or "",
    ) -> None:
        self._group_of = group_of
        self._db = db
        self._workspace = workspace
        self._provider = provider
        self._wake = wake
        self.whole: Share | None = None
        self.by_domain = False
        """Domains are to be asked for."""
        self.fresh = True
        """Something was given since somebody last looked in vain."""
        self._limits = limits
        self._restraints = Restraints()
        self._domains: dict[str, Share | None] = {}
        self._shares: dict[str, Share] = {}
        self._asking: list[Share] = []
        self._returns: list[Return] = []
        self._slower: dict[str, Slower] = {}
        """What the receiving side wants less of."""
        self._slowed_at: dict[str, float] = {}
        self._something = asyncio.Event()
        self.restrain(Restraints())

    @property
    def limits_something(self) -> bool:
        """It has to be asked."""
        return self.whole is not None or self.by_domain

    @property
    def slowed(self) -> Mapping[str, str]:
        """Scopes that are slowed down, and the receiving side's words."""
        return self._restraints.slowed

    def follow(self, restraints: Restraints) -> None:
        """Caps and slowed scopes are these, says the database; what was slowed down just now it may not know yet."""
        now = steady()
        ours = {scope for scope, at in self._slowed_at.items() if now - at < _BELIEVED_SECONDS} | set(self._slower)
        slowed = {scope: why for scope, why in self._restraints.slowed.items() if scope in ours} | dict(
            restraints.slowed
        )
        if restraints.caps != self._restraints.caps or slowed.keys() != self._restraints.slowed.keys():
            self.restrain(Restraints(restraints.caps, slowed))
            self._wake()

    def restrain(self, restraints: Restraints) -> None:
        """Caps and slowed scopes are these from now on."""
        before, self._shares, self._domains = self._shares, {}, {}
        self._restraints = restraints
        cap = restraints.caps.get("")
        limit = within(self._limits.whole, cap)
        self.whole = None
        if limit.some or "" in restraints.slowed:
            self.whole = self._share("", limit, None, "" if cap is None else cap.why, before)
        groups = any(restraints.caps) or any(restraints.slowed)
        self.by_domain = bool(self._limits.groups) or groups
        # What is asked for or left stays so, where the limit does.
        for scope, share in before.items():
            if scope and (share.asked or share.left):
                self._shares[scope] = share
        self.fresh = True

    @property
    def used_up(self) -> Share | None:
        """The whole provider's share, while a period's limit is reached and will be for some time."""
        whole = self.whole
        # A pace is nothing to give up on: there is always something soon.
        if whole is None or whole.left or whole.full_for is None or whole.wait_seconds <= _LONG_SECONDS:
            return None
        return whole

    def ready(self) -> bool:
        """May one more message go now, as far as the whole provider goes? If not, it is asked for, and `wake` called."""
        return self.whole is None or self._ready(self.whole)

    def spend(self) -> None:
        """One went."""
        if self.whole is not None:
            self._spend(self.whole)

    def share_of(self, domain: str) -> Share | None:
        """What limits mail to a domain by its mailbox provider; None: nothing."""
        if domain in self._domains:
            return self._domains[domain]
        if len(self._domains) > _MANY_DOMAINS:
            self._domains.clear()
            self._shares = {scope: share for scope, share in self._shares.items() if share.left or share.asked}
        share = self._domains[domain] = self._chained(self._group_of(domain), domain)
        return share

    def _chained(self, group: str, domain: str) -> Share | None:
        """The share of the most precise limit, over that of what slows down, over that of a cap."""
        own = group or domain
        parts: dict[str, tuple[Limit, str]] = {}
        if (found := self._limits.of(group, domain)) is not None:
            parts[found[0]] = found[1], ""
        if own in self._restraints.slowed:
            parts.setdefault(own, (Limit(), ""))
        if (capped := self._restraints.of(group)) is not None:
            scope, cap = capped
            parts[scope] = within(parts.get(scope, (Limit(), ""))[0], cap), cap.why
        share: Share | None = None
        for scope, (limit, note) in reversed(parts.items()):
            share = self._share(scope, limit, share, note, self._shares)
        return share

    def _share(self, scope: str, limit: Limit, under: Share | None, note: str, known: Mapping[str, Share]) -> Share:
        """The share of a scope, made if there is none with this limit."""
        share = known.get(scope)
        if share is None or share.limit != limit:
            share = Share(scope, limit, note=note)
        share.under, share.note = under, note
        self._shares[scope] = share
        return share

    def scope_of(self, domain: str) -> str:
        """Under which name mail to a domain is limited, or would be."""
        group = self._group_of(domain)
        found = self._limits.of(group, domain)
        return group or domain if found is None else found[0]

    def forget_domains(self) -> None:
        """Who runs which domain may have become known."""
        self._domains.clear()
        self.fresh = True

    def may(self, domain: str) -> bool:
        """Like `ready`, as far as the domain's mailbox provider goes."""
        share = self.share_of(domain)
        return share is None or self._ready(share)

    def spend_on(self, domain: str) -> None:
        """One went there."""
        share = self.share_of(domain)
        if share is not None:
            self._spend(share)

    def slow(self, domain: str | None, reason: str, *, rate: Callable[[str], float], wait_seconds: float) -> None:
        """The receiving side asks for less: of what goes to this domain's mailbox provider, or of all (None).

        `rate` is what went to a scope of late, messages a second, all workers together.
        """
        now = steady()
        scope = "" if domain is None else self.scope_of(domain)
        self._slowed_at = {one: at for one, at in self._slowed_at.items() if now - at < _MANY_SECONDS} | {scope: now}
        if len(self._slowed_at) >= _MANY_SCOPES:
            self._slow("", reason, rate, wait_seconds)
        self._slow(scope, reason, rate, wait_seconds)

    def _slow(self, scope: str, reason: str, rate: Callable[[str], float], wait_seconds: float) -> None:
        if scope in self._slower:
            return
        self._slowed_at[scope] = steady()
        if scope not in self._restraints.slowed:
            self.restrain(Restraints(self._restraints.caps, {**self._restraints.slowed, scope: reason}))
        share = self.whole if not scope else self._shares.get(scope)
        unlimited = share is None or share.limit.per_second is None
        self._slower[scope] = Slower(
            scope, reason, rate(scope) if unlimited else None, max(wait_seconds, _HELD_SECONDS)
        )
        if share is not None and not share.asked:  # what we have of it was for another pace
            if share.left:
                self._unused(share)
            self._ask(share)
        self._something.set()

    async def keep(self) -> None:
        """Fetch whatever is asked for, and give back what is not used. Runs for as long as the provider is open."""
        while True:
            await self._something.wait()
            asked_at = steady()
            shares, returns = list(self._asking), list(self._returns)
            # Of a scope whose limit was changed while it was asked for, only the newest.
            by_scope = {share.scope: share for share in shares}
            asks = [Ask(share.scope, share.limit, share.want) for share in by_scope.values()]
            slower = dict(self._slower)
            async with self._db.transaction() as tx:
                for less in slower.values():
                    await slow_down(
                        tx,
                        workspace=self._workspace,
                        provider=self._provider,
                        scope=less.scope,
                        reason=less.reason,
                        rate=less.rate,
                        wait_seconds=less.wait_seconds,
                    )
                grants = await take(tx, workspace=self._workspace, provider=self._provider, asks=asks, returns=returns)
            # Only now: should the database be lost before, nobody would ask again.
            del self._asking[: len(shares)], self._returns[: len(returns)]
            for scope in slower:
                del self._slower[scope]
            if not self._asking and not self._returns and not self._slower:
                self._something.clear()
            for grant in grants:
                self._granted(by_scope[grant.scope], grant, asked_at)

    def _ready(self, share: Share) -> bool:
        one: Share | None = share
        ready = True
        while one is not None:
            if one.left > 0 and steady() <= one.until:
                one = one.under
                continue
            if one.left > 0:
                self._unused(one)
            if not one.asked:
                self._ask(one)
            ready = False
            one = one.under
        return ready

    def _ask(self, share: Share) -> None:
        share.asked = True
        self._asking.append(share)
        self._something.set()

    def _spend(self, share: Share) -> None:
        one: Share | None = share
        while one is not None:
            one.left -= 1
            if not one.left and steady() - one.given_at < _QUICKLY_SECONDS:
                one.want = min(one.most, one.want * 2)
            one = one.under

    def _granted(self, share: Share, grant: Grant, asked_at: float) -> None:
        now = steady()
        loop = asyncio.get_running_loop()
        share.full_for, share.rate = grant.full_for, grant.rate
        if grant.many == 0:
            share.blocked_until = now + grant.wait_seconds
            loop.call_later(grant.wait_seconds, self._again, share)
        elif grant.wait_seconds > 0:
            loop.call_later(grant.wait_seconds, self._give, share, grant, asked_at)
        else:
            self._give(share, grant, asked_at)

    def _give(self, share: Share, grant: Grant, asked_at: float) -> None:
        now = steady()
        paced = share.paced
        share.left, share.taken_at, share.given_at = grant.many, grant.taken_at, now
        share.until = min(now + (_LATE_SECONDS if paced else _UNUSED_SECONDS), asked_at + SLACK_SECONDS)
        if not paced:
            asyncio.get_running_loop().call_at(
                asyncio.get_running_loop().time() + share.until - now + 0.001, self._look, share, grant.taken_at
            )
        self._again(share)

    def _again(self, share: Share) -> None:
        share.asked = False
        self.fresh = True
        self._wake()

    def _look(self, share: Share, taken_at: float) -> None:
        if share.taken_at == taken_at and share.left > 0:
            self._unused(share)

    def _unused(self, share: Share) -> None:
        limit = share.limit
        if limit.per_minute or limit.per_hour or limit.per_day:
            self._returns.append(Return(share.scope, share.taken_at, share.left))
            self._something.set()
        if not share.paced:
            share.want = max(1, min(share.want // 2, share.want - share.left))
        share.left = 0
