"""Keeping facts: the raw event, the hourly rollups, and each delivery's firsts, in one transaction."""

from collections.abc import Sequence

import orjson

from tidings.core.db import Tx, sql
from tidings.events._types import Event, EventType

_OF_A_DELIVERY = {EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED}


async def record(tx: Tx, *, events: Sequence[Event], writer: int) -> None:
    """Keep these facts, and count them. `writer` is the process's counter slot: rows are never shared between processes.

    Exact with any number of writers at once: of two hits that are both a delivery's first, one counts as unique.
    """
    if not events:
        return
    workspaces = [event.workspace for event in events]
    times = [event.at for event in events]
    types = [event.type.value for event in events]
    sends = [event.send for event in events]
    ns = [event.n for event in events]
    contacts = [event.contact for event in events]
    agents = [event.agent.value if event.agent else "" for event in events]
    await tx.execute(
        sql(__package__, "_store"),
        workspaces,
        times,
        types,
        sends,
        ns,
        contacts,
        agents,
        [orjson.dumps(dict(event.data)).decode() if event.data else "{}" for event in events],
    )
    of_deliveries = [e for e in events if e.send is not None and e.n is not None and e.type in _OF_A_DELIVERY]
    if of_deliveries:
        await tx.execute(
            sql(__package__, "_meet"),
            [event.workspace for event in of_deliveries],
            [event.send for event in of_deliveries],
            [event.n for event in of_deliveries],
            [event.contact for event in of_deliveries],
        )
    if any(send is not None for send in sends):
        await tx.execute(sql(__package__, "_count"), workspaces, times, types, sends, ns, agents, writer)
