"""One launch of a campaign: made, prepared, watched, paused, resumed, cancelled."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.audience.recipients import Audience, recipients
from tidings.audience.segments import settle_plans
from tidings.core.db import Tx, sql
from tidings.core.errors import NotFound, TidingsError
from tidings.core.ids import CampaignId, ProviderId, RouteId, SendId, TemplateId, WorkspaceId
from tidings.core.loops import RETRYABLE
from tidings.delivery.states import SendStatus
from tidings.delivery.wire import SendContent, extract_links

_log = logging.getLogger(__name__)

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


async def create_send(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    campaign: CampaignId,
    provider: ProviderId | None,
    route: RouteId | None = None,
    audience: Audience,
    content: SendContent,
    template: TemplateId,
    template_version: int,
    priority: int = 5,
    now: datetime,
) -> SendId:
    """Freeze what is sent and to whom it goes; the audience is numbered by `prepare`, in the background, at once.

    It goes through `provider` or `route`, one of them.
    """
    send = await tx.fetchval(
        """
        INSERT INTO sends (workspace_id, campaign_id, provider_id, priority, list_ids, exclude_list_ids, segment_ids,
            exclude_segment_ids, created_at, route_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
        """,
        workspace,
        campaign,
        provider,
        priority,
        list(audience.lists),
        list(audience.excluded_lists),
        list(audience.segments),
        list(audience.excluded_segments),
        now,
        route,
    )
    await tx.execute(
        """
        INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
        VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)
        """,
        workspace,
        send,
        template,
        template_version,
        content.to_json().decode(),
        extract_links(content),
    )
    await tx.execute("SELECT pg_notify($1, '')", PREPARE)
    return SendId(send)


async def prepare_next(tx: Tx, *, chunk_size: int, now: datetime) -> SendId | None:
    """Number the audience of one launched send and queue its chunks, all in this transaction. None when there is none.

    A crash leaves the send as it was, to be prepared anew. One that cannot be prepared is paused, and says why.
    """
    row = await tx.fetchrow(
        """
        SELECT workspace_id, id, list_ids, exclude_list_ids, segment_ids, exclude_segment_ids, provider_id, route_id,
            priority FROM sends
        WHERE status = 'preparing' ORDER BY priority, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    if row is None:
        return None
    try:
        async with tx.transaction():
            await _prepare(tx, row, chunk_size, now)
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, this send stands still and the others go on
        told = isinstance(error, TidingsError)
        if not told:
            _log.exception("send %s cannot be prepared", row["id"])
        await tx.execute(
            "UPDATE sends SET status = 'paused', reason = $3 WHERE workspace_id = $1 AND id = $2",
            row["workspace_id"],
            row["id"],
            f"its audience could not be numbered: {error if told else type(error).__name__}"[:500],
        )
    return SendId(row["id"])


async def _prepare(tx: Tx, row: Any, chunk_size: int, now: datetime) -> None:
    workspace, send = row["workspace_id"], row["id"]
    whom = Audience(row["list_ids"], row["exclude_list_ids"], row["segment_ids"], row["exclude_segment_ids"])
    who = await recipients(tx, workspace=workspace, audience=whom, first=4, now=now)
    launch = sql(__package__, "_launch").replace("{audience}", who.sql)
    if whom.segments or whom.excluded_segments:
        await settle_plans(tx)
    counts = await tx.fetchrow(launch, workspace, send, now, *who.values)
    assert counts is not None
    await tx.execute(
        sql(__package__, "_queue"),
        workspace,
        send,
        row["provider_id"],
        row["priority"],
        chunk_size,
        counts["recipients"],
        row["route_id"],
    )
    await tx.execute(
        """
        INSERT INTO send_counters (workspace_id, send_id, writer, pending, skipped) VALUES ($1, $2, 0, $3, $4)
        """,
        workspace,
        send,
        counts["recipients"] - counts["skipped"],
        counts["skipped"],
    )
    await tx.execute(
        "UPDATE sends SET status = $3, recipients = $4, started_at = $5, finished_at = $6 WHERE workspace_id = $1 AND id = $2",
        workspace,
        send,
        SendStatus.RUNNING if counts["recipients"] else SendStatus.DONE,
        counts["recipients"],
        now,
        None if counts["recipients"] else now,
    )
    await tx.execute("SELECT pg_notify($1, '')", CHUNKS)


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
