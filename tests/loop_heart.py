"""How long a loop could not go on, by what this process computed meanwhile: what others on the machine cause is not ours."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Heart:
    """Beats on the loop, and remembers what was computed between two beats, at most."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.waited = 0.0

    async def beat(self) -> None:
        while True:
            began, wall = time.process_time(), time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.process_time() - began)
            self.waited = max(self.waited, time.perf_counter() - wall)


async def watched(work: Callable[[], Awaitable[T]]) -> tuple[T, Heart]:
    """What `work` gives, and the heart that beat beside it."""
    heart = Heart()
    beating = asyncio.ensure_future(heart.beat())
    await asyncio.sleep(0.002)  # it beats before anything is done
    try:
        return await work(), heart
    finally:
        beating.cancel()
