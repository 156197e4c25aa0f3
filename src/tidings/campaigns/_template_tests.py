"""A template by itself: as one contact would read it, and in mailboxes of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings import accounts, content, delivery
from tidings.audience import contacts
from tidings.audience.addresses import normalise_emails
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import ContactId, MessageId, ProviderId, RouteId, TemplateId, WorkspaceId
from tidings.delivery import Message


@dataclass(frozen=True, slots=True)
class Reader:
    """As whom a template is read: a contact, or nobody, with `variables` over their values."""

    contact: ContactId | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


async def preview_template(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    version: int | None = None,
    reader: Reader,
    strict: bool | None = None,
    marked: bool = False,
    public_url: str,
    now: datetime,
) -> content.Preview:
    """What `reader` would read, footer included, by the code that fills in real messages.

    `strict` and `marked` are those of `content.preview`. Raises TemplateNotFound, ContactNotFound, TemplateInvalid, RenderError.
    """
    frozen = await content.freeze(tx, workspace=workspace, template=template, version=version)
    owner = await accounts.get_workspace(tx, workspace=workspace)
    given = await contacts.contact_values(tx, workspace=workspace, contact=reader.contact, over=reader.variables)
    return await content.preview(
        subject=frozen.subject,
        html_content=frozen.html,
        text_content=frozen.text,
        preheader=frozen.preheader,
        variables=given,
        workspace_name=owner.name,
        postal_address=owner.postal_address,
        public_url=public_url,
        now=now,
        strict=strict,
        marked=marked,
        written=frozen.written,
    )


async def send_template_test(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    version: int | None = None,
    to: Sequence[str],
    reader: Reader,
    subject_prefix: str = "[Test] ",
    sender_email: str = "",
    sender_name: str = "",
    provider: ProviderId | None = None,
    route: RouteId | None = None,
    keys: Keyring,
    public_url: str,
    now: datetime,
) -> list[MessageId]:
    """Queue it to these addresses as `reader` would get it, with its files and without a campaign's header fields.

    Its links lead straight to where they go and nothing is counted. Raises what preview_template raises, InvalidAddress
    naming `to[…]`, MessageInvalid.
    """
    addresses = normalise_emails(to, field="to")
    shown = await preview_template(
        tx,
        workspace=workspace,
        template=template,
        version=version,
        reader=reader,
        public_url=public_url,
        now=now,
    )
    written = await content.get_template(tx, workspace=workspace, template=template, version=version)
    attached = await content.attachments_of(tx, workspace=workspace, ids=written.attachment_ids, field="template_id")
    queued: list[MessageId] = []
    for address in addresses:
        message = Message(
            to_email=address,
            subject=content.as_liquid(subject_prefix + shown.subject),
            html=content.as_liquid(shown.html),
            text=content.as_liquid(shown.text),
            sender_email=sender_email,
            sender_name=sender_name,
            attached=[one.attached for one in attached],
        )
        number = await delivery.queue_message(
            tx,
            workspace=workspace,
            message=message,
            provider=provider,
            route=route,
            keys=keys,
            public_url=public_url,
            now=now,
        )
        queued.append(number)
    return queued
