"""Simulated recipients at work: they read their mail in the catcher and open, click and leave over real HTTP."""

import asyncio
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from html import unescape

import aiohttp

from tidings.demo._audience import MACHINES, PEOPLE, Person, number_of, person

_PIXEL = re.compile(r'<img[^>]+src="([^"]+/o/[^"]+)"')
_LINK = re.compile(r'href="([^"]+/c/[^"]+)"')
_POLL_SECONDS = 0.2


@dataclass(slots=True)
class Truth:
    """What the simulated recipients really did: sets of their numbers."""

    opened: set[int] = field(default_factory=set)
    human_opened: set[int] = field(default_factory=set)
    clicked: set[int] = field(default_factory=set)
    human_clicked: set[int] = field(default_factory=set)
    unsubscribed: set[int] = field(default_factory=set)
    requests: int = 0


class Population:
    """Everybody who got mail. `done` counts the messages that were dealt with."""

    def __init__(self, session: aiohttp.ClientSession, *, catcher: str, at_once: int) -> None:
        self._session = session
        self._catcher = catcher
        self._slots = asyncio.Semaphore(at_once)
        self.truth = Truth()
        self.done = 0

    async def live(self, until: asyncio.Event) -> None:
        """Read mail as it arrives; ends when `until` is set and all of it was read."""
        async with asyncio.TaskGroup() as group:
            async for number, raw in self._mail(until):
                await self._slots.acquire()
                group.create_task(self._read(person(number), raw))

    async def _mail(self, until: asyncio.Event) -> AsyncIterator[tuple[int, bytes]]:
        after = 0
        while True:
            finished = until.is_set()
            url = f"{self._catcher}/api/messages?after={after}&limit=200&include=raw"
            async with self._session.get(url) as response:
                messages = (await response.json())["messages"]
            for message in messages:
                after = max(after, message["id"])
                number = number_of(message["recipient"])
                if _idle(person(number)):
                    self.done += 1
                else:
                    yield number, message["raw"].encode("latin-1")
            if not messages:
                if finished:
                    return
                await asyncio.sleep(_POLL_SECONDS)

    async def _read(self, who: Person, raw: bytes) -> None:
        try:
            message = BytesParser(policy=email.policy.default).parsebytes(raw)
            part = message.get_body(("html",))
            html = part.get_content() if part is not None else ""
            pixel = unescape(_PIXEL.search(html)[1])  # pyright: ignore[reportOptionalSubscript] - every message has one
            links = [unescape(link) for link in _LINK.findall(html)]
            if who.machine == "privacy proxy":
                await self._get(pixel, MACHINES["privacy proxy"])
                self.truth.opened.add(who.number)
            if who.machine == "scanner":
                for link in links[:3]:
                    await self._get(link, MACHINES["scanner"])
                self.truth.clicked.add(who.number)
            if who.opens:
                await self._get(pixel, PEOPLE[who.agent])
                self.truth.opened.add(who.number)
                self.truth.human_opened.add(who.number)
            for link in links[1 : 1 + who.clicks]:
                # Whoever follows a link does so in a browser, whatever fetched the images.
                await self._get(link, PEOPLE["phone" if who.agent == "phone" else "desktop"])
                self.truth.clicked.add(who.number)
                self.truth.human_clicked.add(who.number)
            if who.unsubscribes:
                await self._leave(str(message["List-Unsubscribe"]).partition(",")[0].strip("<> "))
                self.truth.unsubscribed.add(who.number)
        finally:
            self.done += 1
            self._slots.release()

    async def _get(self, url: str, agent: str) -> None:
        self.truth.requests += 1
        async with self._session.get(url, headers={"User-Agent": agent}, allow_redirects=False) as response:
            response.raise_for_status()

    async def _leave(self, url: str) -> None:
        """As a mailbox provider does it for its user (RFC 8058 §3.1)."""
        self.truth.requests += 1
        async with self._session.post(url, data={"List-Unsubscribe": "One-Click"}) as response:
            response.raise_for_status()


def _idle(who: Person) -> bool:
    return not (who.opens or who.machine or who.unsubscribes)
