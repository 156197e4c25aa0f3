"""Reading rollups: how a send was received, in all and hour by hour, and what one contact did. Never from raw events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, SendId, WorkspaceId


@dataclass(frozen=True, slots=True)
class SendEngagement:
    """How a send was received. `opened`, `clicked`, `unsubscribed`: deliveries; `opens`, `clicks`: hits; `human_`: people alone."""

    opened: int = 0
    human_opened: int = 0
    clicked: int = 0
    human_clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0
    opens: int = 0
    human_opens: int = 0
    clicks: int = 0
    human_clicks: int = 0


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one hour: hits, and deliveries for which it was the first. `agent` is '' for all agents together."""

    hour: datetime
    type: str
    agent: str
    total: int
    uniques: int


@dataclass(frozen=True, slots=True)
class Engagement:
    """What one contact did with one send; None and 0 where nothing."""

    send: SendId
    n: int
    first_open_at: datetime | None
    first_human_open_at: datetime | None
    first_click_at: datetime | None
    first_human_click_at: datetime | None
    opens: int
    clicks: int
    unsubscribed_at: datetime | None


_FIELDS = {
    ("opened", ""): ("opens", "opened"),
    ("opened", "human"): ("human_opens", "human_opened"),
    ("clicked", ""): ("clicks", "clicked"),
    ("clicked", "human"): ("human_clicks", "human_clicked"),
    ("unsubscribed", ""): (None, "unsubscribed"),
    ("complained", ""): (None, "complained"),
}


async def send_engagement(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> SendEngagement:
    """How one send was received."""
    return (await send_engagements(tx, workspace=workspace, sends=[send])).get(send, SendEngagement())


async def send_engagements(tx: Tx, *, workspace: WorkspaceId, sends: Sequence[SendId]) -> dict[SendId, SendEngagement]:
    """How each of these sends was received; those without any event are left out."""
    rows = await tx.fetch(
        """
        SELECT send_id, type, agent, sum(total)::bigint AS total, sum(uniques)::bigint AS uniques
        FROM rollups WHERE workspace_id = $1 AND send_id = ANY ($2::bigint[]) GROUP BY send_id, type, agent
        """,
        workspace,
        list(sends),
    )
    found: dict[SendId, SendEngagement] = {}
    for row in rows:
        total, unique = _FIELDS.get((row["type"], row["agent"]), (None, None))
        changes = {name: row[column] for name, column in ((total, "total"), (unique, "uniques")) if name}
        if changes:
            send = SendId(row["send_id"])
            found[send] = replace(found.get(send, SendEngagement()), **changes)
    return found


async def lately_complained(tx: Tx, *, since: datetime) -> dict[tuple[WorkspaceId, SendId], int]:
    """Sends that somebody complained about since then, and how many deliveries of each were complained about in all."""
    rows = await tx.fetch(sql(__package__, "_lately_complained"), since)
    return {(WorkspaceId(row["workspace_id"]), SendId(row["send_id"])): row["complained"] for row in rows}


async def send_timeline(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> list[Hour]:
    """Hour by hour, oldest first."""
    rows = await tx.fetch(
        """
        SELECT hour, type, agent, sum(total)::bigint AS total, sum(uniques)::bigint AS uniques
        FROM rollups WHERE workspace_id = $1 AND send_id = $2 GROUP BY hour, type, agent ORDER BY hour, type, agent
        """,
        workspace,
        send,
    )
    return [Hour(**row) for row in rows]


async def contact_engagement(
    tx: Tx, *, workspace: WorkspaceId, contact: ContactId, limit: int = 100
) -> list[Engagement]:
    """What one contact did with each send, the latest sends first. Sends that they did nothing with are left out."""
    rows = await tx.fetch(
        """
        SELECT send_id AS send, n, first_open_at, first_human_open_at, first_click_at, first_human_click_at, opens, clicks,
               unsubscribed_at
        FROM engagements WHERE workspace_id = $1 AND contact_id = $2 ORDER BY send_id DESC LIMIT $3
        """,
        workspace,
        contact,
        limit,
    )
    return [Engagement(**row) for row in rows]
