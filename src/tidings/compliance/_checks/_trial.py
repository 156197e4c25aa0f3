"""A message as it would be sent, to nobody: for what can only be told of its bytes."""

from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message

from tidings import content, delivery
from tidings.content import Checkable, Finding, Row, check_size
from tidings.core.errors import Invalid

_DATE = b"Thu, 01 Jan 2026 00:00:00 +0000"
MEASURED = 40
"""Contacts whose messages are built and measured."""


def trial_content(
    checked: Checkable,
    *,
    sender_email: str,
    sender_name: str,
    reply_to: str,
    workspace_name: str,
    postal_address: str,
    public_url: str,
    campaign: tuple[int, str] = (1, ""),
) -> delivery.SendContent:
    """What a send of this would keep, tracking and footer included."""
    domain = sender_email.rpartition("@")[2]
    return delivery.SendContent(
        subject=checked.subject,
        html=checked.html,
        text=checked.text,
        sender_email=sender_email,
        sender_name=sender_name,
        reply_to=reply_to,
        message_domain=domain,
        list_id=f"check.{domain}",
        list_name="",
        feedback_id="c1:t1:campaign:tidings-check",
        workspace_name=workspace_name,
        postal_address=postal_address,
        campaign_id=campaign[0],
        campaign_name=campaign[1],
        public_url=public_url,
        track_opens=True,
        track_clicks=True,
    )


def trial(trial: delivery.SendContent, rows: Sequence[Row]) -> tuple[bytes, int, list[Finding]]:
    """(the message to the first contact it can be made for, b'' if to none; bytes of the largest HTML part; findings).

    The HTML part is measured as Gmail does: decoded, links wrapped, with footer and pixel. Takes a millisecond a contact.
    """
    try:
        build = delivery.message_builder(trial)
    except Invalid:
        return b"", 0, []
    first, largest, whose, beyond, made = b"", 0, 0, 0, 0
    for row in rows[:MEASURED]:
        try:
            message = build(row, _DATE)
        except Invalid:
            continue
        first = first or message
        made += 1
        size = html_size(message)
        beyond += size > content.GMAIL_CLIPS
        if size > largest:
            largest, whose = size, row[1]
    return first, largest, list(check_size(largest, share=beyond / max(made, 1), contact=whose or None))


def html_size(message: bytes) -> int:
    """Bytes of a message's HTML part, decoded."""
    parts: list[Message] = list(message_from_bytes(message).walk())
    for part in parts:
        if part.get_content_type() == "text/html":
            body = part.get_payload(decode=True)
            return len(body) if isinstance(body, bytes) else 0
    return 0
