"""Numbering an audience: everybody once, in order, those who may not be mailed with the reason, all or nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from delivery_world import World, eventually, world
from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.audience import leaving, lists
from tidings.audience.segments import Fragment
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ListId, SendId


async def _prepare(w: World, chunk_size: int = 100) -> Sequence[SendId]:
    async with w.app.db.transaction() as tx:
        return await delivery.prepare_next(tx, chunk_size=chunk_size, now=utc_now())


async def _list(w: World, name: str, *members: int) -> ListId:
    async with w.app.db.transaction() as tx:
        made = await lists.create_list(tx, workspace=w.workspace, name=name, by=SYSTEM(w.workspace), now=utc_now())
        await tx.execute(
            """
            INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
            SELECT $1, $2, id, now() FROM unnest($3::bigint[]) AS id
            """,
            w.workspace,
            made.id,
            list(members),
        )
    return made.id


@pytest.fixture(params=[True, False], ids=["together", "alone"])
def together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether audiences count as small, and are numbered together with others."""
    if not request.param:
        monkeypatch.setattr("tidings.delivery.sends._prepare._SMALL", -1)
    return request.param


@pytest.mark.usefixtures("together")
async def test_everybody_once_and_who_is_skipped_says_why(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        a, b, c, d, e, f = await w.contacts(*(f"{name}@example.com" for name in "abcdef"))
        other = await _list(w, "Other", a, b)  # twice on the lists of the campaign
        not_them = await _list(w, "Not them", c)
        async with db.transaction() as tx:
            await leaving.suppress(
                tx, workspace=w.workspace, contacts=[(d, "550 no")], reason="bounced", source="test", now=utc_now()
            )
            await tx.execute("UPDATE contacts SET status = 'complained' WHERE id = $1", e)
            await tx.execute("UPDATE subscriptions SET status = 'pending' WHERE contact_id = $1", f)
        campaign = await w.campaign(list_ids=[w.newsletter, other], exclude_list_ids=[not_them])
        await w.launch(campaign)
        assert len(await _prepare(w)) == 1
        assert not await _prepare(w)
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT n, contact_id, state::text, detail FROM deliveries ORDER BY n")
        assert [tuple(row) for row in rows] == [
            (1, a, "pending", None),
            (2, b, "pending", None),
            (3, d, "skipped", "suppressed:bounced"),
            (4, e, "skipped", "status:complained"),
        ]
        await w.check_counters()


@pytest.mark.usefixtures("together")
async def test_chunks_cover_everybody_exactly_once(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(205)))
        await w.launch(await w.campaign())
        await _prepare(w, chunk_size=100)
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT first_n, last_n FROM chunks ORDER BY chunk_no")
        assert [tuple(row) for row in rows] == [(1, 100), (101, 200), (201, 205)]


