"""From a campaign to a send: by a person's word, or because its time has come."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings import content, delivery
from tidings.accounts import SYSTEM, Principal, audit_all
from tidings.campaigns._campaign import COLUMNS, Campaign, CampaignStatus, get_campaign, of_row, require
from tidings.campaigns._content import Basis, basis_of
from tidings.compliance import NotReady, preflight
from tidings.core.clock import steady
from tidings.core.db import Tx
from tidings.core.errors import FieldProblem, TidingsError
from tidings.core.ids import CampaignId, WorkspaceId, public_id
from tidings.core.loops import RETRYABLE
from tidings.delivery import NewSend, Way

_log = logging.getLogger(__name__)

_AT_ONCE = 500
_SECONDS = 1.0
"""How long the campaigns of a transaction are looked at: for so long whoever would change one of them waits."""
_HEAVIEST = 8 << 20
"""Characters of what the campaigns of a transaction say."""

# By turns: a workspace with thousands that are due keeps nobody else waiting. Looked up and locked one by one, until there are
# enough: a join may be made in the order of an unlucky plan, for which thousands are millions.
_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT workspace_id, id, row_number() OVER (PARTITION BY workspace_id ORDER BY schedule_time, id) AS turn, schedule_time
    FROM campaigns WHERE status = 'scheduled' AND schedule_time <= $1
    ORDER BY turn, schedule_time, workspace_id
)
SELECT c.*
FROM due
CROSS JOIN LATERAL (
    SELECT workspace_id, {COLUMNS} FROM campaigns AS c
    WHERE c.workspace_id = due.workspace_id AND c.id = due.id AND c.status = 'scheduled' AND c.schedule_time <= $1
    FOR UPDATE SKIP LOCKED
) AS c
LIMIT $2
"""  # noqa: S608 - our own column names

_BEGUN = f"""
UPDATE campaigns AS c SET status = 'sending', status_reason = '', send_id = b.send_id, started_at = $4, updated_at = $4
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS b (workspace_id, id, send_id)
WHERE c.workspace_id = b.workspace_id AND c.id = b.id
RETURNING {", ".join(f"c.{name}" for name in Campaign.__slots__)}
"""  # noqa: S608 - likewise

