"""What strangers reach: opens, clicks, one-click unsubscribe and its page."""

import asyncio
from collections.abc import Callable

from tidings.bootstrap import App
from tidings.core.serve import serve
from tidings.edge._app import Edge
from tidings.edge._hits import Hits

__all__ = ["run"]


async def run(
    app: App, *, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], None] | None = None
) -> None:
    """Serve until `stop`; every hit that was acknowledged is in the database or on this disk. Raises Unavailable."""
    hits = Hits(app.db, folder=app.data_dir / "spool", writer=app.writer)
    writing, replaying = asyncio.ensure_future(hits.write()), asyncio.ensure_future(hits.replay())
    for task in (writing, replaying):
        # Neither ends by itself unless something is badly wrong: end, and be started anew.
        task.add_done_callback(lambda _: stop.set())
    try:
        await serve(Edge(app, hits), interface="rsgi", host=host, port=port, stop=stop, ready=ready)
    finally:
        hits.close()
        replaying.cancel()
        ended = await asyncio.gather(writing, replaying, return_exceptions=True)
        hits.end()
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault
