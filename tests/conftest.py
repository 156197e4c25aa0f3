"""Real PostgreSQL for every test that asks: one server a test process, one database a test, cloned from a template."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from tidings.core.db import Database
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres
from tidings.delivery.domains._dns import SystemResolver, Unanswered

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server of this test process, with a migrated database named `template`."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-test-"))
    # Tests may lose their data with the machine: not waiting for the disk makes them several times faster.
    server = EmbeddedPostgres(
        folder,
        config={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "'64MB'"},
    )

    async def start() -> str:
        url = await server.start()
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE DATABASE template")
        await connection.close()
        await migrate(_database(url, "template"))
        return url

    try:
        yield asyncio.run(start())
    finally:
        asyncio.run(server.stop())
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
async def database_url(postgres_server: str) -> AsyncIterator[str]:
    """A fresh migrated database, dropped after the test."""
    name = f"test_{next(_NUMBERS)}"
    admin = await asyncpg.connect(postgres_server)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY FILE_COPY")
    try:
        yield _database(postgres_server, name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A pool on a fresh migrated database."""
    database = await Database.open(database_url, size=5)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def workspace(db: Database) -> int:
    """A workspace with a postal address."""
    async with db.connection() as connection:
        return await connection.fetchval(
            """
            INSERT INTO workspaces (name, postal_address, created_at)
            VALUES ('Acme', '1 Main Street, Springfield', now()) RETURNING id
            """
        )


def _database(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture(autouse=True)
def no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests ask no resolver: whoever needs answers brings them."""

    async def unanswered(_self: SystemResolver, name: str, kind: str) -> list[str]:
        raise Unanswered(f"{kind} {name}: no network in tests")

    monkeypatch.setattr(SystemResolver, "lookup", unanswered)
