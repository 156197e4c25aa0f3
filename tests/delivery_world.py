"""A small world to send in: real PostgreSQL, the real conductor and send worker in this loop, and a server that obeys."""

import asyncio
import re
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidings import accounts, campaigns, content, delivery, workers
from tidings.accounts import SYSTEM
from tidings.audience import addresses, lists
from tidings.bootstrap import App
from tidings.campaigns import Campaign, CampaignStatus, Draft
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import CampaignId, ContactId, ListId, WorkspaceId
from tidings.core.objects import FolderObjects

_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.MULTILINE)

Verdict = str
"""`ok`, a reply to RCPT (`550 5.1.1 no`), a reply to the dot (`dot 451 4.3.0 later`), or `drop`: hang up after the dot."""


@dataclass
class Accepted:
    """A message that the server took responsibility for, or dropped after its dot."""

    recipient: str
    message_id: str
    began: float
    """When its body began to arrive, on the loop's clock."""
    message: bytes


@dataclass
class ObedientServer:
    """A real SMTP server whose answers a function of the recipient decides, each time it is asked."""

    verdict: Callable[[str], Verdict] = lambda _: "ok"
    delay_seconds: float = 0.0
    accepted: list[Accepted] = field(default_factory=list)
    dropped: list[Accepted] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    """Of every MAIL FROM."""
    port: int = 0
    _server: Any = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=2**25)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def die(self) -> None:
        """Go away in the middle of everything, without a word."""
        await self.stop()
        for writer in self._writers:
            writer.transport.abort()

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(self._writers)

    @property
    def recipients(self) -> list[str]:
        return [one.recipient for one in self.accepted]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(b"220 obedient\r\n")
            recipient = ""
            while line := await reader.readline():
                match line[:4].upper():
                    case b"EHLO":
                        writer.write(b"250-obedient\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
                    case b"MAIL":
                        recipient = ""
                        self.senders.append(line[line.index(b"<") + 1 : line.index(b">")].decode())
                        writer.write(b"250 2.1.0 ok\r\n")
                    case b"RCPT":
                        wanted = line[line.index(b"<") + 1 : line.rindex(b">")].decode()
                        verdict = self.verdict(wanted)
                        if verdict[:1] in "45":
                            writer.write(verdict.encode() + b"\r\n")
                        else:
                            recipient = wanted
                            answer = verdict
                            writer.write(b"250 2.1.5 ok\r\n")
                    case b"DATA":
                        if not recipient:
                            writer.write(b"503 5.5.1 no recipient\r\n")
                            continue
                        await asyncio.sleep(self.delay_seconds)
                        writer.write(b"354 go on\r\n")
                        if await self._message(reader, writer, recipient, answer):
                            return
                    case b"QUIT":
                        writer.write(b"221 2.0.0 bye\r\n")
                        return
                    case _:
                        writer.write(b"250 2.0.0 ok\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _message(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str, verdict: Verdict
    ) -> bool:
        first = await reader.readuntil(b"\r\n")
        began = asyncio.get_running_loop().time()
        message = first + await reader.readuntil(b"\r\n.\r\n")
        found = _MESSAGE_ID.search(message)
        one = Accepted(recipient, found[1].decode() if found else "", began, message)
        if verdict == "drop":
            self.dropped.append(one)
            return True
        if verdict.startswith("dot "):
            writer.write(verdict[4:].encode() + b"\r\n")
            return False
        self.accepted.append(one)
        writer.write(b"250 2.0.0 taken\r\n")
        return False


@dataclass
class World:
    """One workspace with a list and a template, a server to send to, and what it takes to send."""

    app: App
    server: ObedientServer
    workspace: WorkspaceId
    newsletter: ListId
    template: int
    provider: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Future[None]] = field(default_factory=list)

    def go_to_work(self) -> None:
        """Begin to send and to conduct."""
        self.tasks += [asyncio.ensure_future(role(self.app, self.stop)) for role in (workers.send, workers.conduct)]

    async def contacts(self, *emails: str) -> list[ContactId]:
        """Subscribe these addresses."""
        async with self.app.db.transaction() as tx:
            rows = await tx.fetch(
                """
                INSERT INTO contacts (workspace_id, email, address_hash, first_name, created_at, updated_at)
                SELECT $1, email, hash, 'Ada', now(), now() FROM unnest($2::text[], $3::bytea[]) AS t (email, hash)
                RETURNING id
                """,
                self.workspace,
                list(emails),
                [addresses.address_hash(addresses.address_key(self.app.keys), email) for email in emails],
            )
            ids = [ContactId(row["id"]) for row in rows]
            await tx.execute(
                """
                INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
                SELECT $1, $2, id, now() FROM unnest($3::bigint[]) AS id
                """,
                self.workspace,
                self.newsletter,
                ids,
            )
        return ids

    async def campaign(self, **changes: Any) -> Campaign:
        """A campaign to the list."""
        values: dict[str, Any] = {
            "name": "News",
            "subject": "",
            "template_id": self.template,
            "sender_email": "news@example.org",
            "sender_name": "News",
            "list_ids": [self.newsletter],
        }
        async with self.app.db.transaction() as tx:
            return await campaigns.create_campaign(
                tx,
                workspace=self.workspace,
                draft=Draft(**(values | changes)),
                by=SYSTEM(self.workspace),
                now=utc_now(),
            )

    async def launch(self, campaign: Campaign) -> None:
        """Send it."""
        async with self.app.db.transaction() as tx:
            await campaigns.launch(
                tx,
                workspace=self.workspace,
                campaign=campaign.id,
                public_url=self.app.public_url,
                by=SYSTEM(self.workspace),
                now=utc_now(),
            )

    async def act(self, deed: Any, campaign: Campaign) -> Campaign:
        """Pause, resume or cancel it."""
        async with self.app.db.transaction() as tx:
            return await deed(
                tx, workspace=self.workspace, campaign=campaign.id, by=SYSTEM(self.workspace), now=utc_now()
            )

    async def pause_above(self, *, failed: int = 0, bounced: int = 0) -> None:
        """The percentages above which campaigns pause themselves; 0: never."""
        async with self.app.db.transaction() as tx:
            await accounts.update_workspace(
                tx,
                workspace=self.workspace,
                pause_failed_percent=failed,
                pause_bounced_percent=bounced,
                by=SYSTEM(self.workspace),
                now=utc_now(),
            )

    async def seen(self, campaign: CampaignId) -> Campaign:
        """The campaign as it is now."""
        async with self.app.db.connection() as connection:
            return await campaigns.get_campaign(connection, workspace=self.workspace, campaign=campaign)

    async def until(self, campaign: Campaign, status: CampaignStatus, seconds: float = 20) -> Campaign:
        """Wait for a status."""
        return await eventually(lambda: self.seen(campaign.id), lambda seen: seen.status == status, seconds)

    async def states(self) -> dict[str, tuple[str, str]]:
        """State and detail by address."""
        async with self.app.db.connection() as connection:
            rows = await connection.fetch(
                """
                SELECT c.email, d.state::text AS state, coalesce(d.detail, '') AS detail FROM deliveries AS d
                JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id WHERE d.workspace_id = $1
                """,
                self.workspace,
            )
        return {row["email"]: (row["state"], row["detail"]) for row in rows}

    async def check_counters(self) -> None:
        """The counters say what the deliveries say."""
        async with self.app.db.connection() as connection:
            rows = await connection.fetch(
                "SELECT send_id, state::text AS state, count(*) AS n FROM deliveries GROUP BY 1, 2"
            )
            sends = {row["send_id"] for row in rows}
            counts = await delivery.send_counts(connection, workspace=self.workspace, sends=sorted(sends))
        for send in sends:
            by_state = {row["state"]: row["n"] for row in rows if row["send_id"] == send}
            for state in delivery.DeliveryState:
                assert getattr(counts[send], state) == by_state.get(state, 0), (send, state, by_state, counts[send])


