"""Not waiting for ever for a database that is there but does not answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. Raises TimeoutError when it takes longer.

    Unlike `asyncio.timeout` this does not wait for the cancelled work to end: a driver that is cancelled rolls back first,
    and so waits for the very server that does not answer.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        _drop(task)
        raise
    if not done:
        _drop(task)
        raise TimeoutError
    return task.result()


def _drop(task: "asyncio.Future[Any]") -> None:
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    task.cancel()
