"""An HTTP server inside this process's event loop: granian, whose protocol work runs outside of Python."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any, Literal

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tidings.core.errors import Unavailable

_GRACE_SECONDS = 5.0


async def serve(
    app: Any,
    *,
    interface: Literal["rsgi", "asgi"],
    host: str,
    port: int,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve `app` until `stop`, then finish the requests that are being answered. `ready` is called with the port.

    Raises Unavailable when the address cannot be listened on.
    """
    _check_free(host, port)
    logging.getLogger("_granian").setLevel(logging.WARNING)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.RSGI if interface == "rsgi" else Interfaces.ASGINL,
        http=HTTPModes.http1,
        # A client that sends its request byte by byte must not hold a connection for ever.
        http1_settings=HTTP1Settings(header_read_timeout=30_000),
        websockets=False,
        backlog=2048,
        log_enabled=False,
    )
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.ensure_future(stop.wait())
    listening = asyncio.ensure_future(_until_listening(host, port))
    try:
        await asyncio.wait([serving, listening, stopping], return_when=asyncio.FIRST_COMPLETED)
        if listening.done() and not serving.done() and ready is not None:
            ready(port)
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        listening.cancel()
        stopping.cancel()
        if not serving.done():
            server.stop()
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(serving, _GRACE_SECONDS)
    if not stop.is_set() and serving.done():
        serving.result()


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}") from None


async def _until_listening(host: str, port: int) -> None:
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where to knock, not where to listen
    while True:
        try:
            _, writer = await asyncio.open_connection(target, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
