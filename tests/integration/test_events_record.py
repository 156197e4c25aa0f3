"""Rollups and firsts against counts over the raw events, with several writers at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

from tidings.core.db import Database
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.events import (
    Agent,
    Event,
    EventType,
    contact_engagement,
    ensure_partitions,
    record,
    send_engagements,
    send_timeline,
)

START = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)

# The oracle: every number by its definition, from raw events alone.
ORACLE = """
SELECT count(DISTINCT n) FILTER (WHERE type = 'opened') AS opened,
       count(DISTINCT n) FILTER (WHERE type = 'opened' AND agent = 'human') AS human_opened,
       count(DISTINCT n) FILTER (WHERE type = 'clicked') AS clicked,
       count(DISTINCT n) FILTER (WHERE type = 'clicked' AND agent = 'human') AS human_clicked,
       count(DISTINCT n) FILTER (WHERE type = 'unsubscribed') AS unsubscribed,
       count(*) FILTER (WHERE type = 'complained') AS complained,
       count(*) FILTER (WHERE type = 'opened') AS opens,
       count(*) FILTER (WHERE type = 'opened' AND agent = 'human') AS human_opens,
       count(*) FILTER (WHERE type = 'clicked') AS clicks,
       count(*) FILTER (WHERE type = 'clicked' AND agent = 'human') AS human_clicks
FROM events WHERE workspace_id = $1 AND send_id = $2
"""


def _some(dice: random.Random, workspace: int, count: int) -> list[Event]:
    hits = [EventType.OPENED, EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED, EventType.COMPLAINED]
    events: list[Event] = []
    for _ in range(count):
        kind, n = dice.choice(hits), dice.randint(1, 40)
        agent = dice.choice(list(Agent)) if kind in {EventType.OPENED, EventType.CLICKED} else None
        at = START + timedelta(minutes=dice.randint(0, 180))
        events.append(
            Event(WorkspaceId(workspace), kind, at, SendId(dice.randint(1, 2)), n, ContactId(1000 + n), agent, {"k": n})
        )
    return events


async def test_rollups_equal_counts_over_raw_events_under_concurrency(db: Database, workspace: int) -> None:
    async def writer(number: int) -> None:
        dice = random.Random(number)
        for _ in range(12):
            async with db.transaction() as tx:
                await record(tx, events=_some(dice, workspace, dice.randint(1, 30)), writer=number)

    await asyncio.gather(*(writer(number) for number in range(5)))
    async with db.connection() as connection:
        found = await send_engagements(connection, workspace=WorkspaceId(workspace), sends=[SendId(1), SendId(2)])
        for send in (SendId(1), SendId(2)):
            truth = await connection.fetchrow(ORACLE, workspace, send)
            assert truth is not None
            assert {name: getattr(found[send], name) for name in truth.keys()} == dict(truth)  # noqa: SIM118 - a Record iterates values
            hours = await send_timeline(connection, workspace=WorkspaceId(workspace), send=send)
            opens = {h.hour: h.total for h in hours if (h.type, h.agent) == ("opened", "")}
            raw = await connection.fetch(
                """
                SELECT date_trunc('hour', at, 'UTC') AS hour, count(*) AS total FROM events
                WHERE workspace_id = $1 AND send_id = $2 AND type = 'opened' GROUP BY 1
                """,
                workspace,
                send,
            )
            assert opens == {row["hour"]: row["total"] for row in raw}


async def test_a_contact_sees_their_own_firsts(db: Database, workspace: int) -> None:
    w, later = WorkspaceId(workspace), START + timedelta(minutes=5)
    async with db.transaction() as tx:
        await record(
            tx,
            events=[
                Event(w, EventType.OPENED, later, SendId(3), 7, ContactId(70), Agent.HUMAN),
                Event(w, EventType.OPENED, START, SendId(3), 7, ContactId(70), Agent.MACHINE),
            ],
            writer=1,
        )
    async with db.connection() as connection:
        (seen,) = await contact_engagement(connection, workspace=w, contact=ContactId(70))
        assert (seen.send, seen.n, seen.opens, seen.clicks) == (3, 7, 2, 0)
        assert (seen.first_open_at, seen.first_human_open_at) == (START, later)
        assert await contact_engagement(connection, workspace=w, contact=ContactId(71)) == []


async def test_partitions_take_what_lies_in_the_default_one(db: Database, workspace: int) -> None:
    event = Event(
        WorkspaceId(workspace), EventType.BOUNCED, START, SendId(1), 1, ContactId(1), None, {"reply": "550 no"}
    )
    async with db.transaction() as tx:
        await record(tx, events=[event], writer=1)
    for _ in range(2):
        async with db.transaction() as tx:
            await ensure_partitions(tx, now=START)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM events_2026_11") == 1
        assert await connection.fetchval("SELECT count(*) FROM events_default") == 0
        assert await connection.fetchval("SELECT to_regclass('events_2026_12') IS NOT NULL")
        assert await connection.fetchval("SELECT data ->> 'reply' FROM events") == "550 no"


async def test_who_writes_while_a_partition_is_made_waits_and_goes_on(db: Database, workspace: int) -> None:
    event = Event(WorkspaceId(workspace), EventType.OPENED, START, SendId(1), 1, ContactId(1), Agent.HUMAN)

    async def write() -> None:
        async with db.transaction() as tx:
            await record(tx, events=[event], writer=1)

    await write()  # the statement is prepared, and knows the default partition
    async with db.transaction() as tx:
        await ensure_partitions(tx, now=START)
        writing = [asyncio.ensure_future(write()) for _ in range(3)]
        async with db.connection() as connection:
            while (
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%events%'"
                )
                < 3
            ):
                await asyncio.sleep(0.01)
    await asyncio.gather(*writing)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM events_2026_11") == 4
