"""Background jobs on PostgreSQL (PgQueuer): put into the queue by the transaction that needs them, run by the conductors.

At least once: a job whose process dies is taken up by another after `_HEARTBEAT`, so a handler continues from what the
database says is done. A job is a name and a small payload; what it works on is in tables.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from pgqueuer import AsyncpgDriver, DatabaseRetryEntrypointExecutor, Job, Queries, QueueManager, RetryRequested
from pgqueuer.executors import EntrypointExecutorParameters

from tidings.core.db import LOST, Database, Tx
from tidings.core.loops import RETRYABLE

_log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Any], Awaitable[None]]
"""Does one job; gets its payload. May be cancelled at any await and is then called again."""

_HEARTBEAT = timedelta(seconds=10)
"""How long after its process's last sign of life a job is taken up by another."""

_ATTEMPTS = 20
"""Tries of a job that fails, with growing pauses up to a minute, before it is kept aside as failed."""

_AT_ONCE = 2

_ANSWER_SECONDS = 20.0
"""The queue's statements take milliseconds: what is not answered in this time will not be."""

_LAST_WORDS_SECONDS = 5.0

_PUT_BACK = """
UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL
WHERE status = 'picked' AND queue_manager_id = ANY ($1::uuid[])
"""


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

    At the stop, when cancelled, and when the queue's connection is lost, handlers are cancelled and their jobs queued anew.
    """
    abandoned: list[UUID] = []
    while not stop.is_set():
        try:
            await _work(db, stop, jobs, abandoned)
        except RETRYABLE as error:
            _log.warning("jobs: trying again: %s", error)
            await asyncio.sleep(0.2)


class _WatchedConnection(AsyncpgDriver):
    """Says when its connection is lost: the library would go on until the jobs it has are done, and could not note that."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        super().__init__(connection)
        self.lost = asyncio.Event()
        connection.add_termination_listener(lambda _: self.lost.set())

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """As the library's own."""
        with self._watched():
            return await super().fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """As the library's own."""
        with self._watched():
            return await super().execute(query, *args)

    async def notify(self, channel: str, payload: str) -> None:
        """As the library's own."""
        with self._watched():
            await super().notify(channel, payload)

    @contextlib.contextmanager
    def _watched(self) -> Generator[None]:
        try:
            yield
        except LOST:  # also an answer that took `_ANSWER_SECONDS`: the other side is frozen, or the network is gone
            self.lost.set()
            raise


async def _work(db: Database, stop: asyncio.Event, jobs: Mapping[str, Handler], abandoned: list[UUID]) -> None:
    # A connection of its own, without our JSON codecs: the library passes and expects JSON as text.
    connection = await asyncpg.connect(db.url, timeout=_ANSWER_SECONDS, command_timeout=_ANSWER_SECONDS)
    try:
        # What was at work when the last connection was lost; the library could not put it back, and it need not
        # wait for `_HEARTBEAT`.
        await connection.execute(_PUT_BACK, abandoned)
        abandoned.clear()
        driver = _WatchedConnection(connection)
        manager = QueueManager(Queries(driver))
        abandoned.append(manager.queue_manager_id)
        ended = await _run(manager, driver.lost, stop, jobs)
    finally:
        connection.terminate()
    if not stop.is_set():
        raise asyncpg.InterfaceError(f"the job queue's connection ended: {ended}") from ended


async def _run(
    manager: QueueManager, lost: asyncio.Event, stop: asyncio.Event, jobs: Mapping[str, Handler]
) -> BaseException | None:
    """Run jobs until the stop, or until the connection is lost; returns what ended it."""
    closing = asyncio.Event()
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
    waiting = [asyncio.ensure_future(event.wait()) for event in (stop, lost)]
    try:
        await asyncio.wait({working, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waiting:
            wait.cancel()
        closing.set()
        manager.shutdown.set()
        # Its last statements put unfinished jobs back; without them they would wait for the next connection.
        await asyncio.wait({working}, timeout=_LAST_WORDS_SECONDS)
        working.cancel()
    return (await asyncio.gather(working, return_exceptions=True))[0]


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
