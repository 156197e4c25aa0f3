"""Tests of templates: sent to given addresses, as a contact would read them."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from tidings import campaigns
from tidings.api._deps import Call, needs
from tidings.api._fields import Line, TemplateRef, WayRef
from tidings.api._previews import TestOf, TestQueued
from tidings.api._route import Route
from tidings.campaigns import Reader
from tidings.core.ids import ContactId, TemplateId

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
    queued = await campaigns.send_template_test(
        call.tx,
        workspace=call.workspace,
        template=TemplateId(template_id),
        version=body.version,
        to=body.to,
        reader=reader(body.contact_id, body.variables),
        subject_prefix=body.subject_prefix,
        sender_email=body.sender_email,
        sender_name=body.sender_name,
        provider=body.provider_id.provider if body.provider_id else None,
        route=body.provider_id.route if body.provider_id else None,
        keys=call.app.keys,
        public_url=call.app.public_url,
        now=call.now,
    )
    return TestQueued.of(queued)


def reader(contact: int | None, variables: dict[str, Any]) -> Reader:
    """As whom it is read."""
    return Reader(None if contact is None else ContactId(contact), variables)
