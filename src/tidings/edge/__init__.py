"""What strangers reach: opens, clicks, one-click unsubscribe and its page, notifications of providers."""

import asyncio
from collections.abc import Callable

from tidings.bootstrap import App
from tidings.core.serve import serve
from tidings.edge._app import Edge
from tidings.edge._certificates import SnsClient
from tidings.edge._hits import Hits
from tidings.edge._inbox import Inbox

__all__ = ["run"]


async def run(
    app: App, *, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], None] | None = None
) -> None:
    """Serve until `stop`; what was acknowledged is in the database or on this disk. Raises Unavailable."""
    hits = Hits(app.db, folder=app.data_dir / "spool", writer=app.writer)
    inbox = Inbox(app.db, folder=app.data_dir / "spool-notifications")
    sns = SnsClient()
    writing = [asyncio.ensure_future(hits.write()), asyncio.ensure_future(inbox.write())]
    replaying = [asyncio.ensure_future(hits.replay()), asyncio.ensure_future(inbox.replay())]
    for task in (*writing, *replaying):
        # Neither ends by itself unless something is badly wrong: end, and be started anew.
        task.add_done_callback(lambda _: stop.set())
    try:
        await serve(Edge(app, hits, inbox, sns), interface="rsgi", host=host, port=port, stop=stop, ready=ready)
    finally:
        for commits in (hits, inbox):
            commits.close()
        for task in replaying:
            task.cancel()
        ended = await asyncio.gather(*writing, *replaying, return_exceptions=True)
        for commits in (hits, inbox):
            commits.end()
        await sns.close()
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault
