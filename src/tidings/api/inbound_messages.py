"""Mail that came back, as people look at it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, InboundRef
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.core.ids import InboundId, public_id
from tidings.delivery import InboundMessage, InboundState

router = APIRouter(prefix="/inbound-messages", tags=["inbound messages"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]


class NewInbound(Body):
    """A message that came back to a mail system of yours."""

    recipient: Annotated[str, Field(min_length=1, max_length=320, description="who it came to, of the envelope")]
    sender: Annotated[str, Field(max_length=320, description="of the envelope; empty as reports have it")] = ""
    content: Annotated[
        str,
        Field(min_length=1, max_length=delivery.LARGEST_KEPT, description="The message, headers and all (RFC 5322)."),
    ]


class InboundOut(BaseModel):
    """A message that came back, and what became of it. They are kept for a week."""

    id: str
    received_at: datetime
    source: Annotated[str, Field(description="smtp, lmtp, imap or api")]
    sender: Annotated[str, Field(description="of the envelope; empty as reports have it")]
    recipient: str
    state: InboundState
    kind: Annotated[str, Field(description="bounce, delayed, delivered, complaint, auto_reply …; empty while it waits")]
    detail: Annotated[
        str, Field(description="in the words of the server or the report, or why it is about nothing of ours")
    ]
    send_id: str | None
    n: Annotated[int | None, Field(description="the recipient's number in the send")]

    @classmethod
    def of(cls, one: InboundMessage) -> "InboundOut":
        """As JSON shows it."""
        return cls(**_fields(one))


class InboundWhole(InboundOut):
    """One of them with its content."""

    content: Annotated[
        str, Field(description="At most its first 512 KiB, as it came; empty once it was applied or ignored.")
    ]


def _fields(one: InboundMessage) -> dict[str, Any]:
    return {
        "id": public_id("inbound", one.id),
        "received_at": one.received_at,
        "source": one.source,
        "sender": one.sender,
        "recipient": one.recipient,
        "state": one.state,
        "kind": one.kind,
        "detail": one.detail,
        "send_id": None if one.send is None else public_id("send", one.send),
        "n": one.n,
    }


@router.get("")
async def list_inbound_messages(
    call: Reading,
    paging: Paged,
    state: Annotated[InboundState | None, Query(description="unmatched: those that somebody should look at")] = None,
) -> Page[InboundOut]:
    """Reports and other mail that came back in the last week, the newest first."""
    found = await delivery.list_inbound(
        call.tx,
        workspace=call.workspace,
        state=state,
        limit=paging.limit,
        offset=paging.offset,
        before=paging.before,
    )
    total = None
    if paging.before is None:
        total = await delivery.count_inbound(call.tx, workspace=call.workspace, state=state)
    return paging.of([InboundOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)


@router.post("", status_code=202)
async def add_inbound_message(body: NewInbound, call: Writing) -> InboundOut:
    """Hand over a report that a mail system of yours took in. It is read in a moment; handing it over twice is harmless."""
    mail = delivery.InboundMail(
        call.workspace,
        call.now,
        "api",
        body.sender,
        body.recipient,
        body.content.encode("utf-8", "replace")[: delivery.LARGEST_KEPT],
    )
    await delivery.store_inbound(call.tx, mails=[mail])
    return InboundOut.of(await delivery.find_inbound(call.tx, mail=mail))


@router.get("/{inbound_id}")
async def get_inbound_message(inbound_id: InboundRef, call: Reading) -> InboundWhole:
    """One of them, with its content if nobody could make anything of it."""
    one, content = await delivery.get_inbound(call.tx, workspace=call.workspace, message=InboundId(inbound_id))
    return InboundWhole(**_fields(one), content=content.decode("utf-8", "replace"))
