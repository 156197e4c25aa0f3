"""Things that go on for as long as a process lives, through every outage of the database.

They wait with `asyncio.timeout`, not `asyncio.wait_for`: before Python 3.12 the latter forgets a cancellation that comes at the
very moment that what it waits for is there, and the loop would never end.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from tidings.core.db import LOST

RETRYABLE = (
    *LOST,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,  # too many connections, a full disk, no memory
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a switch-over
)
"""What the database may answer to work that is right, and will be done at the next try."""

_log = logging.getLogger(__name__)


async def forever(work: Callable[[], Awaitable[object]], *, name: str = "") -> None:
    """Do `work`, which usually never ends; when it loses the database it begins again. Ends when cancelled."""
    while True:
        try:
            await work()
        except RETRYABLE as error:
            _log.warning("%s: trying again: %s", name or getattr(work, "__name__", "loop").strip("_"), error)
            await asyncio.sleep(0.2)


async def every(seconds: float, step: Callable[[], Awaitable[object]], *, name: str = "") -> None:
    """Take a step, wait, and so on; a lost database costs one step. Ends when cancelled."""

    async def steps() -> None:
        while True:
            await step()
            await asyncio.sleep(seconds)

    await forever(steps, name=name or getattr(step, "__name__", "step").strip("_"))


async def run_until(stop: asyncio.Event, *loops: Awaitable[object]) -> None:
    """Run endless loops until `stop`, then cancel them. What one of them raises ends all, and is raised."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault
