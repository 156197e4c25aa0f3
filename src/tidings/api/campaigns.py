"""Campaigns over HTTP."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from tidings import campaigns
from tidings.api._deps import Call, needs
from tidings.api._fields import (
    AttachmentRef,
    Body,
    CampaignRef,
    Flag,
    Line,
    ListRef,
    Name,
    SegmentRef,
    TemplateRef,
    WayRef,
)
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.audience import lists
from tidings.campaigns import Campaign, CampaignStatus, Counts, Draft, Rates
from tidings.core.ids import AttachmentId, CampaignId, ListId, SegmentId, TemplateId, public_id
from tidings.delivery import Way

_WHY = "why it is paused, or a draft again; of one that is sent: that too much of it failed or bounced"
router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=Route)

Reading = Annotated[Call, needs("campaigns:read")]
Writing = Annotated[Call, needs("campaigns:write")]
Sending = Annotated[Call, needs("campaigns:send")]
Lists = Annotated[list[ListRef], Field(max_length=1000)]
Segments = Annotated[list[SegmentRef], Field(max_length=100)]
Attachments = Annotated[list[AttachmentRef], Field(max_length=20)]
Subject = Annotated[str, Field(max_length=998, description="Liquid; empty: the template's subject")]

Preheader = Annotated[str, Field(max_length=500, description="Liquid, one line; empty: the template's preheader")]
Archive = Annotated[Flag, Field(description="anybody may read it in the web archive, once it is sent")]


class NewCampaign(Body):
    """What is sent to whom, by whom, and when."""

    name: Name
    subject: Subject = ""
    template_id: TemplateRef
    sender_email: Annotated[str, Field(max_length=320)]
    sender_name: Line = ""
    reply_to: Annotated[str, Field(max_length=320)] = ""
    contact_list_ids: Annotated[Lists, Field(default_factory=list, description="needed unless there are segment_ids")]
    exclude_list_ids: Lists = Field(default_factory=list)
    segment_ids: Annotated[
        Segments, Field(default_factory=list, description="whoever is in one of them at the launch, too")
    ]
    exclude_segment_ids: Segments = Field(default_factory=list)
    provider_id: Annotated[
        WayRef | None, Field(description="a provider or a route; null: the workspace's default at launch")
    ] = None
    attachment_ids: Annotated[Attachments, Field(description="files that go along, beside the template's")] = Field(
        default_factory=list
    )
    schedule_time: Annotated[
        AwareDatetime | None, Field(description="with its offset from UTC; null: when `send` is called")
    ] = None
    preheader: Preheader = ""
    archive: Archive = False


class CampaignChanges(Body):
    """What to change in a draft or scheduled campaign; what is left out stays."""

    name: Name | None = None
    subject: Subject | None = None
    template_id: TemplateRef | None = None
    sender_email: Annotated[str | None, Field(max_length=320)] = None
    sender_name: Line | None = None
    reply_to: Annotated[str | None, Field(max_length=320)] = None
    contact_list_ids: Lists | None = None
    exclude_list_ids: Lists | None = None
    segment_ids: Segments | None = None
    exclude_segment_ids: Segments | None = None
    provider_id: WayRef | None = None
    attachment_ids: Attachments | None = None
    schedule_time: AwareDatetime | None = None
    preheader: Preheader | None = None
    archive: Archive | None = None

    def told(self) -> dict[str, Any]:
        """The fields that were given, by the names of `Draft`. Null clears what may be empty, and changes nothing else."""
        given = self.model_dump(exclude_unset=True, exclude={"provider_id"})
        names = {"contact_list_ids": "list_ids"}
        told = {names.get(k, k): v for k, v in given.items() if v is not None or k == "schedule_time"}
        if "provider_id" in self.model_fields_set:
            way = self.provider_id or Way()
            told |= {"provider_id": way.provider, "route_id": way.route}
        return told


class CampaignOut(BaseModel):
    """A campaign and its counts so far."""

    id: str
    campaign_id: str
    name: str
    subject: str
    template_id: str
    sender_email: str
    sender_name: str
    reply_to: str
    contact_list_ids: list[str]
    exclude_list_ids: list[str]
    segment_ids: list[str]
    exclude_segment_ids: list[str]
    provider_id: str | None
    attachment_ids: list[str]
    status: CampaignStatus
    status_reason: str = Field(description=_WHY)
    schedule_time: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    total_recipients: int
    sent_count: int
    delivered_count: int
    awaiting_count: int
    opened_count: int
    human_opened_count: int
    clicked_count: int
    human_clicked_count: int
    bounced_count: int
    unsubscribed_count: int
    complained_count: int
    pending_count: int
    deferred_count: int
    failed_count: int
    skipped_count: int
    cancelled_count: int
    unknown_count: int
    possible_duplicate_count: int
    preheader: str
    archive: bool

    @classmethod
    def of(cls, campaign: Campaign, counts: Counts) -> "CampaignOut":
        """As JSON shows it."""
        id_ = public_id("campaign", campaign.id)
        return cls(
            id=id_,
            campaign_id=id_,
            name=campaign.name,
            subject=campaign.subject,
            template_id=public_id("template", campaign.template_id),
            sender_email=campaign.sender_email,
            sender_name=campaign.sender_name,
            reply_to=campaign.reply_to,
            contact_list_ids=[public_id("list", id_) for id_ in campaign.list_ids],
            exclude_list_ids=[public_id("list", id_) for id_ in campaign.exclude_list_ids],
            segment_ids=[public_id("segment", id_) for id_ in campaign.segment_ids],
            exclude_segment_ids=[public_id("segment", id_) for id_ in campaign.exclude_segment_ids],
            provider_id=Way(campaign.provider_id, campaign.route_id).public
            if campaign.provider_id or campaign.route_id
            else None,
            attachment_ids=[public_id("attachment", id_) for id_ in campaign.attachment_ids],
            status=campaign.status,
            status_reason=campaign.status_reason,
            schedule_time=campaign.schedule_time,
            created_at=campaign.created_at,
            updated_at=campaign.updated_at,
            started_at=campaign.started_at,
            finished_at=campaign.finished_at,
            preheader=campaign.preheader,
            archive=campaign.archive,
            **asdict(counts),
        )


class Analytics(BaseModel):
    """A campaign's counts and rates. Rates are fractions between 0 and 1."""

    campaign_id: str
    status: CampaignStatus
    counts: Counts
    rates: Rates


