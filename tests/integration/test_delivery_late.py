"""What comes late: replies read after a lease was lost, reports before the record, ends that cross a wish to try again."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

from delivery_world import World, eventually, world
from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId, SendId
from tidings.core.loops import forever
from tidings.delivery.limits._budgets import Budget
from tidings.delivery.limits._caps import Cap, Restraints
from tidings.delivery.limits._limits import Limits
from tidings.delivery.providers import Happening
from tidings.delivery.recording._record import Accepted, Told, finish_sends, record_accepted, record_others

_LEASED = (
    "UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() - interval '1 s' WHERE state = 'pending'"
)
_RECEIPTS = "SELECT sum(cardinality(at)) FROM contact_receipts"
_LATER = timedelta(minutes=1)


async def _prepared(w: World, *addresses: str) -> SendId:
    """A send whose audience is numbered, and nobody at work."""
    await w.contacts(*addresses)
    await w.launch(await w.campaign())
    async with w.app.db.transaction() as tx:
        (send,) = await delivery.prepare_next(tx, chunk_size=10, now=utc_now())
    return send


async def _vanished(db: Database) -> None:
    """A worker takes all that is there, and is not heard of again."""
    async with db.transaction() as tx:
        await tx.execute(_LEASED)
        assert await delivery.expire_leases(tx, now=utc_now()) == 1


async def _requeued(db: Database) -> None:
    async with db.transaction() as tx:
        assert await delivery.requeue_due(tx, now=utc_now() + _LATER) == 1


async def _over(w: World, send: SendId) -> None:
    """It ends, and its receipts are gathered."""
    async with w.app.db.connection() as connection:
        assert await finish_sends(connection, sends=[(w.workspace, send)], now=utc_now()) == 1
    async with w.app.db.transaction() as tx:
        assert await delivery.gather_receipts(tx, now=utc_now())


async def _accepted(w: World, send: SendId, *, retry: bool) -> None:
    one = Accepted([w.workspace], [send], [1], [w.provider])
    state = delivery.DeliveryState.DELIVERED
    async with w.app.db.transaction() as tx:
        await record_accepted(tx, accepted=one, retried=one if retry else None, state=state, writer=1, now=utc_now())


async def _left(db: Database) -> int:
    async with db.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM retries")


async def test_who_stays_unknown_after_two_workers_vanished_waits_for_nothing_more(
    db: Database, tmp_path: Path
) -> None:
    """They were left out when a person had the unknown tried again, and their provider could not be deleted, for ever."""
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _vanished(db)
        assert await _left(db) == 1
        await _requeued(db)
        await _vanished(db)
        assert await _left(db) == 0
        async with db.transaction() as tx:
            assert await delivery.retry_failed(
                tx, workspace=w.workspace, send=send, include_unknown=True, now=utc_now()
            )
        async with db.transaction() as tx:
            assert await delivery.retry_some(tx)
        assert await w.states() == {"a@example.com": ("pending", "the worker vanished")}
        await w.check_counters()


async def test_a_yes_that_was_read_after_the_lease_was_lost_ends_it(db: Database, tmp_path: Path) -> None:
    """The retry stayed for ever: nothing that the campaign had used could be deleted; and segments did not know of it."""
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _vanished(db)
        await _over(w, send)
        for _ in range(2):  # whoever does not know whether it was recorded records it again
            await _accepted(w, send, retry=False)
            assert await w.states() == {"a@example.com": ("delivered", "")}
            assert await _left(db) == 0
            async with db.connection() as connection:
                assert await connection.fetchval(_RECEIPTS) == 1
        await w.check_counters()


async def test_a_yes_outweighs_that_its_resend_was_put_off(db: Database, tmp_path: Path) -> None:
    """It was sent once more though a server had taken it, or was deferred for ever, for nobody was to try it again."""
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _vanished(db)
        await _requeued(db)
        told = Told()
        told.add(w.workspace, send, 1, delivery.DeliveryState.DEFERRED, "451 later", attempts=1)
        async with db.transaction() as tx:
            await record_others(tx, told=told, writer=1, now=utc_now())
        await w.check_counters()
        await _accepted(w, send, retry=False)
        assert await w.states() == {"a@example.com": ("delivered", "")}
        assert await _left(db) == 0
        await w.check_counters()


async def test_a_report_before_the_record_of_a_retry_is_one_receipt(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _vanished(db)
        await _over(w, send)
        await _requeued(db)
        report = delivery.Feedback(
            happening=Happening.DELIVERED,
            at=utc_now(),
            address="a@example.com",
            send=send,
            n=1,
            message_id="",
            event_id="1",
            source="mailgun",
            raw={},
        )
        async with db.transaction() as tx:
            await delivery.apply_feedback(tx, workspace=w.workspace, reports=[report], now=utc_now())
        await _accepted(w, send, retry=True)
        async with db.connection() as connection:
            assert await connection.fetchval(_RECEIPTS) == 1
        await w.check_counters()


async def _behind(db: Database, work: Awaitable[Any]) -> "asyncio.Future[Any]":
    """Begun, and waiting for a lock that the caller holds."""
    task = asyncio.ensure_future(work)

    async def seen() -> bool:
        async with db.connection() as connection:
            return task.done() or await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database())"
            )

    await eventually(seen, bool)
    return task


async def _failed(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'failed', attempts = 1, at = now()")
        await tx.execute("UPDATE send_counters SET failed = pending, pending = 0")
        await tx.execute("UPDATE chunks SET state = 'done'")


async def test_a_send_does_not_end_while_it_is_told_to_try_again(db: Database, tmp_path: Path) -> None:
    """Its last chunk came back in the very moment: it was over, and those who had failed were never tried again."""
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _failed(db)

        async def finish() -> int:
            async with db.connection() as connection:
                return await finish_sends(connection, sends=[(w.workspace, send)], now=utc_now())

        async with db.transaction() as tx:
            assert await delivery.retry_failed(tx, workspace=w.workspace, send=send, now=utc_now()) == 1
            finishing = await _behind(db, finish())
        assert await finishing == 0
        async with db.transaction() as tx:
            assert await delivery.retry_some(tx)
        assert [state for state, _ in (await w.states()).values()] == ["pending"]
        await w.check_counters()


async def test_a_campaign_is_not_sent_while_its_send_is_told_to_try_again(db: Database, tmp_path: Path) -> None:
    """It said that it was sent while it was sending; and could not be resumed once it paused itself."""
    async with world(db, tmp_path, working=False) as w:
        send = await _prepared(w, "a@example.com")
        await _failed(db)
        async with db.connection() as connection:
            assert await finish_sends(connection, sends=[(w.workspace, send)], now=utc_now()) == 1
            campaign = await connection.fetchval("SELECT id FROM campaigns")

        async def follow() -> int:
            async with db.transaction() as tx:
                return await campaigns.follow_sends(tx, now=utc_now())

        async with db.transaction() as tx:
            before = await campaigns.get_campaign(tx, workspace=w.workspace, campaign=campaign)
            assert before.status == CampaignStatus.SENDING
            by = SYSTEM(w.workspace)
            await campaigns.retry_failed(tx, workspace=w.workspace, campaign=campaign, by=by, now=utc_now())
            following = await _behind(db, follow())
        await following
        assert (await w.seen(campaign)).status == CampaignStatus.SENDING
        await follow()
        assert (await w.seen(campaign)).status == CampaignStatus.SENDING


async def test_a_cap_that_grows_while_it_is_asked_for_is_asked_for_once(db: Database, tmp_path: Path) -> None:
    """The old and the new were asked for together, which no statement can do: nothing went through the provider any more."""
    async with world(db, tmp_path, working=False) as w:
        there = asyncio.Event()
        provider = ProviderId(w.provider)
        budget = Budget(db, workspace=w.workspace, provider=provider, limits=Limits(), wake=there.set)
        for most in (50, 100):
            budget.restrain(Restraints({"": Cap(per_day=most), "google": Cap(per_day=most)}))
            assert not budget.ready()
            assert not budget.may("gmail.com")
        keeping = asyncio.ensure_future(forever(budget.keep))
        try:
            async with asyncio.timeout(3):
                while not (budget.ready() and budget.may("gmail.com")):
                    assert not keeping.done(), keeping.exception()
                    await asyncio.sleep(0.01)
        finally:
            keeping.cancel()
