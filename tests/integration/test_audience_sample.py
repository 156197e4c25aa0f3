"""Contacts of an audience, sampled: those who would be mailed, and no others."""

from pathlib import Path

from delivery_world import world
from tidings.accounts import SYSTEM
from tidings.audience import lists, recipients, segments
from tidings.audience.recipients import Audience
from tidings.core.clock import utc_now
from tidings.core.db import Database


async def test_who_is_sampled(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        ids = await w.contacts(*(f"c{n}@example.com" for n in range(30)))
        by, now = SYSTEM(w.workspace), utc_now()
        async with db.transaction() as tx:
            left = await lists.create_list(tx, workspace=w.workspace, name="Out", by=by, now=now)
            await tx.execute(
                "INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at) VALUES ($1, $2, $3, now())",
                w.workspace,
                left.id,
                ids[0],
            )
            await tx.execute(
                "UPDATE contacts SET status = 'unsubscribed' WHERE workspace_id = $1 AND id = $2", w.workspace, ids[1]
            )
            segment = await segments.create_segment(
                tx,
                workspace=w.workspace,
                name="Few",
                conditions={"field": "email", "operator": "starts_with", "value": "c2"},
                by=by,
                now=now,
            )
        who = Audience([w.newsletter], [left.id])
        few = Audience(segments=[segment.id])
        async with db.connection() as tx:
            for quick in (False, True):
                everyone = await recipients.sample_recipients(
                    tx, workspace=w.workspace, audience=who, limit=100, now=now, quick=quick
                )
                assert [row["id"] for row in everyone] == ids[2:]
                assert everyone[0]["first_name"] == "Ada"
                found = await recipients.sample_recipients(
                    tx, workspace=w.workspace, audience=few, limit=100, now=now, quick=quick
                )
                assert [row["email"] for row in found] == ["c2@example.com", *(f"c2{n}@example.com" for n in range(10))]
            some = [
                [row["id"] for row in await recipients.sample_recipients(
                    tx, workspace=w.workspace, audience=who, limit=10, now=now
                )]
                for _ in range(2)
            ]  # fmt: skip
            assert some[0] == some[1]
            assert len(some[0]) == 10
            assert some[0] != ids[2:12], "spread over all of them"
            assert await tx.fetchval("SHOW statement_timeout") == "0"
            assert len(await recipients.sample_contacts(tx, workspace=w.workspace, limit=100)) == 29


async def test_of_many_the_same_are_found_as_if_all_were_looked_at(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts(*(f"c{n}@example.com" for n in range(4000)))
        who = Audience([w.newsletter])
        async with db.connection() as tx:
            for limit in (10, 39, 200):  # a hundredth has some forty
                rows = await recipients.sample_recipients(
                    tx, workspace=w.workspace, audience=who, limit=limit, now=utc_now()
                )
                first = await tx.fetch("SELECT id FROM contacts ORDER BY hashint8extended(id, 7) LIMIT $1", limit)
                assert {row["id"] for row in rows} == {row["id"] for row in first}, limit
