"""Campaigns of which much fails pause themselves, and what failed is tried again when a person says so."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from delivery_world import World, eventually, world
from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus, WrongState
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx


async def _retry(w: World, campaign: campaigns.Campaign, *, include_unknown: bool = False) -> int:
    async with w.app.db.transaction() as tx:
        _, many = await campaigns.retry_failed(
            tx,
            workspace=w.workspace,
            campaign=campaign.id,
            include_unknown=include_unknown,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )
    return many


def _every_third_is_our_fault(email: str) -> str:
    return "550 5.7.1 your reputation" if int(email[1:].partition("@")[0]) % 3 == 0 else "ok"


async def test_the_failed_are_tried_again_and_nobody_else(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.pause_above()
        w.server.verdict = _every_third_is_our_fault
        await w.contacts(*(f"a{n}@example.com" for n in range(300)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert Counter(state for state, _ in (await w.states()).values()) == {"delivered": 200, "failed": 100}
        async with db.connection() as connection:  # as if its receipts had been gathered long ago
            await eventually(lambda: connection.fetchval("SELECT gathered_at IS NOT NULL FROM sends"), bool)
            assert await connection.fetchval("SELECT count(*) FROM contact_receipts") == 200
        w.server.verdict = lambda email: "550 5.1.1 unknown" if email == "a0@example.com" else "ok"
        assert await _retry(w, campaign) == 100
        assert (await w.seen(campaign.id)).status == CampaignStatus.SENDING
        seen = await w.until(campaign, CampaignStatus.SENT)
        assert seen.finished_at is not None
        assert Counter(state for state, _ in (await w.states()).values()) == {"delivered": 299, "bounced": 1}
        assert Counter(w.server.recipients) == Counter(f"a{n}@example.com" for n in range(1, 300))
        await w.check_counters()
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM contact_receipts") == 299
            assert await connection.fetchval("SELECT count(*) FROM send_retries") == 0
        assert await _retry(w, campaign) == 0, "nothing is left that failed"


async def test_who_left_meanwhile_is_not_tried_again(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: "550 5.7.1 your reputation"
        ids = await w.contacts("a@example.com", "b@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        async with db.transaction() as tx:
            await tx.execute("UPDATE subscriptions SET status = 'unsubscribed' WHERE contact_id = $1", ids[0])
        w.server.verdict = lambda _: "ok"
        assert await _retry(w, campaign) == 2
        await w.until(campaign, CampaignStatus.SENT)
        assert {email: state for email, (state, _) in (await w.states()).items()} == {
            "a@example.com": "skipped",
            "b@example.com": "delivered",
        }
        await w.check_counters()


async def test_the_unknown_only_when_asked_for(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: "drop"
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        async with db.transaction() as tx:  # its one repetition is over
            await tx.execute("DELETE FROM retries")
        assert await _retry(w, campaign) == 0
        w.server.verdict = lambda _: "ok"
        assert await _retry(w, campaign, include_unknown=True) == 1
        states = await eventually(w.states, lambda s: s["a@example.com"][0] == "delivered")
        assert len(states) == 1
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT possible_duplicate FROM deliveries")
        assert len({one.message_id for one in [*w.server.dropped, *w.server.accepted]}) == 1
        await w.check_counters()


async def test_a_campaign_that_fails_pauses_itself_and_goes_on_when_it_is_told(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=1) as w:
        await w.pause_above(failed=25)
        w.server.delay_seconds = 0.005
        w.server.verdict = _every_third_is_our_fault
        await w.contacts(*(f"a{n}@example.com" for n in range(1200)))
        campaign = await w.campaign()
        await w.launch(campaign)
        seen = await w.until(campaign, CampaignStatus.PAUSED)
        assert "failed, more than 25 %" in seen.status_reason
        await asyncio.sleep(0.5)
        before = len(w.server.accepted)
        assert 60 <= before < 700
        await asyncio.sleep(0.5)
        assert len(w.server.accepted) == before
        # The provider was mended; a paused campaign tries the failed again when it goes on.
        w.server.verdict, w.server.delay_seconds = (lambda _: "ok"), 0.0
        assert await _retry(w, campaign) > 0
        still = await w.seen(campaign.id)
        assert (still.status, still.status_reason) == (CampaignStatus.PAUSED, seen.status_reason)
        await w.act(campaigns.resume, campaign)
        await w.until(campaign, CampaignStatus.SENT, 40)
        assert Counter(w.server.recipients) == Counter(f"a{n}@example.com" for n in range(1200))
        await w.check_counters()


@pytest.mark.parametrize(("limit", "pauses"), [(5, True), (20, False), (0, False)])
async def test_bounces_count_by_their_own_limit(db: Database, tmp_path: Path, limit: int, pauses: bool) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.pause_above(failed=1, bounced=limit)
        await w.contacts(*(f"a{n}@example.com" for n in range(3)))
        campaign = await w.campaign()
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await tx.execute("UPDATE send_counters SET pending = 0, delivered = 270, bounced = 30")
        async with db.transaction() as tx:
            assert await delivery.pause_failing(tx) == pauses
        async with db.transaction() as tx:
            assert await delivery.pause_failing(tx) == 0
            assert await tx.fetchval("SELECT count(*) FROM chunks WHERE state = 'held'") == pauses
            assert await tx.fetchval("SELECT status = 'paused' FROM sends") == pauses


@pytest.mark.parametrize(
    ("size", "verdict", "told"),
    [
        (30, "550 5.1.1 no such user", "30 of 30 attempts bounced, more than 8 %"),
        (30, "554 5.6.0 refused", "30 of 30 attempts failed, more than 20 %"),
        (9, "550 5.1.1 no such user", ""),
    ],
)
async def test_a_campaign_over_before_it_could_pause_says_why_it_would_have(
    db: Database, tmp_path: Path, size: int, verdict: str, told: str
) -> None:
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: verdict
        await w.contacts(*(f"a{n}@example.com" for n in range(size)))
        campaign = await w.campaign()
        await w.launch(campaign)
        assert (await w.until(campaign, CampaignStatus.SENT)).status_reason == told
        if "failed" in told:  # once mended, and tried again, there is nothing to say
            w.server.verdict = lambda _: "ok"
            assert await _retry(w, campaign) == size
            await eventually(w.states, lambda states: {state for state, _ in states.values()} == {"delivered"})
            assert (await w.until(campaign, CampaignStatus.SENT)).status_reason == ""


async def test_failures_count_from_where_a_person_let_it_go_on(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.pause_above(failed=10)
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await tx.execute("UPDATE send_counters SET delivered = 50, failed = 50")
        async with db.transaction() as tx:
            assert await delivery.pause_failing(tx) == 1
            await campaigns.follow_sends(tx, now=utc_now())
        await w.act(campaigns.resume, campaign)
        async with db.transaction() as tx:
            assert await delivery.pause_failing(tx) == 0
            await tx.execute("UPDATE send_counters SET delivered = 139, failed = 60")
            assert await delivery.pause_failing(tx) == 0, "fewer than a hundred since"
            await tx.execute("UPDATE send_counters SET delivered = 138, failed = 62")
            assert await delivery.pause_failing(tx) == 1


async def test_complaints_pause_too_and_count_from_where_a_person_let_it_go_on(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await tx.execute("UPDATE send_counters SET delivered = 1000")
            await _complain(tx, 2)
            assert await delivery.pause_complained(tx, now=utc_now()) == 0, "two are no more than two moods"
            await _complain(tx, 3)
            assert await delivery.pause_complained(tx, now=utc_now()) == 0, "0.3 % are put up with"
            await _complain(tx, 4, writer=1)
            late = utc_now() + timedelta(days=2)
            assert await delivery.pause_complained(tx, now=late) == 0, "nobody complained lately"
            assert await delivery.pause_complained(tx, now=utc_now()) == 1
            await campaigns.follow_sends(tx, now=utc_now())
        assert (await w.seen(campaign.id)).status_reason == "7 of 1000 recipients complained, more than 0.3 %"
        await w.act(campaigns.resume, campaign)
        async with db.transaction() as tx:
            assert await delivery.pause_complained(tx, now=utc_now()) == 0
            await _complain(tx, 6)
            assert await delivery.pause_complained(tx, now=utc_now()) == 0
            await _complain(tx, 7)
            assert await delivery.pause_complained(tx, now=utc_now()) == 1
            await tx.execute("UPDATE sends SET status = 'running'")
            await tx.execute("UPDATE workspaces SET pause_complained_percent = 0")
            assert await delivery.pause_complained(tx, now=utc_now()) == 0


async def _complain(tx: Tx, many: int, *, writer: int = 0) -> None:
    await tx.execute(
        """INSERT INTO rollups (workspace_id, send_id, hour, type, writer, total, uniques)
           SELECT workspace_id, id, date_trunc('hour', now()), 'complained', $2, $1, $1 FROM sends
           ON CONFLICT (workspace_id, send_id, hour, type, agent, writer) DO UPDATE SET uniques = excluded.uniques""",
        many,
        writer,
    )


async def test_cancelled_while_it_waits_to_be_tried_again(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await tx.execute("UPDATE deliveries SET state = 'failed', at = now()")
            await tx.execute("UPDATE send_counters SET pending = 0, failed = 1")
            await tx.execute("UPDATE chunks SET state = 'done'")
        assert await _retry(w, campaign) == 1
        async with db.transaction() as tx:
            assert await delivery.finish_all(tx, now=utc_now()) == 0, "not over while some are to be tried again"
        await w.act(campaigns.cancel, campaign)
        async with db.transaction() as tx:
            assert not await delivery.retry_some(tx)
            await delivery.close_cancelled(tx, now=utc_now())
            assert await tx.fetchval("SELECT count(*) FROM send_retries") == 0
        with pytest.raises(WrongState):
            await _retry(w, campaign)
        await w.check_counters()
