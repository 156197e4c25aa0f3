"""Messages on their way into the database: all that wait go in one transaction, and nobody is answered before it is through."""

import asyncio
import logging
from collections.abc import Sequence

from tidings import delivery
from tidings.core.db import Database
from tidings.core.loops import RETRYABLE
from tidings.delivery import InboundMail

_log = logging.getLogger(__name__)

_AT_ONCE = 100
_MOST_WAITING = 1000
_SECONDS = 30.0


class NotKept(Exception):
    """It was not stored, or nobody knows: the sender is to try again."""


class Keeper:
    """Group commit."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[Sequence[InboundMail], asyncio.Future[None]]] = []
        self._some = asyncio.Event()

    async def keep(self, mails: Sequence[InboundMail]) -> None:
        """Return when they are stored. Raises NotKept."""
        if len(self._waiting) >= _MOST_WAITING:
            raise NotKept
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((mails, done))
        self._some.set()
        await done

    async def run(self) -> None:
        """Store what waits, for ever."""
        while True:
            await self._some.wait()
            group, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            if not self._waiting:
                self._some.clear()
            fault: Exception | None = None
            try:
                async with asyncio.timeout(_SECONDS), self._db.transaction() as tx:
                    await delivery.store_inbound(tx, mails=[one for mails, _ in group for one in mails])
            except (*RETRYABLE, TimeoutError) as error:
                _log.warning("mail that came back cannot be stored; senders try again: %s", error)
                fault = NotKept()
            except Exception:  # noqa: BLE001 - one message that the database refuses must not end the role
                _log.exception("mail that came back cannot be stored")
                fault = NotKept()
            except asyncio.CancelledError:
                _settle(group, NotKept())
                raise
            _settle(group, fault)


def _settle(group: Sequence[tuple[Sequence[InboundMail], asyncio.Future[None]]], fault: Exception | None) -> None:
    for _, done in group:
        if done.done():
            continue
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)
