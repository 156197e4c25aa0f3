"""Jobs are queued with their transaction, survive the process that runs them, and end once."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tidings.core import jobs
from tidings.core.db import Database
from tidings.core.jobs import Handler, enqueue, run_jobs


@contextlib.asynccontextmanager
async def running(db: Database, jobs: Mapping[str, Handler]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(run_jobs(db, stop, jobs=jobs))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def queued(db: Database) -> list[str]:
    async with db.connection() as connection:
        return [r["status"] for r in await connection.fetch("SELECT status::text FROM pgqueuer")]


async def until_queued(db: Database, expected: list[str]) -> None:
    async with asyncio.timeout(5):
        while await queued(db) != expected:
            await asyncio.sleep(0.02)


async def test_a_job_runs_once_its_transaction_commits(db: Database) -> None:
    seen: list[Any] = []
    done = asyncio.Event()

    async def note(payload: Any) -> None:
        seen.append(payload)
        done.set()

    async with running(db, {"note": note}):
        with contextlib.suppress(ZeroDivisionError):
            async with db.transaction() as tx:
                await enqueue(tx, job="note", payload={"n": 0})
                raise ZeroDivisionError
        async with db.transaction() as tx:
            await enqueue(tx, job="note", payload={"n": 1, "word": "café"})
        await asyncio.wait_for(done.wait(), 5)
        await until_queued(db, [])
    assert seen == [{"n": 1, "word": "café"}]


async def test_a_stop_in_the_middle_puts_the_job_back(db: Database) -> None:
    started, go, calls = asyncio.Event(), asyncio.Event(), 0

    async def slow(_: Any) -> None:
        nonlocal calls
        calls += 1
        started.set()
        await go.wait()

    async with db.transaction() as tx:
        await enqueue(tx, job="slow", payload={})
    async with running(db, {"slow": slow}):
        await asyncio.wait_for(started.wait(), 5)
    assert await queued(db) == ["queued"]
    go.set()
    async with running(db, {"slow": slow}):
        await until_queued(db, [])
    assert calls == 2


async def test_cancelling_puts_the_job_back_too(db: Database) -> None:
    started = asyncio.Event()

    async def slow(_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    async with db.transaction() as tx:
        await enqueue(tx, job="slow", payload={})
    task = asyncio.ensure_future(run_jobs(db, asyncio.Event(), jobs={"slow": slow}))
    await asyncio.wait_for(started.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await queued(db) == ["queued"]


async def test_a_fault_is_tried_again_and_a_lost_connection_is_replaced(db: Database) -> None:
    calls: list[int] = []
    done = asyncio.Event()

    async def flaky(_: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise asyncpg.DeadlockDetectedError("on purpose")
        done.set()

    async with running(db, {"flaky": flaky}):
        async with db.transaction() as tx:
            await enqueue(tx, job="flaky", payload={})
        async with db.connection() as connection:
            async with asyncio.timeout(5):
                while not calls:
                    await asyncio.sleep(0.01)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%pgqueuer%' AND pid <> pg_backend_pid()"
            )
        await asyncio.wait_for(done.wait(), 15)
        await until_queued(db, [])


async def test_when_the_queues_connection_is_lost_its_jobs_begin_again_at_once(db: Database) -> None:
    """Also those whose own connection was lost in the same moment, or who would not have ended for hours."""
    started: list[str] = []
    again = asyncio.Event()

    async def lasting(_: Any) -> None:
        started.append("lasting")
        if started.count("lasting") == 2:
            again.set()
        await asyncio.Event().wait()

    async def losing(_: Any) -> None:
        started.append("losing")
        if started.count("losing") == 1:
            async with db.connection() as connection:
                await connection.execute("SELECT pg_sleep(30)")

    async with running(db, {"lasting": lasting, "losing": losing}):
        async with db.transaction() as tx:
            await enqueue(tx, job="lasting", payload={})
            await enqueue(tx, job="losing", payload={})
        admin = await asyncpg.connect(db.url)
        async with asyncio.timeout(5):
            while len(started) < 2 or not await admin.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid())"
            ):
                await asyncio.sleep(0.01)
        await admin.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
        await admin.close()
        async with asyncio.timeout(5):  # half of what it takes until a job is given up for lost
            await again.wait()
            while started.count("losing") < 2:
                await asyncio.sleep(0.01)
        await until_queued(db, ["picked"])


_WORKER = """
import asyncio, sys
from tidings.core.db import Database
from tidings.core.jobs import run_jobs

async def hang(payload):
    print("at work", flush=True)
    await asyncio.Event().wait()

async def main():
    await run_jobs(await Database.open(sys.argv[1]), asyncio.Event(), jobs={"slow": hang})

asyncio.run(main())
"""


async def test_a_job_whose_process_was_killed_is_taken_up_by_another(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as tx:
        await enqueue(tx, job="slow", payload={})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, db.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 15) == b"at work\n"
    process.kill()
    await process.wait()
    assert await queued(db) == ["picked"]
    done = asyncio.Event()

    async def quick(_: Any) -> None:
        done.set()

    monkeypatch.setattr(jobs, "_HEARTBEAT", timedelta(seconds=1))
    async with running(db, {"slow": quick}):
        await asyncio.wait_for(done.wait(), 10)
        await until_queued(db, [])
