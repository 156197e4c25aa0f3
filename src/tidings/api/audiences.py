"""Whom a campaign goes to, over HTTP: counted before, accounted for after."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import campaigns, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, CampaignRef, ContactRef, ListRef, SegmentRef
from tidings.api._paging import SIZE_LIMIT
from tidings.api._route import Route
from tidings.audience import addresses, lists
from tidings.audience.recipients import Audience, AudienceCount, count_recipients, missing_segments_of
from tidings.campaigns import Explanation, Why
from tidings.core.errors import Invalid
from tidings.core.ids import CampaignId, ContactId, ListId, SegmentId, public_id
from tidings.delivery import DeliveryState, Recipient

router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=Route)

Reading = Annotated[Call, needs("campaigns:read")]
Lists = Annotated[list[ListRef], Field(max_length=1000, default_factory=list)]
Segments = Annotated[list[SegmentRef], Field(max_length=100, default_factory=list)]


class AudienceIn(Body):
    """Whoever is on one of the lists or in one of the segments, but on no excluded list and in no excluded segment."""

    contact_list_ids: Lists
    exclude_list_ids: Lists
    segment_ids: Segments
    exclude_segment_ids: Segments

    def audience(self) -> Audience:
        """As the slices know it. Raises Invalid if nobody is named."""
        if not self.contact_list_ids and not self.segment_ids:
            raise Invalid.at("contact_list_ids", "name at least one list, or a segment in segment_ids")
        return Audience(
            [ListId(id_) for id_ in self.contact_list_ids],
            [ListId(id_) for id_ in self.exclude_list_ids],
            [SegmentId(id_) for id_ in self.segment_ids],
            [SegmentId(id_) for id_ in self.exclude_segment_ids],
        )


class AudienceOut(BaseModel):
    """What a launch at this moment would number: exactly, not an estimate."""

    recipients: int = Field(description="all of the audience: mailable and skipped")
    mailable: int = Field(description="those who would be mailed")
    skipped: dict[str, int] = Field(description="those who would not, by reason, such as `suppressed:bounced`")

    @classmethod
    def of(cls, count: AudienceCount) -> "AudienceOut":
        """As JSON shows it."""
        return cls(recipients=count.recipients, mailable=count.mailable, skipped=count.skipped)


class RecipientOut(BaseModel):
    """One recipient of a campaign."""

    contact_id: str
    email: str | None = Field(description="null once the contact was deleted")
    state: DeliveryState
    detail: str = Field(description="the server's answer, or why they were skipped")
    at: datetime | None = Field(description="since when they are in this state")
    attempts: int
    possible_duplicate: bool
    retry_at: datetime | None = Field(description="when a deferred one is tried again")
    number: int = Field(description="1 … total_recipients")

    @classmethod
    def of(cls, recipient: Recipient) -> "RecipientOut":
        """As JSON shows it."""
        return cls(
            contact_id=public_id("contact", recipient.contact),
            email=recipient.email,
            state=recipient.state,
            detail=recipient.detail,
            at=recipient.at,
            attempts=recipient.attempts,
            possible_duplicate=recipient.possible_duplicate,
            retry_at=recipient.due_at,
            number=recipient.n,
        )


class Recipients(BaseModel):
    """Recipients in the order of their numbers."""

    items: list[RecipientOut]
    next_after: int | None = Field(description="`after` of the next page; null on the last")


class ReasonOut(BaseModel):
    """One reason."""

    code: Why
    text: str


class ExplanationOut(BaseModel):
    """Why someone got a campaign, or did not. `recipient` is null if they were not in its audience."""

    campaign_id: str
    contact_id: str | None = Field(description="null: the address is no contact's; of a merged one, who they are now")
    email: str | None
    recipient: RecipientOut | None
    reasons: list[ReasonOut]


@router.post("/audience", summary="Count an audience")
async def count_audience(body: AudienceIn, call: Reading) -> AudienceOut:
    """How many recipients a campaign to these would have now, and how many of them may not be mailed, by reason."""
    whom = body.audience()
    problems = await missing_segments_of(call.tx, workspace=call.workspace, audience=whom)
    missing = await lists.missing_lists(call.tx, workspace=call.workspace, lists=[*whom.lists, *whom.excluded_lists])
    for field, ids in (("contact_list_ids", whom.lists), ("exclude_list_ids", whom.excluded_lists)):
        problems += [
            Invalid.at(f"{field}[{position}]", f"there is no list {public_id('list', id_)}").fields[0]
            for position, id_ in enumerate(ids)
            if id_ in missing
        ]
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))
    count = await count_recipients(call.tx, workspace=call.workspace, audience=whom, now=call.now)
    return AudienceOut.of(count)


@router.get("/{campaign_id}/audience", summary="Count the audience of a campaign")
async def campaign_audience(campaign_id: CampaignRef, call: Reading) -> AudienceOut:
    """What a launch at this moment would number. Once it was launched, `total_recipients` says what it did number."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    count = await count_recipients(call.tx, workspace=call.workspace, audience=campaign.audience, now=call.now)
    return AudienceOut.of(count)


@router.get("/{campaign_id}/recipients", summary="List the recipients of a campaign")
async def campaign_recipients(
    campaign_id: CampaignRef,
    call: Reading,
    state: Annotated[DeliveryState | None, Query(description="only those in this state")] = None,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="next_after of the page before")] = 0,
    page_size: Annotated[int, Query(ge=1, le=SIZE_LIMIT)] = 50,
) -> Recipients:
    """Who was to get it, and what became of each: delivered, failed and why, skipped and why. Empty before the launch."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    if campaign.send_id is None:
        return Recipients(items=[], next_after=None)
    found = await delivery.list_recipients(
        call.tx, workspace=call.workspace, send=campaign.send_id, state=state, after=after, limit=page_size
    )
    more = len(found) == page_size
    return Recipients(items=[RecipientOut.of(one) for one in found], next_after=found[-1].n if more else None)


@router.get("/{campaign_id}/recipients/{contact_id}", summary="Why did they get it, or not?")
async def explain_recipient(campaign_id: CampaignRef, contact_id: ContactRef, call: Reading) -> ExplanationOut:
    """What became of one contact in a campaign, and if nothing did, why: each reason with a code and a sentence."""
    campaign = CampaignId(campaign_id)
    told = await campaigns.explain(
        call.tx, workspace=call.workspace, campaign=campaign, contact=ContactId(contact_id), now=call.now
    )
    return _explained(campaign, told)


@router.get("/{campaign_id}/why", summary="Why did this address get it, or not?")
async def explain_address(
    campaign_id: CampaignRef,
    call: Reading,
    email: Annotated[str, Query(max_length=320, description="an address; required")] = "",
) -> ExplanationOut:
    """The same question by address: `?email=ann@example.com`. That it is no contact, or no more, is an answer, too."""
    campaign = CampaignId(campaign_id)
    await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=campaign)
    told = await campaigns.explain_address(
        call.tx,
        workspace=call.workspace,
        campaign=campaign,
        email=addresses.normalise_email(email),
        keys=call.app.keys,
        now=call.now,
    )
    return _explained(campaign, told)


def _explained(campaign: CampaignId, told: Explanation) -> ExplanationOut:
    return ExplanationOut(
        campaign_id=public_id("campaign", campaign),
        contact_id=None if told.contact is None else public_id("contact", told.contact),
        email=told.email,
        recipient=None if told.recipient is None else RecipientOut.of(told.recipient),
        reasons=[ReasonOut(code=reason.code, text=reason.text) for reason in told.reasons],
    )
