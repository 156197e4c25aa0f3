"""`tidings up` in a process of its own, as a person runs it, and ways to hurt it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tidings.bootstrap import secret_of
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.postgres import EmbeddedPostgres
from tidings.up import clear, free_ports


@dataclass
class RunningSystem:
    """A whole Tidings. `key` is its first API key."""

    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    key: str = ""
    restarts: int = 0
    _log: Any = field(default=None)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.environment['TIDINGS_API_PORT']}/api/v1"

    @property
    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.data_dir / "postgres")

    @property
    def keys(self) -> Keyring:
        return Keyring(secret_of(self.data_dir))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        db = await Database.open(self.postgres.url, size=3)
        try:
            yield db
        finally:
            await db.close()

    def start(self) -> None:
        self._log = (self.data_dir / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tidings.cli", "up"],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def read_key(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.key = self.process.stdout.readline().decode().strip()

    def kill(self, victim: str) -> bool:
        """`kill -9` the supervisor, PostgreSQL or a role; False if it is not there at this moment."""
        match victim:
            case "supervisor":
                assert self.process is not None
                assert self.process.stdout is not None
                self.process.kill()
                self.process.wait()
                self.process.stdout.close()
                self._log.close()
                return True
            case "postgres":
                pid = self.postgres.process_id()
            case role:
                pid = self._role(role)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def _role(self, name: str) -> int | None:
        marks = ["tidings.cli", "role", name]
        for process in psutil.process_iter(["cmdline", "environ"]):
            with contextlib.suppress(psutil.Error):
                words = process.info["cmdline"] or []
                ours = (process.info["environ"] or {}).get("TIDINGS_DATA_DIR") == str(self.data_dir)
                if ours and any(words[i : i + 3] == marks for i in range(len(words))):
                    return process.pid
        return None

    async def until_answering(self, seconds: float = 30) -> None:
        """Wait until the API answers."""
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(self.api + "/openapi.json"):
                        return
                await asyncio.sleep(0.1)

    def stop(self) -> None:
        """In good order, and then for certain."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()
            self.process.wait()
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        if self._log is not None:
            self._log.close()


@asynccontextmanager
async def running_system(data_dir: Path, **environment: str) -> AsyncIterator[RunningSystem]:
    """A system that was just set up, answering."""
    api, edge, smtp, http = map(str, free_ports(4))
    system = RunningSystem(
        data_dir,
        {
            "TIDINGS_DATA_DIR": str(data_dir),
            "TIDINGS_API_PORT": api,
            "TIDINGS_EDGE_PORT": edge,
            "TIDINGS_PUBLIC_URL": f"http://127.0.0.1:{edge}",
            "TIDINGS_CATCHER_SMTP_PORT": smtp,
            "TIDINGS_CATCHER_HTTP_PORT": http,
            **environment,
        },
    )
    system.start()
    try:
        await asyncio.to_thread(system.read_key)
        await system.until_answering()
        yield system
    finally:
        system.stop()
        await clear(data_dir)
