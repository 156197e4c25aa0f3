"""The wire messages of the sends a worker is at: compiled once, kept while they are used."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from tidings.core.db import Database
from tidings.core.errors import TidingsError
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._content import SendContent
from tidings.delivery._message_content import MessageContent
from tidings.delivery._message_wire import MessageWire, MessageWires
from tidings.delivery._sends import SendNotFound
from tidings.delivery._wire import WireMessage
from tidings.tracking import Tokens

_KEPT = 256
_ROLLING = None

_CAMPAIGN = """
SELECT s.campaign_id, c.content::text AS content, c.links FROM sends AS s
LEFT JOIN send_contents AS c ON c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.variant = 0
WHERE s.workspace_id = $1 AND s.id = $2
"""
_MESSAGES = """
SELECT hash, content::text AS content FROM message_contents
WHERE workspace_id = $1 AND send_id = $2 AND hash = ANY ($3::bytea[])
"""
_QUICK = 20_000  # characters that are compiled in a moment


class Contents:
    """The least recently used go first: a worker's memory does not grow with the number of campaigns."""

    def __init__(self, db: Database, tokens: Tokens) -> None:
        self._db = db
        self._tokens = tokens
        self._kept: OrderedDict[tuple[int, int], WireMessage | None] = OrderedDict()
        self._kept_messages: OrderedDict[tuple[int, int, bytes], MessageWire | str] = OrderedDict()

    async def get(self, *, workspace: WorkspaceId, send: SendId) -> WireMessage | None:
        """The compiled message of a campaign's send; None for a rolling one, whose messages say each what is theirs.

        Raises SendNotFound, and what compiling raises for content that is broken.
        """
        key = (workspace, send)
        if key not in self._kept:
            async with self._db.connection() as connection:
                row = await connection.fetchrow(_CAMPAIGN, workspace, send)
            if row is None or (row["campaign_id"] is not None and row["content"] is None):
                raise SendNotFound(f"there is no content for send {send}")
            self._kept[key] = _ROLLING
            if row["campaign_id"] is not None:
                content = SendContent.from_json(row["content"].encode())
                self._kept[key] = WireMessage.compile(
                    content, links=row["links"], workspace=workspace, send=send, tokens=self._tokens
                )
            _trim(self._kept)
        self._kept.move_to_end(key)
        return self._kept[key]

    async def of_messages(
        self, *, workspace: WorkspaceId, send: SendId, hashes: Sequence[bytes | None]
    ) -> MessageWires:
        """The compiled contents with these hashes. One that cannot be compiled fails its own messages and no others."""
        wanted = {one for one in hashes if one is not None}
        found = {one: kept for one in wanted if (kept := self._kept_messages.get((workspace, send, one))) is not None}
        if missing := list(wanted - found.keys()):
            async with self._db.connection() as connection:
                rows = await connection.fetch(_MESSAGES, workspace, send, missing)
            for row in rows:
                wire = await self._compiled(workspace, send, row["content"])
                found[row["hash"]] = self._kept_messages[workspace, send, row["hash"]] = wire
        for one in found:
            if (workspace, send, one) in self._kept_messages:
                self._kept_messages.move_to_end((workspace, send, one))
        _trim(self._kept_messages)
        return MessageWires(found)

    async def _compiled(self, workspace: WorkspaceId, send: SendId, raw: str) -> MessageWire | str:
        def compiled() -> MessageWire:
            content = MessageContent.from_json(raw.encode())
            return MessageWire(content, workspace=workspace, send=send, tokens=self._tokens)

        try:
            return compiled() if len(raw) < _QUICK else await asyncio.to_thread(compiled)
        except Exception as error:  # noqa: BLE001 - it was checked when it was queued; whatever it is, the others go on
            return error.message if isinstance(error, TidingsError) else f"{type(error).__name__}: {error}"


def _trim(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
