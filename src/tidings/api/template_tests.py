"""Tests of templates: sent to given addresses, as a contact would read them."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from tidings import accounts, content, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Line, TemplateRef, WayRef
from tidings.api._previews import TestOf, TestQueued
from tidings.api._route import Route
from tidings.audience import addresses, contacts
from tidings.core.ids import ContactId, MessageId, TemplateId
from tidings.delivery import Message

router = APIRouter(prefix="/templates", tags=["templates"], route_class=Route)

Sending = Annotated[Call, needs("messages:send")]


class TestSend(TestOf):
    """A test of a template, and whom it is from."""

    version: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="null: the current one")] = None
    sender_email: Annotated[str, Field(max_length=320, description="empty: the workspace's")] = ""
    sender_name: Line = ""
    provider_id: Annotated[WayRef | None, Field(description="a provider or a route; null: the workspace's default")] = (
        None
    )


@router.post("/{template_id}/test", status_code=202)
async def send_template_test(template_id: TemplateRef, body: TestSend, call: Sending) -> TestQueued:
    """Send a test. Links lead straight to where they go, nothing is counted, and its unsubscribe link unsubscribes nobody."""
    shown = await filled_in(call, TemplateId(template_id), body.version, body.contact_id, body.variables)
    template = await content.get_template(
        call.tx, workspace=call.workspace, template=TemplateId(template_id), version=body.version
    )
    attached = await content.attachments_of(
        call.tx, workspace=call.workspace, ids=template.attachment_ids, field="template_id"
    )
    queued: list[MessageId] = []
    for address in addresses.normalise_emails(body.to, field="to"):
        message = Message(
            to_email=address,
            subject=content.as_liquid(body.subject_prefix + shown.subject),
            html=content.as_liquid(shown.html),
            text=content.as_liquid(shown.text),
            sender_email=body.sender_email,
            sender_name=body.sender_name,
            attached=[one.attached for one in attached],
        )
        number = await delivery.queue_message(
            call.tx,
            workspace=call.workspace,
            message=message,
            provider=body.provider_id.provider if body.provider_id else None,
            route=body.provider_id.route if body.provider_id else None,
            keys=call.app.keys,
            public_url=call.app.public_url,
            now=call.now,
        )
        queued.append(number)
    return TestQueued.of(queued)


async def filled_in(
    call: Call,
    template: TemplateId,
    version: int | None,
    contact: int | None,
    variables: dict[str, Any],
    *,
    strict: bool | None = None,
    marked: bool = False,
) -> content.Preview:
    """A template as one contact would read it, or as these values make it."""
    frozen = await content.freeze(call.tx, workspace=call.workspace, template=template, version=version)
    owner = await accounts.get_workspace(call.tx, workspace=call.workspace)
    given = await contacts.contact_values(
        call.tx, workspace=call.workspace, contact=None if contact is None else ContactId(contact), over=variables
    )
    return await content.preview(
        subject=frozen.subject,
        html_content=frozen.html,
        text_content=frozen.text,
        preheader=frozen.preheader,
        variables=given,
        workspace_name=owner.name,
        postal_address=owner.postal_address,
        public_url=call.app.public_url,
        now=call.now,
        strict=strict,
        marked=marked,
    )
