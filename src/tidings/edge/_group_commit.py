"""Group commit: what comes in waits a few milliseconds for company, and is acknowledged when its batch is safe."""

import asyncio
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Generic, TypeVar

import asyncpg

from tidings.core.db import Database, Tx
from tidings.core.loops import RETRYABLE
from tidings.edge._patience import within
from tidings.edge._spool import Codec, Spool, spools

T = TypeVar("T")

_log = logging.getLogger(__name__)

AWAY = (
    *RETRYABLE,
    TimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    # What asyncpg raises for a connection whose last words came while nobody was asking.
    asyncpg.InternalClientError,
)
"""The database cannot take anything just now: gone, starting, full, or a standby that is about to become the primary."""

_MOST_WAITING = 20_000
LARGEST_BATCH = 2_000  # what does not fit waits for the next: a batch must not take long
_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0


class Overloaded(Exception):
    """This cannot be kept: too much is waiting, or neither the database nor the disk takes any."""


class GroupCommit(ABC, Generic[T]):
    """Collects things; `keep` returns when one cannot be lost any more: in the database, or on this disk.

    A new batch is written as soon as the one before it is done, so an idle edge answers at once and a busy one writes
    large batches.
    """

    what: str
    """In the plural, for whoever reads the log."""

    def __init__(self, db: Database, *, folder: Path, codec: Codec[T]) -> None:
        self._db = db
        self._folder = folder
        self._codec = codec
        self._spool: Spool[T] = Spool.create(folder, secrets.token_hex(8), codec)
        self._number = 0
        self._waiting: list[tuple[T, asyncio.Future[bool]]] = []
        self._some = asyncio.Event()
        self._closing = False
        self._new_future = asyncio.get_running_loop().create_future
        # Batches of one source are recorded in order: one at a time, and behind a spooled one all are spooled.
        self._turn = asyncio.Lock()

    @abstractmethod
    async def _record(self, tx: Tx, source: str, batches: Sequence[tuple[int, list[T]]]) -> None:
        """Write batches into the database; what was written before, though its commit was not heard of, must not count twice."""

    def _opened(self) -> AbstractAsyncContextManager[Tx]:
        """Where `_record` does its work: all of it happens, or nothing."""
        return self._db.transaction()

    def _overloaded(self) -> bool:
        return len(self._waiting) >= _MOST_WAITING

    def _first(self) -> int:
        """How many of those waiting go into the next batch."""
        return LARGEST_BATCH

    async def keep(self, item: T) -> None:
        """Keep it. Raises Overloaded."""
        if self._overloaded():
            raise Overloaded
        # A future each: a client that goes away must not take the others' acknowledgement with it.
        safe = self._new_future()
        self._waiting.append((item, safe))
        self._some.set()
        if not await safe:
            raise Overloaded

    async def write(self) -> None:
        """Write batches until `close`, through every outage of the database."""
        while not (self._closing and not self._waiting):
            await self._some.wait()
            many = self._first()
            batch, self._waiting = self._waiting[:many], self._waiting[many:]
            if not self._waiting:
                self._some.clear()
            if not batch:
                continue
            safe = await self._make_safe([item for item, _ in batch])
            for _, future in batch:
                if not future.done():
                    future.set_result(safe)

    async def replay(self) -> None:
        """Bring what was spooled into the database: ours when it is back, and what dead processes left. Never ends."""
        while True:
            try:
                await self._replay_own()
                for path in await asyncio.to_thread(spools, self._folder):
                    if path.stem != self._spool.source:
                        await self._replay_abandoned(path)
            except AWAY:
                pass  # still: `write` has said so
            await asyncio.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Let `write` end when all that is waiting is safe."""
        self._closing = True
        self._some.set()

    def end(self) -> None:
        """After `write` and `replay` ended: let go of the spool."""
        self._spool.close()

    async def _make_safe(self, items: list[T]) -> bool:
        self._number += 1
        async with self._turn:
            try:
                if self._spool.empty:
                    try:
                        await self._write(self._spool.source, [(self._number, items)])
                    except AWAY as error:
                        _log.warning("the database is away (%r): %s are spooled to disk", error, self.what)
                    else:
                        return True
                await self._spool.keep(self._number, items)
            except Exception:  # noqa: BLE001 - whatever it is, the next batch may fare better
                _log.exception("%d %s could not be kept, and were not acknowledged", len(items), self.what)
                return False
        return True

    async def _replay_own(self) -> None:
        while not self._spool.empty:
            await self._probe()
            # While this goes on `write` waits, so that the spool comes to an end however many hits come in.
            async with self._turn:
                await self._replay_some(self._spool)

    async def _replay_abandoned(self, path: Path) -> None:
        with Spool.abandoned(path, self._codec) as spool:
            if spool is None:
                return
            try:
                while not spool.empty:
                    await self._replay_some(spool)
            except AWAY:
                raise
            except (asyncpg.PostgresError, ValueError, TypeError):
                _log.exception("spooled %s cannot be recorded; they are kept in %s", self.what, spool.put_aside())
            else:
                spool.remove()

    async def _replay_some(self, spool: Spool[T]) -> None:
        batches, size = await spool.oldest()
        await self._write(spool.source, batches)
        spool.recorded(size)

    async def _probe(self) -> None:
        """Does the database answer at all? Asked first, so that nobody waits while we find out that it does not."""

        async def work() -> None:
            async with self._db.connection() as connection:
                await connection.execute("SELECT 1")

        await within(_PATIENCE_SECONDS, work())

    async def _write(self, source: str, batches: Sequence[tuple[int, list[T]]]) -> None:
        async def work() -> None:
            async with self._opened() as tx:
                await self._record(tx, source, batches)

        await within(_PATIENCE_SECONDS, work())
