"""A campaign before it goes out: as one contact will read it, in the browser and in mailboxes of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings import content, delivery
from tidings.accounts import Principal, audit
from tidings.audience import contacts, recipients
from tidings.audience.addresses import normalise_emails
from tidings.campaigns._campaign import Campaign, get_campaign
from tidings.campaigns._content import basis_of
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import CampaignId, ContactId, MessageId, SendId, TemplateId, WorkspaceId, public_id
from tidings.delivery import CampaignHeaders, Message, SendContent
from tidings.tracking import Tokens


@dataclass(frozen=True, slots=True)
class CampaignPreview:
    """A campaign as one contact reads it."""

    shown: content.Preview
    contact: ContactId | None
    """None: nobody of the audience would get it, and no contact was named."""


async def preview_campaign(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    campaign: CampaignId,
    contact: ContactId | None = None,
    marked: bool = True,
    public_url: str,
    now: datetime,
) -> CampaignPreview:
    """As `contact` reads it, or else somebody of its audience; what was launched is shown as it was launched.

    `marked`: what would write nothing writes its name instead, of a strict template too. Raises CampaignNotFound,
    ContactNotFound, TemplateNotFound, TemplateInvalid, RenderError, SegmentInvalid, SampleTooSlow.
    """
    found = await get_campaign(tx, workspace=workspace, campaign=campaign)
    said, written = await _said(tx, workspace, found, public_url)
    person = contact or await _somebody(tx, workspace, found, now)
    values = await contacts.contact_values(tx, workspace=workspace, contact=person, over={})
    shown = await _filled_in(said, written, values, token=None, marked=marked, now=now)
    return CampaignPreview(shown, person)


async def send_campaign_test(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    campaign: CampaignId,
    to: Sequence[str],
    contact: ContactId | None = None,
    variables: Mapping[str, Any] | None = None,
    subject_prefix: str = "[Test] ",
    keys: Keyring,
    by: Principal,
    public_url: str,
    now: datetime,
) -> list[MessageId]:
    """Queue it to these addresses, as `contact` would get it, or else somebody of its audience; `variables` go over their
    values.

    Its header fields are a campaign's, its files go along, and it goes the campaign's way. Its links lead straight to where
    they go and it has no pixel, so that nothing is counted, and its way to leave takes nobody off anything. Raises what
    preview_campaign raises, InvalidAddress naming `to[…]`, MessageInvalid.
    """
    addresses = normalise_emails(to, field="to")
    found = await get_campaign(tx, workspace=workspace, campaign=campaign)
    said, written = await _said(tx, workspace, found, public_url)
    person = contact or await _somebody(tx, workspace, found, now)
    values = await contacts.contact_values(tx, workspace=workspace, contact=person, over=variables or {})
    # A token of nobody: its pages are there, and there is nobody for whom they could change anything.
    token = Tokens(keys).for_send(workspace, SendId(0))(0, 0)
    shown = await _filled_in(said, written, values, token=token, marked=False, now=now)
    queued: list[MessageId] = []
    for address in addresses:
        message = Message(
            to_email=address,
            subject=content.as_liquid(subject_prefix + shown.subject),
            html=content.as_liquid(shown.html),
            text=content.as_liquid(shown.text),
            sender_email=said.sender_email,
            sender_name=said.sender_name,
            reply_to=said.reply_to,
            attached=said.attached,
            as_campaign=CampaignHeaders(said.list_id, said.list_name, said.feedback_id, token),
        )
        number = await delivery.queue_message(
            tx,
            workspace=workspace,
            message=message,
            provider=found.provider_id,
            route=found.route_id,
            keys=keys,
            public_url=public_url,
            now=now,
        )
        queued.append(number)
    await audit(tx, by=by, action="campaign.tested", subject=public_id("campaign", campaign), now=now)
    return queued


async def _said(
    tx: Tx, workspace: WorkspaceId, campaign: Campaign, public_url: str
) -> tuple[SendContent, content.Written]:
    if campaign.send_id is not None:
        launched = await delivery.public_content(tx, workspace=workspace, sends=[campaign.send_id])
        if launched and isinstance(launched[0].content, SendContent):
            return launched[0].content, await _written(tx, workspace, campaign, launched[0].template)
    basis = await basis_of(tx, workspace=workspace, campaign=campaign)
    return basis.said_by(campaign, public_url=public_url), basis.frozen.written


async def _written(
    tx: Tx, workspace: WorkspaceId, campaign: Campaign, launched: tuple[TemplateId, int] | None
) -> content.Written:
    """What a launched message was made of; a template may have been deleted since."""
    try:
        template, version = launched or (campaign.template_id, None)
        return await content.written_of(
            tx, workspace=workspace, template=template, version=version, preheader=campaign.preheader
        )
    except content.TemplateNotFound:
        return content.Written()


async def _somebody(tx: Tx, workspace: WorkspaceId, campaign: Campaign, now: datetime) -> ContactId | None:
    """Somebody who would get it."""
    rows = await recipients.sample_recipients(
        tx, workspace=workspace, audience=campaign.audience, limit=1, now=now, quick=True
    )
    return ContactId(rows[0]["id"]) if rows else None


async def _filled_in(
    said: SendContent,
    written: content.Written,
    values: Mapping[str, Any],
    *,
    token: str | None,
    marked: bool,
    now: datetime,
) -> content.Preview:
    return await content.preview(
        subject=said.subject,
        html_content=said.html,
        text_content=said.text,
        preheader=said.preheader,
        variables={"campaign": {"name": said.campaign_name}, **values},
        workspace_name=said.workspace_name,
        postal_address=said.postal_address,
        public_url=said.public_url,
        now=now,
        campaign_id=said.campaign_id,
        token=token or "preview",
        strict=False if marked else None,
        marked=marked,
        written=written,
    )
