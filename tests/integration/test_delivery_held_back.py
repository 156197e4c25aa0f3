"""Recipients whose mailbox provider may get no more for now: set aside, deferred, and sent in the end."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from delivery_world import World, eventually, world
from tidings import campaigns, delivery, workers
from tidings.accounts import SYSTEM
from tidings.audience import contacts
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId, RouteId
from tidings.delivery import RouteMember, Strategy
from tidings.delivery.worker._lane import Lane
from tidings.delivery.worker._run import EMAIL, SKIP


async def _change(w: World, **config: Any) -> None:
    async with w.app.db.transaction() as tx:
        before = await delivery.get_provider(tx, workspace=w.workspace, provider=ProviderId(w.provider))
        await delivery.update_provider(
            tx,
            workspace=w.workspace,
            provider=ProviderId(w.provider),
            config=before.config | config,
            keys=w.app.keys,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )


def _people(gmail: int, others: int) -> list[str]:
    """All of Google's first, so that nobody else would be sent before them."""
    google = [f"g{n}@{'gmail.com' if n % 2 else 'googlemail.com'}" for n in range(gmail)]
    return [*google, *(f"o{n}@example.com" for n in range(others))]


async def test_those_held_back_are_deferred_uncounted_and_sent_in_the_end(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=20, limits={"google": {"per_minute": 5}}) as w:
        await w.contacts(*_people(30, 100))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n >= 105)
        held = """
            SELECT count(*) FROM deliveries
            WHERE state = 'deferred' AND attempts = 0 AND detail = 'held back: google gets at most 5 a minute'
            """
        await eventually(lambda: db_value(db, held), lambda n: n == 25)
        assert sum("g" in one.recipient.split("@")[0] for one in w.server.accepted) == 5
        await w.check_counters()
        assert await db_value(db, "SELECT count(*) FROM retries WHERE first_at > now() + interval '10 seconds'") == 25
        assert await db_value(db, "SELECT count(*) FROM events WHERE type = 'deferred'") == 0
        # Each has a turn of its own, so that they do not all come back at once.
        assert await db_value(db, "SELECT extract(epoch FROM max(due_at) - min(due_at)) > 200 FROM retries")
        # Nobody tried them yet: it is not over, can be stopped, and is not told as complete.
        async with db.transaction() as tx:
            await delivery.finish_all(tx, now=utc_now())
            found = await campaigns.get_campaign(tx, workspace=w.workspace, campaign=campaign.id)
            seen = await campaigns.progress_of(tx, workspace=w.workspace, campaign=found, now=utc_now())
        assert found.status == CampaignStatus.SENDING
        assert (seen.percent, seen.seconds_left) == (80.8, None)
        assert await db_value(db, "SELECT count(*) FROM sends WHERE finished_at IS NULL") == 1
        # Segments know already who has received it.
        async with db.transaction() as tx:
            await delivery.gather_receipts(tx, now=utc_now())
        assert await db_value(db, "SELECT count(*) FROM contact_receipts") == 105
        # And it was for hours: a change calls them back.
        await _change(w, limits={"google": {"per_minute": 500}})
        await w.until(campaign, CampaignStatus.SENT)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n == 130)
        assert await db_value(db, "SELECT count(*) FROM providers WHERE limits_changed_at IS NOT NULL") == 0
        assert sorted(w.server.recipients) == sorted(_people(30, 100))
        assert await db_value(db, "SELECT count(*) FROM contact_receipts") == 130
        await w.check_counters()


async def _stop_warming_up(w: World, _: RouteId) -> None:
    async with w.app.db.transaction() as tx:
        await delivery.stop_warmup(
            tx, workspace=w.workspace, provider=ProviderId(w.provider), by=SYSTEM(w.workspace), now=utc_now()
        )


