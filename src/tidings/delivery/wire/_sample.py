"""One message as it would go out, without anybody to send it to: for measuring its size and looking at it."""

from collections.abc import Callable
from datetime import UTC, datetime

from tidings.content import Row
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._content import SendContent, extract_links
from tidings.delivery.wire._wire import WireMessage
from tidings.tracking import Tokens


def message_builder(content: SendContent) -> Callable[[Row, bytes], bytes]:
    """(a recipient's row as _fetch.sql has it, date) to the complete message, compiled once. Raises TemplateInvalid."""
    wire = WireMessage.compile(
        content,
        links=extract_links(content),
        workspace=WorkspaceId(1),
        send=SendId(1),
        tokens=Tokens(Keyring("sample"), content.public_url),
    )
    return lambda row, date: wire.build(row, date=date)


def sample_message(content: SendContent) -> bytes:
    """The complete message to a made-up contact, as it goes over the wire. Raises RenderError."""
    attributes = '{"plan": "gold", "city": "Springfield", "points": 512}'
    made = datetime(2026, 1, 1, tzinfo=UTC)
    row = (1, 1, "reader1@example.com", "First1", "Last1", "", "en", "", ["vip"], attributes, made, None, 0)
    return message_builder(content)(row, b"Thu, 01 Jan 2026 00:00:00 +0000")
