"""The bytes of a message: content rendered, wrapped in MIME, with headers, links and names of its own."""

from tidings.delivery.wire._content import SendContent, extract_links
from tidings.delivery.wire._links import message_html, wire_html
from tidings.delivery.wire._message_content import CampaignHeaders, MessageContent, MessageKind, content_hash
from tidings.delivery.wire._message_ids import MessageIds, MessageRef
from tidings.delivery.wire._message_parts import (
    NO_FILES,
    Attachment,
    attachment_parts,
    check_attachments,
    check_headers,
    describe,
)
from tidings.delivery.wire._message_wire import MessageWire, MessageWires
from tidings.delivery.wire._sample import message_builder, sample_message
from tidings.delivery.wire._texts import Texts
from tidings.delivery.wire._wire import LeaveAt, TemplateTooDear, TokenMaker, Wire, WireMessage, no_mailbox

__all__ = [
    "NO_FILES",
    "Attachment",
    "CampaignHeaders",
    "LeaveAt",
    "MessageContent",
    "MessageIds",
    "MessageKind",
    "MessageRef",
    "MessageWire",
    "MessageWires",
    "SendContent",
    "TemplateTooDear",
    "Texts",
    "TokenMaker",
    "Wire",
    "WireMessage",
    "attachment_parts",
    "check_attachments",
    "check_headers",
    "content_hash",
    "describe",
    "extract_links",
    "message_builder",
    "message_html",
    "no_mailbox",
    "sample_message",
    "wire_html",
]
