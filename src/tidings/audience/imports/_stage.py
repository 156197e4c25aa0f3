"""The staging table: rows of one batch, in a connection's own temporary table that each commit empties."""

from tidings.audience.imports._plan import STAGED, Checked
from tidings.core.db import Tx, until_lost

STAGE = """
CREATE TEMP TABLE IF NOT EXISTS import_rows (
    email text, address_hash bytea, first_name text, last_name text, phone text, language text, time_zone text,
    tags text[], attributes jsonb, status text, left_lists text[], on_lists text[]
) ON COMMIT DELETE ROWS
"""

PLANS = """
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off;
SET LOCAL work_mem = '16MB'; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0
"""
"""A batch is a few thousand lookups in a large table. Its statistics are of an hour ago, and any other plan is quadratic;
even in an empty table, which the statement itself fills."""


async def stage(tx: Tx, batch: Checked) -> None:
    """Put checked rows into the staging table."""
    await tx.execute(STAGE)
    columns = (*STAGED, *(["left_lists"] if batch.left else ()), *(["on_lists"] if batch.on else ()))
    copying = tx.copy_to_table(
        "import_rows", source=_once(batch.data), columns=columns, schema_name="pg_temp", format="text"
    )
    await until_lost(tx, copying)


async def _once(data: bytes):
    yield data
