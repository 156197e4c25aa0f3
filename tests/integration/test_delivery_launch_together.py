"""Many small audiences numbered by one statement: as if each had been alone, and no large one makes them wait, nor they it."""

import contextlib
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.audience import leaving, lists, suppressions
from tidings.audience.suppressions import ToSuppress
from tidings.compliance import NotReady
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx
from tidings.core.ids import ListId, SendId
from tidings.delivery.sends import _prepare

_TOLD = {
    "deliveries": "SELECT send_id, n, contact_id, by_segment, state::text, detail, at FROM deliveries ORDER BY send_id, n",
    "chunks": """SELECT send_id, chunk_no, provider_id, route_id, state::text, priority, position, first_n, last_n, ns
                 FROM chunks ORDER BY send_id, chunk_no""",
    "counters": "SELECT * FROM send_counters ORDER BY send_id, writer",
    "sends": "SELECT id, status::text, recipients, started_at, finished_at, reason FROM sends ORDER BY id",
}


class _Undone(Exception):
    pass


async def _told(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    return {name: [tuple(row) for row in await tx.fetch(statement)] for name, statement in _TOLD.items()}


async def _lists(w: World, members: dict[str, list[int]]) -> list[ListId]:
    made: list[ListId] = []
    async with w.app.db.transaction() as tx:
        for name, contacts in members.items():
            one = await lists.create_list(tx, workspace=w.workspace, name=name, by=SYSTEM(w.workspace), now=utc_now())
            made.append(one.id)
            await tx.execute(
                """
                INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
                SELECT $1, $2, id, CASE WHEN id % 7 = 0 THEN 'unsubscribed' WHEN id % 11 = 0 THEN 'pending'
                                        ELSE 'subscribed' END::subscription_status, now()
                FROM unnest($3::bigint[]) AS id
                """,
                w.workspace,
                one.id,
                contacts,
            )
    return made


async def test_together_is_as_alone(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    now = utc_now()
    async with world(db, tmp_path, working=False) as w:
        everybody = await w.contacts(*(f"a{n}@{chance.choice(['x', 'y', 'z'])}.example" for n in range(120)))
        made = await _lists(
            w,
            {f"List {n}": chance.sample(everybody, chance.randrange(0, 60)) for n in range(8)}
            | {"Gone": everybody[:3]},
        )
        async with db.transaction() as tx:
            for contact in chance.sample(everybody, 10):
                told = [(contact, "550 no")]
                await leaving.suppress(
                    tx, workspace=w.workspace, contacts=told, reason="bounced", source="test", now=now
                )
            await tx.execute("UPDATE contacts SET status = 'complained' WHERE id % 13 = 0")
            await suppressions.suppress_addresses(
                tx,
                workspace=w.workspace,
                addresses=[ToSuppress("@z.example")],
                source="test",
                keys=w.app.keys,
                now=now,
            )
        whom = [
            (chance.sample(made, chance.randrange(1, 4)), chance.sample(made, chance.choice([0, 0, 1, 2])))
            for _ in range(25)
        ]
        launched = 0
        for chosen, excluded in [*whom, (made[-1:], [])]:
            with contextlib.suppress(NotReady):  # nobody at all
                await w.launch(await w.campaign(list_ids=chosen, exclude_list_ids=excluded))
                launched += 1
        async with db.transaction() as tx:
            await tx.execute("DELETE FROM subscriptions WHERE list_id = $1", made[-1])
        seen: list[dict[str, list[tuple[Any, ...]]]] = []
        for small in (1000, -1):
            monkeypatch.setattr(_prepare, "_SMALL", small)
            with pytest.raises(_Undone):  # noqa: PT012 - what was numbered is looked at, and undone
                async with db.transaction() as tx:
                    steps = 0
                    while await delivery.prepare_next(tx, chunk_size=10, now=now):
                        steps += 1
                    assert steps == (1 if small > 0 else launched)
                    seen.append(await _told(tx))
                    raise _Undone
    together, alone = seen
    assert together == alone
    assert {row[4] for row in together["deliveries"]} == {"pending", "skipped"}
    assert {row[1] for row in together["sends"]} == {"running", "done"}
    assert len({row[5] for row in together["deliveries"]}) >= 4


async def _order(db: Database, *, now_: timedelta = timedelta()) -> list[list[SendId]]:
    """What is numbered at each step."""
    steps: list[list[SendId]] = []
    while True:
        async with db.transaction() as tx:
            some = await delivery.prepare_next(tx, chunk_size=10, now=utc_now() + now_)
        if not some:
            return steps
        steps.append(list(some))


async def test_small_ones_go_before_a_large_one_but_not_for_ever(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_prepare, "_SMALL", 5)
    async with world(db, tmp_path, working=False) as w:
        everybody = await w.contacts(*(f"a{n}@example.com" for n in range(20)))
        large, small = await _lists(w, {"Large": everybody, "Small": everybody[:3]})

        async def launched(list_: ListId) -> SendId:
            campaign = await w.campaign(list_ids=[list_])
            await w.launch(campaign)
            send = (await w.seen(campaign.id)).send_id
            assert send is not None
            return send

        first, *others = [await launched(one) for one in (large, small, small)]
        assert await _order(db) == [others, [first]]
        first, *others = [await launched(one) for one in (large, small, small)]
        assert await _order(db, now_=timedelta(seconds=6)) == [[first], others]


async def test_one_that_cannot_be_numbered_stops_none_of_the_others(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        for _ in range(3):
            await w.launch(await w.campaign())
        monkeypatch.setattr(_prepare, "listed_recipients", lambda **_: "SELECT nonsense")
        assert [len(step) for step in await _order(db)] == [3]
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT status::text, recipients FROM sends")
        assert [tuple(row) for row in rows] == [("running", 1)] * 3
