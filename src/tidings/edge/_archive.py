"""`/a/{token}`: campaigns that anybody may read: a list of them, each as a page, and a feed. For search engines too."""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from tidings import campaigns, delivery
from tidings.audience.lists import some_lists
from tidings.campaigns import Archive, Archived, ArchiveTokens
from tidings.content import RenderError, TemplateInvalid
from tidings.core.errors import NotFound
from tidings.core.ids import CampaignId
from tidings.edge import _archive_pages, _pages
from tidings.edge._answers import HTML, PUBLIC_HTML, PUBLIC_MESSAGE, Headers, not_allowed, not_found
from tidings.edge._archive_pages import Item
from tidings.edge._kitchen import Kitchen
from tidings.edge._site import Site, language, remember

_log = logging.getLogger(__name__)

_ON_A_PAGE = 20
_IN_A_FEED = 30
_LAST_PAGE = 500
_FRESH_SECONDS = 60
_ATOM: Headers = [("content-type", "application/atom+xml; charset=utf-8"), ("x-content-type-options", "nosniff")]


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: Headers
    body: bytes
    etag: str
    until: float


class Archives:
    """Web archives. What was made once serves for a minute; there is no page of an archive that has nothing in it."""

    def __init__(self, site: Site, kitchen: Kitchen) -> None:
        self._site = site
        self._kitchen = kitchen
        self._tokens = ArchiveTokens(site.app.keys)
        self._kept: OrderedDict[tuple[str, str, int, str], _Answer] = OrderedDict()

    async def answer(self, scope: Any, proto: Any, rest: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
            return
        spoken = language(scope)
        token, _, what = rest.partition("/")
        archive = self._tokens.read(token)
        if archive is None:
            not_found(proto, spoken)
            return
        number = _number(parse_qs(scope.query_string).get("page", ["1"])[0]) if not what else 1
        try:
            made = await self._made((token, what, number, spoken), partial(self._make, archive, what, number, spoken))
        except (RenderError, TemplateInvalid) as error:
            _log.warning("%s of an archive cannot be shown: %s", what, error)
            proto.response_bytes(404, HTML, _pages.message("not_shown", spoken))
            return
        if scope.headers.get("if-none-match") == made.etag:
            proto.response_bytes(304, [one for one in made.headers if one[0] != "content-type"], b"")
        else:
            proto.response_bytes(200, made.headers, made.body)

    async def _made(
        self, key: tuple[str, str, int, str], make: Callable[[], Awaitable[tuple[Headers, bytes]]]
    ) -> _Answer:
        kept = self._kept.get(key)
        if kept is None or kept.until < time.monotonic():
            headers, body = await make()
            etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            cached = [
                ("cache-control", f"public, max-age={_FRESH_SECONDS}"),
                ("vary", "accept-language"),
                ("etag", etag),
            ]
            kept = _Answer([*headers, *cached], body, etag, time.monotonic() + _FRESH_SECONDS)
            remember(self._kept, key, kept)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    async def _make(self, archive: Archive, what: str, number: int, spoken: str) -> tuple[Headers, bytes]:
        if what == "":
            return PUBLIC_HTML, await self._list(archive, number, spoken)
        if what == "feed.xml":
            return _ATOM, await self._feed(archive)
        if what.isascii() and what.isdecimal() and len(what) < 19:
            return PUBLIC_MESSAGE, await self._campaign(archive, CampaignId(int(what)))
        raise NotFound("there is no such page")

    async def _list(self, archive: Archive, number: int, spoken: str) -> bytes:
        found = await self._find(archive, (number - 1) * _ON_A_PAGE, _ON_A_PAGE + 1)
        return _archive_pages.listing(
            await self._items(archive, found[:_ON_A_PAGE]),
            sender=await self._name(archive),
            token=self._tokens.token(archive),
            number=number,
            more=len(found) > _ON_A_PAGE and number < _LAST_PAGE,
            language=spoken,
        )

    async def _feed(self, archive: Archive) -> bytes:
        found = await self._find(archive, 0, _IN_A_FEED)
        address = f"{self._site.app.public_url}/a/{self._tokens.token(archive)}"
        return _archive_pages.feed(await self._items(archive, found), sender=await self._name(archive), address=address)

    async def _campaign(self, archive: Archive, campaign: CampaignId) -> bytes:
        one = await self._site.lookup(partial(campaigns.get_archived, archive=archive, campaign=campaign))
        if one is None:
            raise NotFound("this campaign is not in the archive")
        sources = await self._site.lookup(
            partial(delivery.public_content, workspace=archive.workspace, sends=[one.send])
        )
        if not sources:
            raise NotFound("this campaign is gone")
        page = await self._kitchen.of_nobody(sources[0])
        return page.html.encode("utf-8", "replace")

    async def _find(self, archive: Archive, offset: int, limit: int) -> Sequence[Archived]:
        found = await self._site.lookup(partial(campaigns.list_archived, archive=archive, offset=offset, limit=limit))
        if not found:
            raise NotFound("there is nothing here")
        return found

    async def _items(self, archive: Archive, found: Sequence[Archived]) -> list[Item]:
        sends = [one.send for one in found]
        sources = await self._site.lookup(partial(delivery.public_content, workspace=archive.workspace, sends=sends))
        by_send = {source.send: source for source in sources}
        items: list[Item] = []
        for one in found:
            if (source := by_send.get(one.send)) is None:
                continue
            try:
                title, summary = await self._kitchen.headline(source)
            except (RenderError, TemplateInvalid):
                continue  # its page could not be shown either
            items.append(Item(one.campaign, title, summary, one.at))
        return items

    async def _name(self, archive: Archive) -> str:
        if archive.list_id is None:
            return await self._site.sender(archive.workspace)
        lists = await self._site.lookup(partial(some_lists, workspace=archive.workspace, lists=[archive.list_id]))
        if not lists:
            raise NotFound("this list is gone")
        return lists[0].shown_name


_MOST_KEPT = 300


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    if not 1 <= number <= _LAST_PAGE:
        raise NotFound("there is no such page")
    return number
