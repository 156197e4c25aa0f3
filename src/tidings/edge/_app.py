"""What strangers reach: opens, clicks and leaving. RSGI, because a framework would cost more than the work (see docs/decisions)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote

from tidings import accounts, compliance, delivery
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import NotFound
from tidings.core.ids import SendId, WorkspaceId
from tidings.edge import _pages
from tidings.edge._forms import read_form
from tidings.edge._hits import AWAY, Hits, Overloaded
from tidings.edge._patience import within
from tidings.events import Event, EventType
from tidings.tracking import Subject, Tokens, classify

_GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
_BODY_LIMIT = 64 * 1024
_BODY_SECONDS = 20.0
_LOOKUP_SECONDS = 10.0
_LEAVING_SECONDS = 20.0  # the workers may take half of it to answer
_REMEMBERED = 2048
# A Location is a URI (RFC 9110 §10.2.2): what is not ASCII, or is white space, is percent-encoded, the rest stays as written.
_URI = "!#$%&'()*+,/:;=?@[]~"

T = TypeVar("T")
Headers = list[tuple[str, str]]
_PRIVATE: Headers = [
    ("cache-control", "no-store, private, max-age=0"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
]
_IMAGE: Headers = [("content-type", "image/gif"), *_PRIVATE]
_HTML: Headers = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    ),
    *_PRIVATE,
]
_TEXT: Headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")]


class Edge:
    """The RSGI application. GET and HEAD never change consent."""

    def __init__(self, app: App, hits: Hits) -> None:
        self._app = app
        self._hits = hits
        self._tokens = Tokens(app.keys, app.public_url)
        self._links: OrderedDict[tuple[int, int], list[str]] = OrderedDict()
        self._senders: OrderedDict[int, str] = OrderedDict()

    async def __call__(self, scope: Any, proto: Any) -> None:
        """One request."""
        path, method = scope.path, scope.method
        try:
            if path.startswith("/o/"):
                await self._open(scope, proto, path[3:].removesuffix(".gif"), method)
            elif path.startswith("/c/"):
                await self._click(scope, proto, path[3:], method)
            elif path.startswith("/u/"):
                await self._leave(scope, proto, path[3:], method)
            else:
                self._other(proto, path, method)
        except NotFound:
            _not_found(proto)
        except (Overloaded, *AWAY):
            _busy(proto)

    async def _open(self, scope: Any, proto: Any, token: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            _not_allowed(proto, "GET, HEAD")
            return
        subject = self._tokens.read(token)
        if subject is not None:
            await self._hits.keep(_hit(EventType.OPENED, subject, scope, method, {}))
        # A forged or damaged token gets its image too: proxies remember errors for everybody.
        proto.response_bytes(200, _IMAGE, _GIF)

    async def _click(self, scope: Any, proto: Any, rest: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            _not_allowed(proto, "GET, HEAD")
            return
        token, _, index = rest.partition("/")
        subject = self._tokens.read(token)
        destination = None if subject is None else await self._destination(subject, token, index, scope)
        if subject is None or destination is None:
            _not_found(proto)
            return
        data = {"url": destination[:500]} if index == "x" else {"link": int(index)}
        await self._hits.keep(_hit(EventType.CLICKED, subject, scope, method, data))
        proto.response_bytes(302, [("location", quote(destination, safe=_URI)), *_PRIVATE], b"")

    async def _leave(self, scope: Any, proto: Any, token: str, method: str) -> None:
        if method not in {"GET", "HEAD", "POST"}:
            _not_allowed(proto, "GET, HEAD, POST")
            return
        subject = self._tokens.read(token)
        if subject is None:
            _not_found(proto)
            return
        sender = await self._sender(subject.workspace)
        if method != "POST":
            proto.response_bytes(200, _HTML, _pages.ask(sender))
            return
        body = await _body(scope, proto)
        if body is None:
            proto.response_bytes(413, _HTML, _pages.problem("Too large", "This form sends a few words, not a file."))
            return
        form = read_form(scope.headers.get("content-type") or "", body)
        left = compliance.leave(
            self._app.db,
            self._app.withdrawals,
            workspace=subject.workspace,
            contact=subject.contact,
            reason=form.get("reason", ""),
            # RFC 8058 §3.1: the mailbox provider posts exactly this.
            source="one_click" if form.get("List-Unsubscribe") == "One-Click" else "page",
            send=subject.send,
            n=subject.n,
            now=utc_now(),
        )
        await within(_LEAVING_SECONDS, left)
        proto.response_bytes(200, _HTML, _pages.gone(sender))

    def _other(self, proto: Any, path: str, method: str) -> None:
        if method not in {"GET", "HEAD"}:
            _not_allowed(proto, "GET, HEAD")
        elif path == "/robots.txt":
            proto.response_str(200, _TEXT, "User-agent: *\nDisallow: /\n")
        elif path == "/healthz":
            proto.response_str(200, _TEXT, "ok\n")
        else:
            _not_found(proto)

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
            links = await self._lookup(partial(delivery.send_links, workspace=workspace, send=send))
            _remember(self._links, key, links)
        return links

    async def _sender(self, workspace: WorkspaceId) -> str:
        name = self._senders.get(workspace)
        if name is None:
            name = (await self._lookup(partial(accounts.get_workspace, workspace=workspace))).name
            _remember(self._senders, workspace, name)
        return name

    async def _lookup(self, find: Callable[[Tx], Awaitable[T]]) -> T:
        async def work() -> T:
            async with self._app.db.connection() as connection:
                return await find(connection)

        return await within(_LOOKUP_SECONDS, work())


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


async def _body(scope: Any, proto: Any) -> bytes | None:
    """The request's body; None if it is larger than any form of ours. Raises TimeoutError when it does not come."""
    length = scope.headers.get("content-length") or "0"
    if not length.isdecimal() or int(length) > _BODY_LIMIT:
        return None
    body = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for part in proto:
            body += part
            if len(body) > _BODY_LIMIT:
                return None
    return bytes(body)


def _remember(kept: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    kept[key] = value
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _not_found(proto: Any) -> None:
    text = "This link is incomplete or was changed on its way. Please use the one in the message."
    proto.response_bytes(404, _HTML, _pages.problem("Link not found", text))


def _not_allowed(proto: Any, allowed: str) -> None:
    proto.response_bytes(
        405, [("allow", allowed), *_HTML], _pages.problem("Not possible", "This address cannot do that.")
    )


def _busy(proto: Any) -> None:
    text = "We could not do this just now. Please try again in a minute."
    proto.response_bytes(503, [("retry-after", "30"), *_HTML], _pages.problem("Please try again", text))
