"""Messages to single recipients over HTTP: receipts, passwords, notices."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef, Flag, Line, MessageRef, TemplateRef, WayRef
from tidings.api._paging import Page, Paged
from tidings.api._route import BulkRoute
from tidings.audience import addresses
from tidings.core.ids import ContactId, MessageId, TemplateId, public_id
from tidings.delivery import Attachment, DeliveryState, Message, MessageKind, MessageView, Way

router = APIRouter(prefix="/messages", tags=["messages"], route_class=BulkRoute)

Reading = Annotated[Call, needs("messages:read")]
Sending = Annotated[Call, needs("messages:send")]


def _decoded(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be base64 in a string")  # noqa: TRY004 - pydantic wants ValueError
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64 (RFC 4648 §4), without line breaks") from None


Base64 = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "examples": ["SGVsbG8="]}),
]


class AttachmentIn(Body):
    """A file that goes with a message."""

    filename: Annotated[str, Field(max_length=255)]
    content: Base64
    content_type: Annotated[str, Field(max_length=255, description="left out: told from the name")] = ""
    content_id: Annotated[
        str,
        Field(max_length=255, description="of an image that the HTML shows as `cid:…`", examples=["logo@example.com"]),
    ] = ""


class NewMessage(Body):
    """A message to one recipient: from a template, or with content of its own."""

    to: Annotated[str, Field(max_length=320, description="an address; if a contact has it, the message is theirs")]
    to_name: Line = ""
    template_id: TemplateRef | None = None
    subject: Annotated[str, Field(max_length=998, description="Liquid; empty: the template's")] = ""
    html_content: Annotated[str, Field(max_length=1_000_000, description="Liquid")] = ""
    text_content: Annotated[
        str,
        Field(max_length=1_000_000, description="Liquid; empty: derived from the HTML; alone: a plain text message"),
    ] = ""
    variables: Annotated[
        dict[str, Any],
        Field(
            description="what the Liquid may use, over what is known of the contact",
            examples=[{"first_name": "Ada", "order": {"number": 7, "total": "5 €"}}],
        ),
    ] = Field(default_factory=dict)
    sender_email: Annotated[str, Field(max_length=320, description="empty: the workspace's")] = ""
    sender_name: Line = ""
    reply_to: Annotated[str, Field(max_length=320)] = ""
    headers: Annotated[
        dict[str, Annotated[str, Field(max_length=1000)]],
        Field(description="X-… and a few others", examples=[{"X-Order": "7"}]),
    ] = Field(default_factory=dict)
    attachments: Annotated[list[AttachmentIn], Field(max_length=20, description="together at most 10 MiB")] = Field(
        default_factory=list
    )
    kind: Annotated[
        # Not `confirmation`: those go to addresses that bounced, too, and only signing up sends any.
        Literal[MessageKind.TRANSACTIONAL, MessageKind.MARKETING],
        Field(description="`marketing` goes to contacts who never left, with a way to leave in it"),
    ] = MessageKind.TRANSACTIONAL
    track_opens: Flag = False
    track_clicks: Flag = False
    provider_id: Annotated[WayRef | None, Field(description="a provider or a route; null: the workspace's default")] = (
        None
    )


class AttachmentOut(BaseModel):
    """A file that went with a message."""

    filename: str
    content_type: str
    size: int


class Queued(BaseModel):
    """The answer to a message that was taken."""

    id: str
    message_id: str
    status: str
    created_at: datetime


class MessageOut(BaseModel):
    """A message and what became of it."""

    id: str
    message_id: str
    kind: MessageKind
    to: str
    to_name: str
    contact_id: str | None
    subject: str
    template_id: str | None
    template_version: int | None
    provider_id: Annotated[str, Field(description="the provider or the route that it goes through")]
    sent_through: Annotated[
        str | None,
        Field(description="the provider of the latest attempt; null before the first, and when nobody knows"),
    ]
    headers: dict[str, str]
    attachments: list[AttachmentOut]
    status: Annotated[
        str,
        Field(
            description="queued, sent, delivered, deferred, bounced, failed, skipped, unknown",
            examples=["delivered"],
        ),
    ]
    detail: Annotated[str, Field(description="the server's words, or why it was not sent")]
    attempts: int
    possible_duplicate: bool
    created_at: datetime
    status_at: datetime
    next_attempt_at: datetime | None

    @classmethod
    def of(cls, message: MessageView) -> "MessageOut":
        """As JSON shows it."""
        return cls(**_told(message))


class EventOut(BaseModel):
    """Something that happened to a message."""

    type: str
    at: datetime
    agent: Annotated[str, Field(description="human, machine or unknown, for opens and clicks")]
    data: dict[str, Any]


class MessageWithEvents(MessageOut):
    """A message, and its events in order."""

    events: list[EventOut]


@router.post("", status_code=202)
async def send_message(body: NewMessage, call: Sending) -> Queued:
    """Queue a message to one recipient; it overtakes every campaign. Give an Idempotency-Key to be safe when you repeat it."""
    number = await delivery.queue_message(
        call.tx,
        workspace=call.workspace,
        message=Message(
            to_email=body.to,
            to_name=body.to_name,
            subject=body.subject,
            html=body.html_content,
            text=body.text_content,
            sender_email=body.sender_email,
            sender_name=body.sender_name,
            reply_to=body.reply_to,
            variables=body.variables,
            headers=body.headers,
            attachments=[
                Attachment(one.filename, one.content, one.content_type, one.content_id) for one in body.attachments
            ],
            kind=body.kind,
            track_opens=body.track_opens,
            track_clicks=body.track_clicks,
            template=None if body.template_id is None else TemplateId(body.template_id),
        ),
        provider=body.provider_id.provider if body.provider_id else None,
        route=body.provider_id.route if body.provider_id else None,
        keys=call.app.keys,
        public_url=call.app.public_url,
        now=call.now,
    )
    id_ = public_id("message", number)
    return Queued(id=id_, message_id=id_, status="queued", created_at=call.now)


@router.get("")
async def list_messages(
    call: Reading,
    paging: Paged,
    to: Annotated[str | None, Query(max_length=320, description="an address")] = None,
    contact_id: Annotated[ContactRef | None, Query()] = None,
    template_id: Annotated[TemplateRef | None, Query()] = None,
    status: Annotated[
        DeliveryState | None,
        BeforeValidator(lambda told: DeliveryState.PENDING if told == "queued" else told),
        Query(description="as messages have it; `queued` is the same as pending"),
    ] = None,
) -> Page[MessageOut]:
    """Messages, newest first. They are kept for 45 days."""
    wanted: dict[str, Any] = {
        "to_email": None if to is None else _address(to),
        "contact": None if contact_id is None else ContactId(contact_id),
        "template": None if template_id is None else TemplateId(template_id),
        "state": status,
    }
    found = await delivery.list_messages(
        call.tx, workspace=call.workspace, **wanted, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    walking = paging.before is not None
    total = None if walking else await delivery.count_messages(call.tx, workspace=call.workspace, **wanted)
    return paging.of([MessageOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)


@router.get("/{message_id}")
async def get_message(message_id: MessageRef, call: Reading) -> MessageWithEvents:
    """One message: where it stands, and what happened to it, in order."""
    found = await delivery.get_message(call.tx, workspace=call.workspace, message=MessageId(message_id))
    events = await delivery.message_events(call.tx, workspace=call.workspace, message=found)
    return MessageWithEvents(
        **_told(found),
        events=[EventOut(type=one.type, at=one.at, agent=one.agent, data=dict(one.data)) for one in events],
    )


def _address(to: str) -> str:
    try:
        return addresses.normalise_email(to)
    except addresses.InvalidAddress as error:
        raise addresses.InvalidAddress.at("to", error.fields[0].message) from None


def _told(message: MessageView) -> dict[str, Any]:
    id_ = public_id("message", message.id)
    return {
        "id": id_,
        "message_id": id_,
        "kind": message.kind,
        "to": message.to_email,
        "to_name": message.to_name,
        "contact_id": None if message.contact is None else public_id("contact", message.contact),
        "subject": message.subject,
        "template_id": None if message.template is None else public_id("template", message.template),
        "template_version": message.template_version,
        "provider_id": Way(message.provider, message.route).public,
        "sent_through": public_id("provider", message.went_through) if message.went_through else None,
        "headers": {one[0]: one[1] for one in message.headers},
        "attachments": [AttachmentOut(**one) for one in message.attached],
        "status": "queued" if message.state == DeliveryState.PENDING else message.state.value,
        "detail": message.detail,
        "attempts": message.attempts,
        "possible_duplicate": message.possible_duplicate,
        "created_at": message.created_at,
        "status_at": message.state_at or message.created_at,
        "next_attempt_at": message.next_attempt_at,
    }
