"""Merging contacts: nothing of either is lost."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from delivery_world import world
from merge_world import execute, fetch, leave, merge, status
from tidings import events
from tidings.accounts import SYSTEM
from tidings.audience import gone
from tidings.audience.lists import create_list
from tidings.audience.merging import Side
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ContactId
from tidings.events import Event, EventType


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
            told = await gone.told_of_survivors(tx, batches=[(7, late[:2]), (8, late[2:])])
        assert [(number, [event.contact for event in batch]) for number, batch in told] == [
            (7, [ann, ann]),
            (8, [None, None]),
        ]
        # A link in the mail to the old address: still theirs, and it takes out whom it belongs to now.
        assert await leave(here, old, send=seen.send_id, n=n)
        assert await status(here, ann) == "unsubscribed"
        assert not await leave(here, old)


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
                made = await create_list(
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
