"""Merging contacts: nothing of either is lost, who left stays out, and nobody is mailed twice by a send under way."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api_world import everything
from delivery_world import World, eventually, world
from tidings import audience, compliance, events
from tidings.accounts import SYSTEM
from tidings.audience import Contact, Side
from tidings.campaigns import CampaignStatus, pause, resume
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId
from tidings.events import Event, EventType


async def merge(here: World, into: ContactId, merged: ContactId, **choices: Any) -> Contact:
    async with here.app.db.transaction() as tx:
        contact = await merge_in(tx, here, into, merged, **choices)
    await compliance.withdraw_barrier(here.app.withdrawals, workspace=here.workspace, contacts=[into, merged])
    return contact


async def merge_in(tx: Tx, here: World, into: ContactId, merged: ContactId, **choices: Any) -> Contact:
    return await compliance.merge_contacts(
        tx,
        workspace=here.workspace,
        into=into,
        merged=merged,
        keys=here.app.keys,
        by=SYSTEM(here.workspace),
        now=utc_now(),
        **choices,
    )


async def fetch(here: World, statement: str, *values: Any) -> list[Any]:
    async with here.app.db.connection() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in await connection.fetch(statement, *values)]


async def execute(here: World, statement: str, *values: Any) -> None:
    async with here.app.db.connection() as connection:
        await connection.execute(statement, *values)


async def leave(here: World, contact: ContactId, **message: Any) -> bool:
    return await compliance.leave(
        here.app.db,
        here.app.withdrawals,
        workspace=here.workspace,
        contact=contact,
        reason="",
        source="test",
        now=utc_now(),
        **message,
    )


async def status(here: World, contact: ContactId) -> str:
    async with here.app.db.connection() as connection:
        return (await audience.get_contact(connection, workspace=here.workspace, contact=contact)).status


async def test_gaps_are_filled_and_the_preferred_counts(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        for prefer in Side:
            ann, old = await here.contacts(f"ann-{prefer}@x.test", f"old-{prefer}@x.test")
            await execute(
                here,
                """UPDATE contacts SET first_name = 'Ann', last_name = '', phone = '1', tags = '{a,b}',
                       attributes = '{"x": 1, "empty": "", "mine": {"deep": 1}}', created_at = '2020-02-02Z' WHERE id = $1""",
                ann,
            )
            await execute(
                here,
                """UPDATE contacts SET first_name = 'Annie', last_name = 'Old', phone = '', language = 'de', tags = '{b,c}',
                       attributes = '{"x": 2, "empty": "full", "theirs": true}', created_at = '2019-02-02Z' WHERE id = $1""",
                old,
            )
            both = await merge(here, ann, old, prefer=prefer)
            first = prefer is Side.INTO
            assert (both.id, both.email) == (ann, f"ann-{prefer}@x.test")
            assert (both.first_name, both.last_name, both.phone, both.language) == (
                "Ann" if first else "Annie",
                "Old",
                "1",
                "de",
            )
            assert both.tags == (["a", "b", "c"] if first else ["b", "c", "a"])
            assert both.attributes == {"x": 1 if first else 2, "empty": "full", "mine": {"deep": 1}, "theirs": True}
            assert both.created_at.year == 2019
            again = await merge(here, ann, old)
            assert again == both


async def test_history_goes_over(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as here:
        ann, old = await here.contacts("ann@x.test", "old@x.test")
        for whom in (ann, old):
            await execute(
                here,
                "INSERT INTO custom_events (workspace_id, contact_id, name, at) VALUES ($1, $2, 'bought', now())",
                here.workspace,
                whom,
            )
        campaign = await here.campaign()
        await here.launch(campaign)
        seen = await here.until(campaign, CampaignStatus.SENT)
        assert sorted(here.server.recipients) == ["ann@x.test", "old@x.test"]
        assert seen.send_id is not None
        ((n,),) = [(n,) for n in await fetch(here, "SELECT n FROM deliveries WHERE contact_id = $1", old)]
        async with here.app.db.transaction() as tx:
            hit = Event(here.workspace, EventType.OPENED, utc_now(), seen.send_id, n, old, events.Agent.HUMAN)
            await events.record(tx, events=[hit], writer=1)
        await merge(here, ann, old)
        assert await fetch(here, "SELECT DISTINCT contact_id FROM events") == [ann]
        assert await fetch(here, "SELECT DISTINCT contact_id FROM engagements") == [ann]
        assert await fetch(here, "SELECT DISTINCT contact_id FROM custom_events") == [ann]
        # Both were mailed, as two people: both deliveries are still told.
        assert await fetch(here, "SELECT contact_id FROM deliveries ORDER BY contact_id") == [ann, old]
        assert await fetch(here, "SELECT merged_id, into_id, email FROM contact_merges") == [(old, ann, "old@x.test")]
        ((actor, detail),) = await fetch(
            here, "SELECT actor, detail FROM audit_entries WHERE subject = $1", f"contact_{ann}"
        )
        assert (actor, detail["from"]) == ("system", f"contact_{old}")
        # Hits of links in the mail to the old address are told of whoever they are now; of who is gone only the fact is kept.
        async with here.app.db.transaction() as tx:
            late = [replace(hit, contact=who) for who in (old, ann, ContactId(999), None)]
            told = await audience.told_of_survivors(tx, batches=[(7, late[:2]), (8, late[2:])])
        assert [(number, [event.contact for event in batch]) for number, batch in told] == [
            (7, [ann, ann]),
            (8, [None, None]),
        ]
        # A link in the mail to the old address: still theirs, and it takes out whom it belongs to now.
        assert await leave(here, old, send=seen.send_id, n=n)
        assert await status(here, ann) == "unsubscribed"
        assert not await leave(here, old)


@pytest.mark.parametrize("leaver", [0, 1])
@pytest.mark.parametrize("how", ["left", "complained", "manual"])
async def test_who_left_as_either_has_left_as_both(db: Database, tmp_path: Path, leaver: int, how: str) -> None:
    async with world(db, tmp_path, working=False) as here:
        pair = await here.contacts("ann@x.test", "old@x.test")
        if how == "left":
            await leave(here, pair[leaver])
        else:
            async with here.app.db.transaction() as tx:
                await audience.suppress(
                    tx,
                    workspace=here.workspace,
                    contacts=[(pair[leaver], "")],
                    reason="complained" if how == "complained" else "manual",
                    source="test",
                    now=utc_now(),
                )
        both = await merge(here, pair[0], pair[1])
        assert both.status == ("complained" if how == "complained" else "unsubscribed")
        assert both.list_ids == []
        reason = "unsubscribed" if how == "left" else how
        assert await fetch(here, "SELECT reason FROM suppressions") == [reason, reason]


async def test_a_bounce_stays_with_its_address(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        for address, bounced, expected in (
            (Side.INTO, 1, "active"),
            (Side.INTO, 0, "bounced"),
            (Side.FROM, 0, "active"),
            (Side.FROM, 1, "bounced"),
        ):
            pair = await here.contacts(f"new-{address}-{bounced}@x.test", f"old-{address}-{bounced}@x.test")
            async with here.app.db.transaction() as tx:
                await audience.suppress(
                    tx,
                    workspace=here.workspace,
                    contacts=[(pair[bounced], "550")],
                    reason="bounced",
                    source="bounce",
                    now=utc_now(),
                )
            both = await merge(here, *pair, address=address)
            assert both.status == expected, (address, bounced)
            assert both.email.startswith("new" if address is Side.INTO else "old")
            assert both.list_ids == [here.newsletter]
        assert await fetch(here, "SELECT count(*) FROM suppressions") == [4]


async def test_lists_are_united_and_who_left_one_stays_out_of_it(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        ann, old = await here.contacts("ann@x.test", "old@x.test")
        wanted: dict[tuple[str | None, str | None], str] = {
            ("subscribed", None): "subscribed",
            (None, "subscribed"): "subscribed",
            ("subscribed", "unsubscribed"): "unsubscribed",
            ("unsubscribed", "subscribed"): "unsubscribed",
            ("pending", "subscribed"): "pending",
            ("subscribed", "pending"): "subscribed",
            ("pending", "unsubscribed"): "unsubscribed",
        }
        lists: dict[int, str] = {}
        for standing, expected in wanted.items():
            async with here.app.db.transaction() as tx:
                made = await audience.create_list(
                    tx, workspace=here.workspace, name=str(standing), by=SYSTEM(here.workspace), now=utc_now()
                )
            lists[made.id] = expected
            for whom, one in zip((ann, old), standing, strict=True):
                if one is not None:
                    await execute(
                        here,
                        """INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
                           VALUES ($1, $2, $3, $4::text::subscription_status, now())""",
                        here.workspace,
                        made.id,
                        whom,
                        one,
                    )
        await merge(here, ann, old)
        found = await fetch(
            here, "SELECT list_id, status, contact_id FROM subscriptions WHERE list_id <> $1", here.newsletter
        )
        assert {list_: standing for list_, standing, _ in found} == lists
        assert {whom for *_, whom in found} == {ann}


async def test_of_two_in_a_send_under_way_one_is_mailed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=4) as here:
        here.server.delay_seconds = 0.02
        people = await here.contacts(*(f"p{i:02}@x.test" for i in range(60)))
        campaign = await here.campaign()
        await here.launch(campaign)
        while len(here.server.accepted) < 6:
            await asyncio.sleep(0.005)
        # Pairs of the ends: the first is sent or in a worker's hands, the second mostly still to come; and the other way round.
        pairs = [(people[i], people[59 - i]) for i in range(30)]
        after: list[set[str]] = []
        held: list[int] = []
        for position, (low, high) in enumerate(pairs):
            held += await fetch(here, _HELD, [low, high])
            await merge(here, *((low, high) if position % 2 else (high, low)))
            after.append(set(here.server.recipients))
        await here.until(campaign, CampaignStatus.SENT)
        await here.check_counters()
        mailed = here.server.recipients
        assert len(mailed) == len(set(mailed))
        states = await fetch(here, "SELECT contact_id, state FROM deliveries")
        assert {state for _, state in states} == {"delivered", "skipped"}
        assert len(states) == 60
        twice = 0
        for i in range(30):
            got = {f"p{i:02}@x.test", f"p{59 - i:02}@x.test"} & set(mailed)
            assert got, i
            # Both only if both had been mailed when they became one, or were on their way then.
            assert len(got) == 1 or got <= after[i] or held[i] == 2, (i, got)
            twice += len(got) == 2
        assert twice < 30


_HELD = """
SELECT count(*) FROM deliveries AS d
JOIN chunks AS c ON c.workspace_id = d.workspace_id AND c.send_id = d.send_id AND d.n BETWEEN c.first_n AND c.last_n
WHERE d.contact_id = ANY ($1::bigint[]) AND d.state = 'pending' AND c.state = 'leased'
"""
"""How many of these are in a worker's hands."""


