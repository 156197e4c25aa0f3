"""Exports over HTTP: streamed as they are read, from a connection of their own."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.types import Receive, Scope, Send

from tidings.accounts import audit
from tidings.api._deps import Call, needs
from tidings.api._fields import ListRef, SegmentRef
from tidings.api._route import Route
from tidings.audience import exports
from tidings.audience.exports import ExportAs, ExportFormat, ExportOf
from tidings.audience.states import ContactStatus, SubscriptionStatus, SuppressionReason
from tidings.audience.suppressions import Wanted
from tidings.core.errors import Invalid, RateLimited, Unavailable
from tidings.core.ids import ListId, SegmentId

router = APIRouter(tags=["exports"], route_class=Route)

_AT_ONCE = 4
"""Exports of one process at a time: each holds a connection, and PostgreSQL's picture of the moment it began."""

_STALLED_SECONDS = 60.0

_MEDIA = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSONL: "application/x-ndjson"}


class _Streamed(Response):
    """Sends blocks as they come, gzipped if asked; whatever ends it, everything behind it is freed at once."""

    def __init__(
        self, call: Call, stack: AsyncExitStack, blocks: AsyncIterator[bytes], *, kind: str, name: str
    ) -> None:
        super().__init__(media_type=kind)
        del self.headers["content-length"]
        self.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        self.headers["Cache-Control"] = "no-store"
        self.headers["Vary"] = "Accept-Encoding"
        self._stack = stack
        self._blocks = blocks
        if _wants_gzip(call.request.headers.get("accept-encoding", "")):
            self.headers["Content-Encoding"] = "gzip"
            self._blocks = _gzipped(blocks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            ended = (await asyncio.gather(sending, leaving, return_exceptions=True))[0]
            await self._stack.aclose()
        if isinstance(ended, Exception):
            raise ended  # the answer breaks off, and whoever reads it sees that it did

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for block in self._blocks:
            try:
                async with asyncio.timeout(_STALLED_SECONDS):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            except TimeoutError:
                raise Unavailable("whoever reads the export has stopped reading") from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get("/contacts/export", summary="Export contacts", response_class=Response)
async def export_contacts(
    call: Annotated[Call, needs("contacts:read", tx=False)],
    format: ExportFormat = ExportFormat.CSV,  # noqa: A002 - the parameter's name
    list_id: Annotated[ListRef | None, Query(description="only who stands on this list as `subscription` says")] = None,
    subscription: SubscriptionStatus = SubscriptionStatus.SUBSCRIBED,
    segment_id: Annotated[SegmentRef | None, Query(description="only who is in this segment now")] = None,
    status: ContactStatus | None = None,
    tag: Annotated[str | None, Query(max_length=1000, description="the name of a tag they have")] = None,
    search: Annotated[
        str, Query(max_length=1000, description="words that address or name have, whatever their case and accents")
    ] = "",
    fields: Annotated[
        str | None,
        Query(max_length=20_000, description="columns, with commas between; else all", examples=["email,tags"]),
    ] = None,
    escape_formulas: Annotated[
        bool, Query(description="put an apostrophe before what a spreadsheet takes for a formula")
    ] = True,
    bom: Annotated[bool, Query(description="begin with a byte-order mark, by which Excel knows UTF-8")] = False,
) -> Response:
    """Contacts as CSV or JSON lines, streamed in the order of their ids: all, or those that fit everything given.

    The picture is of the moment that the export began. Sent gzipped where `Accept-Encoding` says so.
    """
    for name, text in (("search", search), ("tag", tag)):
        if text and "\0" in text:
            raise Invalid.at(name, "must not hold the character NUL")
    of = ExportOf(
        list=None if list_id is None else ListId(list_id),
        subscription=subscription,
        segment=None if segment_id is None else SegmentId(segment_id),
        status=status,
        tag=tag,
        search=search,
    )
    names = None if fields is None else fields.split(",")
    export = exports.export_contacts(
        call.app.db,
        workspace=call.workspace,
        of=of,
        as_=ExportAs(format, names, escape_formulas, bom),
        now=call.now,
    )
    return await _streamed(call, export, format, "contacts")


@router.get("/suppressions/export", summary="Export the suppression list", response_class=Response)
async def export_suppressions(
    call: Annotated[Call, needs("suppressions:read", tx=False)],
    format: ExportFormat = ExportFormat.CSV,  # noqa: A002
    list_id: Annotated[ListRef | None, Query(description="of this list; else those that hold everywhere")] = None,
    reason: SuppressionReason | None = None,
) -> Response:
    """The suppression list, in a form that `POST /suppressions/import` takes. Erased addresses are empty."""
    wanted = Wanted(list=None if list_id is None else ListId(list_id), reason=reason)
    export = exports.export_suppressions(
        call.app.db, workspace=call.workspace, wanted=wanted, keys=call.app.keys, format=format
    )
    return await _streamed(call, export, format, "suppressions")


async def _streamed(
    call: Call, export: AbstractAsyncContextManager[AsyncIterator[bytes]], format_: ExportFormat, name: str
) -> Response:
    running: set[object] = call.request.app.state.exports
    if len(running) >= _AT_ONCE:
        raise RateLimited(f"{_AT_ONCE} exports are running; try again when one is done", retry_after_seconds=5)
    ticket = object()
    running.add(ticket)
    stack = AsyncExitStack()
    stack.callback(running.discard, ticket)
    try:
        blocks = await stack.enter_async_context(export)
        # Who took the addresses away, and which: all that a query can say of it.
        detail = dict(call.request.query_params)
        async with call.app.db.connection() as connection:
            await audit(
                connection, by=call.principal, action=f"{name}.exported", subject=name, detail=detail, now=call.now
            )
    except BaseException:
        await stack.aclose()
        raise
    return _Streamed(call, stack, blocks, kind=_MEDIA[format_], name=f"{name}-{call.now:%Y-%m-%d}.{format_}")


async def _gzipped(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(5, zlib.DEFLATED, 31)
    async for block in blocks:
        if packed := await asyncio.to_thread(packer.compress, block):
            yield packed
    yield packer.flush()


async def _gone(receive: Receive) -> None:
    message: Any = {}
    while message.get("type") != "http.disconnect":
        message = await receive()


def _wants_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip and does not weigh it nothing (RFC 9110 § 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
