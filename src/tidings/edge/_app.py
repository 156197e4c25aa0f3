"""What strangers reach. RSGI, because a framework would cost more than the work (see docs/decisions).

Opens and clicks are here; each kind of page has a module of its own.
"""

import logging
from collections import OrderedDict
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from tidings import delivery
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.errors import NotFound
from tidings.core.ids import SendId, WorkspaceId
from tidings.edge._answers import PRIVATE, TEXT, Headers, broken, busy, location, not_allowed, not_found
from tidings.edge._archive import Archives
from tidings.edge._certificates import SnsClient
from tidings.edge._choosing import Choosing
from tidings.edge._confirming import Confirming
from tidings.edge._group_commit import AWAY, Overloaded
from tidings.edge._hits import Hits
from tidings.edge._inbox import Inbox
from tidings.edge._kitchen import Kitchen
from tidings.edge._leaving import Leaving
from tidings.edge._media import Pictures
from tidings.edge._notifications import Notifications
from tidings.edge._reading import Reading
from tidings.edge._signing_up import SigningUp
from tidings.edge._site import Site, language, remember
from tidings.events import Event, EventType
from tidings.tracking import Subject, classify

_log = logging.getLogger(__name__)

_GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
_IMAGE: Headers = [("content-type", "image/gif"), *PRIVATE]


class Edge:
    """The RSGI application. GET and HEAD never change consent."""

    def __init__(self, app: App, hits: Hits, inbox: Inbox, sns: SnsClient) -> None:
        self._hits = hits
        self._site = Site(app)
        self._tokens = self._site.tokens
        self._links: OrderedDict[tuple[int, int], list[str]] = OrderedDict()
        kitchen = Kitchen(self._site)
        self._pages = {
            "/u/": Leaving(self._site),
            "/p/": Choosing(self._site),
            "/f/": SigningUp(self._site),
            "/s/": Confirming(self._site),
            "/n/": Notifications(self._site, inbox, sns),
            "/m/": Pictures(app.media),
            "/v/": Reading(self._site, kitchen),
            "/a/": Archives(self._site, kitchen),
        }

    async def __call__(self, scope: Any, proto: Any) -> None:
        """One request."""
        path, method = scope.path, scope.method
        try:
            if path.startswith("/o/"):
                await self._open(scope, proto, path[3:].removesuffix(".gif"), method)
            elif path.startswith("/c/"):
                await self._click(scope, proto, path[3:], method)
            elif (page := self._pages.get(path[:3])) is not None:
                await page.answer(scope, proto, path[3:], method)
            else:
                self._other(scope, proto, path, method)
        except NotFound:
            not_found(proto, language(scope))
        except (Overloaded, *AWAY):
            busy(proto)
        except Exception:  # noqa: BLE001 - a fault of ours: said to whoever runs this, and in a sentence to whoever asked
            _log.exception("%s %s failed", method, path[:3])
            broken(proto)

    async def _open(self, scope: Any, proto: Any, token: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
            return
        subject = self._tokens.read(token)
        if subject is not None:
            await self._hits.keep(_hit(EventType.OPENED, subject, scope, method, {}))
        # A forged or damaged token gets its image too: proxies remember errors for everybody.
        proto.response_bytes(200, _IMAGE, _GIF)

    async def _click(self, scope: Any, proto: Any, rest: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
            return
        token, _, index = rest.partition("/")
        subject = self._tokens.read(token)
        destination = None if subject is None else await self._destination(subject, token, index, scope)
        if subject is None or destination is None:
            not_found(proto, language(scope))
            return
        data = {"url": destination[:500]} if index == "x" else {"link": int(index)}
        await self._hits.keep(_hit(EventType.CLICKED, subject, scope, method, data))
        proto.response_bytes(302, [location(destination), *PRIVATE], b"")

    def _other(self, scope: Any, proto: Any, path: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
        elif path == "/robots.txt":
            proto.response_str(200, TEXT, "User-agent: *\nAllow: /a/\nDisallow: /\n")
        elif path == "/healthz":
            proto.response_str(200, TEXT, "ok\n")
        else:
            not_found(proto, language(scope))

    async def _destination(self, subject: Subject, token: str, index: str, scope: Any) -> str | None:
        if index == "x":
            query = parse_qs(scope.query_string)
            return self._tokens.read_dynamic(token, query.get("u", [""])[0], query.get("s", [""])[0])
        # No more digits than any link's index has, so that none is too long to be read.
        if not (index.isascii() and index.isdecimal() and len(index) <= 5):
            return None
        links = await self._links_of(subject.workspace, subject.send)
        return links[int(index)] if int(index) < len(links) else None

    async def _links_of(self, workspace: WorkspaceId, send: SendId) -> list[str]:
        key = (workspace, send)
        links = self._links.get(key)
        if links is None:
            links = await self._site.lookup(partial(delivery.send_links, workspace=workspace, send=send))
            remember(self._links, key, links)
        return links


def _hit(kind: EventType, subject: Subject, scope: Any, method: str, data: dict[str, Any]) -> Event:
    headers = scope.headers  # granian gives text of visible ASCII, and None for what is none
    user_agent = (headers.get("user-agent") or "")[:400]
    agent, why = classify(
        kind="opened" if kind is EventType.OPENED else "clicked",
        method=method,
        user_agent=user_agent,
        purpose=headers.get("sec-purpose") or headers.get("purpose") or "",
    )
    data["ua"] = user_agent
    if why:
        data["why"] = why
    return Event(subject.workspace, kind, utc_now(), subject.send, subject.n, subject.contact, agent, data)
