"""From a campaign to a send: by a person's word, or because its time has come."""

import logging
from datetime import datetime

from tidings import delivery
from tidings.accounts import SYSTEM, Principal, audit
from tidings.campaigns._campaign import COLUMNS, Campaign, CampaignStatus, get_campaign, of_row, require
from tidings.campaigns._content import content_of
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
        preheader=before.preheader,
        now=now,
    )
    way = await delivery.find_way(tx, workspace=workspace, provider=before.provider_id, route=before.route_id)
    assert way is not None, "preflight looked"
    frozen, said = await content_of(tx, workspace=workspace, campaign=before, public_url=public_url)
    send = await delivery.create_send(
        tx,
        workspace=workspace,
        campaign=campaign,
        provider=way.provider,
        route=way.route,
        audience=before.audience,
        content=said,
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
