"""A whole domain on the suppression list: nobody of it is mailed, by any door, until it is lifted."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, eventually, world
from tidings import campaigns, compliance
from tidings.accounts import SYSTEM
from tidings.audience import bulk, contacts, gone, imports, recipients, segments, suppressions
from tidings.audience.addresses import normalise_suppressed
from tidings.audience.recipients import Audience
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions import ToSuppress
from tidings.campaigns import CampaignStatus, Why
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ListId
from tidings.events import Event, EventType, record

EVERYBODY = {"and": [{"field": "email", "operator": "contains", "value": "@"}]}


async def _suppress(w: World, *addresses: str, list_id: ListId | None = None) -> Any:
    async with w.app.db.transaction() as tx:
        return await suppressions.suppress_addresses(
            tx,
            workspace=w.workspace,
            addresses=[ToSuppress(address) for address in addresses],
            list=list_id,
            source="test",
            keys=w.app.keys,
            now=utc_now(),
        )


async def test_counted_skipped_explained_and_lifted(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        emails = ["a@shut.example", '"x@y"@shut.example', "b@sub.shut.example", "c@shut.example.com", "d@open.example"]
        ids = dict(zip(emails, await w.contacts(*emails), strict=True))
        done = await _suppress(w, "@shut.example")
        assert sorted(done.withdrawn) == sorted([ids["a@shut.example"], ids['"x@y"@shut.example']])
        assert (await _suppress(w, "@shut.example")).withdrawn == []
        whom = Audience(lists=[w.newsletter])
        async with db.transaction() as tx:
            counted = await recipients.count_recipients(tx, workspace=w.workspace, audience=whom, now=utc_now())
            assert (counted.mailable, counted.skipped) == (3, {"suppressed:domain": 2})
            for quick in (False, True):
                members = await segments.conditions_members(
                    tx, workspace=w.workspace, conditions=EVERYBODY, first=2, now=utc_now()
                )
                count = await segments.count_segment(tx, workspace=w.workspace, members=members, quick=quick)
                assert (count.contacts, count.mailable) == (5, 3)
        campaign = await w.campaign()
        async with db.connection() as tx:
            told = await campaigns.explain(
                tx, workspace=w.workspace, campaign=campaign.id, contact=ids["a@shut.example"], now=utc_now()
            )
        assert [reason.code for reason in told.reasons] == [Why.NOT_LAUNCHED, Why.SUPPRESSED]
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == ["b@sub.shut.example", "c@shut.example.com", "d@open.example"]
        states = await w.states()
        assert {states[email] for email in emails[:2]} == {("skipped", "suppressed:domain")}
        async with db.transaction() as tx:
            await suppressions.lift_suppressions(
                tx, workspace=w.workspace, ids=list(done.ids.values()), reason="sorry", consent="",
                by=SYSTEM(w.workspace), now=utc_now(),
            )  # fmt: skip
            counted = await recipients.count_recipients(tx, workspace=w.workspace, audience=whom, now=utc_now())
        assert (counted.mailable, counted.skipped) == (5, {})


async def test_in_the_middle_of_a_send(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=50) as w:
        w.server.delay_seconds = 0.03
        await w.contacts(*(f"a{n}@{('shut', 'open')[n % 2]}.example" for n in range(200)))
        campaign = await w.campaign()
        await w.launch(campaign)

        async def sent() -> int:
            return len(w.server.accepted)

        await eventually(sent, lambda n: n > 20)
        done = await _suppress(w, "@shut.example")
        assert len(done.withdrawn) == 100
        await compliance.withdraw_barrier(w.app.withdrawals, workspace=w.workspace, contacts=done.withdrawn)
        answered = asyncio.get_running_loop().time()
        w.server.delay_seconds = 0
        await w.until(campaign, CampaignStatus.SENT, 60)
        late = [a.recipient for a in w.server.accepted if "@shut" in a.recipient and a.began > answered]
        assert late == []
        assert sum("@shut" in one for one in w.server.recipients) < 60
        assert sum("@open" in one for one in w.server.recipients) == 100
        await w.check_counters()


async def test_an_import_counts_them_and_they_stay_out(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await _suppress(w, "@shut.example")
        rows = [{"email": f"a{n}@{('shut', 'open')[n % 2]}.example"} for n in range(10)]
        for created in (10, 0):
            async with db.transaction() as tx:
                started = await imports.start_import(
                    tx, workspace=w.workspace, list=w.newsletter, contacts=rows, by=SYSTEM(w.workspace), now=utc_now()
                )
            await imports.run_import(db, w.app.keys, workspace=w.workspace, import_=started.id)
            async with db.connection() as tx:
                done = await imports.get_import(tx, workspace=w.workspace, import_=started.id)
            assert (done.created, done.suppressed) == (created, 5)


@pytest.mark.parametrize("address", ["@", "@nonsense", "@a@b.example", "@.example", "@shut.example x", "x@"])
def test_what_is_no_domain(address: str) -> None:
    with pytest.raises(Invalid):
        normalise_suppressed(address)


def test_one_spelling_of_a_domain() -> None:
    assert normalise_suppressed(" @BÜCHER.example ") == "@xn--bcher-kva.example"


async def test_only_everywhere_and_only_by_hand(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        with pytest.raises(Invalid, match="everywhere"):
            await _suppress(w, "@shut.example", list_id=w.newsletter)
        with pytest.raises(Invalid, match="by hand"):
            async with db.transaction() as tx:
                await suppressions.suppress_addresses(
                    tx,
                    workspace=w.workspace,
                    addresses=[ToSuppress("@shut.example", SuppressionReason.COMPLAINED)],
                    source="test",
                    keys=w.app.keys,
                    now=utc_now(),
                )
        file = io.BytesIO(b"email,reason\n'@shut.example,\n@gone.example,bounced\nann@example.com,\n")
        (rows,) = suppressions.read_addresses(file, reason=SuppressionReason.MANUAL, detail="", batch=10)
        assert [one.email for one in rows.addresses] == ["@shut.example", "ann@example.com"]
        assert [(p.line, p.value) for p in rows.problems] == [(3, "@gone.example")]


async def test_who_is_deleted_leaves_nothing_that_segments_are_told(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        ann, bob, eve = await w.contacts("ann@x.test", "bob@x.test", "eve@x.test")
        opened = [Event(w.workspace, EventType.OPENED, utc_now(), contact=one) for one in (ann, bob, eve)]
        async with db.transaction() as tx:
            await record(tx, events=opened, writer=0)
            await tx.execute(
                "INSERT INTO contact_receipts SELECT $1, id, '{1}' FROM unnest($2::bigint[]) AS id",
                w.workspace,
                [ann, bob, eve],
            )
            by = SYSTEM(w.workspace)
            await contacts.delete_contact(tx, workspace=w.workspace, contact=ann, by=by, now=utc_now())
            await bulk.delete_contacts(tx, workspace=w.workspace, contacts=[bob], by=by, now=utc_now())
            told = await gone.told_of_survivors(tx, batches=[(1, opened)])
            await record(tx, events=told[0][1], writer=0)
            for table in ("contact_activity", "contact_receipts"):
                assert [r["contact_id"] for r in await tx.fetch(f"SELECT contact_id FROM {table}")] == [eve]  # noqa: S608
            kept = await tx.fetch("SELECT contact_id FROM events WHERE type = 'opened'")
            assert sorted(r["contact_id"] or 0 for r in kept) == [0, 0, *sorted([ann, bob, eve, eve])]
