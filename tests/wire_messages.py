"""A campaign's wire message, and parsers that we did not write to read it back."""

import email
import email.policy
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.header import decode_header, make_header
from typing import Any

from liquid import Environment

from tidings.content import Occasion, RecipientUrls, read_attributes
from tidings.content._context import full_context
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._content import SendContent, extract_links
from tidings.delivery.wire._wire import WireMessage
from tidings.tracking import Tokens

TOKENS = Tokens(Keyring("for tests"), "https://t.example")
DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
CONTENT = SendContent(
    subject="Hi {{ first_name }}",
    html='<p>Hi {{ first_name }}</p><a href="https://shop.example/?a=1&amp;b=2">Shop</a>',
    text="Hi {{ first_name }}\nhttps://shop.example/?a=1&b=2\n",
    sender_email="news@acme.example",
    sender_name="Acme",
    reply_to="",
    message_domain="acme.example",
    list_id="list-3.workspace-1.acme.example",
    list_name="News",
    feedback_id="c1:t1:campaign:tidings-w1",
    workspace_name="Acme & Sons",
    postal_address="1 Main Street\nSpringfield",
    campaign_id=456,
    campaign_name="June",
    public_url="https://t.example",
    track_opens=True,
    track_clicks=True,
)
ROW = (
    7,
    789,
    "ada@example.com",
    "Ada",
    "O'Brien",
    "",
    "en",
    "",
    ["vip"],
    '{"plan": "pro"}',
    datetime(2026, 1, 1, tzinfo=UTC),
    None,
    0,
)
TOKEN = TOKENS.for_send(WorkspaceId(1), SendId(2))(7, 789)
URLS = RecipientUrls("https://t.example", TOKENS.dynamic)
NEEDED = "{{ unsubscribe_url }}{{ workspace.postal_address }}"
"""Templates that say this get no footer."""


def compiled(content: SendContent) -> WireMessage:
    """As a worker does it."""
    return WireMessage.compile(
        content, links=extract_links(content), workspace=WorkspaceId(1), send=SendId(2), tokens=TOKENS
    )


def built(content: SendContent, row: Sequence[Any] = ROW) -> bytes:
    """One message."""
    return compiled(content).build(row, date=DATE)


def part(message: bytes, kind: str) -> str:
    """A part's text, by the standard library's parser."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in parsed.iter_parts()] == ["text/plain", "text/html"]
    body = next(one for one in parsed.iter_parts() if one.get_content_type() == f"text/{kind}")
    assert not parsed.defects
    assert not body.defects
    payload = body.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def header(message: bytes, name: str) -> str:
    """A header field's value, decoded."""
    raw = email.message_from_bytes(message, policy=email.policy.compat32)
    values = raw.get_all(name)
    assert values is not None, name
    assert len(values) == 1, name
    return str(make_header(decode_header(re.sub(r"\r?\n(?=[ \t])", "", values[0]))))


def unfolded(message: bytes, name: str) -> bytes:
    """A header field as it stands on the wire, folding undone."""
    head = re.sub(rb"\r\n(?=[ \t])", b"", message.partition(b"\r\n\r\n")[0])
    return re.findall(rb"(?im)^" + name.encode() + rb": ([^\r]*)", head)[0]


def check_wire_format(message: bytes) -> None:
    """RFC 5321 §2.3.8, §4.5.2, RFC 5322 §2.1.1, RFC 2045 §6.7."""
    assert message.endswith(b"\r\n")
    assert b"\0" not in message
    lines = message[:-2].split(b"\r\n")
    head = lines[: lines.index(b"")]
    assert all(b"\r" not in line and b"\n" not in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    assert all(len(line) <= 76 and line.isascii() for line in lines[len(head) :])
    assert all(len(line) <= 998 and line.strip() for line in head)
    assert all(line.isascii() or line.startswith(b"To: ") for line in head)


def oracle(source: str, row: tuple[Any, ...], subject: str, content: SendContent, *, html: bool) -> str | None:
    """python-liquid's rendering; None if it fails."""
    occasion = Occasion(
        content.campaign_id, content.campaign_name, content.workspace_name, content.postal_address, URLS
    )
    token = TOKENS.for_send(WorkspaceId(1), SendId(2))(row[0], row[1])
    context = full_context(row, token, read_attributes(row[9]), subject, occasion)
    try:
        return Environment(autoescape=html).from_string(source).render(context)
    except Exception:  # noqa: BLE001 - a filter that meets a value it was not made for
        return None
