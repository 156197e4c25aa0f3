"""Whom a campaign goes to, counted before and accounted for after; and why someone got it, or not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, world
from tidings import campaigns, compliance, delivery
from tidings.accounts import SYSTEM
from tidings.audience import contacts, leaving, lists, recipients, segments, suppressions
from tidings.audience.recipients import Audience
from tidings.audience.suppressions import ToSuppress
from tidings.campaigns import Campaign, CampaignStatus, Why
from tidings.compliance import NotReady
from tidings.core.clock import utc_now
from tidings.core.db import Database, sql
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ListId, SegmentId


async def _list(w: World, name: str, *members: int, status: str = "subscribed") -> ListId:
    async with w.app.db.transaction() as tx:
        made = await lists.create_list(tx, workspace=w.workspace, name=name, by=SYSTEM(w.workspace), now=utc_now())
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
               SELECT $1, $2, id, $4::text::subscription_status, now() FROM unnest($3::bigint[]) AS id""",
            w.workspace,
            made.id,
            list(members),
            status,
        )
    return made.id


async def _segment(w: World, name: str, *conditions: dict[str, Any]) -> SegmentId:
    async with w.app.db.transaction() as tx:
        made = await segments.create_segment(
            tx,
            workspace=w.workspace,
            name=name,
            conditions={"and": list(conditions)},
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )
    return made.id


def _address(operator: str, value: Any) -> dict[str, Any]:
    return {"field": "email", "operator": operator, "value": value}


async def _count(w: World, whom: Audience) -> recipients.AudienceCount:
    async with w.app.db.connection() as tx:
        return await recipients.count_recipients(tx, workspace=w.workspace, audience=whom, now=utc_now())


async def _why(w: World, campaign: Campaign, contact: ContactId) -> list[Why]:
    async with w.app.db.connection() as tx:
        told = await campaigns.explain(tx, workspace=w.workspace, campaign=campaign.id, contact=contact, now=utc_now())
    assert all(reason.text for reason in told.reasons)
    return [reason.code for reason in told.reasons]


async def _set(w: World, statement: str, *values: Any) -> None:
    async with w.app.db.transaction() as tx:
        await tx.execute(statement, *values)


