"""Merging contacts: chains, mistakes, failures, and many at once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api_world import everything
from delivery_world import world
from merge_world import execute, fetch, leave, merge, merge_in, status
from tidings.audience import contacts, gone
from tidings.audience.contacts import Contact
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId


async def test_chains_races_and_mistakes(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        a, b, c, d = await here.contacts("a@x.test", "b@x.test", "c@x.test", "d@x.test")
        await merge(here, b, a)
        await merge(here, c, b)
        async with here.app.db.connection() as connection:
            assert await gone.survivor(connection, workspace=here.workspace, contacts=[a, b, c]) == {a: c, b: c}
        for into, merged, where in ((d, a, "from"), (d, d, "from"), (d, ContactId(10**9), "from")):
            with pytest.raises(Invalid) as caught:
                await merge(here, into, merged)
            assert caught.value.fields[0].field == where
        with pytest.raises(contacts.ContactNotFound, match=f"merged into contact_{c}"):
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
            if isinstance(o, BaseException) and not isinstance(o, (Invalid, contacts.ContactNotFound))
        ]
        assert faults == []
        async with here.app.db.connection() as connection:
            now = await gone.survivor(connection, workspace=here.workspace, contacts=people)
        alive = await fetch(here, "SELECT id FROM contacts")
        assert set(now.values()) <= set(alive)
        assert len(alive) + len(now) == 12
        for leaver in (people[3], people[8], people[11]):
            assert await status(here, now.get(leaver, leaver)) == "unsubscribed"
