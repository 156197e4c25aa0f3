"""Hits on their way into the database, by group commit."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tidings.audience import gone
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.edge._group_commit import GroupCommit
from tidings.edge._spool import Codec
from tidings.events import Agent, Event, EventType, record_once


class Hits(GroupCommit[Event]):
    """Opens, clicks, and whatever else is a fact by itself."""

    what = "hits"

    def __init__(self, db: Database, *, folder: Path, writer: int) -> None:
        super().__init__(db, folder=folder, codec=EVENTS)
        self._writer = writer

    async def _record(self, tx: Tx, source: str, batches: Sequence[tuple[int, list[Event]]]) -> None:
        told = await gone.told_of_survivors(tx, batches=batches)
        # A commit that goes through after all is known to `record_once`.
        await record_once(tx, source=source, batches=told, writer=self._writer)


def _fields(event: Event) -> list[Any]:
    return [event.workspace, event.type, event.at, event.send, event.n, event.contact, event.agent, event.data]


def _event(fields: list[Any]) -> Event:
    workspace, kind, at, send, n, contact, agent, data = fields
    return Event(
        workspace=WorkspaceId(workspace),
        type=EventType(kind),
        at=datetime.fromisoformat(at),
        send=None if send is None else SendId(send),
        n=n,
        contact=None if contact is None else ContactId(contact),
        agent=None if agent is None else Agent(agent),
        data=data,
    )


EVENTS = Codec(_fields, _event)
