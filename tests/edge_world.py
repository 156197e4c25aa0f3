"""A real edge on a real port over a real database, and a way to take the database away from it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aiohttp

from tidings import edge
from tidings.bootstrap import open_app
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.settings import Settings
from tidings.events import send_engagement
from tidings.tracking import Tokens
from tidings.up import free_ports

SECRET = "for tests only"
LINKS = [
    "https://shop.example.com/a?b=c&d=e",
    "https://shop.example.com/ü/naïve page?q=ä%20b#part",
    "http://example.org",
]
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


@dataclass
class Campaign:
    """A send to `recipients` contacts, each on both lists; contact of n is `contacts[n - 1]`."""

    workspace: WorkspaceId
    send: SendId
    contacts: list[int]
    tokens: Tokens

    def token(self, n: int) -> str:
        return self.tokens.for_send(self.workspace, self.send)(n, self.contacts[n - 1])


async def campaign(db: Database, workspace: int, keys: Any, *, recipients: int = 5) -> Campaign:
    """What a launch leaves behind, as far as the edge looks at it."""
    async with db.transaction() as tx:
        provider = await tx.fetchval(
            """
            INSERT INTO providers (workspace_id, name, kind, config, is_default, created_at, updated_at)
            VALUES ($1, 'p', 'sandbox', '{}', true, now(), now())
            ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO UPDATE SET kind = excluded.kind RETURNING id
            """,
            workspace,
        )
        contacts = await tx.fetch(
            """
            INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
            SELECT $1, 'reader' || i || '@example.com', decode(md5(i::text), 'hex'), now(), now()
            FROM generate_series(1, $2::integer) AS i RETURNING id
            """,
            workspace,
            recipients,
        )
        await tx.execute(
            """
            WITH made AS (
                INSERT INTO lists (workspace_id, name, created_at, updated_at)
                VALUES ($1, 'News', now(), now()), ($1, 'Offers', now(), now()) RETURNING id
            )
            INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
            SELECT $1, made.id, c.id, now() FROM made, contacts AS c WHERE c.workspace_id = $1
            """,
            workspace,
        )
        send = await tx.fetchval(
            """
            INSERT INTO sends (workspace_id, campaign_id, provider_id, status, list_ids, created_at)
            VALUES ($1, 1, $2, 'running', '{}', now()) RETURNING id
            """,
            workspace,
            provider,
        )
        await tx.execute(
            """
            INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
            VALUES ($1, $2, 1, 1, '{}', $3)
            """,
            workspace,
            send,
            LINKS,
        )
    ids = sorted(row["id"] for row in contacts)
    return Campaign(WorkspaceId(workspace), SendId(send), ids, Tokens(keys))


async def consent(db: Database) -> list[Any]:
    """Everything that says who may be mailed."""
    async with db.connection() as connection:
        return [
            [tuple(row) for row in await connection.fetch(query)]
            for query in (
                "SELECT workspace_id, id, status::text, updated_at FROM contacts ORDER BY 1, 2",
                "SELECT * FROM subscriptions ORDER BY 1, 2, 3",
                "SELECT * FROM suppressions ORDER BY 1, 2",
                "SELECT * FROM events WHERE type NOT IN ('opened', 'clicked') ORDER BY at",
            )
        ]


async def events(db: Database, kind: str | None = None) -> list[dict[str, Any]]:
    """The raw events, oldest first."""
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT * FROM events WHERE $1::text IS NULL OR type = $1 ORDER BY at, id", kind)
        return [dict(row) for row in rows]


class Wire:
    """Stands between the edge and PostgreSQL, on a socket of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        parts = urlsplit(url)
        self._target = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self.url = urlunsplit(parts._replace(query=f"host={folder}"))
        self.state: Literal["up", "down", "frozen"] = "up"
        self.lose_commits = 0
        """How many answers to a COMMIT will be lost, together with their connection."""
        self.lost = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._server = await asyncio.start_unix_server(self._connect, self._folder / ".s.PGSQL.5432")

    def down(self) -> None:
        """Nobody answers, and whoever was connected is so no more."""
        self.state = "down"
        self._hang_up()

    def freeze(self) -> None:
        """Connections stand, and nothing comes through."""
        self.state = "frozen"

    def up(self) -> None:
        """As if nothing had been; what was under way is lost."""
        self._hang_up()
        self.state = "up"

    async def stop(self) -> None:
        self.down()
        if self._server is not None:
            self._server.close()

    def _hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if self.state != "up":
            if self.state == "down":
                writer.transport.abort()
            return
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            server_reader, server_writer = await asyncio.open_unix_connection(self._target)
            self._open.add(server_writer)
            committing = asyncio.Event()
            await asyncio.gather(
                self._ask(reader, server_writer, committing),
                self._answer(server_reader, writer, server_writer, committing),
            )

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, committing: asyncio.Event) -> None:
        while part := await reader.read(1 << 16):
            if self.state == "frozen":
                continue
            if b"COMMIT" in part and self.lose_commits:
                self.lose_commits -= 1
                committing.set()
            writer.write(part)
        writer.close()

    async def _answer(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
        committing: asyncio.Event,
    ) -> None:
        while part := await reader.read(1 << 16):
            if committing.is_set():  # the server has committed, and nobody will hear of it
                self.lost += 1
                writer.transport.abort()
                server.transport.abort()
                return
            if self.state != "frozen":
                writer.write(part)
        writer.close()


