"""A message to one recipient: checked, and queued before all campaigns (see docs/decisions, "Rolling sends")."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from tidings import accounts, content
from tidings.audience import addresses
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ContactId, MessageId, ProviderId, RouteId, SendId, TemplateId, WorkspaceId, public_id
from tidings.delivery.sends import CHUNKS
from tidings.delivery.states import SendStatus
from tidings.delivery.ways import ProviderNotFound, RouteNotFound, Way, find_way
from tidings.delivery.wire import (
    Attachment,
    CampaignHeaders,
    MessageContent,
    MessageKind,
    MessageWire,
    attachment_parts,
    check_attachments,
    check_headers,
    content_hash,
    describe,
)
from tidings.tracking import Tokens

OPEN_FOR = timedelta(days=1)
"""How long a rolling send takes messages; then it has a successor, and ages as a whole."""

_MOST_VARIABLES = 100_000  # bytes as JSON
_LONGEST_SUBJECT = 998
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DATE = b"Thu, 01 Jan 2026 00:00:00 +0000"

_CONTACT = """
SELECT id, email, first_name, last_name, phone, language, time_zone, tags, attributes, created_at FROM contacts
WHERE workspace_id = $1 AND
"""
_PRESENT = """
SELECT send_id FROM message_sends WHERE workspace_id = $1 AND (provider_id = $2 OR route_id = $3) AND opened_at > $4
"""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent, and to whom. `subject`, `html` and `text` are Liquid; `text` '' is derived from `html`."""

    to_email: str
    subject: str
    html: str = ""
    text: str = ""
    to_name: str = ""
    contact: ContactId | None = None
    """Left out: the contact with this address, if there is one."""
    sender_email: str = ""
    """'' : the workspace's sender."""
    sender_name: str = ""
    reply_to: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    attached: Sequence[content.Attached] = ()
    """Files that are kept already, such as a template's; a template's own come by themselves."""
    kind: MessageKind | str = MessageKind.TRANSACTIONAL
    track_opens: bool = False
    track_clicks: bool = False
    template: TemplateId | None = None
    """Where the content comes from. Without a version and without content: its current one is taken."""
    template_version: int | None = None
    as_campaign: CampaignHeaders | None = None
    """Header fields of a campaign that this is a test of."""


class MessageInvalid(Invalid):
    """A message that cannot be sent as it is; `fields` says why."""

    code = "invalid_message"


async def queue_message(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    message: Message,
    provider: ProviderId | None = None,
    route: RouteId | None = None,
    keys: Keyring,
    public_url: str,
    now: datetime,
) -> MessageId:
    """Queue a message in the caller's transaction; with its commit a worker hears of it at once.

    What it says is settled here and now, so that every attempt says the same. It goes through `provider` or `route`, or
    the workspace's default. Whether its recipient may be mailed is looked at when it is sent. Raises MessageInvalid naming
    every field that is wrong, TemplateInvalid, RenderError.
    """
    owner = await accounts.get_workspace(tx, workspace=workspace)
    given = message.subject
    message = await _filled(tx, workspace, message)
    # In a thread where there are files: archives are looked into.
    checked = asyncio.to_thread(_checked, message, given, owner) if message.attachments else None
    message = await checked if checked else _checked(message, given, owner)
    through = await _way(tx, workspace, provider, route)
    person = await _person(tx, workspace, message)
    if message.kind == MessageKind.MARKETING and person is None:
        raise MessageInvalid.at("to", "marketing goes to contacts only: make the address a contact first")
    values = _values(message, person, now)
    said = MessageContent(
        subject=message.subject,
        html=message.html,
        text=message.text or await content.aside(content.plain_text, message.html),
        derived=not message.text,
        sender_email=message.sender_email,
        sender_name=message.sender_name,
        reply_to=message.reply_to,
        kind=message.kind,
        label=f"t{message.template}" if message.template else "inline",
        workspace_name=owner.name,
        postal_address=owner.postal_address,
        public_url=public_url,
        track_opens=message.track_opens,
        track_clicks=message.track_clicks,
        attached=message.attached,
        as_campaign=message.as_campaign,
    )
    raw = said.to_json()
    row = (*values.row[:9], orjson.dumps(values.attributes).decode(), values.row[10])
    headers = orjson.dumps(list(message.headers.items())).decode()
    contact = None if person is None else person["id"]
    subject = await _tried(said, raw, (1, contact or 0, *row[2:], None, 0, 0, message.to_name, headers, None), keys)
    send = await _rolling_send(tx, workspace, through, now)
    number = await tx.fetchval(
        sql(__package__, "_queue_message"),
        workspace,
        send,
        through.provider,
        content_hash(raw),
        raw.decode(),
        message.kind,
        contact,
        message.to_email,
        addresses.address_hash(addresses.address_key(keys), message.to_email),
        message.to_name,
        *row[3:11],
        message.template,
        message.template_version,
        subject,
        headers,
        orjson.dumps(describe(message.attachments, message.attached)).decode(),
        await asyncio.to_thread(attachment_parts, message.attachments) if message.attachments else None,
        now,
        through.route,
    )
    await tx.execute("SELECT pg_notify($1, '')", CHUNKS)
    return MessageId(number)