async def _name_another(w: World, route: RouteId) -> None:
    by = SYSTEM(w.workspace)
    async with w.app.db.transaction() as tx:
        config = (await delivery.get_provider(tx, workspace=w.workspace, provider=ProviderId(w.provider))).config
        other = await delivery.add_provider(
            tx,
            workspace=w.workspace,
            name="other",
            kind="smtp",
            config=config,
            secret={},
            is_default=False,
            keys=w.app.keys,
            by=by,
            now=utc_now(),
        )
        members = [RouteMember(ProviderId(w.provider)), RouteMember(other.id)]
        await delivery.update_route(tx, workspace=w.workspace, route=route, members=members, by=by, now=utc_now())


@pytest.mark.parametrize("change", [_stop_warming_up, _name_another])
async def test_what_lets_more_through_calls_them_back(
    db: Database, tmp_path: Path, change: Callable[[World, RouteId], Awaitable[None]]
) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts(*_people(12, 3))
        async with db.transaction() as tx:
            route = await delivery.add_route(
                tx,
                workspace=w.workspace,
                name="Only",
                strategy=Strategy.ROUND_ROBIN,
                members=[RouteMember(ProviderId(w.provider))],
                is_default=False,
                by=SYSTEM(w.workspace),
                now=utc_now(),
            )
            await delivery.start_warmup(
                tx,
                workspace=w.workspace,
                provider=ProviderId(w.provider),
                caps=[5, 10],
                by=SYSTEM(w.workspace),
                now=utc_now(),
            )
        campaign = await w.campaign(route_id=route.id)
        await w.launch(campaign)
        held = "SELECT count(*) FROM retries WHERE held AND due_at > now() + interval '1 minute'"
        await eventually(lambda: db_value(db, held), lambda n: n == 7)
        await change(w, route.id)
        await w.until(campaign, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == sorted(_people(12, 3))
        await w.check_counters()


async def test_a_pace_for_one_mailbox_provider_holds_nobody_else_up(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=50, limits={"google": {"per_second": 20}}) as w:
        await w.contacts(*_people(60, 300))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == sorted(_people(60, 300))
        google = sorted(one.began for one in w.server.accepted if one.recipient.startswith("g"))
        others = sorted(one.began for one in w.server.accepted if one.recipient.startswith("o"))
        assert others[-1] < google[40], "others waited"
        assert max(sum(start <= at < start + 1 for at in google) for start in google) <= 21
        assert google[-1] - google[0] > 2.5
        await w.check_counters()


async def db_value(db: Database, query: str) -> Any:
    """One value."""
    async with db.connection() as connection:
        return await connection.fetchval(query)


async def test_who_was_deleted_meanwhile_has_no_mailbox_provider(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False, limits={"google": {"per_minute": 500}}) as w:
        _, gone, *_ = await w.contacts(*_people(3, 5))
        campaign = await w.campaign()
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            await contacts.delete_contact(
                tx, workspace=w.workspace, contact=gone, by=SYSTEM(w.workspace), now=utc_now()
            )
        roles = [asyncio.ensure_future(role(w.app, w.stop)) for role in (workers.send, workers.conduct)]
        await w.until(campaign, CampaignStatus.SENT)
        w.stop.set()
        await asyncio.gather(*roles)
        assert sorted(w.server.recipients) == sorted(set(_people(3, 5)) - {"g1@gmail.com"})
        assert await db_value(db, "SELECT detail FROM deliveries WHERE state = 'skipped'") == "erased"
        await w.check_counters()


def test_who_was_deleted_slows_nobody_down() -> None:
    """A throttled provider asks for whom it was: of a row that is skipped there is no address to tell."""
    lane = Lane(("provider", 1, 1), progress=lambda: None, unusable=lambda _run, _why: None)
    rows = [_row("a@Example.com", None), _row(None, "erased"), _row("b@example.net", None), _row("c@example.org", None)]
    lane.runs.append(SimpleNamespace(rows=rows, cursor=3))  # type: ignore[arg-type]
    assert lane.recent() == ["example.com", "example.net"]


def _row(email: str | None, skip: str | None) -> list[Any]:
    row: list[Any] = [None] * (max(EMAIL, SKIP) + 1)
    row[EMAIL], row[SKIP] = email, skip
    return row
