"""One launch of a campaign: made, prepared, watched, paused, resumed, cancelled."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tidings.audience.recipients import Audience
from tidings.content import aside
from tidings.core.db import Tx, sql
from tidings.core.errors import NotFound
from tidings.core.ids import CampaignId, ProviderId, RouteId, SendId, TemplateId, WorkspaceId
from tidings.delivery.states import SendStatus
from tidings.delivery.wire import SendContent, extract_links

LARGEST_CHUNK = 10_000
"""Recipients in a chunk, at most: what a worker's journal has room for."""

PREPARE = "tidings_prepare"
CHUNKS = "tidings_chunks"
CONTROL = "tidings_control"
PROVIDER = "tidings_provider"
ROUTE = "tidings_route"


class SendNotFound(NotFound):
    """No such send in this workspace."""

    code = "send_not_found"


@dataclass(frozen=True, slots=True)
class SendCounts:
    """How many recipients are in each state; they add up to `recipients`. `accepted`: ever handed over with a yes."""

    status: SendStatus
    reason: str
    recipients: int
    pending: int
    sent: int
    delivered: int
    deferred: int
    bounced: int
    failed: int
    skipped: int
    unknown: int
    cancelled: int
    accepted: int
    possible_duplicates: int
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewSend:
    """What is to be sent, to whom, and through what: `provider` or `route`, one of them."""

    workspace: WorkspaceId
    campaign: CampaignId
    provider: ProviderId | None
    route: RouteId | None
    audience: Audience
    content: SendContent
    template: TemplateId
    template_version: int
    priority: int = 5


async def create_sends(tx: Tx, *, sends: Sequence[NewSend], now: datetime) -> list[SendId]:
    """Freeze what is sent and to whom it goes, of one campaign or of many, each once; returns their ids, in this order.

    The audiences are numbered by `prepare_next`, in the background, at once.
    """
    # Of what many say alike the links are looked for once.
    alike = {_sources(one.content): one.content for one in sends}
    links = {sources: await aside(extract_links, content) for sources, content in alike.items()}
    told = [
        {
            "place": place,
            "workspace_id": one.workspace,
            "campaign_id": one.campaign,
            "provider_id": one.provider,
            "route_id": one.route,
            "priority": one.priority,
            "list_ids": list(one.audience.lists),
            "exclude_list_ids": list(one.audience.excluded_lists),
            "segment_ids": list(one.audience.segments),
            "exclude_segment_ids": list(one.audience.excluded_segments),
            "template_id": one.template,
            "template_version": one.template_version,
            "content": asdict(one.content),
            "links": links[_sources(one.content)],
        }
        for place, one in enumerate(sends)
    ]
    rows = await tx.fetch(sql(__package__, "_create"), told, now)
    await tx.execute("SELECT pg_notify($1, '')", PREPARE)
    made = {(row["workspace_id"], row["campaign_id"]): SendId(row["id"]) for row in rows}
    return [made[one.workspace, one.campaign] for one in sends]


async def pause_send(tx: Tx, *, workspace: WorkspaceId, send: SendId, reason: str = "") -> bool:
    """Hand nothing more over, within a second. False if the send is over or paused already, or is not a campaign's."""
    return await _stop(tx, workspace, send, SendStatus.PAUSED, ("preparing", "running"), reason)


async def resume_send(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> bool:
    """Go on where it stopped, in turn with the others. False if it is not paused."""
    resumed = await tx.fetchval(
        """
        UPDATE sends SET status = CASE WHEN started_at IS NULL THEN 'preparing' ELSE 'running' END::send_status, reason = ''
        WHERE workspace_id = $1 AND id = $2 AND status = 'paused' RETURNING true
        """,
        workspace,
        send,
    )
    if resumed:
        await tx.execute(sql(__package__, "_resume"), workspace, send)
        # A send that was paused with its last chunk in a worker's hands has nothing left to wait for.
        await tx.execute("SELECT pg_notify($1, ''), pg_notify($2, '')", CHUNKS, PREPARE)
    return bool(resumed)


async def cancel_send(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> bool:
    """Stop for good; who was not reached yet becomes `cancelled`, in the background. False if it is over already."""
    stopped = await _stop(tx, workspace, send, SendStatus.CANCELLED, ("preparing", "running", "paused"), "")
    if stopped:
        await tx.execute("SELECT pg_notify($1, '')", PREPARE)
    return stopped


async def send_counts(tx: Tx, *, workspace: WorkspaceId, sends: Sequence[SendId]) -> dict[SendId, SendCounts]:
    """The counts of each of these sends, exact at this moment, from a few counter rows and never from deliveries."""
    rows = await tx.fetch(sql(__package__, "_counts"), workspace, list(sends))
    return {SendId(row["id"]): _counts_of(row) for row in rows}


async def send_links(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> list[str]:
    """The destinations frozen at launch, by index. Raises SendNotFound."""
    links = await tx.fetchval(
        "SELECT links FROM send_contents WHERE workspace_id = $1 AND send_id = $2 AND variant = 0", workspace, send
    )
    if links is None:
        raise SendNotFound(f"there is no send {send}")
    return links


def _sources(content: SendContent) -> tuple[str, str, bool]:
    """What its links depend on."""
    return content.html, content.text, content.track_clicks


def _counts_of(row: Any) -> SendCounts:
    values: dict[str, Any] = {name: row[name] for name in SendCounts.__slots__}
    values["status"] = SendStatus(row["status"])
    return SendCounts(**values)


async def _stop(
    tx: Tx, workspace: WorkspaceId, send: SendId, target: SendStatus, sources: Sequence[str], reason: str
) -> bool:
    # The send first: workers that give chunks back hold a share lock on it and look at its status (_release.sql).
    stopped = await tx.fetchval(
        """
        UPDATE sends SET status = $3, reason = $4
        WHERE workspace_id = $1 AND id = $2 AND status = ANY ($5::text[]::send_status[]) AND campaign_id IS NOT NULL
        RETURNING true
        """,
        workspace,
        send,
        target,
        reason,
        list(sources),
    )
    if stopped:
        await tx.execute(
            "UPDATE chunks SET state = 'held' WHERE workspace_id = $1 AND send_id = $2 AND state = 'pending'",
            workspace,
            send,
        )
        await tx.execute("SELECT pg_notify($1, $2)", CONTROL, f"{workspace}:{send}")
    return bool(stopped)
