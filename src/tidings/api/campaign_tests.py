"""Campaigns before they go out: as a contact reads them, and in mailboxes of one's own."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from tidings import campaigns
from tidings.api._deps import Call, needs
from tidings.api._fields import CampaignRef, ContactRef
from tidings.api._previews import PreviewOut, TestOf, TestQueued
from tidings.api._route import Route
from tidings.core.ids import CampaignId, ContactId, public_id

router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=Route)

Reading = Annotated[Call, needs("campaigns:read")]
Sending = Annotated[Call, needs("campaigns:send")]


class CampaignPreviewOut(PreviewOut):
    """A campaign as one contact reads it."""

    contact_id: Annotated[str | None, Field(description="who reads it so; null: nobody is in the audience")]


@router.get("/{campaign_id}/preview")
async def preview_campaign(
    campaign_id: CampaignRef,
    call: Reading,
    contact_id: Annotated[ContactRef | None, Query(description="left out: somebody of the audience")] = None,
    marked: Annotated[
        bool, Query(description="write the name of what is undefined or empty where it is missing")
    ] = True,
) -> CampaignPreviewOut:
    """What a contact would read, footer included, by the code that fills in real ones. Launched: as it was launched."""
    found = await campaigns.preview_campaign(
        call.tx,
        workspace=call.workspace,
        campaign=CampaignId(campaign_id),
        contact=None if contact_id is None else ContactId(contact_id),
        marked=marked,
        public_url=call.app.public_url,
        now=call.now,
    )
    contact = None if found.contact is None else public_id("contact", found.contact)
    return CampaignPreviewOut(**PreviewOut.of(found.shown).model_dump(), contact_id=contact)


@router.post("/{campaign_id}/test", status_code=202)
async def send_campaign_test(campaign_id: CampaignRef, body: TestOf, call: Sending) -> TestQueued:
    """Send a test: header fields, files and provider are the campaign's. Links lead straight to where they go, nothing is
    counted, and its unsubscribe link unsubscribes nobody.
    """
    queued = await campaigns.send_campaign_test(
        call.tx,
        workspace=call.workspace,
        campaign=CampaignId(campaign_id),
        to=body.to,
        contact=None if body.contact_id is None else ContactId(body.contact_id),
        variables=body.variables,
        subject_prefix=body.subject_prefix,
        keys=call.app.keys,
        by=call.principal,
        public_url=call.app.public_url,
        now=call.now,
    )
    return TestQueued.of(queued)
