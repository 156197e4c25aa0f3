"""One worker's part of one scope of a provider's limits: what it may still send, and how long others must wait."""

from collections.abc import Iterator
from typing import Self

from tidings.core.clock import steady
from tidings.delivery.limits._limits import DAY, HOUR, MINUTE, Limit

PACE_USED = 0.92
"""Of a rate a second: with shares of at most 5 % of it, no second has more than the rate, even if one is used 80 ms late."""
SHARE_OF_PACE = 0.05
_SHARE_OF_PERIOD = 50
_FIRST_SHARE = 10
_LONGEST_SECONDS = 6 * 3600.0  # then it is looked at again: limits may have been raised
_PERIODS = {MINUTE: "a minute", HOUR: "an hour", DAY: "a day"}


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
        "note",
        "rate",
        "scope",
        "taken_at",
        "under",
        "until",
        "want",
    )

    def __init__(self, scope: str, limit: Limit, *, under: Self | None = None, note: str = "") -> None:
        self.scope = scope
        self.limit = limit
        self.under = under
        """Another that what goes counts in, too."""
        self.note = note
        self.rate: float | None = None
        """Messages a second, while it is slowed down below what its limit says."""
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
            mosts.append(int(limit.per_second * SHARE_OF_PACE))
        self.most = max(1, min(mosts))
        self.want = self.most if limit.per_second is not None else min(self.most, _FIRST_SHARE)

    @property
    def wait_seconds(self) -> float:
        """Before there can be more, as far as is known."""
        return max(0.0, self.blocked_until - steady())

    @property
    def paced(self) -> bool:
        """It is spread over each second."""
        return self.limit.per_second is not None or self.rate is not None

    def all(self) -> Iterator[Self]:
        """This one, and those that it is under."""
        share: Self | None = self
        while share is not None:
            yield share
            share = share.under

    def tightest(self, ahead: int) -> tuple[float, Self]:
        """How long the next one has to wait when so many are ahead of it, and for whom."""
        return max(((share.wait_behind(ahead), share) for share in self.all()), key=lambda found: found[0])

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
        if self.rate is not None:
            pace = min(pace, self.rate)
        return pace if self.full_for is None else min(pace, self._most / self.full_for)

    @property
    def _most(self) -> int:
        limit = self.limit
        most = {MINUTE: limit.per_minute, HOUR: limit.per_hour, DAY: limit.per_day}[self.full_for or DAY]
        return most or 1

    @property
    def why(self) -> str:
        """What is used up, in words."""
        note = f" ({self.note})" if self.note else ""
        if self.full_for is not None:
            return f"{self._most:,} {_PERIODS[self.full_for]}{note}"
        if self.rate is not None:
            return f"{self.rate:.3g} a second, as it asked for less"
        return f"{self.limit.per_second:g} a second{note}" if self.limit.per_second else "slowed down"
