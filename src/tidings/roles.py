"""The body of each role's process: open what it needs, say that it is ready, work until told to stop.

Each imports what only it needs, so that no process carries the others' libraries in its memory.
"""

import asyncio
import gc
import os
import signal
import stat
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from tidings.bootstrap import App, open_app
from tidings.core.errors import Invalid
from tidings.core.settings import Settings

Body = Callable[[App, Settings, asyncio.Event], Coroutine[Any, Any, None]]


def run_role(name: str, settings: Settings, *, writer: int) -> None:
    """Run one role in this process until SIGTERM or SIGINT, or until the supervisor is gone."""
    if name not in ROLES:
        raise SystemExit(f"there is no role {name!r}; there are: {', '.join(ROLES)}")
    body, pool_size = ROLES[name]

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        await _watch_parent(stop)
        async with open_app(settings, writer=writer, pool_size=pool_size) as app:
            await body(app, settings, stop)

    uvloop.run(main())


async def _api(app: App, settings: Settings, stop: asyncio.Event) -> None:
    from tidings.api.app import create_app
    from tidings.core.serve import serve

    await serve(
        create_app(app),
        interface="asgi",
        host=settings.api_host,
        port=settings.api_port,
        stop=stop,
        ready=lambda _: _say_ready(),
    )


async def _edge(app: App, settings: Settings, stop: asyncio.Event) -> None:
    from tidings import edge

    await edge.run(app, host=settings.edge_host, port=settings.edge_port, stop=stop, ready=lambda _: _say_ready())


async def _send(app: App, _: Settings, stop: asyncio.Event) -> None:
    from tidings import workers

    # A thousand rows come and go with each chunk, and none of them is part of a cycle: looking for garbage among them
    # again and again costs a twentieth of the worker's time.
    gc.set_threshold(100_000, 50, 50)
    _say_ready()
    await workers.send(app, stop)


async def _conduct(app: App, _: Settings, stop: asyncio.Event) -> None:
    from tidings import workers

    _say_ready()
    await workers.conduct(app, stop)


async def _catcher(app: App, settings: Settings, stop: asyncio.Event) -> None:
    from tidings import catcher

    await catcher.serve(
        smtp_port=settings.catcher_smtp_port,
        http_port=settings.catcher_http_port,
        data_dir=app.data_dir / "catcher",
        stop=stop,
        ready=_say_ready,
    )


async def _inbound(app: App, settings: Settings, stop: asyncio.Event) -> None:
    import socket

    from tidings import inbound

    listen = inbound.read_listen(settings.inbound_listen)
    if not listen:
        raise Invalid.at("TIDINGS_INBOUND_LISTEN", "says where to listen, such as 0.0.0.0:25")
    await inbound.serve(
        app.db,
        listen=listen,
        keys=app.keys,
        hostname=settings.inbound_hostname or socket.gethostname(),
        certificate=settings.inbound_tls_certificate,
        key=settings.inbound_tls_key,
        stop=stop,
        ready=_say_ready,
    )


# Name → what it does, and how many database connections it may open.
ROLES: dict[str, tuple[Body, int]] = {
    "api": (_api, 10),
    "edge": (_edge, 6),
    "send": (_send, 6),
    "conduct": (_conduct, 10),
    "catcher": (_catcher, 1),
    "inbound": (_inbound, 3),
}


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
    return stat.S_ISFIFO(os.fstat(file).st_mode) or stat.S_ISSOCK(os.fstat(file).st_mode)


def _say_ready() -> None:
    # What is there by now stays. To look through it for garbage took 90 ms at a time, and nobody was answered meanwhile.
    gc.collect()
    gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
