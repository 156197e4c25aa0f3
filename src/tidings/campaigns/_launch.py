"""From a campaign to a send: by a person's word, or because its time has come."""

import logging
from datetime import datetime

from tidings import accounts, audience, content, delivery
from tidings.accounts import SYSTEM, Principal, audit
from tidings.campaigns._campaign import COLUMNS, Campaign, CampaignStatus, get_campaign, of_row, require
from tidings.compliance import preflight
from tidings.core.db import Tx
from tidings.core.errors import TidingsError
from tidings.core.ids import CampaignId, WorkspaceId, public_id
from tidings.core.loops import RETRYABLE

_log = logging.getLogger(__name__)


async def launch(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, public_url: str, by: Principal, now: datetime
) -> Campaign:
    """Freeze the campaign's content and queue it; its audience is numbered at once, in the background.

    Raises WrongState unless it is a draft or scheduled, NotReady naming what is missing.
    """
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(before, "be sent", CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
    await preflight(
        tx,
        workspace=workspace,
        audience=before.audience,
        provider=before.provider_id,
        route=before.route_id,
        template=before.template_id,
        subject=before.subject,
        now=now,
    )
    way = await delivery.find_way(tx, workspace=workspace, provider=before.provider_id, route=before.route_id)
    assert way is not None, "preflight looked"
    frozen = await content.freeze(
        tx, workspace=workspace, template=before.template_id, subject=before.subject, preheader=before.preheader
    )
    send = await delivery.create_send(
        tx,
        workspace=workspace,
        campaign=campaign,
        provider=way.provider,
        route=way.route,
        audience=before.audience,
        content=await _content(tx, before, frozen, workspace, public_url),
        template=frozen.template,
        template_version=frozen.version,
        now=now,
    )
    row = await tx.fetchrow(
        f"""
        UPDATE campaigns SET status = 'sending', status_reason = '', send_id = $3, started_at = $4, updated_at = $4
        WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
        """,  # noqa: S608 - our own column names
        workspace,
        campaign,
        send,
        now,
    )
    await audit(tx, by=by, action="campaign.sent", subject=public_id("campaign", campaign), now=now)
    return of_row(row)


async def launch_due(tx: Tx, *, public_url: str, now: datetime) -> bool:
    """Launch one campaign whose time has come. False when there is none.

    One that is not ready any more goes back to draft and says why; it is not tried again by itself.
    """
    row = await tx.fetchrow(
        """
        SELECT workspace_id, id FROM campaigns WHERE status = 'scheduled' AND schedule_time <= $1
        ORDER BY schedule_time LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    if row is None:
        return False
    workspace, campaign = WorkspaceId(row["workspace_id"]), CampaignId(row["id"])
    try:
        async with tx.transaction():
            await launch(
                tx, workspace=workspace, campaign=campaign, public_url=public_url, by=SYSTEM(workspace), now=now
            )
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - one campaign must not keep the others from starting
        if not isinstance(error, TidingsError):
            _log.exception("campaign %s cannot be launched", campaign)
        await tx.execute(
            """
            UPDATE campaigns SET status = 'draft', schedule_time = NULL, status_reason = $3, updated_at = $4
            WHERE workspace_id = $1 AND id = $2
            """,
            workspace,
            campaign,
            f"could not start at its time: {error or type(error).__name__}"[:1000],
            now,
        )
    return True


async def _content(
    tx: Tx, campaign: Campaign, frozen: content.FrozenTemplate, workspace: WorkspaceId, public_url: str
) -> delivery.SendContent:
    owner = await accounts.get_workspace(tx, workspace=workspace)
    domain = campaign.sender_email.rpartition("@")[2]
    # RFC 2919: the id of what people are subscribed to, stable for as long as the list lives.
    if len(campaign.list_ids) == 1 and not campaign.segment_ids:
        only = await audience.get_list(tx, workspace=workspace, list=campaign.list_ids[0])
        list_id, list_name = f"list-{only.id}.workspace-{workspace}.{domain}", only.name
    else:
        list_id, list_name = f"campaigns.workspace-{workspace}.{domain}", owner.name
    ours = await content.attachments_of(
        tx, workspace=workspace, ids=campaign.attachment_ids, beside=frozen.attached, field="attachment_ids"
    )
    return delivery.SendContent(
        subject=frozen.subject,
        html=frozen.html,
        text=frozen.text,
        sender_email=campaign.sender_email,
        sender_name=campaign.sender_name,
        reply_to=campaign.reply_to,
        message_domain=domain,
        list_id=list_id,
        list_name=list_name,
        # Campaign, template, kind, and the sender's own stable id of 5 to 15 characters.
        # https://support.google.com/mail/answer/6254652
        feedback_id=f"c{campaign.id}:t{frozen.template}:campaign:tidings-w{workspace}"[:127],
        workspace_name=owner.name,
        postal_address=owner.postal_address,
        campaign_id=campaign.id,
        campaign_name=campaign.name,
        public_url=public_url,
        track_opens=True,
        track_clicks=True,
        attached=(*frozen.attached, *(one.attached for one in ours)),
        preheader=frozen.preheader,
    )