_REFUSED = """
UPDATE campaigns AS c SET status = 'draft', schedule_time = NULL, status_reason = r.reason, updated_at = $4
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS r (workspace_id, id, reason)
WHERE c.workspace_id = r.workspace_id AND c.id = r.id
"""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A campaign that nothing stands in the way of, and by whose word it goes out."""

    campaign: Campaign
    basis: Basis
    way: Way
    by: Principal


async def launch(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, public_url: str, by: Principal, now: datetime
) -> Campaign:
    """Freeze the campaign's content and queue it; its audience is numbered at once, in the background.

    Raises WrongState unless it is a draft or scheduled, NotReady naming what is missing.
    """
    before = await get_campaign(tx, workspace=workspace, campaign=campaign, lock=True)
    require(before, "be sent", CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
    basis, way = await _looked_at(tx, workspace, before, public_url, now)
    (after,) = await _begin(tx, [_Ready(before, basis, way, by)], public_url, now)
    return after


async def launch_due(tx: Tx, *, public_url: str, now: datetime) -> int:
    """Launch some of the campaigns whose time has come; returns how many, 0 when there is none.

    One that is not ready any more goes back to draft and says why; it is not tried again by itself.
    """
    rows = await tx.fetch(_DUE, now, _AT_ONCE)
    alike: dict[object, list[tuple[WorkspaceId, Campaign]]] = {}
    for workspace_id, *values in rows:
        one = of_row(dict(zip(Campaign.__slots__, values, strict=True)))
        workspace = WorkspaceId(workspace_id)
        alike.setdefault(_alike(workspace, one), []).append((workspace, one))
    ready: list[_Ready] = []
    refused: list[tuple[WorkspaceId, Campaign, Exception]] = []
    weight, begun = 0, steady()
    for some in alike.values():
        workspace, first = some[0]
        try:
            async with tx.transaction():
                basis, way = await _looked_at(tx, workspace, first, public_url, now)
        except RETRYABLE:
            raise
        except Exception as error:  # noqa: BLE001 - one campaign must not keep the others from starting
            refused += [(workspace, one, error) for _, one in some]
        else:
            each = len(basis.frozen.html) + len(basis.frozen.text)
            fitting = max(1, (_HEAVIEST - weight) // max(1, each))
            ready += [_Ready(one, basis, way, SYSTEM(workspace)) for _, one in some[:fitting]]
            weight += each * len(some)
        if weight > _HEAVIEST or steady() - begun > _SECONDS:
            break  # the rest are as they were, and next
    refused += await _begin_each(tx, ready, public_url, now)
    await _refuse(tx, refused, now)
    return len(ready) + len(refused)


def _alike(workspace: WorkspaceId, campaign: Campaign) -> object:
    """What a launch depends on that many campaigns have in common."""
    whom = campaign.audience
    return (
        workspace,
        *(tuple(ids) for ids in (whom.lists, whom.excluded_lists, whom.segments, whom.excluded_segments)),
        campaign.template_id,
        campaign.subject,
        campaign.preheader,
        tuple(campaign.attachment_ids),
        campaign.provider_id,
        campaign.route_id,
    )


async def _looked_at(
    tx: Tx, workspace: WorkspaceId, campaign: Campaign, public_url: str, now: datetime
) -> tuple[Basis, Way]:
    """What it says, whose images stay from now on, and what it goes through. Raises NotReady."""
    await preflight(
        tx,
        workspace=workspace,
        audience=campaign.audience,
        provider=campaign.provider_id,
        route=campaign.route_id,
        template=campaign.template_id,
        subject=campaign.subject,
        preheader=campaign.preheader,
        now=now,
    )
    way = await _held(tx, workspace, campaign)
    basis = await basis_of(tx, workspace=workspace, campaign=campaign)
    shown = basis.frozen.html, basis.frozen.text
    if gone := await content.hold_media(tx, workspace=workspace, texts=shown, public_url=public_url):
        told = (
            f"it shows an image that was erased, {', '.join(gone[:3])}: take it out of the template, or upload it again"
        )
        raise NotReady(f"template_id: {told}", fields=(FieldProblem("template_id", told),))
    return basis, way


async def _held(tx: Tx, workspace: WorkspaceId, campaign: Campaign) -> Way:
    """What it goes through, which nobody deletes from now on. Preflight saw it a moment ago. Raises NotReady."""
    try:
        way = await delivery.find_way(
            tx, workspace=workspace, provider=campaign.provider_id, route=campaign.route_id, hold=True
        )
    except (delivery.ProviderNotFound, delivery.RouteNotFound):
        way = None
    if way is None:
        told = "what this campaign goes through was just deleted: choose another"
        raise NotReady(f"provider_id: {told}", fields=(FieldProblem("provider_id", told),))
    return way


async def _begin(tx: Tx, ready: Sequence[_Ready], public_url: str, now: datetime) -> list[Campaign]:
    """Make sends of campaigns, in three statements however many they are."""
    sends = [
        NewSend(
            workspace=one.basis.workspace,
            campaign=one.campaign.id,
            provider=one.way.provider,
            route=one.way.route,
            audience=one.campaign.audience,
            content=one.basis.said_by(one.campaign, public_url=public_url),
            template=one.basis.frozen.template,
            template_version=one.basis.frozen.version,
        )
        for one in ready
    ]
    made = await delivery.create_sends(tx, sends=sends, now=now)
    columns = ([one.workspace for one in sends], [one.campaign for one in sends], made)
    rows = await tx.fetch(_BEGUN, *columns, now)
    deeds = [(one.by, public_id("campaign", one.campaign.id)) for one in ready]
    await audit_all(tx, deeds=deeds, action="campaign.sent", now=now)
    return [of_row(row) for row in rows]


async def _begin_each(
    tx: Tx, ready: Sequence[_Ready], public_url: str, now: datetime
) -> list[tuple[WorkspaceId, Campaign, Exception]]:
    """All together, or, if that fails, one by one; those that fail then, and with what."""
    if not ready:
        return []
    try:
        async with tx.transaction():
            await _begin(tx, ready, public_url, now)
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(ready) == 1:
            return [(ready[0].basis.workspace, ready[0].campaign, error)]
        return [failed for one in ready for failed in await _begin_each(tx, [one], public_url, now)]
    return []


async def _refuse(tx: Tx, refused: Sequence[tuple[WorkspaceId, Campaign, Exception]], now: datetime) -> None:
    if not refused:
        return
    for _, campaign, error in refused:
        if not isinstance(error, TidingsError):
            _log.error("campaign %s cannot be launched", campaign.id, exc_info=error)
    reasons = [f"could not start at its time: {error or type(error).__name__}"[:1000] for _, _, error in refused]
    ids = [workspace for workspace, _, _ in refused], [campaign.id for _, campaign, _ in refused]
    await tx.execute(_REFUSED, *ids, reasons, now)
