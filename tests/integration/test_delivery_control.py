"""Pause, resume, cancel, schedule, rate, fairness, and leaving in the middle of a send."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import aiohttp

from delivery_world import eventually, world
from tidings import campaigns, edge
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.tracking import Tokens
from tidings.up import free_ports


async def test_pause_holds_within_a_second_and_resume_reaches_the_rest_once(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=2) as w:
        w.server.delay_seconds = 0.004
        await w.contacts(*(f"a{n}@example.com" for n in range(1500)))
        campaign = await w.campaign()
        await w.launch(campaign)
        for _ in range(3):
            reached = len(w.server.accepted)
            await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n, r=reached: n > r + 50)
            await w.act(campaigns.pause, campaign)
            await asyncio.sleep(1.0)
            held = len(w.server.accepted)
            await asyncio.sleep(0.5)
            assert len(w.server.accepted) == held, "still sending a second after the pause"
            assert held < 1500
            await w.check_counters()
            await w.act(campaigns.resume, campaign)
        await w.until(campaign, CampaignStatus.SENT, 40)
        assert Counter(w.server.recipients) == Counter(f"a{n}@example.com" for n in range(1500))
        await w.check_counters()


async def test_cancel_leaves_the_rest_unmailed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=2) as w:
        w.server.delay_seconds = 0.004
        await w.contacts(*(f"a{n}@example.com" for n in range(1000)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 100)
        assert (await w.act(campaigns.cancel, campaign)).status == CampaignStatus.CANCELLED
        await asyncio.sleep(1.0)
        reached = set(w.server.recipients)
        assert len(reached) < 1000
        states = await eventually(w.states, lambda s: {state for state, _ in s.values()} == {"delivered", "cancelled"})
        assert {email for email, (state, _) in states.items() if state == "delivered"} == reached
        await w.check_counters()
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM chunks WHERE state <> 'done'") == 0


async def test_a_scheduled_campaign_starts_within_a_second_of_its_time(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts("a@example.com")
        due = utc_now() + timedelta(seconds=1.5)
        campaign = await w.campaign(schedule_time=due)
        assert campaign.status == CampaignStatus.SCHEDULED
        seen = await w.until(campaign, CampaignStatus.SENT)
        assert seen.started_at is not None
        assert timedelta(0) <= seen.started_at - due < timedelta(seconds=1)
        assert seen.finished_at - due < timedelta(seconds=1.5)


async def test_a_scheduled_campaign_that_cannot_start_says_why(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts("a@example.com")
        campaign = await w.campaign(schedule_time=utc_now() + timedelta(seconds=0.8))
        async with db.connection() as connection:
            await connection.execute("UPDATE workspaces SET postal_address = ''")
        seen = await w.until(campaign, CampaignStatus.DRAFT)
        assert "workspace.postal_address" in seen.status_reason
        assert w.server.accepted == []


async def test_the_rate_is_never_exceeded(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, rate_per_second=100) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(250)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        times = sorted(one.began for one in w.server.accepted)
        assert len(times) == 250
        # A slice of a fifth of a second may go at once, no more.
        assert times[-1] - times[0] > 250 / 100 - 0.5
        worst = max(sum(start <= t < start + 1.0 for t in times) for start in times)
        assert worst <= 100 + 25


async def test_two_campaigns_share_the_way_evenly(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=2, chunk_size=25) as w:
        w.server.delay_seconds = 0.002
        await w.contacts(*(f"a{n}@example.com" for n in range(1000)))
        first = await w.campaign(subject="First")
        second = await w.campaign(subject="Second")
        await w.launch(first)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 50)
        await w.launch(second)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 1000)
        subjects = [b"Subject: First" in one.message for one in w.server.accepted]
        begun = subjects.index(False)  # the second's first one
        both = subjects[begun : begun + 600]
        # The first kept what it had begun (a few chunks); from there on each has its turn.
        assert 250 <= sum(both) <= 400, f"{sum(both)} of 600"
        late = subjects[begun + 200 : begun + 600]
        assert 150 <= sum(late) <= 250, f"{sum(late)} of 400"


async def test_a_small_send_passes_a_large_one(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=1, chunk_size=50) as w:
        w.server.delay_seconds = 0.002
        await w.contacts(*(f"a{n}@example.com" for n in range(2000)))
        large = await w.campaign()
        await w.launch(large)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 50)
        async with db.transaction() as tx:
            list_id = await tx.fetchval(
                "INSERT INTO lists (workspace_id, name, created_at, updated_at) VALUES ($1, 'Few', now(), now()) RETURNING id",
                w.workspace,
            )
            await tx.execute(
                """
                INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
                SELECT $1, $2, id, now() FROM contacts ORDER BY id LIMIT 20
                """,
                w.workspace,
                list_id,
            )
        small = await w.campaign(list_ids=[list_id])
        await w.launch(small)
        await w.until(small, CampaignStatus.SENT)
        assert len(w.server.accepted) < 1500, "the small one waited for the large one"
        assert (await w.seen(large.id)).status == CampaignStatus.SENDING
        await w.act(campaigns.cancel, large)


async def test_nothing_is_handed_over_after_the_posts_200(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=8, chunk_size=500) as w:
        w.server.delay_seconds = 0.002
        ids = await w.contacts(*(f"a{n}@example.com" for n in range(3000)))
        by_id = {id_: f"a{n}@example.com" for n, id_ in enumerate(ids)}
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 50)
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT send_id, n, contact_id FROM deliveries")
        tokens = Tokens(w.app.keys).for_send(w.workspace, rows[0]["send_id"])
        links = {row["contact_id"]: tokens(row["n"], row["contact_id"]) for row in rows}
        (port,) = free_ports(1)
        listening = asyncio.Event()
        edge_stop = asyncio.Event()
        serving = asyncio.ensure_future(
            edge.run(w.app, host="127.0.0.1", port=port, stop=edge_stop, ready=lambda _: listening.set())
        )
        await listening.wait()
        confirmed: dict[str, float] = {}
        dice = random.Random(4)

        async def leave(session: aiohttp.ClientSession) -> None:
            for _ in range(40):
                await asyncio.sleep(dice.random() * 0.05)
                contact = dice.choice(ids)
                url = f"http://127.0.0.1:{port}/u/{links[contact]}"
                async with session.post(url, data={"List-Unsubscribe": "One-Click"}) as response:
                    assert response.status == 200
                confirmed.setdefault(by_id[contact], asyncio.get_running_loop().time())

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(leave(session) for _ in range(8)))
        edge_stop.set()
        await serving
        await w.until(campaign, CampaignStatus.SENT, 40)
        late = [one.recipient for one in w.server.accepted if one.began > confirmed.get(one.recipient, float("inf"))]
        assert late == []
        states = await w.states()
        spared = {email for email, (state, _) in states.items() if state == "skipped"}
        assert spared, "nobody left before their turn: the test tried nothing"
        assert spared <= set(confirmed)
        assert {detail for email, (_, detail) in states.items() if email in spared} <= {
            "suppressed:unsubscribed",
            "status:unsubscribed",
        }
        assert set(w.server.recipients) | spared == set(by_id.values())
        await w.check_counters()


async def test_announced_for_another_reason_is_screened_anew_and_still_mailed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=1) as w:
        w.server.delay_seconds = 0.01
        ids = await w.contacts(*(f"a{n}@example.com" for n in range(100)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 5)
        async with db.connection() as connection:
            await connection.execute("SELECT pg_notify('tidings_withdrawn', $1)", f"{w.workspace}:{ids[60]},{ids[99]}")
        await w.until(campaign, CampaignStatus.SENT)
        assert Counter(w.server.recipients) == Counter(f"a{n}@example.com" for n in range(100))
        await w.check_counters()


async def test_a_workers_chunks_are_settled_when_it_vanished(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        from tidings import delivery

        await w.contacts(*(f"a{n}@example.com" for n in range(150)))
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await tx.execute(
                "UPDATE chunks SET state = 'leased', owner = 'gone', lease_until = now() - interval '1 s' WHERE chunk_no = 0"
            )
        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 1
        assert Counter(state for state, _ in (await w.states()).values()) == {"unknown": 100, "pending": 50}
        await w.check_counters()
        async with db.transaction() as tx:
            assert await delivery.requeue_due(tx, now=utc_now()) == 0, "not before its wait"
            assert await delivery.requeue_due(tx, now=utc_now() + timedelta(seconds=31)) == 100
        await w.check_counters()
