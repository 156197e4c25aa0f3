"""Keeping facts: the raw event, the hourly rollups, and each delivery's firsts, in one statement."""

from collections.abc import Sequence

import orjson

from tidings.core.db import Tx, sql
from tidings.events._types import Event


async def record(tx: Tx, *, events: Sequence[Event], writer: int) -> None:
    """Keep these facts, and count them. `writer` is the process's counter slot: rows are never shared between processes.

    Exact with any number of writers at once: of two hits that are both a delivery's first, one counts as unique.
    """
    if not events:
        return
    await tx.execute(
        sql(__package__, "_record"),
        [event.workspace for event in events],
        [event.at for event in events],
        [event.type for event in events],
        [event.send for event in events],
        [event.n for event in events],
        [event.contact for event in events],
        [event.agent or "" for event in events],
        [orjson.dumps(event.data).decode() if event.data else "{}" for event in events],
        writer,
        [event.data.get("link") for event in events],
    )
