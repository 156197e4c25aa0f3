"""Pause, resume and cancel; and keeping campaigns in step with their sends."""

from datetime import datetime

from tidings import delivery
from tidings.accounts import Principal, audit
from tidings.campaigns._campaign import COLUMNS, Campaign, CampaignStatus, get_campaign, of_row, require
from tidings.core.db import Tx
from tidings.core.ids import CampaignId, WorkspaceId, public_id

_FOLLOW = """
UPDATE campaigns AS c
SET status = CASE s.status WHEN 'done' THEN 'sent' WHEN 'paused' THEN 'paused' ELSE 'cancelled' END::campaign_status,
    status_reason = s.reason, finished_at = s.finished_at, updated_at = $1
FROM sends AS s
WHERE c.status = 'sending' AND s.workspace_id = c.workspace_id AND s.id = c.send_id
  AND s.status IN ('done', 'paused', 'cancelled')
  -- As it was when this statement began: who changes a campaign meanwhile may have changed its send, which is not seen here.
  AND c.xmin = (SELECT o.xmin FROM campaigns AS o WHERE o.workspace_id = c.workspace_id AND o.id = c.id)
RETURNING c.id
"""


async def pause(tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, by: Principal, now: datetime) -> Campaign:
    """Hand nothing more over, within a second. Raises WrongState unless it is sending."""
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(before, "be paused", CampaignStatus.SENDING)
    assert before.send_id is not None
    paused = await delivery.pause_send(tx, workspace=workspace, send=before.send_id)
    # It may have ended this very moment: then it is sent, and there is nothing to pause.
    target = CampaignStatus.PAUSED if paused else CampaignStatus.SENT
    after = await _move(tx, before, workspace, target, now)
    require(after, "be paused", CampaignStatus.PAUSED)
    await audit(tx, by=by, action="campaign.paused", subject=public_id("campaign", campaign), now=now)
    return after


async def resume(tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, by: Principal, now: datetime) -> Campaign:
    """Go on with exactly those who were not reached yet. Raises WrongState unless it is paused."""
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(before, "be resumed", CampaignStatus.PAUSED)
    assert before.send_id is not None
    await delivery.resume_send(tx, workspace=workspace, send=before.send_id)
    await delivery.forgive(tx, workspace=workspace, send=before.send_id)
    after = await _move(tx, before, workspace, CampaignStatus.SENDING, now)
    await audit(tx, by=by, action="campaign.resumed", subject=public_id("campaign", campaign), now=now)
    return after


async def cancel(tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, by: Principal, now: datetime) -> Campaign:
    """Stop for good; who was not reached yet never will be. Raises WrongState if it is sent or cancelled already."""
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(
        before,
        "be cancelled",
        CampaignStatus.DRAFT,
        CampaignStatus.SCHEDULED,
        CampaignStatus.SENDING,
        CampaignStatus.PAUSED,
    )
    if before.send_id is not None and not await delivery.cancel_send(tx, workspace=workspace, send=before.send_id):
        after = await _move(tx, before, workspace, CampaignStatus.SENT, now)
        require(after, "be cancelled", CampaignStatus.SENDING, CampaignStatus.PAUSED)
    after = await _move(tx, before, workspace, CampaignStatus.CANCELLED, now)
    await audit(tx, by=by, action="campaign.cancelled", subject=public_id("campaign", campaign), now=now)
    return after


async def retry_failed(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, include_unknown: bool = False, by: Principal, now: datetime
) -> tuple[Campaign, int]:
    """Try again everyone who has failed; returns how many. A sent campaign is sending again, a paused one stays paused.

    `include_unknown`: those as well whose message may have arrived. Who left or was suppressed meanwhile is skipped.
    Raises WrongState unless it is sending, paused or sent, AttachmentDeleted if a file that it brought along is gone,
    ProviderDeleted if what it went through is.
    """
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(before, "be tried again", CampaignStatus.SENDING, CampaignStatus.PAUSED, CampaignStatus.SENT)
    assert before.send_id is not None
    many = await delivery.retry_failed(
        tx, workspace=workspace, send=before.send_id, include_unknown=include_unknown, now=now
    )
    if not many:
        return before, 0
    # A paused one keeps saying why it stands still.
    still = before.status == CampaignStatus.PAUSED
    after = before if still else await _move(tx, before, workspace, CampaignStatus.SENDING, now)
    await audit(tx, by=by, action="campaign.retried", subject=public_id("campaign", campaign), now=now)
    return after, many


async def follow_sends(tx: Tx, *, now: datetime) -> int:
    """Campaigns whose sends ended, or stopped by themselves, say so; returns how many."""
    return len(await tx.fetch(_FOLLOW, now))


async def _move(tx: Tx, campaign: Campaign, workspace: WorkspaceId, target: CampaignStatus, now: datetime) -> Campaign:
    row = await tx.fetchrow(
        f"""
        UPDATE campaigns SET status = $3::text::campaign_status, status_reason = '', updated_at = $4,
            finished_at = CASE WHEN $3 IN ('cancelled', 'sent') THEN $4::timestamptz END
        WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
        """,  # noqa: S608 - our own column names
        workspace,
        campaign.id,
        target,
        now,
    )
    return of_row(row)
