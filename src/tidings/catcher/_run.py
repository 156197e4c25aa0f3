"""Running the catcher: its SMTP port, its HTTP port, until told to stop."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from aiohttp import web

from tidings.catcher._http import create_http_app
from tidings.catcher._smtp import CatcherSession, Writer
from tidings.catcher._store import Store


class Catcher:
    """A running catcher. `async with await Catcher.start(…) as catcher:` in tests; `serve` for a process."""

    def __init__(self, store: Store, writer: Writer, server: asyncio.Server, runner: web.AppRunner) -> None:
        self.store = store
        self._writer = writer
        self._server = server
        self._runner = runner

    @classmethod
    async def start(
        cls,
        *,
        data_dir: Path,
        smtp_port: int = 0,
        http_port: int = 0,
        smtp_host: str = "127.0.0.1",
        http_host: str = "127.0.0.1",
        keep_bytes: int = 4 << 30,
    ) -> Self:
        """Listen. Port 0: any free one, see `smtp_port` and `http_port`. Raises OSError if a port is taken."""
        store = await asyncio.to_thread(Store, data_dir, keep_bytes=keep_bytes)
        async with contextlib.AsyncExitStack() as undo:
            undo.callback(store.close)
            writer = Writer(store)
            server = await asyncio.get_running_loop().create_server(
                lambda: CatcherSession(writer), smtp_host, smtp_port, backlog=1024
            )
            undo.callback(server.close)
            runner = web.AppRunner(create_http_app(store), access_log=None, handle_signals=False)
            await runner.setup()
            undo.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, http_host, http_port).start()
            undo.pop_all()
        return cls(store, writer, server, runner)

    @property
    def smtp_port(self) -> int:
        """Where mail is taken."""
        return self._server.sockets[0].getsockname()[1]

    @property
    def http_port(self) -> int:
        """Where it can be read."""
        return self._runner.addresses[0][1]

    async def close(self) -> None:
        """Hang up on everybody. What was answered stays in the files."""
        self._server.close()
        self._writer.flush()
        for session in tuple(self._writer.sessions):
            session.hang_up()
        await self._runner.cleanup()
        self.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def serve(
    *,
    smtp_port: int,
    http_port: int,
    data_dir: Path,
    stop: asyncio.Event,
    smtp_host: str = "127.0.0.1",
    http_host: str = "127.0.0.1",
    keep_bytes: int = 4 << 30,
    ready: Callable[[], None] | None = None,
) -> None:
    """Catch mail until `stop` is set; `ready` is called once both ports are open.

    `keep_bytes`: how much of the latest mail stays readable; counts cover everything. Raises OSError if a port is taken.
    """
    catcher = await Catcher.start(
        data_dir=data_dir,
        smtp_port=smtp_port,
        http_port=http_port,
        smtp_host=smtp_host,
        http_host=http_host,
        keep_bytes=keep_bytes,
    )
    async with catcher:
        if ready is not None:
            ready()
        await stop.wait()
