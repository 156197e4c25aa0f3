"""What a provider's limits still allow, shared by all workers: each takes small shares of it from the database.

For each scope (the provider as a whole, each mailbox provider) a worker takes a little at a time and gives back what it
did not use, so that the limit is never exceeded and nearly used, and one that dies loses at most a share.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidings.core.clock import steady
from tidings.core.db import Database, Tx, sql
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery._limits import DAY, HOUR, MINUTE, Limit, Limits
from tidings.delivery._mailbox_providers import by_domain

SLACK_SECONDS = 2.0
"""What was taken is sent within this, or not at all."""
PACE_USED = 0.92
"""Of a rate a second: with shares of at most 5 % of it, no second has more than the rate, even if one is used 80 ms late."""
_SHARE_OF_PACE = 0.05
_LATE_SECONDS = 0.06
_AHEAD_SECONDS = 0.4
_UNUSED_SECONDS = 1.2  # after which a share of a period's limit is given back
_SHARE_OF_PERIOD = 50
_FIRST_SHARE = 10
_QUICKLY_SECONDS = 0.2  # the next share is larger if one was used up so quickly
_LONG_SECONDS = 5.0
_LONGEST_SECONDS = 6 * 3600.0  # then it is looked at again: limits may have been raised
_MANY_DOMAINS = 50_000
_PERIODS = {MINUTE: "minute", HOUR: "hour", DAY: "day"}

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
UPDATE budgets SET factor = greatest($4, factor / 2), reason = $5, slowed_at = clock_timestamp(), grown_at = NULL
WHERE workspace_id = $1 AND provider_id = $2 AND scope = $3
  AND (slowed_at IS NULL OR slowed_at < clock_timestamp() - make_interval(secs => $6))
"""
_GROW = """
UPDATE budgets SET factor = least(1, factor + $4), grown_at = clock_timestamp()
WHERE workspace_id = $1 AND provider_id = $2 AND scope = ANY ($3::text[]) AND factor < 1
  AND greatest(slowed_at, grown_at) < clock_timestamp() - interval '1 minute'
"""
_LEAST_FACTOR = 0.05
_GROWS_BY = 0.1
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
    )
    return [Grant(**row) for row in rows]


async def slow_down(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, scope: str, reason: str) -> None:
    """The receiving side asks for less: half of the limits from now on, and a tenth more with every quiet minute.

    (Additive increase, multiplicative decrease; Chiu and Jain 1989.) Once in ten seconds, whoever of the workers hears of it.
    """
    words = reason[:500].replace("\0", "").encode("utf-8", "replace").decode()
    await tx.execute(_SLOW, workspace, provider, scope, _LEAST_FACTOR, words, _SLOWS_ONCE_IN_SECONDS)