async def test_lists_and_segments_together_less_lists_and_segments(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        names = [f"{who}@{where}.test" for where in ("north", "south") for who in "abcdef"]
        ids = dict(zip(names, await w.contacts(*names), strict=True))
        await _set(w, "DELETE FROM subscriptions")
        on = await _list(w, "On", ids["a@north.test"], ids["b@north.test"], ids["a@south.test"])
        off = await _list(w, "Off", ids["b@north.test"], ids["c@south.test"])
        south = await _segment(w, "South", _address("ends with", "@south.test"))
        eff = await _segment(w, "Eff", _address("starts with", "f@"))
        async with db.transaction() as tx:
            await leaving.suppress(
                tx,
                workspace=w.workspace,
                contacts=[(ids["d@south.test"], "550")],
                reason="bounced",
                source="test",
                now=utc_now(),
            )
        whom = Audience([on], [off], [south], [eff])
        counted = await _count(w, whom)
        assert (counted.recipients, counted.mailable, counted.skipped) == (5, 4, {"suppressed:bounced": 1})
        campaign = await w.campaign(
            list_ids=[on], exclude_list_ids=[off], segment_ids=[south], exclude_segment_ids=[eff]
        )
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert {who: state for who, (state, _) in (await w.states()).items()} == {
            "a@north.test": "delivered",
            "a@south.test": "delivered",
            "b@south.test": "delivered",
            "d@south.test": "skipped",
            "e@south.test": "delivered",
        }
        assert await _why(w, campaign, ids["a@north.test"]) == [Why.RECIPIENT]
        assert await _why(w, campaign, ids["d@south.test"]) == [Why.SKIPPED]
        assert await _why(w, campaign, ids["c@south.test"]) == [Why.EXCLUDED_BY_LIST]
        assert await _why(w, campaign, ids["f@south.test"]) == [Why.EXCLUDED_BY_SEGMENT]
        assert await _why(w, campaign, ids["c@north.test"]) == [Why.NOT_ON_LISTS, Why.NOT_IN_SEGMENTS]
        await w.check_counters()


async def test_a_segment_is_live_until_the_launch(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        a, b = await w.contacts("a@x.test", "b@x.test")
        segment = await _segment(w, "Bees", _address("starts with", "b"))
        campaign = await w.campaign(list_ids=[], segment_ids=[segment])
        assert (await _count(w, campaign.audience)).recipients == 1
        assert await _why(w, campaign, b) == [Why.NOT_LAUNCHED, Why.WOULD_GET_IT]
        assert await _why(w, campaign, a) == [Why.NOT_LAUNCHED, Why.NOT_IN_SEGMENTS]
        await _set(w, "UPDATE contacts SET email = 'bee@x.test' WHERE id = $1", a)
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == ["b@x.test", "bee@x.test"]


async def test_who_left_or_never_confirmed_is_not_found_again_by_a_segment(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        left, _, pending = await w.contacts("left@x.test", "other@x.test", "pending@x.test")
        await _set(
            w, "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now() WHERE contact_id = $1", left
        )
        await _set(w, "UPDATE subscriptions SET status = 'pending' WHERE contact_id = $1", pending)
        everyone = await _segment(w, "Everyone", _address("contains", "@"))
        campaign = await w.campaign(segment_ids=[everyone])
        counted = await _count(w, campaign.audience)
        assert (counted.recipients, counted.mailable, counted.skipped) == (3, 1, {"left_list": 1, "not_confirmed": 1})
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert await w.states() == {
            "left@x.test": ("skipped", "left_list"),
            "other@x.test": ("delivered", ""),
            "pending@x.test": ("skipped", "not_confirmed"),
        }
        assert await _why(w, campaign, left) == [Why.SKIPPED]


async def test_leaving_a_list_in_the_middle_counts_for_those_a_segment_brought(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        listed, found, gone = await w.contacts("listed@x.test", "found@x.test", "gone@x.test")
        await _set(w, "DELETE FROM subscriptions WHERE contact_id <> $1", listed)
        everyone = await _segment(w, "Everyone", _address("contains", "@"))
        campaign = await w.campaign(segment_ids=[everyone])
        await w.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
            rows = await tx.fetch("SELECT contact_id, by_segment FROM deliveries ORDER BY n")
        assert [tuple(row) for row in rows] == [(listed, False), (found, True), (gone, True)]
        # One is taken off the list without a trace; one comes on it and leaves.
        await _set(w, "DELETE FROM subscriptions WHERE contact_id = $1", listed)
        await _set(
            w,
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at, unsubscribed_at)
               VALUES ($1, $2, $3, 'unsubscribed', now(), now())""",
            w.workspace,
            w.newsletter,
            gone,
        )
        async with db.connection() as tx:
            send = await tx.fetchval("SELECT id FROM sends")
            rows = await tx.fetch(sql("tidings.delivery.worker", "_fetch"), w.workspace, send, 1, 3, None, 0)
        assert [(row["contact_id"], row["skip"]) for row in rows] == [
            (listed, "left_list"),
            (found, None),
            (gone, "left_list"),
        ]


async def test_why_not_for_everybody_who_was_not_there(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        there, left, pending, off, moved = await w.contacts(*(f"{n}@x.test" for n in ("a", "b", "c", "d", "e")))
        await _set(
            w, "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now() WHERE contact_id = $1", left
        )
        await _set(w, "UPDATE subscriptions SET status = 'pending' WHERE contact_id = $1", pending)
        await _set(w, "DELETE FROM subscriptions WHERE contact_id = ANY ($1::bigint[])", [off, moved])
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert await _why(w, campaign, there) == [Why.RECIPIENT]
        assert await _why(w, campaign, left) == [Why.LEFT_LIST]
        assert await _why(w, campaign, pending) == [Why.NOT_CONFIRMED]
        assert await _why(w, campaign, off) == [Why.NOT_ON_LISTS]
        await _set(
            w,
            "INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at) VALUES ($1, $2, $3, $4)",
            w.workspace,
            w.newsletter,
            moved,
            utc_now() + timedelta(seconds=1),
        )
        assert await _why(w, campaign, moved) == [Why.JOINED_LATER]
        (late,) = await w.contacts("late@x.test")
        assert await _why(w, campaign, late) == [Why.CREATED_LATER]
        assert await _why(w, campaign, ContactId(999_999)) == [Why.UNKNOWN_CONTACT]


async def test_before_the_launch_it_says_what_would_become_of_them(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        fine, bounced, complained = await w.contacts("a@x.test", "b@x.test", "c@x.test")
        async with db.transaction() as tx:
            await leaving.suppress(
                tx, workspace=w.workspace, contacts=[(bounced, "550")], reason="bounced", source="test", now=utc_now()
            )
        await _set(w, "UPDATE contacts SET status = 'complained' WHERE id = $1", complained)
        campaign = await w.campaign()
        assert await _why(w, campaign, fine) == [Why.NOT_LAUNCHED, Why.WOULD_GET_IT]
        assert await _why(w, campaign, bounced) == [Why.NOT_LAUNCHED, Why.SUPPRESSED]
        assert await _why(w, campaign, complained) == [Why.NOT_LAUNCHED, Why.STATUS]
        await w.launch(campaign)
        assert await _why(w, campaign, fine) == [Why.NUMBERING]


async def test_recipients_page_by_page_and_by_state(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        ids = await w.contacts(*(f"a{n}@x.test" for n in range(7)))
        w.server.verdict = lambda address: "550 5.1.1 no" if address == "a3@x.test" else "ok"
        campaign = await w.campaign()
        await w.launch(campaign)
        seen = await w.until(campaign, CampaignStatus.SENT)
        assert seen.send_id is not None
        pages: list[int] = []
        async with db.connection() as tx:
            after = 0
            while found := await delivery.list_recipients(
                tx, workspace=w.workspace, send=seen.send_id, after=after, limit=3
            ):
                assert len(found) <= 3
                pages += [one.contact for one in found]
                after = found[-1].n
            assert pages == ids
            (only,) = await delivery.list_recipients(
                tx, workspace=w.workspace, send=seen.send_id, state=delivery.DeliveryState.BOUNCED, limit=10
            )
        assert (only.email, only.detail, only.attempts) == ("a3@x.test", "550 5.1.1 no", 1)


async def test_a_segment_that_means_nothing_any_more_stops_its_campaign_and_says_so(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path) as w:
        await w.contacts("a@x.test")
        segment = await _segment(w, "Everyone", _address("contains", "@"))
        campaign = await w.campaign(list_ids=[], segment_ids=[segment])
        await _set(w, """UPDATE segments SET conditions = '{"and": [{"field": "nonsense!", "operator": "="}]}'""")
        with pytest.raises(NotReady) as caught:
            await w.launch(campaign)
        assert [problem.field for problem in caught.value.fields] == ["segment_ids"]


async def test_a_campaign_names_segments_that_exist(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        with pytest.raises(Invalid) as caught:
            await w.campaign(list_ids=[], segment_ids=[SegmentId(5)], exclude_segment_ids=[SegmentId(6)])
        assert [problem.field for problem in caught.value.fields] == ["segment_ids[0]", "exclude_segment_ids[0]"]
        with pytest.raises(Invalid) as caught:
            await w.campaign(list_ids=[])
        assert [problem.field for problem in caught.value.fields] == ["contact_list_ids"]


async def test_nobody_comes_back_through_a_segment(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        gone, still, none, shut = await w.contacts("gone@x.test", "still@x.test", "none@x.test", "shut@x.test")
        other = await _list(w, "Other", still)
        await _set(
            w,
            "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now() WHERE list_id = $1",
            w.newsletter,
        )
        await _set(w, "DELETE FROM subscriptions WHERE contact_id = ANY ($1::bigint[])", [none, shut])
        # Kept from a list before they were anybody: no subscription says so.
        await _set(
            w,
            """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
               SELECT $1, $2, address_hash, 'manual', now() FROM contacts WHERE id = $3""",
            w.workspace,
            other,
            shut,
        )
        everyone = await _segment(w, "Everyone", _address("contains", "@"))
        alone, beside = (
            await w.campaign(list_ids=[], segment_ids=[everyone]),
            await w.campaign(list_ids=[other], segment_ids=[everyone]),
        )
        assert (await _count(w, alone.audience)).skipped == {"left_list": 1}
        assert (await _count(w, beside.audience)).skipped == {"left_list": 2}
        assert await _why(w, alone, gone) == [Why.NOT_LAUNCHED, Why.LEFT_LIST]
        await w.launch(alone)
        await w.until(alone, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == ["none@x.test", "shut@x.test", "still@x.test"]
        await w.launch(beside)
        await w.until(beside, CampaignStatus.SENT)
        assert sorted(w.server.recipients[3:]) == ["none@x.test", "still@x.test"]


async def test_who_leaves_all_they_have_in_the_middle_is_not_mailed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        gone, shut = await w.contacts("gone@x.test", "shut@x.test")
        everyone = await _segment(w, "Everyone", _address("contains", "@"))
        other = await _list(w, "Other")
        await w.launch(await w.campaign(list_ids=[other], segment_ids=[everyone]))
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=100, now=utc_now())
        await _set(
            w, "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now() WHERE contact_id = $1", gone
        )
        await _set(
            w,
            """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
               SELECT $1, $2, address_hash, 'manual', now() FROM contacts WHERE id = $3""",
            w.workspace,
            other,
            shut,
        )
        async with db.connection() as tx:
            send = await tx.fetchval("SELECT id FROM sends")
            rows = await tx.fetch(sql("tidings.delivery.worker", "_fetch"), w.workspace, send, 1, 2, None, 0)
        assert [(row["contact_id"], row["skip"]) for row in rows] == [(gone, "left_list"), (shut, "left_list")]


async def test_an_address_that_is_no_contact_gets_an_answer(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        old, new, gone = await w.contacts("old@x.test", "new@x.test", "gone@x.test")
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        async with db.transaction() as tx:
            await compliance.merge_contacts(
                tx, workspace=w.workspace, into=new, merged=old, keys=w.app.keys, by=SYSTEM(w.workspace), now=utc_now()
            )
            await contacts.delete_contact(
                tx, workspace=w.workspace, contact=gone, by=SYSTEM(w.workspace), now=utc_now()
            )
            await suppressions.suppress_addresses(
                tx,
                workspace=w.workspace,
                addresses=[ToSuppress("never@x.test")],
                source="test",
                keys=w.app.keys,
                now=utc_now(),
            )

        async def told(email: str) -> campaigns.Explanation:
            async with db.connection() as tx:
                return await campaigns.explain_address(
                    tx, workspace=w.workspace, campaign=campaign.id, email=email, keys=w.app.keys, now=utc_now()
                )

        for email, codes, contact in (
            ("new@x.test", [Why.RECIPIENT], new),
            ("old@x.test", [Why.MERGED, Why.RECIPIENT], old),  # the message to the old address is the answer
            ("gone@x.test", [Why.ERASED, Why.RECIPIENT], None),
            ("never@x.test", [Why.UNKNOWN_CONTACT, Why.SUPPRESSED], None),
        ):
            found = await told(email)
            assert ([reason.code for reason in found.reasons], found.contact) == (codes, contact), email
            assert (found.recipient is not None) == (Why.RECIPIENT in codes)
        later = await w.campaign(name="Later")
        async with db.connection() as tx:
            of_new = await campaigns.explain_address(
                tx, workspace=w.workspace, campaign=later.id, email="old@x.test", keys=w.app.keys, now=utc_now()
            )
        assert [reason.code for reason in of_new.reasons] == [Why.MERGED, Why.NOT_LAUNCHED, Why.WOULD_GET_IT]
        assert of_new.contact == new
