"""PostgreSQL through asyncpg: pools, transactions, notifications, and SQL kept in files."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
import orjson

from tidings.core.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
else:
    Tx = Any

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    OSError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # the last words of a killed server, on a connection that asked nothing
)
"""What a query raises when the server is gone or going: the work can be tried again on a new connection."""

UNDONE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What PostgreSQL raises for a transaction that it undid for the sake of another: nothing of it happened."""

_ATTEMPTS = 8

T = TypeVar("T")

_SESSION = {
    "application_name": "tidings",
    # A client that the network took away must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Database:
    """A pool of connections to one PostgreSQL. Made by `Database.open`, closed by `close`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: str) -> None:
        self._pool = pool
        self.url = url

    @classmethod
    async def open(cls, url: str, *, size: int = 10, wait_seconds: float = 30.0) -> "Database":
        """Connect, waiting up to `wait_seconds` for a server that is still starting. Raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while True:
            try:
                pool = await asyncpg.create_pool(
                    url,
                    min_size=1,
                    max_size=size,
                    init=prepare_connection,
                    reset=_leave_as_it_is,
                    server_settings=_SESSION,
                )
                return cls(pool, url)
            except LOST as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise Unavailable(
                        f"PostgreSQL cannot be reached ({error}): is it running? `tidings up` runs the embedded one"
                    ) from error
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Close every connection, not waiting more than five seconds for those in use."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except (TimeoutError, *LOST):
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx, None]:
        """One transaction: commits when the block ends, rolls back when it raises."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def transact(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What `work` returns, in one transaction; done anew when PostgreSQL undid it for the sake of another.

        Two transactions that wait for each other are nobody's fault, and whoever is in the middle of leaving must not be
        told to come back later. `work` may be called several times; what it does outside of the transaction must bear that.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except UNDONE:
                if attempt == _ATTEMPTS:
                    raise
                # Not in step with the other, which may try again, too.
                await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Tx, None]:
        """One connection in autocommit, for single statements."""
        async with self._pool.acquire() as connection:
            yield connection

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of one's own outside the pool, for LISTEN. The caller closes it."""
        connection = await asyncpg.connect(self.url)
        await prepare_connection(connection)
        return connection


async def _leave_as_it_is(_: Any) -> None:
    """What a connection goes through when it comes back to the pool. The usual clean-up costs a round trip a request, and
    we leave nothing to clean: transactions end with their block, settings are `SET LOCAL`, listeners have connections of
    their own (`Database.connect`)."""


async def prepare_connection(connection: Any) -> None:
    """json and jsonb travel as Python values, through orjson."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
        format="binary",
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=orjson.dumps, decoder=orjson.loads, format="binary"
    )


async def until_lost(tx: Tx, work: Coroutine[Any, Any, object]) -> None:
    """Do `work` on this connection, and raise when the connection is lost in the middle of it.

    asyncpg's COPY waits for ever for a buffer to empty whose connection has died (`writing_allowed` in its protocol).
    """
    lost = asyncio.Event()

    def hear(_: object) -> None:
        lost.set()

    tx.add_termination_listener(hear)
    doing = asyncio.ensure_future(work)
    losing = asyncio.ensure_future(lost.wait())
    try:
        await asyncio.wait({doing, losing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        losing.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
        if not lost.is_set():
            tx.remove_termination_listener(hear)
    if doing.cancelled():
        raise asyncpg.ConnectionDoesNotExistError("the connection was lost in the middle of a COPY")
    doing.result()


@cache
def sql(package: str, name: str) -> str:
    """The text of `name`.sql beside the given package's modules: `sql(__package__, "_claim")`."""
    return resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


Wake: TypeAlias = Callable[[str], None]
"""Called with a notification's payload."""
