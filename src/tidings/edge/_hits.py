"""Group commit: hits wait a few milliseconds for company, and are acknowledged when their batch is safe."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tidings import audience
from tidings.core.db import Database
from tidings.core.loops import RETRYABLE
from tidings.edge._patience import within
from tidings.edge._spool import Batch, Spool, spools
from tidings.events import Event, record_once

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
_LARGEST_BATCH = 2_000  # what does not fit waits for the next: a batch must not take long
_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0


class Overloaded(Exception):
    """This hit cannot be kept: too many are waiting, or neither the database nor the disk takes any."""


class Hits:
    """Collects hits; `keep` returns when the hit cannot be lost any more: in the database, or on this disk.

    A new batch is written as soon as the one before it is done, so an idle edge answers at once and a busy one writes
    large batches.
    """

    def __init__(self, db: Database, *, folder: Path, writer: int) -> None:
        self._db = db
        self._folder = folder
        self._writer = writer
        self._spool = Spool.create(folder, secrets.token_hex(8))
        self._number = 0
        self._waiting: list[tuple[Event, asyncio.Future[bool]]] = []
        self._some = asyncio.Event()
        self._closing = False
        self._new_future = asyncio.get_running_loop().create_future
        # Batches of one source are recorded in order: one at a time, and behind a spooled one all are spooled.
        self._turn = asyncio.Lock()

    async def keep(self, event: Event) -> None:
        """Keep a hit. Raises Overloaded."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Overloaded
        # A future each: a client that goes away must not take the others' acknowledgement with it.
        safe = self._new_future()
        self._waiting.append((event, safe))
        self._some.set()
        if not await safe:
            raise Overloaded

    async def write(self) -> None:
        """Write batches until `close`, through every outage of the database."""
        while not (self._closing and not self._waiting):
            await self._some.wait()
            batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
            if not self._waiting:
                self._some.clear()
            if not batch:
                continue
            safe = await self._make_safe([event for event, _ in batch])
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

    async def _make_safe(self, events: list[Event]) -> bool:
        self._number += 1
        async with self._turn:
            try:
                if self._spool.empty:
                    try:
                        await self._record(self._spool.source, [(self._number, events)])
                    except AWAY as error:
                        _log.warning("the database is away (%r): hits are spooled to disk", error)
                    else:
                        return True
                await self._spool.keep(self._number, events)
            except Exception:  # noqa: BLE001 - whatever it is, the next batch may fare better
                _log.exception("%d hits could not be kept, and were not acknowledged", len(events))
                return False
        return True

    async def _replay_own(self) -> None:
        while not self._spool.empty:
            await self._probe()
            # While this goes on `write` waits, so that the spool comes to an end however many hits come in.
            async with self._turn:
                await self._replay_some(self._spool)

    async def _replay_abandoned(self, path: Path) -> None:
        with Spool.abandoned(path) as spool:
            if spool is None:
                return
            try:
                while not spool.empty:
                    await self._replay_some(spool)
            except AWAY:
                raise
            except (asyncpg.PostgresError, ValueError, TypeError):
                _log.exception("spooled hits cannot be recorded; they are kept in %s", spool.put_aside())
            else:
                spool.remove()

    async def _replay_some(self, spool: Spool) -> None:
        batches, size = await spool.oldest()
        await self._record(spool.source, batches)
        spool.recorded(size)

    async def _probe(self) -> None:
        """Does the database answer at all? Asked first, so that nobody waits while we find out that it does not."""

        async def work() -> None:
            async with self._db.connection() as connection:
                await connection.execute("SELECT 1")

        await within(_PATIENCE_SECONDS, work())

    async def _record(self, source: str, batches: Sequence[Batch]) -> None:
        async def work() -> None:
            async with self._db.transaction() as tx:
                told = await audience.told_of_survivors(tx, batches=batches)
                await record_once(tx, source=source, batches=told, writer=self._writer)

        # A commit that goes through after all is known to `record_once`.
        await within(_PATIENCE_SECONDS, work())