async def _filled(tx: Tx, workspace: WorkspaceId, message: Message) -> Message:
    """With the content of its template, if it has one and no content of its own."""
    if message.template is None or message.template_version is not None:
        return message
    if message.html or message.text:
        raise MessageInvalid.at("template_id", "give a template, or html_content and text_content, not both")
    try:
        frozen = await content.freeze(tx, workspace=workspace, template=message.template, subject=message.subject)
    except content.TemplateNotFound as error:
        raise MessageInvalid.at("template_id", error.message) from None
    derived = frozen.text == await content.aside(content.plain_text, frozen.html)
    return _replaced(
        message,
        subject=frozen.subject,
        html=frozen.html,
        text="" if derived else frozen.text,
        template_version=frozen.version,
        attached=(*frozen.attached, *message.attached),
    )


def _checked(message: Message, given: str, owner: accounts.Workspace) -> Message:
    """The message as it is sent. `given` is the caller's own subject: a template's is checked, and packed, already."""
    problems: list[FieldProblem] = []

    def address(name: str, text: str) -> str:
        try:
            return addresses.normalise_email(text)
        except Invalid as error:
            problems.append(FieldProblem(name, error.fields[0].message))
            return text

    to_email = address("to", message.to_email)
    sender_email, sender_name = message.sender_email, message.sender_name
    if not sender_email:
        sender_email, sender_name = owner.sender_email, sender_name or owner.sender_name
    if sender_email:
        sender_email = address("sender_email", sender_email)
    else:
        problems.append(FieldProblem("sender_email", "is required: the workspace has no sender of its own"))
    reply_to = address("reply_to", message.reply_to) if message.reply_to else ""
    if not message.subject.strip():
        problems.append(FieldProblem("subject", "is required"))
    elif _CONTROL.search(given):
        problems.append(FieldProblem("subject", "must be one line without control characters"))
    if not message.html.strip() and not message.text.strip():
        problems.append(FieldProblem("html_content", "give html_content or text_content, or both"))
    kinds = [one.value for one in MessageKind]
    if message.kind not in kinds:
        problems.append(FieldProblem("kind", f"must be one of {', '.join(kinds)}"))
    problems += [
        FieldProblem(f"variables.{name}", "is the workspace's own, and cannot be given")
        if name in {"workspace", "campaign"}
        else FieldProblem(f"variables.{name}", "is the address the message goes to: give it as `to`")
        for name in ("workspace", "campaign", "email")
        if name in message.variables
    ]
    problems += check_headers(message.headers)
    problems += check_attachments(message.attachments, beside=message.attached)
    if problems:
        told = "; ".join(f"{one.field}: {one.message}" for one in problems)
        raise MessageInvalid(told[:1000], fields=tuple(problems))
    return _replaced(
        message,
        to_email=to_email,
        sender_email=sender_email,
        sender_name=content.one_line(sender_name),
        to_name=content.one_line(message.to_name),
        reply_to=reply_to,
        kind=MessageKind(message.kind),
    )


def _replaced(message: Message, **changes: Any) -> Message:
    told: dict[str, Any] = {name: getattr(message, name) for name in Message.__slots__}
    return Message(**(told | changes))


async def _way(tx: Tx, workspace: WorkspaceId, provider: ProviderId | None, route: RouteId | None) -> Way:
    try:
        found = await find_way(tx, workspace=workspace, provider=provider, route=route, hold=True)
    except (ProviderNotFound, RouteNotFound) as error:
        raise MessageInvalid.at("provider_id", error.message) from None
    if found is None:
        raise MessageInvalid.at("provider_id", "the workspace has no provider yet: add one first")
    return found


