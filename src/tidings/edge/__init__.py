"""What strangers reach: opens, clicks, one-click unsubscribe and its page."""

import asyncio
from collections.abc import Callable

from tidings.bootstrap import App
from tidings.core.loops import forever
from tidings.core.serve import serve
from tidings.edge._app import Edge
from tidings.edge._hits import Hits

__all__ = ["run"]


async def run(
    app: App, *, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], None] | None = None
) -> None:
    """Serve until `stop`; every hit that was acknowledged is in the database or on this disk. Raises Unavailable."""
    hits = Hits(app.db, folder=app.data_dir / "spool", writer=app.writer)
    writing = asyncio.ensure_future(hits.write())
    # Nothing can be acknowledged without it: end, and be started anew.
    writing.add_done_callback(lambda _: stop.set())
    replaying = asyncio.ensure_future(forever(hits.replay))
    try:
        await serve(Edge(app, hits), interface="rsgi", host=host, port=port, stop=stop, ready=ready)
    finally:
        hits.close()
        await writing
        replaying.cancel()
        hits.end()
