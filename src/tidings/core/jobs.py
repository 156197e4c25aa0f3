"""Background jobs on PostgreSQL (PgQueuer): put into the queue by the transaction that needs them, run by the conductors.

At least once: a job whose process dies is taken up by another after `_HEARTBEAT`, so a handler continues from what the
database says is done. A job is a name and a small payload; what it works on is in tables.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
import orjson
from pgqueuer import AsyncpgDriver, DatabaseRetryEntrypointExecutor, Job, Queries, QueueManager, RetryRequested
from pgqueuer.executors import EntrypointExecutorParameters

from tidings.core.db import Database, Tx
from tidings.core.loops import RETRYABLE

_log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Any], Awaitable[None]]
"""Does one job; gets its payload. May be cancelled at any await and is then called again."""

_HEARTBEAT = timedelta(seconds=10)
"""How long after its process's last sign of life a job is taken up by another."""

_ATTEMPTS = 20
"""Tries of a job that fails, with growing pauses up to a minute, before it is kept aside as failed."""

_AT_ONCE = 2


class _OurConnection(AsyncpgDriver):
    """The library passes JSON as text, but on our connections JSON travels as values (see `db.prepare_connection`)."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)  # pyright: ignore[reportArgumentType] - a pooled connection has the same methods

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """As the library's own, with its last argument, the headers, as values."""
        *others, headers = args
        assert isinstance(headers, list)
        return await super().fetch(query, *others, [orjson.loads(text) for text in headers])


async def enqueue(tx: Tx, *, job: str, payload: Mapping[str, Any]) -> None:
    """Queue a job; it exists once, and only if, the transaction commits."""
    await Queries(_OurConnection(tx)).enqueue(job, orjson.dumps(dict(payload)))


async def run_jobs(db: Database, stop: asyncio.Event, *, jobs: Mapping[str, Handler]) -> None:
    """Run queued jobs by name until `stop`, through every outage of the database. Any number of processes may.

    At the stop, or when cancelled, handlers are cancelled and their jobs queued anew.
    """
    while not stop.is_set():
        try:
            await _work(db, stop, jobs)
        except RETRYABLE as error:
            _log.warning("jobs: trying again: %s", error)
            await asyncio.sleep(0.2)


async def _work(db: Database, stop: asyncio.Event, jobs: Mapping[str, Handler]) -> None:
    # A connection of its own, without our JSON codecs: the library passes and expects JSON as text.
    connection = await asyncpg.connect(db.url)
    closing = asyncio.Event()
    manager = QueueManager(Queries(AsyncpgDriver(connection)))
    for name, handler in jobs.items():
        parameters = EntrypointExecutorParameters(0, _entry(handler, closing), on_failure="hold")
        executor = DatabaseRetryEntrypointExecutor(parameters, max_attempts=_ATTEMPTS, max_delay=timedelta(minutes=1))
        manager.register_executor(name, executor)
    working = asyncio.ensure_future(
        manager.run(
            dequeue_timeout=timedelta(seconds=1),
            batch_size=_AT_ONCE,
            max_concurrent_tasks=2 * _AT_ONCE,
            heartbeat_timeout=_HEARTBEAT,
            shutdown_on_listener_failure=True,
        )
    )
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        closing.set()
        manager.shutdown.set()
        # Its last statements put unfinished jobs back; without them they would wait for `_HEARTBEAT`.
        await asyncio.wait({working}, timeout=5)
        working.cancel()
        connection.terminate()
    ended = (await asyncio.gather(working, return_exceptions=True))[0]
    if not stop.is_set():
        raise asyncpg.InterfaceError(f"the job queue's connection ended: {ended}") from ended


def _entry(handler: Handler, closing: asyncio.Event) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        work = asyncio.ensure_future(handler(orjson.loads(job.payload or b"{}")))
        closed = asyncio.ensure_future(closing.wait())
        try:
            await asyncio.wait({work, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
        if work.cancelled():
            raise RetryRequested(reason="the process stopped")
        if isinstance(error := work.exception(), RETRYABLE):
            # The database's outage is no fault of the job: it burns no attempt's patience.
            _log.warning("job %s waits for the database: %s", job.entrypoint, error)
            raise RetryRequested(timedelta(seconds=1), reason=str(error)) from error
        work.result()

    return run
