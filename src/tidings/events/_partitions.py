"""Monthly partitions of events, made ahead of time."""

from datetime import UTC, datetime

from tidings.core.db import Tx
from tidings.core.partitions import ensure_partition


async def ensure_partitions(tx: Tx, *, now: datetime, months: int = 2) -> None:
    """Make the partitions of this month and the next ones. What already lies in the default partition moves over."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings event partitions'))")
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(months):
        following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
        await ensure_partition(
            tx, table="events", name=f"events_{first:%Y_%m}", column="at", since=first, until=following
        )
        first = following