@pytest.mark.usefixtures("together")
async def test_a_crash_in_the_middle_leaves_nothing_and_it_begins_anew(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        await w.launch(await w.campaign())

        class Crash(Exception):
            pass

        with pytest.raises(Crash):  # noqa: PT012 - the crash is in the middle of the block
            async with db.transaction() as tx:
                assert await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
                raise Crash
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM deliveries") == 0
        assert await _prepare(w)
        assert len(await w.states()) == 1


async def test_a_send_that_cannot_be_prepared_stands_still_and_says_why(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts("a@example.com")

        async def nonsense(*_: object, **__: object) -> Fragment:
            return Fragment("SELECT nonsense", [])

        monkeypatch.setattr("tidings.delivery.sends._prepare.recipients", nonsense)
        monkeypatch.setattr("tidings.delivery.sends._prepare.listed_recipients", lambda **_: "SELECT nonsense")
        campaign = await w.campaign()
        await w.launch(campaign)
        seen = await w.until(campaign, CampaignStatus.PAUSED)
        assert "could not be numbered" in seen.status_reason


async def test_content_that_breaks_in_the_worker_pauses_its_send_alone(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts("a@example.com")
        broken, fine = await w.campaign(), await w.campaign()
        await w.launch(broken)
        async with db.connection() as connection:
            await connection.execute('UPDATE send_contents SET content = content || \'{"html": "{% if %}"}\'')
        await w.launch(fine)
        await w.until(fine, CampaignStatus.SENT)
        seen = await w.until(broken, CampaignStatus.PAUSED)
        assert seen.status_reason


async def test_a_contact_whose_data_breaks_the_template_fails_alone(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        ids = await w.contacts("a@example.com", "b@example.com")
        async with db.transaction() as tx:
            await tx.execute("UPDATE contacts SET attributes = '{\"by\": 0}' WHERE id = $1", ids[0])
            await tx.execute("UPDATE contacts SET attributes = '{\"by\": 2}' WHERE id = $1", ids[1])
            await tx.execute("UPDATE template_versions SET html_content = '<p>{{ 10 | divided_by: contact.by }}</p>'")
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        states = await w.states()
        assert states["a@example.com"][0] == "failed"
        assert "could not be rendered" in states["a@example.com"][1]
        assert states["b@example.com"][0] == "delivered"
        await w.check_counters()


async def test_a_template_too_dear_for_everybody_pauses_its_send_and_nobody_is_lost(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path) as w:
        everybody = [f"a{n}@example.com" for n in range(30)]
        await w.contacts(*everybody)
        fine, dear = await w.campaign(), await w.campaign()
        await w.launch(fine)
        await w.until(fine, CampaignStatus.SENT)
        async with db.transaction() as tx:
            await tx.execute(
                "UPDATE template_versions SET html_content = '{% for i in (1..contact.turns) %}{{ i }}{% endfor %}'"
            )
            await tx.execute("UPDATE contacts SET attributes = '{\"turns\": 3}'")
        await _launch_before_it_gets_dear(w, dear)
        seen = await w.until(dear, CampaignStatus.PAUSED)
        assert "ten recipients in a row" in seen.status_reason
        assert "loop iterations" in seen.status_reason
        await _nobody_leased(db)
        async with db.connection() as connection:
            states = await connection.fetch("SELECT state::text, count(*) FROM deliveries GROUP BY 1 ORDER BY 1")
        assert [tuple(row) for row in states] == [("delivered", 30), ("pending", 30)]

        # Paused again as long as it is too dear, and sent to everybody once it is not.
        await w.act(campaigns.resume, dear)
        await w.until(dear, CampaignStatus.PAUSED)
        await _nobody_leased(db)
        async with db.transaction() as tx:
            await tx.execute("UPDATE contacts SET attributes = '{\"turns\": 3}'")
        await w.act(campaigns.resume, dear)
        await w.until(dear, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == sorted(everybody * 2)
        await w.check_counters()


async def test_of_several_chunks_none_stays_behind_when_a_template_is_too_dear(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=4) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(40)))
        async with db.transaction() as tx:
            await tx.execute(
                "UPDATE template_versions SET html_content = '{% for i in (1..contact.turns) %}{% endfor %}'"
            )
            await tx.execute("UPDATE contacts SET attributes = '{\"turns\": 3}'")
        campaign = await w.campaign()
        await _launch_before_it_gets_dear(w, campaign)
        await w.until(campaign, CampaignStatus.PAUSED)
        await _nobody_leased(db)
        states = [state for state, _ in (await w.states()).values()]
        assert set(states) <= {"failed", "pending"}
        assert states.count("pending") >= 20, "its first chunks are over before ten were tried, and others may begin"
        await w.check_counters()


async def _launch_before_it_gets_dear(w: World, campaign: campaigns.Campaign) -> None:
    """Preflight renders for some contacts, and finds them harmless still."""
    async with w.app.db.transaction() as tx:
        await campaigns.launch(
            tx,
            workspace=w.workspace,
            campaign=campaign.id,
            public_url=w.app.public_url,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )
        await tx.execute("UPDATE contacts SET attributes = '{\"turns\": 99999}'")


async def _nobody_leased(db: Database) -> None:
    async def leased() -> int:
        async with db.connection() as connection:
            return await connection.fetchval("SELECT count(*) FROM chunks WHERE state = 'leased'")

    await eventually(leased, lambda count: count == 0)
