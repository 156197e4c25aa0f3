"""A throw-away system to measure: its own folder, its own ports, its own PostgreSQL with the settings it ships with."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tidings.bootstrap import App, open_app
from tidings.core.settings import Settings
from tidings.supervisor import Supervisor, supervise
from tidings.up import clear, environment, private_settings, roles


@dataclass(slots=True)
class System:
    """What runs, and a way into its database."""

    settings: Settings
    supervisor: Supervisor
    app: App

    def processes(self) -> dict[str, psutil.Process]:
        """The role processes by label."""
        return {
            role.label.replace(" --writer", ""): psutil.Process(role.process.pid)
            for role in self.supervisor.roles
            if role.process is not None and role.process.returncode is None
        }


@asynccontextmanager
async def throw_away_system(**changes: object) -> AsyncGenerator[System, None]:
    """A running system in a folder that goes when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-bench-"))
    settings = private_settings(folder, **changes)
    try:
        async with supervise(
            data_dir=folder, database_url=None, roles=roles(settings), environment=environment(settings)
        ) as supervisor:
            opened = settings.model_copy(update={"database_url": supervisor.database_url})
            async with open_app(opened, pool_size=4) as app:
                await supervisor.until_ready()
                yield System(settings, supervisor, app)
    finally:
        await clear(folder)
