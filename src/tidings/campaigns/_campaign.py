"""A campaign: what is sent to whom, by whom and when. Reading and writing it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tidings import content
from tidings.accounts import Principal, audit
from tidings.audience import addresses, lists, recipients
from tidings.audience.recipients import Audience
from tidings.campaigns._errors import CampaignNotFound, WrongState
from tidings.compliance import preflight
from tidings.core.db import Tx
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import (
    AttachmentId,
    CampaignId,
    ListId,
    ProviderId,
    RouteId,
    SegmentId,
    SendId,
    TemplateId,
    WorkspaceId,
    public_id,
)
from tidings.delivery import ProviderNotFound, RouteNotFound, find_way


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    """Being written."""
    SCHEDULED = "scheduled"
    """Goes out by itself at its schedule_time."""
    SENDING = "sending"
    """Going out."""
    SENT = "sent"
    """Everyone was attempted."""
    PAUSED = "paused"
    """Stopped, by a person or by itself (`status_reason` says why); can go on."""
    CANCELLED = "cancelled"
    """Stopped for good."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row of campaigns. `subject` and `preheader` '' mean the template's; it goes through `provider_id` or
    `route_id`; both None mean the workspace's default."""

    id: CampaignId
    name: str
    subject: str
    template_id: TemplateId
    sender_email: str
    sender_name: str
    reply_to: str
    list_ids: Sequence[ListId]
    exclude_list_ids: Sequence[ListId]
    segment_ids: Sequence[SegmentId]
    exclude_segment_ids: Sequence[SegmentId]
    provider_id: ProviderId | None
    route_id: RouteId | None
    attachment_ids: Sequence[AttachmentId]
    """Files that go along, beside the template's."""
    status: CampaignStatus
    schedule_time: datetime | None
    send_id: SendId | None
    status_reason: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    preheader: str
    archive: bool
    """Anybody may read it on the web, once it is sent."""

    @property
    def audience(self) -> Audience:
        """Whom it goes to."""
        return Audience(self.list_ids, self.exclude_list_ids, self.segment_ids, self.exclude_segment_ids)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person may say of a campaign."""

    name: str
    subject: str
    template_id: TemplateId
    sender_email: str
    sender_name: str
    list_ids: Sequence[ListId] = ()
    exclude_list_ids: Sequence[ListId] = ()
    segment_ids: Sequence[SegmentId] = ()
    exclude_segment_ids: Sequence[SegmentId] = ()
    reply_to: str = ""
    provider_id: ProviderId | None = None
    route_id: RouteId | None = None
    attachment_ids: Sequence[AttachmentId] = ()
    schedule_time: datetime | None = None
    preheader: str = ""
    archive: bool = False

    @property
    def audience(self) -> Audience:
        """Whom it goes to."""
        return Audience(self.list_ids, self.exclude_list_ids, self.segment_ids, self.exclude_segment_ids)


COLUMNS = ", ".join(Campaign.__slots__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LATEST = timedelta(days=5 * 366)


async def create_campaign(tx: Tx, *, workspace: WorkspaceId, draft: Draft, by: Principal, now: datetime) -> Campaign:
    """Write a campaign down: a draft, or scheduled if it says when. Raises Invalid naming fields, NotReady."""
    draft = await _checked(tx, workspace, draft, now)
    row = await tx.fetchrow(
        f"""
        INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, reply_to, list_ids,
            exclude_list_ids, segment_ids, exclude_segment_ids, provider_id, schedule_time, status, attachment_ids, preheader,
            archive, route_id, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19) RETURNING {COLUMNS}
        """,  # noqa: S608 - our own column names
        workspace,
        *_values(draft),
        now,
    )
    campaign = of_row(row)
    await audit(tx, by=by, action="campaign.created", subject=public_id("campaign", campaign.id), now=now)
    return campaign


async def get_campaign(tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, lock: bool = False) -> Campaign:
    """One campaign; `lock` keeps others from moving it until the transaction ends. Raises CampaignNotFound."""
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM campaigns WHERE workspace_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",  # noqa: S608
        workspace,
        campaign,
    )
    if row is None:
        raise CampaignNotFound(f"there is no campaign {public_id('campaign', campaign)}")
    return of_row(row)


async def list_campaigns(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    status: CampaignStatus | None = None,
    before: int | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[Campaign]:
    """Newest first: `limit` of them after `offset`, or those with ids below `before`."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM campaigns
        WHERE workspace_id = $1 AND ($2::text IS NULL OR status = $2::text::campaign_status)
          AND ($3::bigint IS NULL OR id < $3)
        ORDER BY id DESC OFFSET $4 LIMIT $5
        """,  # noqa: S608
        workspace,
        status,
        before,
        offset,
        limit,
    )
    return [of_row(row) for row in rows]


async def count_campaigns(tx: Tx, *, workspace: WorkspaceId, status: CampaignStatus | None = None) -> int:
    """How many `list_campaigns` would find in all."""
    return await tx.fetchval(
        """
        SELECT count(*) FROM campaigns
        WHERE workspace_id = $1 AND ($2::text IS NULL OR status = $2::text::campaign_status)
        """,
        workspace,
        status,
    )


async def update_campaign(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, changes: dict[str, Any], by: Principal, now: datetime
) -> Campaign:
    """Change fields of a draft or scheduled campaign, or `archive` alone of any; `changes` has names of `Draft`.

    Raises WrongState, Invalid naming the fields, NotReady.
    """
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    if set(changes) == {"archive"}:  # what was sent can be put on the web, and taken away, at any time
        return await _put_in_archive(tx, workspace, campaign, in_it=changes["archive"], by=by, now=now)
    require(before, "be changed", CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
    told = {name: getattr(before, name) for name in Draft.__slots__} | changes
    # A time that was fine when it was set is not judged again when something else is changed.
    draft = await _checked(tx, workspace, Draft(**told), now if "schedule_time" in changes else None)
    row = await tx.fetchrow(
        f"""
        UPDATE campaigns SET name = $3, subject = $4, template_id = $5, sender_email = $6, sender_name = $7, reply_to = $8,
            list_ids = $9, exclude_list_ids = $10, segment_ids = $11, exclude_segment_ids = $12, provider_id = $13,
            schedule_time = $14, status = $15, attachment_ids = $16, status_reason = '', preheader = $17, archive = $18,
            route_id = $19, updated_at = $20
        WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
        """,  # noqa: S608
        workspace,
        campaign,
        *_values(draft),
        now,
    )
    await audit(tx, by=by, action="campaign.updated", subject=public_id("campaign", campaign), now=now)
    return of_row(row)


async def _put_in_archive(
    tx: Tx, workspace: WorkspaceId, campaign: CampaignId, *, in_it: bool, by: Principal, now: datetime
) -> Campaign:
    row = await tx.fetchrow(
        f"UPDATE campaigns SET archive = $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}",  # noqa: S608
        workspace,
        campaign,
        in_it,
        now,
    )
    await audit(tx, by=by, action="campaign.updated", subject=public_id("campaign", campaign), now=now)
    return of_row(row)


async def delete_campaign(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, by: Principal, now: datetime
) -> None:
    """Remove a campaign that is not going out. Who got what stays on record. Raises WrongState."""
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(
        before,
        "be deleted",
        CampaignStatus.DRAFT,
        CampaignStatus.SCHEDULED,
        CampaignStatus.SENT,
        CampaignStatus.CANCELLED,
    )
    await tx.execute("DELETE FROM campaigns WHERE workspace_id = $1 AND id = $2", workspace, campaign)
    await audit(tx, by=by, action="campaign.deleted", subject=public_id("campaign", campaign), now=now)


async def duplicate_campaign(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, by: Principal, now: datetime
) -> Campaign:
    """A new draft with the same content and audience, not scheduled."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, reply_to, list_ids,
            exclude_list_ids, segment_ids, exclude_segment_ids, provider_id, attachment_ids, preheader, archive, route_id,
            created_at, updated_at)
        SELECT workspace_id, left(name, 245) || ' (copy)', subject, template_id, sender_email, sender_name, reply_to, list_ids,
            exclude_list_ids, segment_ids, exclude_segment_ids, provider_id, attachment_ids, preheader, archive, route_id,
            $3, $3
        FROM campaigns WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
        """,  # noqa: S608
        workspace,
        campaign,
        now,
    )
    if row is None:
        raise CampaignNotFound(f"there is no campaign {public_id('campaign', campaign)}")
    copy = of_row(row)
    await audit(tx, by=by, action="campaign.duplicated", subject=public_id("campaign", copy.id), now=now)
    return copy


def require(campaign: Campaign, act: str, *statuses: CampaignStatus) -> None:
    """Raises WrongState unless the campaign's status is one of these."""
    if campaign.status not in statuses:
        raise WrongState(
            f"{public_id('campaign', campaign.id)} is {campaign.status} and cannot {act}: only a campaign that is "
            f"{' or '.join(statuses)} can"
        )


