"""The wire messages of the sends a worker is at: compiled once, kept while they are used."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from tidings.content import Attached, load_files
from tidings.core.db import Database
from tidings.core.errors import TidingsError
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.loops import RETRYABLE
from tidings.delivery.sends import SendNotFound
from tidings.delivery.wire import NO_FILES, MessageContent, MessageWire, MessageWires, SendContent, Texts, WireMessage
from tidings.tracking import Tokens

_KEPT = 256
_HEAVIEST = 256 << 20
"""Bytes of attachments that are kept, of all of them."""
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
_QUICK = 4_000  # characters of JSON: if they are all Liquid, compiling takes 30 ms


class Contents:
    """The least recently used go first: a worker's memory does not grow with the number of campaigns."""

    def __init__(self, db: Database, tokens: Tokens) -> None:
        self._db = db
        self._tokens = tokens
        self._texts = Texts(tokens.dynamic)
        self._slow = asyncio.Lock()
        """One after the other: the second of many that say the same finds it compiled."""
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
            # Kept when it is there: another chunk of the same send may ask meanwhile.
            made = _ROLLING if row["campaign_id"] is None else await self._campaign(workspace, send, row)
            self._kept[key] = made
            _trim(self._kept)
            return made
        self._kept.move_to_end(key)
        return self._kept[key]

    async def _campaign(self, workspace: WorkspaceId, send: SendId, row: asyncpg.Record) -> WireMessage:
        content = SendContent.from_json(row["content"].encode())
        files = await self._files(workspace, content.attached)

        def compiled() -> WireMessage:
            return WireMessage.compile(
                content,
                links=row["links"],
                workspace=workspace,
                send=send,
                tokens=self._tokens,
                files=files,
                texts=self._texts,
            )

        if len(row["content"]) < _QUICK and not files:
            return compiled()
        async with self._slow:
            kept = self._kept.get((workspace, send))  # by whom this waited for
            return kept if kept is not None else await asyncio.to_thread(compiled)

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
        def compiled(content: MessageContent, files: Mapping[str, bytes]) -> MessageWire:
            return MessageWire(content, workspace=workspace, send=send, tokens=self._tokens, files=files)

        try:
            content = MessageContent.from_json(raw.encode())
            files = await self._files(workspace, content.attached)
            quick = len(raw) < _QUICK and not files
            return compiled(content, files) if quick else await asyncio.to_thread(compiled, content, files)
        except RETRYABLE:
            raise
        except Exception as error:  # noqa: BLE001 - it was checked when it was queued; whatever it is, the others go on
            return error.message if isinstance(error, TidingsError) else f"{type(error).__name__}: {error}"

    async def _files(self, workspace: WorkspaceId, attached: Sequence[Attached]) -> Mapping[str, bytes]:
        if not attached:
            return NO_FILES
        async with self._db.connection() as connection:
            return await load_files(connection, workspace=workspace, attached=attached)


def _trim(kept: OrderedDict[Any, Any]) -> None:
    weight = sum(map(_weight, kept.values()))
    while len(kept) > _KEPT or (weight > _HEAVIEST and len(kept) > 1):
        weight -= _weight(kept.popitem(last=False)[1])


def _weight(wire: WireMessage | MessageWire | str | None) -> int:
    return 0 if wire is None or isinstance(wire, str) else wire.weight
