"""A circuit breaker: a provider that keeps failing is left alone for a while, then tried with a few messages.

Failures that are the provider's count up, everything else that it answers counts down, so it opens when failures
outnumber the rest by ten: after ten in a row, or soon at an error rate above a half, and never because of a few
recipients whom it will not take. (Nygard, *Release It!*, 2nd ed., §5.2.)
"""

import random
from enum import StrEnum

OPENS_AT = 10
PROBES = 3
"""Messages on their way at once while it is half open."""
_CLOSES_AT = OPENS_AT - 3  # three more failures, and it is open again
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 300.0


class BreakerState(StrEnum):
    """May it be used?"""

    CLOSED = "closed"
    """Yes."""
    OPEN = "open"
    """Not before `until`."""
    HALF_OPEN = "half_open"
    """A few messages try."""


class Breaker:
    """Of one provider in one worker. Whoever uses it calls `half_open` when `until` has come."""

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self.troubled = False
        """There were failures not long ago: only then need it hear of successes."""
        self.until = 0.0
        """On the clock of whoever calls `failed`."""
        self.reason = ""
        self._failures = 0
        self._times = 0

    def failed(self, reason: str, *, now: float) -> bool:
        """The provider's own failure. True if that opened it."""
        self.troubled = True
        self._failures += 1
        if self.state is BreakerState.OPEN or (self.state is BreakerState.CLOSED and self._failures < OPENS_AT):
            return False
        self.state = BreakerState.OPEN
        self.reason = reason
        pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self._times, 10), _LONGEST_PAUSE_SECONDS)
        self._times += 1
        self.until = now + pause * random.uniform(0.75, 1.0)  # noqa: S311 - jitter: workers must not all try at once
        return True

    def half_open(self) -> None:
        """The pause is over."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def succeeded(self) -> bool:
        """It answered as a provider does that works. True if that closed it."""
        if self.state is BreakerState.HALF_OPEN:
            self.state = BreakerState.CLOSED
            self._failures = _CLOSES_AT
            return True
        if self.state is BreakerState.CLOSED:  # of one that is open it is the late answer to what went before
            self._failures -= 1
            if self._failures <= 0:
                self._failures = self._times = 0
                self.troubled = False
        return False
