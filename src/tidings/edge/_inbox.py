"""Notifications of providers on their way into the database, by group commit."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from tidings import delivery
from tidings.core.db import Database, Tx
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery import Received
from tidings.edge._group_commit import LARGEST_BATCH, GroupCommit, Overloaded
from tidings.edge._spool import Codec

_MOST_BYTES = 64 << 20
_BATCH_BYTES = 8 << 20


class Inbox(GroupCommit[Received]):
    """Batches of providers are large, so these are limited by bytes, too."""

    what = "notifications"

    def __init__(self, db: Database, *, folder: Path) -> None:
        super().__init__(db, folder=folder, codec=_CODEC)
        self._bytes = 0

    async def keep(self, item: Received) -> None:
        """Keep it. Raises Overloaded."""
        if self._bytes > _MOST_BYTES:
            raise Overloaded
        self._bytes += len(item.payload)
        try:
            await super().keep(item)
        finally:
            self._bytes -= len(item.payload)

    def _first(self) -> int:
        size = 0
        for position, (item, _) in enumerate(self._waiting[:LARGEST_BATCH]):
            size += len(item.payload)
            if size > _BATCH_BYTES:
                return position + 1
        return LARGEST_BATCH

    def _opened(self) -> AbstractAsyncContextManager[Tx]:
        # One statement is a transaction already: BEGIN and COMMIT would be two more round trips a batch.
        return self._db.connection()

    async def _record(self, tx: Tx, source: str, batches: Sequence[tuple[int, list[Received]]]) -> None:  # noqa: ARG002
        await delivery.store_notifications(tx, received=[one for _, batch in batches for one in batch])


def _encode(one: Received) -> list[Any]:
    payload = b64encode(one.payload).decode("ascii")
    return [one.workspace, one.provider, one.kind, one.received_at, one.nonce, payload]


def _decode(fields: list[Any]) -> Received:
    workspace, provider, kind, at, nonce, payload = fields
    return Received(
        WorkspaceId(workspace), ProviderId(provider), kind, datetime.fromisoformat(at), nonce, b64decode(payload)
    )


_CODEC = Codec(_encode, _decode)
