"""Partitions by time, made while others write."""

from datetime import datetime

from tidings.core.db import Tx


async def ensure_partition(tx: Tx, *, table: str, name: str, column: str, since: datetime, until: datetime) -> None:
    """Make partition `name` of `table`, if it is not there, for `column` from `since` up to, not including, `until`.

    Rows of that time that lie in `<table>_default` move over. Who writes to the table meanwhile waits, and goes on.
    """
    if await tx.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
        return
    between = f"{column} >= '{since.isoformat()}' AND {column} < '{until.isoformat()}'"
    # The table itself before its default partition. An INSERT chooses the partition, then waits for its lock: whoever had
    # chosen the default one would come out of that wait with a row that the default one may not have any more.
    await tx.execute(
        f"""
        CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE;
        LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE;
        WITH moved AS (DELETE FROM {table}_default WHERE {between} RETURNING *)
        INSERT INTO {name} SELECT * FROM moved;
        ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{since.isoformat()}') TO ('{until.isoformat()}')
        """  # noqa: S608 - made of our own names and of dates
    )
