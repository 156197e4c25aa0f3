"""Tests of templates: sent to given addresses, as a contact would read them."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import accounts, audience, content, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef, Line, TemplateRef, WayRef
from tidings.api._route import Route
from tidings.core.ids import ContactId, TemplateId, public_id
from tidings.delivery import Message

router = APIRouter(prefix="/templates", tags=["templates"], route_class=Route)

Sending = Annotated[Call, needs("messages:send")]


class TestSend(Body):
    """Whom to send a test to, and as whom they read it."""

    to: Annotated[
        list[Annotated[str, Field(max_length=320)]],
        Field(min_length=1, max_length=10, examples=[["me@example.com"]]),
    ]
    contact_id: Annotated[ContactRef | None, Field(description="whose values fill it in")] = None
    variables: Annotated[dict[str, Any], Field(description="over the contact's")] = Field(default_factory=dict)
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="null: the current one")] = None
    subject_prefix: Annotated[str, Field(max_length=50)] = "[Test] "
    sender_email: Annotated[str, Field(max_length=320, description="empty: the workspace's")] = ""
    sender_name: Line = ""
    provider_id: Annotated[WayRef | None, Field(description="a provider or a route; null: the workspace's default")] = (
        None
    )


class TestQueued(BaseModel):
    """The messages that were queued, in the order of `to`."""

    message_ids: list[str]


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
    queued: list[str] = []
    for index, address in enumerate(body.to):
        message = Message(
            to_email=_address(address, index),
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
        queued.append(public_id("message", number))
    return TestQueued(message_ids=queued)


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
    known: dict[str, Any] = {}
    if contact is not None:
        person = await audience.get_contact(call.tx, workspace=call.workspace, contact=ContactId(contact))
        names = ("email", "first_name", "last_name", "phone", "language", "time_zone", "tags", "created_at")
        known = {name: getattr(person, name) for name in names} | {"attributes": person.attributes}
    given = known | variables
    if isinstance(variables.get("attributes"), dict):
        given["attributes"] = known.get("attributes", {}) | variables["attributes"]
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


def _address(address: str, index: int) -> str:
    try:
        return audience.normalise_email(address)
    except audience.InvalidAddress as error:
        raise audience.InvalidAddress.at(f"to[{index}]", error.fields[0].message) from None