async def _person(tx: Tx, workspace: WorkspaceId, message: Message) -> Any:
    """The contact's row, or None."""
    if message.contact is not None:
        person = await tx.fetchrow(f"{_CONTACT} id = $2", workspace, message.contact)
        if person is None:
            raise MessageInvalid.at("contact_id", f"there is no contact {public_id('contact', message.contact)}")
        return person
    return await tx.fetchrow(f"{_CONTACT} email = $2", workspace, message.to_email)


def _values(message: Message, person: Any, now: datetime) -> content.Sample:
    """The recipient's row: what is known of the contact, and over it what the caller gave."""
    known: dict[str, Any] = {"created_at": now}
    if person is not None:
        known = {name: person[name] for name in person.keys() if name not in {"id", "email"}}  # noqa: SIM118 - a record
    elif message.to_name:
        known["name"] = message.to_name
    given = dict(message.variables)
    attributes = known.pop("attributes", {}) | _mapping(given.pop("attributes", None))
    sample = content.Sample({**known, **given, "attributes": attributes, "email": message.to_email}, now)
    if len(orjson.dumps(sample.attributes)) > _MOST_VARIABLES:
        raise MessageInvalid.at("variables", f"may have at most {_MOST_VARIABLES} bytes as JSON")
    return sample


def _mapping(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise MessageInvalid.at("variables.attributes", "must be an object")
    return value or {}


_tried_wires: OrderedDict[bytes, MessageWire] = OrderedDict()
_TRIED_KEPT = 100


async def _tried(said: MessageContent, raw: bytes, row: tuple[Any, ...], keys: Keyring) -> str:
    """Fill it in once, as the worker will: mistakes are the caller's to hear of. Returns the subject as it reads."""
    says_how_to_leave, subject = await content.apart(_try, said, content_hash(raw), row, keys)
    if row[1] == 0 and says_how_to_leave:
        raise MessageInvalid.at(
            "html_content", "unsubscribe_url is for contacts: this address belongs to none, so it could lead nowhere"
        )
    if not subject or len(subject) > _LONGEST_SUBJECT:
        raise MessageInvalid.at("subject", f"reads {subject[:80]!r}: it must have 1 to {_LONGEST_SUBJECT} characters")
    return subject


def _try(said: MessageContent, key: bytes, row: tuple[Any, ...], keys: Keyring) -> tuple[bool, str]:
    """Whether it says how to leave, and its subject. What was compiled is kept by the process that did it."""
    wire = _tried_wires.get(key)
    if wire is None:
        tokens = Tokens(keys, said.public_url)
        wire = _tried_wires[key] = MessageWire(said, workspace=WorkspaceId(1), send=SendId(1), tokens=tokens)
        while len(_tried_wires) > _TRIED_KEPT:
            _tried_wires.popitem(last=False)
    if row[1] == 0 and wire.says_how_to_leave:
        return True, ""  # it is refused for that
    wire.build(row, date=_DATE)
    wire.envelope(row)
    return wire.says_how_to_leave, wire.subject(row).replace("\0", "")


async def _rolling_send(tx: Tx, workspace: WorkspaceId, way: Way, now: datetime) -> SendId:
    since = now - OPEN_FOR
    send = await tx.fetchval(_PRESENT, workspace, way.provider, way.route, since)
    if send is None:
        # Once a day and way: whoever comes at the same time waits, and then finds it.
        await tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('tidings messages ' || $1, 0))", f"{workspace} {way.public}"
        )
        send = await tx.fetchval(_PRESENT, workspace, way.provider, way.route, since)
    if send is None:
        send = await tx.fetchval(
            """
            INSERT INTO sends (workspace_id, provider_id, route_id, status, priority, list_ids, created_at, started_at)
            VALUES ($1, $2, $3, $4, 0, '{}', $5, $5) RETURNING id
            """,
            workspace,
            way.provider,
            way.route,
            SendStatus.RUNNING,
            now,
        )
        await tx.execute(
            """
            INSERT INTO message_sends (workspace_id, provider_id, route_id, send_id, opened_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (workspace_id, provider_id, route_id) DO UPDATE
                SET send_id = excluded.send_id, opened_at = excluded.opened_at
            """,
            workspace,
            way.provider,
            way.route,
            send,
            now,
        )
    return SendId(send)
