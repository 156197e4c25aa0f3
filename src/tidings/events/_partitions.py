"""Monthly partitions of events, made ahead of time."""

from datetime import UTC, datetime

from tidings.core.db import Tx


async def ensure_partitions(tx: Tx, *, now: datetime, months: int = 2) -> None:
    """Make the partitions of this month and the next ones. What already lies in the default partition moves over."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings event partitions'))")
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(months):
        following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
        name = f"events_{first:%Y_%m}"
        if not await tx.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
            between = f"at >= '{first.isoformat()}' AND at < '{following.isoformat()}'"
            await tx.execute(
                f"""
                CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
                LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE;
                WITH moved AS (DELETE FROM events_default WHERE {between} RETURNING *)
                INSERT INTO {name} SELECT * FROM moved;
                ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{first.isoformat()}') TO ('{following.isoformat()}')
                """  # noqa: S608 - made of dates
            )
        first = following
