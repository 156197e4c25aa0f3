"""Send workers in processes of their own, and how much went in any stretch of time."""

import asyncio
import json
import sys
from bisect import bisect_left
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from delivery_world import World
from tidings import workers


def most_in(times: list[float], seconds: float) -> int:
    """The most in any stretch of that length, its end not included."""
    times = sorted(times)
    return max((bisect_left(times, start + seconds) - place for place, start in enumerate(times)), default=0)


@asynccontextmanager
async def four_workers(w: World, folder: Path, chunk_size: int) -> AsyncGenerator[None]:
    """A conductor here, and four send workers, each in a process of its own."""
    conducting = asyncio.ensure_future(workers.conduct(w.app, w.stop))
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    script = str(Path(__file__).with_name("send_process.py"))
    four: list[asyncio.subprocess.Process] = []
    try:
        for number in range(1, 5):
            told = {
                "secret": "test secret",
                "writer": number,
                "chunk_size": chunk_size,
                "folder": str(folder / f"{number}"),
            }
            four.append(
                await asyncio.create_subprocess_exec(sys.executable, script, w.app.db.url, json.dumps(told), **pipes)
            )
        async with asyncio.timeout(60):
            for process in four:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
        for process in four:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        yield
    finally:
        w.stop.set()
        for process in four:
            if process.stdin is not None:
                process.stdin.close()
        async with asyncio.timeout(30):
            await conducting
            assert [await process.wait() for process in four] == [0, 0, 0, 0]