async def test_paused_pairs_are_mailed_once_whoever_stays(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=4) as here:
        people = await here.contacts(*(f"p{i}@x.test" for i in range(8)))
        campaign = await here.campaign()
        await here.launch(campaign)
        await here.act(pause, campaign)
        await here.until(campaign, CampaignStatus.PAUSED)
        # The campaign says so at once; what a worker has begun is still on its way.
        await eventually(lambda: fetch(here, "SELECT FROM chunks WHERE state = 'leased'"), lambda rows: not rows)
        before = set(here.server.recipients)
        await merge(here, people[0], people[7])
        await merge(here, people[6], people[1])
        await merge(here, people[2], people[5], address=Side.FROM)
        # Someone who is not in the send at all takes over the one who is.
        (fresh,) = await here.contacts("fresh@x.test")
        await merge(here, fresh, people[3])
        await leave(here, people[5])  # an old link, in the middle of it
        await here.act(resume, campaign)
        await here.until(campaign, CampaignStatus.SENT)
        await here.check_counters()
        got = here.server.recipients
        assert len(got) == len(set(got))
        if not before:
            assert sorted(got) == ["fresh@x.test", "p0@x.test", "p4@x.test", "p6@x.test"]
        details = await fetch(here, "SELECT DISTINCT detail FROM deliveries WHERE state = 'skipped'")
        assert "merged" in details


