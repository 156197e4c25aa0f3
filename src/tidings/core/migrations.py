"""Bring a database to the schema this code was written for."""

from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

_HERE = Path(__file__).resolve()
_INSTALLED = _HERE.parents[1] / "_migrations"
_SOURCE = _HERE.parents[3] / "migrations"


async def migrate(url: str) -> None:
    """Run what is missing, one transaction a migration, then the job library's own tables. Safe to call at each start."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()
    raw = await asyncpg.connect(url)
    try:
        queries = Queries(AsyncpgDriver(raw))
        if await raw.fetchval("SELECT to_regclass('pgqueuer')") is None:
            await queries.install()
        await queries.upgrade()
    finally:
        await raw.close()


def run_script(connection: Connection, script: Path) -> None:
    """Run a file of many SQL statements on the migration's connection: for use inside migrations."""
    raw = connection.connection.driver_connection
    assert raw is not None
    await_only(raw.execute(script.read_text(encoding="utf-8")))


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_INSTALLED if _INSTALLED.is_dir() else _SOURCE))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
