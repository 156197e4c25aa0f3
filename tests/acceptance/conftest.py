"""The API served for real: granian on a Unix socket, in the test's own event loop, over the test's database."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from api_client import Client
from tidings import accounts
from tidings.api.app import create_app
from tidings.bootstrap import App, open_app
from tidings.core.clock import utc_now
from tidings.core.ids import WorkspaceId
from tidings.core.settings import Settings


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[App]:
    """The application on the test's database."""
    settings = Settings(database_url=database_url, data_dir=tmp_path, secret="for tests only")
    async with open_app(settings, pool_size=5) as opened:
        yield opened


@pytest.fixture
async def api(app: App, workspace: WorkspaceId) -> AsyncIterator[Client]:
    """A client with a key that may do everything in `workspace`."""
    async with app.db.transaction() as tx:
        key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=utc_now())
    folder = Path(tempfile.mkdtemp(prefix="tidings-api-"))
    server = Server(create_app(app), uds=folder / "socket", interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not (folder / "socket").exists():
                await asyncio.sleep(0.005)
        connector = aiohttp.UnixConnector(str(folder / "socket"))
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Client(session, key, workspace)
    finally:
        server.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def stranger(api: Client, app: App) -> Client:
    """A client of another workspace, with a key that may do everything there."""
    async with app.db.transaction() as tx:
        other = await accounts.create_workspace(tx, name="Other", postal_address="2 Side Street", now=utc_now())
        key = await accounts.create_api_key(tx, workspace=other, name="test", scopes=["*"], now=utc_now())
    return api.with_key(key, other)
