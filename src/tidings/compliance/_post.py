"""Handing a confirmation to the delivery of single messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from tidings import delivery
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address. Subject, HTML and text are Liquid over `variables`."""

    email: str
    subject: str
    html: str
    text: str
    sender_email: str
    sender_name: str
    variables: Mapping[str, Any]


async def post(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    letter: Letter,
    contact: ContactId | None,
    keys: Keyring,
    public_url: str,
    now: datetime,
) -> None:
    """Queue it, in this transaction. Nobody asked for an answer by a machine: RFC 3834 §5 marks it."""
    gate = cast("Any", delivery)
    await gate.queue_message(
        tx,
        workspace=workspace,
        message=gate.Message(
            to_email=letter.email,
            to_name="",
            contact=contact,
            subject=letter.subject,
            html=letter.html,
            text=letter.text,
            sender_email=letter.sender_email,
            sender_name=letter.sender_name,
            reply_to="",
            variables=dict(letter.variables),
            headers={"Auto-Submitted": "auto-generated"},
            attachments=(),
            kind="confirmation",
        ),
        provider=None,
        keys=keys,
        public_url=public_url,
        now=now,
    )
