"""A COPY ends when its connection does."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tidings.core.db import LOST, Database, until_lost


async def test_a_copy_whose_connection_is_lost_while_its_buffer_is_full(db: Database) -> None:
    """Without `until_lost` it would wait for ever."""

    async def rows() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000 + b"\n"

    admin = await asyncpg.connect(db.url)

    async def kill(pid: int) -> None:
        await asyncio.sleep(0.3)
        await admin.execute("SELECT pg_terminate_backend($1)", pid)

    async def copy() -> None:
        async with asyncio.timeout(15), db.transaction() as tx:
            await tx.execute("CREATE TEMP TABLE t (x text)")
            killing = asyncio.ensure_future(kill(await tx.fetchval("SELECT pg_backend_pid()")))
            try:
                await until_lost(tx, tx.copy_to_table("t", source=rows(), format="text"))
            finally:
                await killing

    began = asyncio.get_running_loop().time()
    with pytest.raises(LOST):
        await copy()
    assert asyncio.get_running_loop().time() - began < 10  # a timeout is an OSError, too
    await admin.close()
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
