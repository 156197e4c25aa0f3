"""The promise behind an unsubscribe's 200: from then on no worker hands anything over to that contact.

The unsubscribing transaction announces the contact (`tidings_withdrawn`), and workers drop it. What is left is the
moment between the commit and a worker's hearing of it. So after the commit the edge asks the workers that have the
contact in a leased chunk (`tidings_ask`), each answers once the contact is out of its hands (`tidings_answer`), and only
then does the edge say 200. PostgreSQL delivers notifications in commit order, so a worker that hears the question has
heard the announcement before it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from typing import Any

import asyncpg

from tidings.core.db import LOST, Database
from tidings.core.ids import ContactId, WorkspaceId

ASK = "tidings_ask"
ANSWER = "tidings_answer"
WITHDRAWN = "tidings_withdrawn"

_AT_ONCE = 300
"""Contacts a question: a notification's payload is at most 8000 bytes."""

_HOLDERS = """
SELECT DISTINCT c.owner
FROM deliveries AS d
JOIN chunks AS c ON c.workspace_id = d.workspace_id AND c.send_id = d.send_id
     AND d.n BETWEEN c.first_n AND c.last_n AND c.state = 'leased'
WHERE d.workspace_id = $1 AND d.contact_id = ANY ($2::bigint[]) AND d.state = 'pending'
UNION
SELECT c.owner
FROM messages AS m
JOIN deliveries AS d ON d.workspace_id = m.workspace_id AND d.send_id = m.send_id AND d.n = m.n AND d.state = 'pending'
JOIN chunks AS c ON c.workspace_id = m.workspace_id AND c.send_id = m.send_id
     AND m.n BETWEEN c.first_n AND c.last_n AND c.state = 'leased'
WHERE m.workspace_id = $1 AND m.contact_id = ANY ($2::bigint[]) AND m.kind = 'marketing'
"""


class Withdrawals:
    """One process's end of the conversation with the send workers. Open it once, `close` it at the end."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._connecting = asyncio.Lock()
        self._answers: dict[str, tuple[set[str], asyncio.Event]] = {}

    async def settled(
        self, *, workspace: WorkspaceId, contacts: Sequence[ContactId], patience_seconds: float = 10.0
    ) -> bool:
        """Wait until no worker can still hand anything over to these contacts; call it after the commit.

        Usually one indexed query. False when a worker did not answer in time and still holds its lease: it is frozen
        or cut off, and will screen its recipients anew before it goes on.
        """
        deadline = asyncio.get_running_loop().time() + patience_seconds
        for start in range(0, len(contacts), _AT_ONCE):
            if not await self._settled(workspace, list(contacts[start : start + _AT_ONCE]), deadline):
                return False
        return True

    async def _settled(self, workspace: WorkspaceId, contacts: list[ContactId], deadline: float) -> bool:
        while True:
            async with self._db.connection() as connection:
                holders = {r["owner"] for r in await connection.fetch(_HOLDERS, workspace, contacts)}
            left = deadline - asyncio.get_running_loop().time()
            if not holders:
                return True
            if left <= 0:
                return False
            if await self._ask(holders, workspace, contacts, min(left, 1.0)):
                return True

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with contextlib.suppress(*LOST):
                await self._connection.close(timeout=2)

    async def _ask(
        self, holders: set[str], workspace: WorkspaceId, contacts: list[ContactId], patience_seconds: float
    ) -> bool:
        ticket = secrets.token_hex(8)
        waiting, heard = holders.copy(), asyncio.Event()
        self._answers[ticket] = (waiting, heard)
        try:
            connection = await self._listening()
            ids = ",".join(map(str, contacts))
            await connection.execute("SELECT pg_notify($1, $2)", ASK, f"{ticket}:{workspace}:{ids}")
            async with asyncio.timeout(patience_seconds):
                await heard.wait()
            return True
        except (TimeoutError, *LOST):
            return False  # perhaps the worker died, or the chunk went elsewhere: look again
        finally:
            del self._answers[ticket]

    async def _listening(self) -> "asyncpg.Connection[asyncpg.Record]":
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._db.connect()
                await self._connection.add_listener(ANSWER, self._on_answer)
            return self._connection

    def _on_answer(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        ticket, _, owner = str(payload).partition(":")
        entry = self._answers.get(ticket)
        if entry is None:
            return
        waiting, heard = entry
        waiting.discard(owner)
        if not waiting:
            heard.set()
