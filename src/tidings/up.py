"""`tidings up`: the whole system on one machine, until Ctrl-C."""

import asyncio
import shutil
import signal
import socket
from pathlib import Path

from rich.console import Console

from tidings.bootstrap import first_start, open_app
from tidings.core.postgres import EmbeddedPostgres
from tidings.core.settings import Settings
from tidings.supervisor import Role, supervise


def roles(settings: Settings) -> list[Role]:
    """One process each, and as many send workers as the settings say. Writers are the slots of their counters."""
    return [
        Role("api"),
        Role("edge", ["--writer", "100"]),
        Role("conduct"),
        *(Role("send", ["--writer", str(number)]) for number in range(1, settings.send_workers + 1)),
        Role("catcher"),
        *([Role("inbound")] if settings.inbound_listen.strip() else []),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the roles read them."""
    given = settings.model_dump(exclude={"database_url", "data_dir", "secret"})
    secret = {"TIDINGS_SECRET": settings.secret} if settings.secret else {}
    return {f"TIDINGS_{name.upper()}": str(value) for name, value in given.items()} | secret


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


async def clear(data_dir: Path) -> None:
    """Remove a system that is not running, its database included, wherever that had to be put."""
    postgres = EmbeddedPostgres(data_dir / "postgres")
    await postgres.stop()  # it outlives a supervisor that was killed
    for folder in (data_dir, postgres.folder):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def run(settings: Settings) -> None:
    """Bring everything up, say where it is, and keep it up."""
    console = Console(stderr=True)
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    with console.status("Starting …") as status:
        async with supervise(
            data_dir=settings.data_dir,
            database_url=settings.database_url,
            roles=roles(settings),
            environment=environment(settings),
        ) as supervisor:
            opened = settings.model_copy(update={"database_url": supervisor.database_url})
            async with open_app(opened, pool_size=1) as app:
                key = await first_start(app, catcher_port=settings.catcher_smtp_port)
            if key is not None:  # at once: whatever comes next, it is never seen again
                console.print("First start: a workspace was made, and this API key, which is shown only now:")
                print(key, flush=True)  # to standard output, so that a script can take it
            ready = asyncio.ensure_future(supervisor.until_ready())
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait([ready, stopping], return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if ready.done() and not ready.cancelled():
                ready.result()
            status.stop()
            _say_where(console, settings)
            await stopping
            status.update("Stopping …")
            status.start()


def _say_where(console: Console, settings: Settings) -> None:
    console.print(f"API      http://{settings.api_host}:{settings.api_port}/api/v1/docs")
    console.print(f"Edge     {settings.public_url}")
    console.print(
        f"Catcher  http://127.0.0.1:{settings.catcher_http_port}  (SMTP on port {settings.catcher_smtp_port})"
    )
    if settings.inbound_listen.strip():
        console.print(f"Inbound  {settings.inbound_listen}")
