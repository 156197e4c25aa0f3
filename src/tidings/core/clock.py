"""Time. Public functions take `now`, so that tests can choose it; only edges and workers ask for the time."""

import time
from datetime import UTC, datetime

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """The present moment, with UTC as its zone."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds on a clock that nobody sets and that, where the system has one, goes on while the machine sleeps.

    For what must not be done too late. An event loop's own clock may stand still while its callbacks run.
    """
    return time.clock_gettime(_STEADY)