class Retry(Body):
    """Whom to try again."""

    include_unknown: Flag = Field(
        default=False, description="those too whose message may have arrived: some may get it twice"
    )


class Retried(BaseModel):
    """How many are tried again, in the background."""

    campaign_id: str
    status: CampaignStatus
    retrying: int


class Realtime(BaseModel):
    """A campaign in motion. Unless it is `sending`, its speed is 0 and `seconds_left` null."""

    campaign_id: str
    status: CampaignStatus
    status_reason: str = Field(description=_WHY)
    percent: float = Field(description="of all recipients, those no longer pending")
    messages_per_second: float = Field(description="over the last ten seconds; at the first look, since the start")
    seconds_left: float | None = Field(description="null while nothing moves")
    provider_health: str = Field(description="empty while nothing is wrong")
    counts: Counts


@router.post("", status_code=201)
async def create_campaign(body: NewCampaign, call: Writing) -> CampaignOut:
    """Create a draft, or with `schedule_time` a scheduled campaign."""
    draft = Draft(
        name=body.name,
        subject=body.subject,
        template_id=TemplateId(body.template_id),
        sender_email=body.sender_email,
        sender_name=body.sender_name,
        reply_to=body.reply_to,
        list_ids=[ListId(id_) for id_ in body.contact_list_ids],
        exclude_list_ids=[ListId(id_) for id_ in body.exclude_list_ids],
        segment_ids=[SegmentId(id_) for id_ in body.segment_ids],
        exclude_segment_ids=[SegmentId(id_) for id_ in body.exclude_segment_ids],
        provider_id=body.provider_id.provider if body.provider_id else None,
        route_id=body.provider_id.route if body.provider_id else None,
        attachment_ids=[AttachmentId(id_) for id_ in body.attachment_ids],
        schedule_time=body.schedule_time,
        preheader=body.preheader,
        archive=body.archive,
    )
    campaign = await campaigns.create_campaign(
        call.tx, workspace=call.workspace, draft=draft, by=call.principal, now=call.now
    )
    return CampaignOut.of(campaign, Counts())


