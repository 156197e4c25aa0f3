"""Listening, until told to stop."""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.loops import every, forever
from tidings.delivery import InboundAddresses
from tidings.delivery.bounces import ReturnPaths
from tidings.inbound._channel import Channel
from tidings.inbound._keeping import Keeper
from tidings.inbound._listen import Listen
from tidings.inbound._session import Rules, Session

LARGEST_MESSAGE = 26_214_400
_MOST_CONNECTIONS = 500
_MOST_OF_ONE = 50
_REFRESH_SECONDS = 5.0
_GRACE_SECONDS = 5.0


class Inbound:
    """A running listener. `async with await Inbound.start(…) as inbound:` in tests; `serve` for a process."""

    def __init__(self, db: Database, *, keys: Keyring, hostname: str, tls: ssl.SSLContext | None) -> None:
        self._db = db
        self._addresses = InboundAddresses(ReturnPaths(keys))
        self._known = False
        self._keeper = Keeper(db)
        self._rules = Rules(
            hostname=hostname,
            keeper=self._keeper,
            workspace_of=lambda address: self._addresses.workspace_of(address, now=utc_now()),
            knows=lambda: self._known,
            clock=utc_now,
            largest=LARGEST_MESSAGE,
            tls=tls,
        )
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[asyncio.Task[None], Channel] = {}
        self._of_peer: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        db: Database,
        *,
        listen: Sequence[Listen],
        keys: Keyring,
        hostname: str,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Listen. Raises OSError if a port is taken."""
        inbound = cls(db, keys=keys, hostname=hostname, tls=tls)
        inbound._tasks = [
            asyncio.ensure_future(forever(inbound._keeper.run)),
            asyncio.ensure_future(every(_REFRESH_SECONDS, inbound._refresh)),
        ]
        try:
            for one in listen:
                inbound._servers.append(
                    await asyncio.get_running_loop().create_server(
                        lambda lmtp=one.lmtp: _Connection(inbound, lmtp=lmtp), one.host, one.port
                    )
                )
        except BaseException:
            await inbound.close()
            raise
        return inbound

    @property
    def ports(self) -> list[int]:
        """Where it listens, in the order of `listen`."""
        return [server.sockets[0].getsockname()[1] for server in self._servers]

    def begin(self, channel: Channel, *, lmtp: bool) -> None:
        """Talk to somebody who connected, if there is room."""
        peer = channel.peer
        if len(self._sessions) >= _MOST_CONNECTIONS or self._of_peer[peer] >= _MOST_OF_ONE:
            channel.say(b"421 4.7.0 too many connections, try again")
            channel.close()
            return
        task = asyncio.ensure_future(Session(channel, self._rules, lmtp=lmtp).run())
        self._sessions[task] = channel
        self._of_peer[peer] += 1
        task.add_done_callback(lambda done: self._ended(done, peer))

    def _ended(self, task: "asyncio.Task[None]", peer: str) -> None:
        channel = self._sessions.pop(task)
        self._of_peer[peer] -= 1
        if not self._of_peer[peer]:
            del self._of_peer[peer]
        if not task.cancelled() and (error := task.exception()) is not None:
            channel.abort()
            asyncio.get_running_loop().call_exception_handler({"message": "a session failed", "exception": error})

    async def _refresh(self) -> None:
        async with self._db.connection() as connection:
            await self._addresses.refresh(connection)
        self._known = True

    async def close(self) -> None:
        """Take nobody new, let those go on for a moment who are at it, then hang up. What was answered is stored."""
        for server in self._servers:
            server.close()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=_GRACE_SECONDS)
        left = dict(self._sessions)
        for task, channel in left.items():
            task.cancel()
            channel.say(b"421 4.3.2 going down")
            channel.close()
        if left:
            await asyncio.wait(left)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Connection(Channel):
    def __init__(self, inbound: Inbound, *, lmtp: bool) -> None:
        super().__init__()
        self._inbound, self._lmtp, self._begun = inbound, lmtp, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._begun:
            self._begun = True
            self._inbound.begin(self, lmtp=self._lmtp)


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """For STARTTLS, from files in PEM; None without them. Raises OSError, ssl.SSLError."""
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key or None)
    return context


async def serve(
    db: Database,
    *,
    listen: Sequence[Listen],
    keys: Keyring,
    hostname: str,
    certificate: str = "",
    key: str = "",
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
) -> None:
    """Take mail until `stop` is set; `ready` is called once all ports are open. Raises OSError if one is taken."""
    tls = await asyncio.to_thread(tls_context, certificate, key)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(await Inbound.start(db, listen=listen, keys=keys, hostname=hostname, tls=tls))
        if ready is not None:
            ready()
        await stop.wait()