async def eventually(look: Callable[[], Any], fits: Callable[[Any], bool], seconds: float = 20) -> Any:
    """Look again and again until it fits."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if fits(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def world(
    db: Database, folder: Path, *, chunk_size: int = 100, working: bool = True, **provider: Any
) -> AsyncIterator[World]:
    """A world at work; `provider` overrides settings of its provider."""
    keys = Keyring("test secret")
    app = App(
        db=db,
        keys=keys,
        withdrawals=delivery.Withdrawals(db),
        media=content.MediaLibrary(
            FolderObjects(folder / "media"), keys=keys, base_url="http://127.0.0.1:9/m", limit=1
        ),
        data_dir=folder,
        public_url="http://127.0.0.1:9",
        writer=1,
        chunk_size=chunk_size,
        send_workers=1,
    )
    server = ObedientServer()
    await server.start()
    now = utc_now()
    async with db.transaction() as tx:
        workspace = await accounts.create_workspace(tx, name="Acme", postal_address="1 Main Street", now=now)
        by = SYSTEM(workspace)
        made = await delivery.add_provider(
            tx,
            workspace=workspace,
            name="server",
            kind="smtp",
            config={"host": "127.0.0.1", "port": server.port, "tls": "none", "connections": 4} | provider,
            secret={},
            is_default=True,
            keys=keys,
            by=by,
            now=now,
        )
        newsletter = await lists.create_list(tx, workspace=workspace, name="Newsletter", by=by, now=now)
        template = await content.create_template(
            tx,
            workspace=workspace,
            name="News",
            subject="Hello {{ first_name }}",
            html_content='<p>Hello {{ first_name }}, <a href="https://example.com/">see</a></p>',
            by=by,
            now=now,
        )
    here = World(app, server, workspace, newsletter.id, template.id, made.id)
    if working:
        here.go_to_work()
    failed: BaseException | None = None
    try:
        yield here
    except BaseException as error:
        failed = error
        raise
    finally:
        here.stop.set()
        ended = await asyncio.gather(*here.tasks, return_exceptions=True)
        await app.withdrawals.close()
        await server.stop()
        for fault in ended:
            if isinstance(fault, BaseException) and failed is not None:
                # Most likely why: a role that ended leaves the test waiting for what nobody does.
                failed.add_note("".join(traceback.format_exception(fault)))
    for fault in ended:
        if isinstance(fault, BaseException):
            raise fault