@router.get("")
async def list_campaigns(
    call: Reading, paging: Paged, status: Annotated[CampaignStatus | None, Query()] = None
) -> Page[CampaignOut]:
    """Campaigns, newest first."""
    found = await campaigns.list_campaigns(
        call.tx,
        workspace=call.workspace,
        status=status,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = (
        None
        if paging.before is not None
        else await campaigns.count_campaigns(call.tx, workspace=call.workspace, status=status)
    )
    counts = await campaigns.counts_of(call.tx, workspace=call.workspace, campaigns=found)
    items = [CampaignOut.of(campaign, c) for campaign, c in zip(found, counts, strict=True)]
    return paging.of(items, last_id=found[-1].id if found else None, total=total)


class ArchiveOut(BaseModel):
    """Where the web archive is. Campaigns with `archive` are in it once they are sent."""

    url: str
    feed_url: str


@router.get("/archive", summary="Where the web archive is")
async def get_archive(
    call: Reading, list_id: Annotated[ListRef | None, Query(description="left out: of the whole workspace")] = None
) -> ArchiveOut:
    """The addresses of the workspace's archive and its feed, or those of one list. Empty archives are not found there."""
    of_list = None if list_id is None else ListId(list_id)
    if of_list is not None:
        await lists.get_list(call.tx, workspace=call.workspace, list=of_list)
    token = campaigns.ArchiveTokens(call.app.keys).token(campaigns.Archive(call.workspace, of_list))
    url = f"{call.app.public_url}/a/{token}"
    return ArchiveOut(url=url, feed_url=f"{url}/feed.xml")


@router.get("/{campaign_id}")
async def get_campaign(campaign_id: CampaignRef, call: Reading) -> CampaignOut:
    """One campaign, with its counts so far."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    return await _out(call, campaign)


@router.put("/{campaign_id}", name="put_campaign")
@router.patch("/{campaign_id}")
async def update_campaign(campaign_id: CampaignRef, body: CampaignChanges, call: Writing) -> CampaignOut:
    """Change a draft or scheduled campaign. A `schedule_time` schedules it; null makes it a draft again."""
    campaign = await campaigns.update_campaign(
        call.tx,
        workspace=call.workspace,
        campaign=CampaignId(campaign_id),
        changes=body.told(),
        by=call.principal,
        now=call.now,
    )
    return CampaignOut.of(campaign, Counts())


@router.delete("/{campaign_id}", status_code=204)
async def delete_campaign(campaign_id: CampaignRef, call: Writing) -> None:
    """Delete a campaign that is not going out. What was delivered stays on record."""
    await campaigns.delete_campaign(
        call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id), by=call.principal, now=call.now
    )


@router.post("/{campaign_id}/send")
async def send_campaign(campaign_id: CampaignRef, call: Sending) -> CampaignOut:
    """Send a draft or scheduled campaign now. Its content is frozen, its audience numbered at once in the background."""
    campaign = await campaigns.launch(
        call.tx,
        workspace=call.workspace,
        campaign=CampaignId(campaign_id),
        public_url=call.app.public_url,
        by=call.principal,
        now=call.now,
    )
    return await _out(call, campaign)


@router.post("/{campaign_id}/pause")
async def pause_campaign(campaign_id: CampaignRef, call: Sending) -> CampaignOut:
    """Hand nothing more over, within a second."""
    campaign = await campaigns.pause(
        call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id), by=call.principal, now=call.now
    )
    return await _out(call, campaign)


@router.post("/{campaign_id}/resume")
async def resume_campaign(campaign_id: CampaignRef, call: Sending) -> CampaignOut:
    """Go on with exactly those who were not reached yet."""
    campaign = await campaigns.resume(
        call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id), by=call.principal, now=call.now
    )
    return await _out(call, campaign)


@router.post("/{campaign_id}/retry")
async def retry_campaign(campaign_id: CampaignRef, body: Retry, call: Sending) -> Retried:
    """Try again everyone who has failed so far, after the cause is mended. Who left meanwhile is skipped.

    A sent campaign is sending again; a paused one does it when it is resumed.
    """
    campaign, retrying = await campaigns.retry_failed(
        call.tx,
        workspace=call.workspace,
        campaign=CampaignId(campaign_id),
        include_unknown=body.include_unknown,
        by=call.principal,
        now=call.now,
    )
    return Retried(campaign_id=public_id("campaign", campaign.id), status=campaign.status, retrying=retrying)


@router.post("/{campaign_id}/cancel")
async def cancel_campaign(campaign_id: CampaignRef, call: Sending) -> CampaignOut:
    """Stop for good. Who was not reached yet never will be."""
    campaign = await campaigns.cancel(
        call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id), by=call.principal, now=call.now
    )
    return await _out(call, campaign)


@router.post("/{campaign_id}/duplicate", status_code=201)
async def duplicate_campaign(campaign_id: CampaignRef, call: Writing) -> CampaignOut:
    """A new draft with the same content and audience."""
    campaign = await campaigns.duplicate_campaign(
        call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id), by=call.principal, now=call.now
    )
    return CampaignOut.of(campaign, Counts())


@router.get("/{campaign_id}/analytics", summary="Counts and rates of a campaign")
async def campaign_analytics(campaign_id: CampaignRef, call: Reading) -> Analytics:
    """Counts and rates. Opens and clicks count recipients, once each: all of them, and people alone (`human_…`)."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    (counts,) = await campaigns.counts_of(call.tx, workspace=call.workspace, campaigns=[campaign])
    return Analytics(
        campaign_id=public_id("campaign", campaign.id),
        status=campaign.status,
        counts=counts,
        rates=campaigns.rates_of(counts),
    )


@router.get("/{campaign_id}/stats/realtime", summary="How a campaign is going now")
async def campaign_realtime(campaign_id: CampaignRef, call: Reading) -> Realtime:
    """How a send is going at this moment."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    progress = await campaigns.progress_of(
        call.tx,
        workspace=call.workspace,
        campaign=campaign,
        now=call.now,
        speedometer=call.request.app.state.speedometer,
    )
    return Realtime(
        campaign_id=public_id("campaign", campaign.id),
        status=campaign.status,
        status_reason=campaign.status_reason,
        percent=progress.percent,
        messages_per_second=progress.messages_per_second,
        seconds_left=progress.seconds_left,
        provider_health=progress.provider_health,
        counts=progress.counts,
    )


async def _out(call: Call, campaign: Campaign) -> CampaignOut:
    (counts,) = await campaigns.counts_of(call.tx, workspace=call.workspace, campaigns=[campaign])
    return CampaignOut.of(campaign, counts)
