"""Handing a confirmation to the delivery of single messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId
from tidings.delivery import Message, MessageKind, queue_message


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
    """Queue it, in this transaction. `Auto-Submitted` keeps answering machines quiet (RFC 3834 §5)."""
    await queue_message(
        tx,
        workspace=workspace,
        message=Message(
            to_email=letter.email,
            contact=contact,
            subject=letter.subject,
            html=letter.html,
            text=letter.text,
            sender_email=letter.sender_email,
            sender_name=letter.sender_name,
            variables=letter.variables,
            headers={"Auto-Submitted": "auto-generated"},
            kind=MessageKind.CONFIRMATION,
        ),
        keys=keys,
        public_url=public_url,
        now=now,
    )
