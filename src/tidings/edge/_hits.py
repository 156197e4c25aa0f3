"""Group commit: hits wait a few milliseconds for company, and are acknowledged when their batch is safe."""

import asyncio
import logging
import secrets
from pathlib import Path

from tidings.core.db import Database
from tidings.core.loops import RETRYABLE
from tidings.edge._spool import Spool, abandoned, spools
from tidings.events import Event, record_once

_log = logging.getLogger(__name__)

_MOST_WAITING = 20_000
_RETRY_SECONDS = 0.5
_DATABASE_SECONDS = 5.0


class Overloaded(Exception):
    """More hits are waiting than can be kept in memory."""


class _Batch:
    __slots__ = ("events", "safe")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Hits:
    """Collects hits; `keep` returns when the hit cannot be lost any more: in the database, or on this disk.

    A new batch is written as soon as the one before it is done, so an idle edge answers at once and a busy one writes
    large batches.
    """

    def __init__(self, db: Database, *, folder: Path, writer: int) -> None:
        self._db = db
        self._folder = folder
        self._writer = writer
        self._spool = Spool(folder, secrets.token_hex(8))
        self._number = 0
        self._open = _Batch()
        self._some = asyncio.Event()
        self._closing = False

    async def keep(self, event: Event) -> None:
        """Keep a hit. Raises Overloaded."""
        batch = self._open
        if len(batch.events) >= _MOST_WAITING:
            raise Overloaded
        batch.events.append(event)
        self._some.set()
        # Shielded: a client that goes away must not take the others' batch with it.
        await asyncio.shield(batch.safe)

    async def write(self) -> None:
        """Write batches until `close`. Never raises for a lost database."""
        while not (self._closing and not self._open.events):
            await self._some.wait()
            self._some.clear()
            batch = self._open
            if not batch.events:
                continue
            self._open = _Batch()
            self._number += 1
            await self._make_safe(self._number, batch.events)
            batch.safe.set_result(None)

    async def replay(self) -> None:
        """Bring what was spooled into the database: ours when it is back, and what dead processes left. Never ends."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                while self._spool.waiting:
                    number, events = self._spool.waiting[0]
                    await self._record(self._spool.source, number, events)
                    self._spool.recorded()
                await self._replay_abandoned()
            except (*RETRYABLE, TimeoutError):
                continue

    def close(self) -> None:
        """Let `write` end when all that is waiting is safe."""
        self._closing = True
        self._some.set()

    def end(self) -> None:
        """After `write` ended: let go of the spool."""
        self._spool.close()

    async def _make_safe(self, number: int, events: list[Event]) -> None:
        # Batches of one source are recorded in order, so behind a spooled one all are spooled.
        if not self._spool.waiting:
            try:
                await self._record(self._spool.source, number, events)
                return
            except (*RETRYABLE, TimeoutError) as error:
                _log.warning("the database is away (%s): hits are spooled to disk", error)
        await self._spool.keep(number, events)

    async def _record(self, source: str, number: int, events: list[Event]) -> None:
        async with asyncio.timeout(_DATABASE_SECONDS), self._db.transaction() as tx:
            await record_once(tx, source=source, batch=number, events=events, writer=self._writer)

    async def _replay_abandoned(self) -> None:
        for path in spools(self._folder):
            if path.stem == self._spool.source:
                continue
            with abandoned(path) as batches:
                if batches is None:
                    continue
                for number, events in batches:
                    await self._record(path.stem, number, events)
                path.unlink()
