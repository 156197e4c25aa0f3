"""Time. Public functions take `now`, so that tests can choose it; only edges and workers ask for the time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, with UTC as its zone."""
    return datetime.now(UTC)
