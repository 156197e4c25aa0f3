"""The wire messages of the sends a worker is at: compiled once, kept while they are used."""

from collections import OrderedDict

from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._content import SendContent
from tidings.delivery._sends import SendNotFound
from tidings.delivery._wire import WireMessage
from tidings.tracking import Tokens

_KEPT = 256


class Contents:
    """The least recently used go first: a worker's memory does not grow with the number of campaigns."""

    def __init__(self, db: Database, tokens: Tokens) -> None:
        self._db = db
        self._tokens = tokens
        self._kept: OrderedDict[tuple[int, int], WireMessage] = OrderedDict()

    async def get(self, *, workspace: WorkspaceId, send: SendId) -> WireMessage:
        """The compiled message of a send. Raises SendNotFound, and what compiling raises for content that is broken."""
        key = (workspace, send)
        wire = self._kept.get(key)
        if wire is None:
            async with self._db.connection() as connection:
                row = await connection.fetchrow(
                    """
                    SELECT content::text AS content, links FROM send_contents
                    WHERE workspace_id = $1 AND send_id = $2 AND variant = 0
                    """,
                    workspace,
                    send,
                )
            if row is None:
                raise SendNotFound(f"there is no content for send {send}")
            content = SendContent.from_json(row["content"].encode())
            wire = WireMessage.compile(content, links=row["links"], workspace=workspace, send=send, tokens=self._tokens)
            self._kept[key] = wire
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return wire