async def test_who_was_mailed_already_is_not_mailed_as_the_other(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        ann, old = await here.contacts("ann@x.test", "old@x.test")
        await execute(
            here,
            """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, created_at)
               SELECT $1, i, 1, $2, 'running', '{}', now() FROM generate_series(901, 905) i""",
            here.workspace,
            here.provider,
        )
        cases = {901: ("pending", "sent"), 902: ("sent", "pending"), 903: ("deferred", "unknown"), 904: (None, "sent")}
        for send, states in cases.items():
            for n, (whom, state) in enumerate(zip((ann, old), states, strict=True), 1):
                if state:
                    await execute(
                        here,
                        """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state)
                           VALUES ($1, $2, $3, $4, $5::text::delivery_state)""",
                        here.workspace,
                        send,
                        n,
                        whom,
                        state,
                    )
        await merge(here, ann, old)
        rows = await fetch(here, "SELECT send_id, state FROM deliveries WHERE contact_id = $1 ORDER BY 1", ann)
        assert rows == [(901, "sent"), (902, "sent"), (903, "unknown"), (904, "sent")]
        rows = await fetch(here, "SELECT send_id, state FROM deliveries WHERE contact_id = $1 ORDER BY 1", old)
        assert rows == [(901, "pending"), (902, "pending"), (903, "deferred")]


async def test_chains_races_and_mistakes(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        a, b, c, d = await here.contacts("a@x.test", "b@x.test", "c@x.test", "d@x.test")
        await merge(here, b, a)
        await merge(here, c, b)
        async with here.app.db.connection() as connection:
            assert await audience.survivor(connection, workspace=here.workspace, contacts=[a, b, c]) == {a: c, b: c}
        for into, merged, where in ((d, a, "from"), (d, d, "from"), (d, ContactId(10**9), "from")):
            with pytest.raises(Invalid) as caught:
                await merge(here, into, merged)
            assert caught.value.fields[0].field == where
        with pytest.raises(audience.ContactNotFound, match=f"merged into contact_{c}"):
            await merge(here, a, d)
        # Each into the other, at once: one of the two is there afterwards, and the other request is told so.
        outcomes = await asyncio.gather(merge(here, c, d), merge(here, d, c), return_exceptions=True)
        assert sum(isinstance(outcome, Contact) for outcome in outcomes) == 1
        assert len(await fetch(here, "SELECT id FROM contacts")) == 1
        # Leaving while a merge is under way is not lost.
        e, f = await here.contacts("e@x.test", "f@x.test")
        async with here.app.db.transaction() as tx:
            await merge_in(tx, here, e, f)
            leaving = asyncio.ensure_future(leave(here, f))
            await asyncio.sleep(0.2)
            assert not leaving.done()
        assert await leaving
        assert await status(here, e) == "unsubscribed"
        assert utc_now() - timedelta(minutes=1) < (await fetch(here, "SELECT max(at) FROM contact_merges"))[0]


async def test_a_merge_fails_whole(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        ann, old = await here.contacts("ann@x.test", "old@x.test")
        await execute(
            here,
            """CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
               CREATE TRIGGER no BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION no()""",
        )
        before = await everything(here.app)
        with pytest.raises(asyncpg.RaiseError):
            await merge(here, ann, old)
        assert await everything(here.app) == before


async def test_many_merges_and_leavings_at_once(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        people = await here.contacts(*(f"p{i}@x.test" for i in range(12)))
        # All into the first, crosswise, while half of them leave by old links.
        jobs: list[Any] = [merge(here, people[i // 2], people[i]) for i in range(1, 12)]
        jobs += [leave(here, people[i]) for i in (3, 8, 11)]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        faults = [
            o
            for o in outcomes
            if isinstance(o, BaseException) and not isinstance(o, (Invalid, audience.ContactNotFound))
        ]
        assert faults == []
        async with here.app.db.connection() as connection:
            now = await audience.survivor(connection, workspace=here.workspace, contacts=people)
        alive = await fetch(here, "SELECT id FROM contacts")
        assert set(now.values()) <= set(alive)
        assert len(alive) + len(now) == 12
        for leaver in (people[3], people[8], people[11]):
            assert await status(here, now.get(leaver, leaver)) == "unsubscribed"


async def test_what_segments_ask_is_united(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        ann, old, none = await here.contacts("ann@x.test", "old@x.test", "none@x.test")
        async with here.app.db.transaction() as tx:
            now = utc_now()
            facts = [
                Event(here.workspace, kind, now - timedelta(seconds=ago), contact=who, agent=agent)
                for who, kind, ago, agent in (
                    (ann, EventType.OPENED, 5, events.Agent.HUMAN),
                    (old, EventType.OPENED, 9, events.Agent.HUMAN),
                    (old, EventType.OPENED, 2, events.Agent.MACHINE),
                    (old, EventType.BOUNCED, 1, None),
                )
            ]
            await events.record(tx, events=facts, writer=1)
            await tx.execute("TRUNCATE contact_activity")
            # As it is kept, whoever keeps it.
            await tx.execute(
                """INSERT INTO contact_activity (workspace_id, contact_id, opened, human_opened, bounced)
                   VALUES ($1, $2, '{10,30}', '{30}', NULL), ($1, $3, '{20,40}', NULL, '{7}')""",
                here.workspace,
                ann,
                old,
            )
            await tx.execute(
                """INSERT INTO contact_receipts (workspace_id, contact_id, at)
                   SELECT $1::bigint, $2::bigint, array_agg(i * 2) FROM generate_series(1, 700) i
                   UNION ALL SELECT $1, $3::bigint, array_agg(i * 2 + 1) FROM generate_series(1, 700) i""",
                here.workspace,
                ann,
                old,
            )
        await merge(here, ann, old)
        rows = await fetch(here, "SELECT contact_id, opened, human_opened, clicked, bounced FROM contact_activity")
        assert rows == [(ann, [10, 20, 30, 40], [30], None, [7])]
        ((whom, received),) = await fetch(here, "SELECT contact_id, at FROM contact_receipts")
        assert (whom, received) == (ann, list(range(402, 1402)))
        await merge(here, none, ann)
        assert await fetch(here, "SELECT contact_id, cardinality(at) FROM contact_receipts") == [(none, 1000)]
        assert await fetch(here, "SELECT DISTINCT contact_id FROM events") == [none]
