"""A throw-away system to measure: its own folder, its own ports, its own PostgreSQL with the settings it ships with."""

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tidings.bootstrap import App, open_app
from tidings.core.settings import Settings
from tidings.supervisor import Supervisor, supervise
from tidings.up import environment, roles


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


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def private_settings(data_dir: Path, **changes: object) -> Settings:
    """Settings for a system beside whatever else runs on this machine."""
    api, edge, smtp, http = free_ports(4)
    base = Settings().model_copy(
        update={
            "data_dir": data_dir,
            "database_url": None,
            "api_port": api,
            "edge_port": edge,
            "public_url": f"http://127.0.0.1:{edge}",
            "catcher_smtp_port": smtp,
            "catcher_http_port": http,
        }
    )
    return base.model_copy(update=changes)


@asynccontextmanager
async def throw_away_system(**changes: object) -> AsyncIterator[System]:
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
        shutil.rmtree(folder, ignore_errors=True)
        if (embedded := supervisor_folder(folder)) is not None:
            shutil.rmtree(embedded, ignore_errors=True)


def supervisor_folder(folder: Path) -> Path | None:
    """Where the embedded database of a system really lay, when it could not be in its folder."""
    from tidings.core.postgres import EmbeddedPostgres

    place = EmbeddedPostgres(folder / "postgres").folder
    return None if place.is_relative_to(folder) else place
