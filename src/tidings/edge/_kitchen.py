"""Messages as pages, made away from the event loop: few at a time, each within its limits, a dear one not again soon."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tidings import delivery
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery import PageTooDear, WebContent, WebMessage, WebPage
from tidings.edge._group_commit import Overloaded
from tidings.edge._site import Site
from tidings.tracking import Subject

_AT_ONCE = 2
_MOST_WAITING = 100
_COMPILED = 100
_NOT_AGAIN_SECONDS = 300.0
_Key = tuple[int, int, bool]
"""Workspace, send, and whether it is for nobody."""

T = TypeVar("T")


class Kitchen:
    """Opens and clicks go on while pages are made: a hostile template costs those who look at it, and nobody else."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._compiled: OrderedDict[_Key, WebMessage] = OrderedDict()
        self._too_dear: OrderedDict[_Key, float] = OrderedDict()

    async def of_recipient(self, subject: Subject) -> WebPage:
        """What the holder of a token got; for somebody erased, what everybody got.

        Raises PageNotFound, RenderError, TemplateInvalid, Overloaded, TimeoutError.
        """
        known = {"workspace": subject.workspace, "send": subject.send, "n": subject.n, "contact": subject.contact}
        wire = self._compiled.get((subject.workspace, subject.send, False))
        if wire is not None:
            row = await self._site.lookup(partial(delivery.web_recipient, **known))
            if row is not None:
                return await self._page(wire, subject.workspace, subject.send, row)
        source = await self._site.lookup(partial(delivery.web_content, **known))
        if source.row is None:
            return await self.of_nobody(source)
        return await self._page(await self._compile(source, nobody=False), source.workspace, source.send, source.row)

    async def of_nobody(self, source: WebContent) -> WebPage:
        """What everybody may read. Raises as of_recipient."""
        wire = await self._compile(source, nobody=True)
        return await self._page(wire, source.workspace, source.send, None)

    async def headline(self, source: WebContent) -> tuple[str, str]:
        """Subject and preheader for nobody. Raises RenderError, TemplateInvalid, Overloaded."""
        wire = await self._compile(source, nobody=True)
        return await self._cook(wire.headline)

    async def _compile(self, source: WebContent, *, nobody: bool) -> WebMessage:
        key = (source.workspace, source.send, nobody)
        self._refuse_too_dear(key)
        wire = self._compiled.get(key)
        if wire is None:
            tokens = self._site.tokens
            wire = await self._cook(partial(WebMessage, source, tokens=tokens, nobody=nobody))
            if isinstance(source.content, delivery.SendContent):  # a send of single messages has many contents
                self._compiled[key] = wire
                while len(self._compiled) > _COMPILED:
                    self._compiled.popitem(last=False)
        return wire

    async def _page(self, wire: WebMessage, workspace: WorkspaceId, send: SendId, row: object) -> WebPage:
        key = (workspace, send, row is None)
        self._refuse_too_dear(key)
        try:
            return await self._cook(partial(wire.page, row))  # type: ignore[arg-type]
        except PageTooDear:
            self._too_dear[key] = time.monotonic() + _NOT_AGAIN_SECONDS
            while len(self._too_dear) > _COMPILED:
                self._too_dear.popitem(last=False)
            raise

    def _refuse_too_dear(self, key: _Key) -> None:
        if time.monotonic() < self._too_dear.get(key, 0.0):
            raise PageTooDear("the template went over its limits a moment ago")

    async def _cook(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Overloaded("too many pages are waiting to be made")
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
