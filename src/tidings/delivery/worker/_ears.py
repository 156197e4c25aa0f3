"""What a send worker hears: new work, pauses, and above all who leaves."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import asyncpg

from tidings.core.clock import steady
from tidings.core.db import Database
from tidings.core.loops import RETRYABLE
from tidings.delivery.sends import CHUNKS, CONTROL, PROVIDER, ROUTE
from tidings.delivery.withdrawals import ANSWER, ASK, WITHDRAWN
from tidings.delivery.worker._run import ChunkRun

_PROBE_SECONDS = 2.0
_TRUST_SECONDS = 8.0
"""How long we believe that we hear, counted from before we made sure. Less than whoever leaves waits for an answer: a
worker that was frozen, or whose connection died without a word, is silent itself by the time that person is told."""


@dataclass(slots=True, eq=False)
class _Question:
    """Someone left, and waits until their message is out of our hands (see _withdrawals.py)."""

    ticket: str
    workspace: int
    contacts: set[int]


class Ears:
    """The listening connection of one worker. While it is down the worker is deaf and transmits nothing."""

    def __init__(
        self,
        db: Database,
        *,
        owner: str,
        runs: dict[tuple[int, int, int], ChunkRun],
        stop: Callable[[ChunkRun], None],
        room: Callable[[], None],
        provider_changed: Callable[[int, int], None],
        route_changed: Callable[[int, int], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._db = db
        self._owner = owner
        self._runs = runs
        self._stop = stop
        self._room = room
        self._provider_changed = provider_changed
        self._route_changed = route_changed
        self._spawn = spawn
        self._questions: list[_Question] = []
        self.epoch = 0
        """Counts the stretches of listening: what was screened in another may have missed someone."""
        self.listening = False
        self.heard_until = float("-inf")
        """Time (`steady`) until which nobody can have left without our hearing of it."""

    async def listen(self) -> None:
        """Listen until the connection ends, which it reports by raising one of `LOST`."""
        connection = await self._db.connect()
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            for channel, hear in (
                (CHUNKS, lambda _: self._room()),
                (CONTROL, self._on_control),
                (PROVIDER, self._on_provider),
                (ROUTE, self._on_route),
                (WITHDRAWN, self._on_withdrawn),
                (ASK, self._on_ask),
            ):
                await connection.add_listener(channel, _payload(hear))
            await self._probe(connection)
            self.listening = True
            self._room()
            while not gone.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PROBE_SECONDS):
                        await gone.wait()
                if not gone.is_set():  # a network that died says nothing by itself
                    await self._probe(connection)
            raise asyncpg.InterfaceError("the listening connection ended")
        except TimeoutError as error:
            raise asyncpg.InterfaceError("the listening connection is silent") from error
        finally:
            self._deaf()
            connection.terminate()

    def answer(self) -> None:
        """Answer the questions about contacts of whom nothing is being transmitted. Cheap when there are none."""
        if not self._questions:
            return
        waiting: list[_Question] = []
        for question in self._questions:
            if any(not r.in_doubt.isdisjoint(question.contacts) for r in self._of(question.workspace) if r.in_doubt):
                waiting.append(question)
            else:
                self._spawn(self._say(question.ticket))
        self._questions = waiting

    @property
    def asked(self) -> bool:
        """Somebody waits for an answer."""
        return bool(self._questions)

    async def _probe(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        asked = steady()
        # What was announced before this comes before the answer.
        await connection.execute("SELECT 1", timeout=_TRUST_SECONDS - _PROBE_SECONDS)
        self.heard_until = asked + _TRUST_SECONDS
        for run in self._runs.values():
            run.heard_until = self.heard_until

    def _deaf(self) -> None:
        # Someone may leave without our hearing it: what we hold is severed, given back, and screened anew.
        self.listening = False
        self.epoch += 1
        self._questions.clear()
        for run in list(self._runs.values()):
            run.sever()
            self._stop(run)

    def _of(self, workspace: int) -> list[ChunkRun]:
        return [run for run in self._runs.values() if run.workspace == workspace]

    def _on_control(self, payload: str) -> None:
        workspace, _, send = payload.partition(":")
        for run in self._of(int(workspace)):
            if run.send == int(send):
                self._stop(run)

    def _on_provider(self, payload: str) -> None:
        workspace, _, provider = payload.partition(":")
        self._provider_changed(int(workspace), int(provider))

    def _on_route(self, payload: str) -> None:
        workspace, _, route = payload.partition(":")
        self._route_changed(int(workspace), int(route))

    def _on_withdrawn(self, payload: str) -> None:
        workspace, contacts = _contacts(payload)
        for run in self._of(workspace):
            run.withdrawn |= contacts

    def _on_ask(self, payload: str) -> None:
        ticket, _, rest = payload.partition(":")
        self._on_withdrawn(rest)
        self._questions.append(_Question(ticket, *_contacts(rest)))
        self.answer()

    async def _say(self, ticket: str) -> None:
        with contextlib.suppress(*RETRYABLE):  # whoever asked asks again
            async with self._db.connection() as connection:
                await connection.execute("SELECT pg_notify($1, $2)", ANSWER, f"{ticket}:{self._owner}")


def _payload(hear: Callable[[str], None]) -> Callable[..., None]:
    return lambda _connection, _pid, _channel, payload: hear(str(payload))


def _contacts(payload: str) -> tuple[int, set[int]]:
    workspace, _, ids = payload.partition(":")
    return int(workspace), set(map(int, ids.split(",")))
