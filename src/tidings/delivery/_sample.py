"""One message as it would go out, without anybody to send it to: for measuring its size and looking at it."""

from datetime import UTC, datetime

from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._content import SendContent, extract_links
from tidings.delivery._wire import WireMessage
from tidings.tracking import Tokens


def sample_message(content: SendContent) -> bytes:
    """The complete message to a made-up contact, as it goes over the wire. Raises RenderError."""
    wire = WireMessage.compile(
        content,
        links=extract_links(content),
        workspace=WorkspaceId(1),
        send=SendId(1),
        tokens=Tokens(Keyring("sample"), content.public_url),
    )
    attributes = '{"plan": "gold", "city": "Springfield", "points": 512}'
    made = datetime(2026, 1, 1, tzinfo=UTC)
    row = (1, 1, "reader1@example.com", "First1", "Last1", "", "en", "", ["vip"], attributes, made, None, 0)
    return wire.build(row, date=b"Thu, 01 Jan 2026 00:00:00 +0000")