class Share:
    """One worker's part of one scope."""

    __slots__ = (
        "asked",
        "blocked_until",
        "frontier",
        "full_for",
        "given_at",
        "left",
        "limit",
        "most",
        "scope",
        "taken_at",
        "until",
        "want",
    )

    def __init__(self, scope: str, limit: Limit) -> None:
        self.scope = scope
        self.limit = limit
        self.left = 0
        self.until = 0.0
        """When what is left is not ours any more."""
        self.asked = False
        self.blocked_until = 0.0
        self.full_for: int | None = None
        """The period whose limit is reached."""
        self.frontier = 0.0
        """When the last of those that were put off is due."""
        self.given_at = self.taken_at = 0.0
        counted = min((most for most in (limit.per_minute, limit.per_hour, limit.per_day) if most), default=None)
        mosts = [10_000] if counted is None else [counted // _SHARE_OF_PERIOD]
        if limit.per_second is not None:
            mosts.append(int(limit.per_second * _SHARE_OF_PACE))
        self.most = max(1, min(mosts))
        self.want = self.most if limit.per_second is not None else min(self.most, _FIRST_SHARE)

    @property
    def wait_seconds(self) -> float:
        """Before there can be more, as far as is known."""
        return max(0.0, self.blocked_until - steady())

    def wait_behind(self, ahead: int) -> float:
        """Seconds before the next one can go when so many others are ahead of it, as far as is known."""
        return max(self.wait_seconds, ahead / self._pace)

    def put_off(self, wait_seconds: float) -> float:
        """One is put off, for so long at least. Returns for how long: each has its turn, so that not all come back at once."""
        now = steady()
        due = max(self.frontier, now + wait_seconds)
        self.frontier = due + 1 / min(self._pace, 1e6)
        return min(due - now, _LONGEST_SECONDS)

    @property
    def _pace(self) -> float:
        limit = self.limit
        pace = limit.per_second * PACE_USED if limit.per_second else float("inf")
        return pace if self.full_for is None else min(pace, self._most / self.full_for)

    @property
    def _most(self) -> int:
        limit = self.limit
        most = {MINUTE: limit.per_minute, HOUR: limit.per_hour, DAY: limit.per_day}[self.full_for or DAY]
        return most or 1

    @property
    def why(self) -> str:
        """What is used up, in words."""
        if self.full_for is None:
            return f"{self.limit.per_second:g} a second" if self.limit.per_second else "slowed down"
        return f"{self._most:,} a {_PERIODS[self.full_for]}"


class Budget:
    """A worker's shares of one provider's limits. `ready` and `spend` are cheap; `keep` fetches what was asked for.

    `wake` is called whenever there is something again.
    """

    def __init__(
        self, db: Database, *, workspace: WorkspaceId, provider: ProviderId, limits: Limits, wake: Callable[[], None]
    ) -> None:
        self._db = db
        self._workspace = workspace
        self._provider = provider
        self._wake = wake
        self.whole: Share | None = Share("", limits.whole) if limits.whole.some else None
        self.by_domain = bool(limits.groups)
        """Domains are to be asked for."""
        self.fresh = True
        """Something was given since somebody last looked in vain."""
        self._limits = limits
        self._domains: dict[str, Share | None] = {}
        self._shares: dict[str, Share] = {}
        self._asking: list[Share] = []
        self._returns: list[Return] = []
        self._slower: dict[str, str] = {}
        """Scopes that the receiving side wants less of, and its words."""
        self._something = asyncio.Event()

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
        found = self._limits.of(by_domain(domain) or "", domain)
        share = None
        if found is not None:
            scope, limit = found
            share = self._shares.get(scope)
            if share is None:
                share = self._shares[scope] = Share(scope, limit)
        self._domains[domain] = share
        return share

    def may(self, domain: str) -> bool:
        """Like `ready`, as far as the domain's mailbox provider goes."""
        share = self.share_of(domain)
        return share is None or self._ready(share)

    def spend_on(self, domain: str) -> None:
        """One went there."""
        share = self.share_of(domain)
        if share is not None:
            self._spend(share)

    def slow(self, domain: str, reason: str) -> None:
        """The receiving side asks for less: of what goes to this domain's mailbox provider if that has a limit, else of all."""
        share = self.share_of(domain) or self.whole
        if share is not None:
            self._slower[share.scope] = reason
            self._something.set()

    async def keep(self) -> None:
        """Fetch whatever is asked for, and give back what is not used. Runs for as long as the provider is open."""
        while True:
            await self._something.wait()
            asked_at = steady()
            shares, returns = list(self._asking), list(self._returns)
            asks = [Ask(share.scope, share.limit, share.want) for share in shares]
            slower = dict(self._slower)
            async with self._db.transaction() as tx:
                grants = await take(tx, workspace=self._workspace, provider=self._provider, asks=asks, returns=returns)
                for scope, reason in slower.items():
                    await slow_down(tx, workspace=self._workspace, provider=self._provider, scope=scope, reason=reason)
            # Only now: should the database be lost before, nobody would ask again.
            del self._asking[: len(shares)], self._returns[: len(returns)]
            for scope, reason in slower.items():
                if self._slower.get(scope) == reason:
                    del self._slower[scope]
            if not self._asking and not self._returns and not self._slower:
                self._something.clear()
            by_scope = {share.scope: share for share in shares}
            for grant in grants:
                self._granted(by_scope[grant.scope], grant, asked_at)

    def _ready(self, share: Share) -> bool:
        if share.left > 0:
            if steady() <= share.until:
                return True
            self._unused(share)
        if not share.asked:
            share.asked = True
            self._asking.append(share)
            self._something.set()
        return False

    def _spend(self, share: Share) -> None:
        share.left -= 1
        if not share.left and steady() - share.given_at < _QUICKLY_SECONDS:
            share.want = min(share.most, share.want * 2)

    def _granted(self, share: Share, grant: Grant, asked_at: float) -> None:
        now = steady()
        loop = asyncio.get_running_loop()
        share.full_for = grant.full_for
        if grant.many == 0:
            share.blocked_until = now + grant.wait_seconds
            loop.call_later(grant.wait_seconds, self._again, share)
        elif grant.wait_seconds > 0:
            loop.call_later(grant.wait_seconds, self._give, share, grant, asked_at)
        else:
            self._give(share, grant, asked_at)

    def _give(self, share: Share, grant: Grant, asked_at: float) -> None:
        now = steady()
        paced = share.limit.per_second is not None
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
        if limit.per_second is None:
            share.want = max(1, min(share.want // 2, share.want - share.left))
        share.left = 0
