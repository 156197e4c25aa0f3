"""A send worker in a process of its own, until its standard input ends."""

import asyncio
import json
import sys
from pathlib import Path

from tidings import delivery
from tidings.core.crypto import Keyring
from tidings.core.db import Database


async def working(url: str, *, secret: str, folder: str, writer: int, chunk_size: int) -> None:
    """Send, once a line is read that says go."""
    db = await Database.open(url, size=6)
    stop = asyncio.Event()
    worker = delivery.SendWorker(
        db,
        keys=Keyring(secret),
        public_url="http://127.0.0.1:9",
        folder=Path(folder),
        writer=writer,
        share=4,
        chunk_size=chunk_size,
    )
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    sending = asyncio.ensure_future(worker.run(stop))
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await sending
    await db.close()


if __name__ == "__main__":
    asyncio.run(working(sys.argv[1], **json.loads(sys.argv[2])))
