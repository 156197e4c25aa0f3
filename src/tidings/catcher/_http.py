"""Reading what was caught, over HTTP.

- `GET /` a page to look at it.
- `GET /api/counts` → `Counts`.
- `GET /api/messages` → `{"messages": […], "next": id or null}`, the latest first. `recipient=` one address, `q=` part of
  an address, `limit=` (50, at most 500), `before=` the `next` of the page before. Or `after=` (0 at first) for all in
  order of arrival, to follow what comes in. `include=raw` adds the text, as Latin-1.
- `GET /api/messages/{id}` the message taken apart; `/raw` as received; `/html` its HTML part.
- `DELETE /api/messages` forget everything.

Errors are `{"error": sentence}` with a 4xx. It listens on loopback and knows no users: it holds mail that went nowhere.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from tidings.catcher._store import Entry, Store

_MOST = 500
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# A caught page may not run scripts, nor pass for a page of ours.
_SANDBOX = "sandbox allow-popups; default-src 'none'; img-src * data:; style-src 'unsafe-inline'"


def create_http_app(store: Store) -> web.Application:
    """The routes above over one store."""
    pages = _Pages(store)
    app = web.Application(middlewares=[_same_site])
    app.add_routes(
        [
            web.get("/", pages.viewer),
            web.get("/api/counts", pages.counts),
            web.get("/api/messages", pages.listing),
            web.delete("/api/messages", pages.delete_all),
            web.get(r"/api/messages/{id:\d{1,18}}", pages.message),
            web.get(r"/api/messages/{id:\d{1,18}}/raw", pages.raw),
            web.get(r"/api/messages/{id:\d{1,18}}/html", pages.html),
        ]
    )
    return app


@web.middleware
async def _same_site(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """A web page from elsewhere may not delete or read mail through the reader's browser."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return _json({"error": "requests from other sites are refused"}, status=403)
    return await handler(request)


class _Pages:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._viewer = files("tidings.catcher").joinpath("viewer.html").read_bytes()

    async def viewer(self, _: web.Request) -> web.Response:
        return web.Response(body=self._viewer, content_type="text/html", charset="utf-8")

    async def counts(self, _: web.Request) -> web.Response:
        return _json(dataclasses.asdict(self._store.counts()))

    async def delete_all(self, _: web.Request) -> web.Response:
        self._store.delete_all()
        return web.Response(status=204)

    async def listing(self, request: web.Request) -> web.Response:
        limit = min(_number(request, "limit", 50) or 50, _MOST)
        before, after = _number(request, "before", None), _number(request, "after", None)
        recipient, part = request.query.get("recipient", "").strip(), request.query.get("q", "").strip()
        if after is not None:
            if recipient or part or before is not None:
                raise _bad("after goes with limit and include only")
            entries = self._store.following(after=after, limit=limit)
            following = entries[-1].id if entries else after
        else:
            if recipient:
                entries = self._store.to(recipient, before=before, limit=limit)
            elif part:
                entries = self._store.search(part, before=before, limit=limit)
            else:
                entries = self._store.newest(before=before, limit=limit)
            following = entries[-1].id if len(entries) == limit else None
        raw = request.query.get("include") == "raw"
        return _json({"messages": [self._row(entry, raw=raw) for entry in entries], "next": following})

    def _row(self, entry: Entry, *, raw: bool) -> dict[str, Any]:
        text = self._store.text(entry)
        row = _facts(entry) | {"subject": _subject(text)}
        if raw:
            row["raw"] = text.decode("latin-1") if text is not None else None
        return row

    async def message(self, request: web.Request) -> web.Response:
        entry, text = self._find(request)
        parsed = _parse(text)
        attachments = [
            {"name": part.get_filename(), "type": part.get_content_type()} for part in parsed.iter_attachments()
        ]
        return _json(
            _facts(entry)
            | {
                "subject": str(parsed.get("Subject", "")),
                "headers": [[name, str(value)] for name, value in parsed.items()],
                "text": _part(parsed, "plain"),
                "html": _part(parsed, "html"),
                "attachments": attachments,
            }
        )

    async def raw(self, request: web.Request) -> web.Response:
        _, text = self._find(request)
        return web.Response(body=text, content_type="message/rfc822")

    async def html(self, request: web.Request) -> web.Response:
        _, text = self._find(request)
        html = _part(_parse(text), "html")
        if html is None:
            return _json({"error": "this message has no HTML part"}, status=404)
        return web.Response(
            text=html, content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": _SANDBOX}
        )

    def _find(self, request: web.Request) -> tuple[Entry, bytes]:
        entry = self._store.entry(int(request.match_info["id"]))
        text = self._store.text(entry) if entry is not None else None
        if entry is None or text is None:
            what = "no message has this id" if entry is None else "older than what the catcher keeps"
            raise web.HTTPNotFound(text=orjson.dumps({"error": what}).decode(), content_type="application/json")
        return entry, text


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "received_at": entry.received_at,
        "sender": entry.sender,
        "recipient": entry.recipient,
        "message_id": entry.message_id,
        "size": entry.size,
    }


def _subject(text: bytes | None) -> str:
    if text is None:
        return ""
    head = text.partition(b"\r\n\r\n")[0]
    return str(BytesHeaderParser(policy=policy.default).parsebytes(head).get("Subject", ""))


def _parse(text: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(text)


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown charset or a broken encoding: show what there is
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)


def _number(request: web.Request, name: str, default: int | None) -> int | None:
    given = request.query.get(name)
    if given is None or given == "":
        return default
    if not given.isdecimal() or len(given) > 18:
        raise _bad(f"{name}: give a whole number")
    return int(given)


def _bad(sentence: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=orjson.dumps({"error": sentence}).decode(), content_type="application/json")


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