@asynccontextmanager
async def running_edge(url: str, data_dir: Path) -> AsyncIterator[str]:
    """An edge in this loop; its address. Ends it in good order."""
    settings = Settings(database_url=url, data_dir=data_dir, secret=SECRET)
    (port,) = free_ports(1)
    stop, ready = asyncio.Event(), asyncio.Event()
    async with open_app(settings, writer=100, pool_size=5) as app:
        serving = asyncio.ensure_future(
            edge.run(app, host="127.0.0.1", port=port, stop=stop, ready=lambda _: ready.set())
        )
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop.set()
            await serving


async def ask(base: str, path: str, method: str = "GET", *, user_agent: str = CHROME, **more: Any) -> "Answer":
    """One request on a connection of its own, as a stranger would make it: no cookie, no origin, no redirect followed."""
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": user_agent}
    ) as session:
        return await asked(session, base, path, method, **more)


async def asked(session: aiohttp.ClientSession, base: str, path: str, method: str = "GET", **more: Any) -> "Answer":
    async with session.request(method, base + path, allow_redirects=False, **more) as response:
        return Answer(response.status, response.headers.copy(), await response.read())


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes


async def raw(base: str, request: bytes) -> bytes:
    """Bytes in, bytes out."""
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def eventually(check: Any, *, seconds: float = 10.0) -> None:
    """Wait until an async check holds."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


def statuses(answers: Sequence[Answer]) -> set[int]:
    return {answer.status for answer in answers}


async def open_all(base: str, sent: Campaign, ns: range, *, limit: int = 60) -> list[Answer]:
    connector = aiohttp.TCPConnector(limit=limit)
    async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": CHROME}) as session:
        return await asyncio.gather(*(asked(session, base, f"/o/{sent.token(n)}.gif") for n in ns))


async def recorded(db: Database, sent: Campaign) -> Counter[int]:
    """Opens by n; also makes sure that rollups say the same as the raw events."""
    async with db.connection() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await connection.fetch("SELECT n FROM events WHERE type = 'opened'")
        rollup = await send_engagement(connection, workspace=sent.workspace, send=sent.send)
    counts = Counter(row["n"] for row in rows)
    assert (rollup.opens, rollup.opened) == (counts.total(), len(counts))
    return counts


class EdgeProcess:
    """`tidings role edge`, to be killed."""

    def __init__(self, url: str, data_dir: Path) -> None:
        (port,) = free_ports(1)
        self.base = f"http://127.0.0.1:{port}"
        settings = {
            "TIDINGS_DATABASE_URL": url,
            "TIDINGS_DATA_DIR": str(data_dir),
            "TIDINGS_EDGE_PORT": str(port),
            "TIDINGS_SECRET": SECRET,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tidings.cli", "role", "edge", "--writer", "100"],
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    async def ready(self) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(self.process.stdout.readline) == b"ready\n"

    async def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return await asyncio.to_thread(self.process.wait, 15)
