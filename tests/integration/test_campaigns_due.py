"""Campaigns that are due at once: launched together, by turns, and none by the fault of another."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, world
from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import Campaign, CampaignStatus, _launch
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.delivery import NewSend

URL = "http://127.0.0.1:9"


async def _due(w: World, campaign: Campaign, at: datetime) -> None:
    async with w.app.db.connection() as connection:
        await connection.execute(
            "UPDATE campaigns SET status = 'scheduled', schedule_time = $2 WHERE id = $1", campaign.id, at
        )


async def _launch_due(db: Database) -> int:
    async with db.transaction() as tx:
        return await campaigns.launch_due(tx, public_url=URL, now=utc_now())


async def _kept(db: Database) -> list[tuple[Any, ...]]:
    """What sends are of, without their ids."""
    async with db.connection() as connection:
        rows = await connection.fetch(
            """
            SELECT s.campaign_id, s.provider_id, s.route_id, s.priority, s.list_ids, s.exclude_list_ids, s.segment_ids,
                   s.status::text, k.template_id, k.template_version, k.content, k.links, c.status::text, c.send_id = s.id,
                   (SELECT count(*) FROM audit_entries AS a
                    WHERE a.workspace_id = s.workspace_id AND a.action = 'campaign.sent'
                      AND a.subject = 'campaign_' || s.campaign_id)
            FROM sends AS s
            JOIN send_contents AS k ON k.workspace_id = s.workspace_id AND k.send_id = s.id
            JOIN campaigns AS c ON c.workspace_id = s.workspace_id AND c.id = s.campaign_id
            ORDER BY s.campaign_id
            """
        )
    return [tuple(row) for row in rows]


async def test_many_are_launched_as_each_would_be_alone(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com", "b@example.com")
        ways: list[dict[str, Any]] = [
            {"name": "One"},
            {"name": "Two", "sender_name": "Somebody"},
            {"name": "Three", "subject": "Another {{ first_name }}"},
            {"name": "Four", "preheader": "Before all"},
            {"name": "Five", "provider_id": w.provider},
            {"name": "Six", "reply_to": "ask@example.org"},
        ]
        made = [await w.campaign(**one) for one in ways]
        for one in made:
            await w.launch(one)
        alone = await _kept(db)
        async with db.transaction() as tx:
            await tx.execute("DELETE FROM audit_entries WHERE action = 'campaign.sent'")
            await tx.execute("UPDATE campaigns SET send_id = NULL")
            await tx.execute("DELETE FROM sends")
        for one in made:
            await _due(w, one, utc_now() - timedelta(seconds=1))
        assert await _launch_due(db) == len(made)
        assert await _launch_due(db) == 0
        assert await _kept(db) == alone
        assert len(alone) == len(made)
        assert {row[12:] for row in alone} == {("sending", True, 1)}


async def test_what_many_have_in_common_is_looked_at_once(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    plain = _launch.preflight

    async def preflight(*words: Any, **named: Any) -> None:
        looked.append(named["subject"])
        await plain(*words, **named)

    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        for number in range(30):
            subject = "Another" if number % 10 == 0 else ""
            await _due(w, await w.campaign(subject=subject), utc_now() - timedelta(seconds=1))
        monkeypatch.setattr(_launch, "preflight", preflight)
        assert await _launch_due(db) == 30
    assert Counter(looked) == {"": 1, "Another": 1}


async def test_workspaces_take_turns(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_launch, "_AT_ONCE", 4)
    async with (
        world(db, tmp_path / "many", working=False) as many,
        world(db, tmp_path / "one", working=False) as one,
    ):
        at = utc_now() - timedelta(minutes=1)
        for w, count in ((many, 6), (one, 1)):
            await w.contacts("a@example.com")
            for number in range(count):
                # The one is due last of all.
                await _due(w, await w.campaign(), at + timedelta(seconds=number + 10 * (w is one)))
        assert await _launch_due(db) == 4
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT workspace_id, count(*)::integer FROM sends GROUP BY 1")
        assert dict(map(tuple, rows)) == {many.workspace: 3, one.workspace: 1}
        assert [await _launch_due(db) for _ in range(2)] == [3, 0]


async def test_one_that_cannot_be_written_down_keeps_none_of_the_others(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = delivery.create_sends

    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        made = [await w.campaign(name=f"Number {number}") for number in range(5)]
        for one in made:
            await _due(w, one, utc_now() - timedelta(seconds=1))

        async def create_sends(tx: Any, *, sends: list[NewSend], now: datetime) -> Any:
            if any(one.campaign == made[2].id for one in sends):
                await tx.execute("SELECT 1 / 0")
            return await plain(tx, sends=sends, now=now)

        monkeypatch.setattr(delivery, "create_sends", create_sends)
        assert await _launch_due(db) > 0
        seen = [await w.seen(one.id) for one in made]
        assert [one.status for one in seen].count(CampaignStatus.SENDING) == 4
        assert seen[2].status == CampaignStatus.DRAFT
        assert "could not start at its time: division by zero" in seen[2].status_reason
        assert await _launch_due(db) == 0


async def test_no_more_at_once_than_memory_is_meant_for(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_launch, "_HEAVIEST", 300)
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        for number in range(4):
            await _due(w, await w.campaign(subject=f"Number {number % 2}"), utc_now() - timedelta(seconds=1))
        steps = [await _launch_due(db) for _ in range(5)]
        assert sum(steps) == 4
        assert 2 <= steps.index(0) <= 4
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(DISTINCT campaign_id) FROM sends") == 4


async def test_who_launched_it_is_told(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        await _due(w, await w.campaign(), utc_now() - timedelta(seconds=1))
        await _launch_due(db)
        async with db.connection() as connection:
            actor = await connection.fetchval("SELECT actor FROM audit_entries WHERE action = 'campaign.sent'")
    assert actor == SYSTEM(w.workspace).actor
