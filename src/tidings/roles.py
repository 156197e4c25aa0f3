"""The body of each role's process: open what it needs, say that it is ready, work until told to stop."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from tidings import workers
from tidings.bootstrap import App, open_app
from tidings.core.settings import Settings

Body = Callable[[App, asyncio.Event, Callable[[], None]], Coroutine[Any, Any, None]]


def run_role(body: Body, settings: Settings, *, writer: int, pool_size: int) -> None:
    """Run one role in this process until SIGTERM or SIGINT, or until the supervisor is gone."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        await _watch_parent(stop)
        async with open_app(settings, writer=writer, pool_size=pool_size) as app:
            await body(app, stop, _say_ready)

    uvloop.run(main())


async def send(app: App, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Hand messages over."""
    ready()
    await workers.send(app, stop)


async def conduct(app: App, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Everything that happens by itself."""
    ready()
    await workers.conduct(app, stop)


async def _watch_parent(stop: asyncio.Event) -> None:
    """Standard input ends when whoever started us is gone; a terminal or /dev/null says nothing of the kind."""
    if sys.stdin is None or sys.stdin.isatty() or not _is_pipe(sys.stdin.fileno()):
        return
    loop = asyncio.get_running_loop()

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
            stop.set()

    await loop.connect_read_pipe(Watch, sys.stdin)


def _is_pipe(file: int) -> bool:
    import os
    import stat

    return stat.S_ISFIFO(os.fstat(file).st_mode) or stat.S_ISSOCK(os.fstat(file).st_mode)


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