def of_row(row: Any) -> Campaign:
    """A campaign from a row with `COLUMNS`."""
    values: dict[str, Any] = dict(row)
    values["status"] = CampaignStatus(row["status"])
    return Campaign(**values)


async def _checked(tx: Tx, workspace: WorkspaceId, draft: Draft, now: datetime | None) -> Draft:
    """The draft with its addresses normalised, after all checks. Raises Invalid with every field that is wrong, NotReady."""
    problems: list[FieldProblem] = []

    def bad(field: str, message: str) -> None:
        problems.append(FieldProblem(field, message))

    if not draft.name.strip() or len(draft.name) > 255:
        bad("name", "must have between 1 and 255 characters")
    for field, value, longest in (
        ("name", draft.name, 255),
        ("sender_name", draft.sender_name, 255),
    ):
        if _CONTROL.search(value):
            bad(field, "must be one line without control characters")
        elif len(value) > longest:
            bad(field, f"must have at most {longest} characters")
    problems += await content.check_overrides(tx, workspace=workspace, subject=draft.subject, preheader=draft.preheader)
    sender = _address(draft.sender_email, "sender_email", bad)
    reply_to = _address(draft.reply_to, "reply_to", bad) if draft.reply_to else ""
    if not draft.list_ids and not draft.segment_ids:
        bad("contact_list_ids", "name at least one list, or a segment in segment_ids")
    try:
        template = await content.get_template(tx, workspace=workspace, template=draft.template_id)
        theirs = await content.attachments_of(tx, workspace=workspace, ids=template.attachment_ids, field="template_id")
        await content.attachments_of(
            tx, workspace=workspace, ids=draft.attachment_ids, beside=theirs, field="attachment_ids"
        )
    except content.TemplateNotFound as error:
        bad("template_id", error.message)
    except content.AttachmentInvalid as error:
        problems += error.fields
    missing = await lists.missing_lists(tx, workspace=workspace, lists=[*draft.list_ids, *draft.exclude_list_ids])
    for field, ids in (("contact_list_ids", draft.list_ids), ("exclude_list_ids", draft.exclude_list_ids)):
        for position, id_ in enumerate(ids):
            if id_ in missing:
                bad(f"{field}[{position}]", f"there is no list {public_id('list', id_)}")
    problems += await recipients.missing_segments_of(tx, workspace=workspace, audience=draft.audience)
    if draft.provider_id is not None and draft.route_id is not None:
        bad("provider_id", "name a provider or a route, not both")
    elif draft.provider_id is not None or draft.route_id is not None:
        try:
            await find_way(tx, workspace=workspace, provider=draft.provider_id, route=draft.route_id, hold=True)
        except (ProviderNotFound, RouteNotFound) as error:
            bad("provider_id", error.message)
    if draft.schedule_time is not None and now is not None:
        if draft.schedule_time <= now:
            bad("schedule_time", f"lies in the past; it is {now:%Y-%m-%dT%H:%M:%SZ} now")
        elif draft.schedule_time > now + _LATEST:
            bad("schedule_time", "lies more than five years ahead")
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))
    if draft.schedule_time is not None:
        await preflight(
            tx,
            workspace=workspace,
            audience=draft.audience,
            provider=draft.provider_id,
            route=draft.route_id,
            template=draft.template_id,
            subject=draft.subject,
            preheader=draft.preheader,
            now=draft.schedule_time,
        )
    return replace(
        draft,
        sender_email=sender,
        reply_to=reply_to,
        list_ids=list(dict.fromkeys(draft.list_ids)),
        exclude_list_ids=list(dict.fromkeys(draft.exclude_list_ids)),
        segment_ids=list(dict.fromkeys(draft.segment_ids)),
        exclude_segment_ids=list(dict.fromkeys(draft.exclude_segment_ids)),
    )


def _address(text: str, field: str, bad: Any) -> str:
    try:
        return addresses.normalise_email(text)
    except Invalid as error:
        bad(field, error.fields[0].message if error.fields else error.message)
        return text


def _values(draft: Draft) -> list[Any]:
    return [
        draft.name.strip(),
        draft.subject.strip(),
        draft.template_id,
        draft.sender_email,
        draft.sender_name.strip(),
        draft.reply_to,
        list(draft.list_ids),
        list(draft.exclude_list_ids),
        list(draft.segment_ids),
        list(draft.exclude_segment_ids),
        draft.provider_id,
        draft.schedule_time,
        CampaignStatus.SCHEDULED if draft.schedule_time else CampaignStatus.DRAFT,
        list(draft.attachment_ids),
        draft.preheader.strip(),
        draft.archive,
        draft.route_id,
    ]
