"""Warm-ups: caps that all workers keep, judged once a day by what really came back."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database, sql
from tidings.core.errors import NotFound
from tidings.core.ids import ProviderId
from tidings.delivery import Message, Warmup, WarmupMove


async def begin(w: World, *caps: int) -> None:
    async with w.app.db.transaction() as tx:
        await delivery.start_warmup(
            tx,
            workspace=w.workspace,
            provider=ProviderId(w.provider),
            caps=caps,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )


async def look(w: World, now: datetime | None = None) -> Warmup:
    async with w.app.db.transaction() as tx:
        return await delivery.get_warmup(
            tx, workspace=w.workspace, provider=ProviderId(w.provider), now=now or utc_now()
        )


async def steps(w: World) -> dict[str, tuple[int, int | None]]:
    return {one.group: (one.step, one.cap) for one in (await look(w)).groups}


async def end_day(w: World) -> None:
    """A day is over: it is due now, and what was sent counts as sent in it."""
    async with w.app.db.transaction() as tx:
        await tx.execute("UPDATE warmups SET next_at = now() - interval '1 second'")
    async with w.app.db.transaction() as tx:
        assert await delivery.step_warmup(tx, now=utc_now())


async def hastened(w: World) -> bool:
    """Whether those whom the provider's limits hold back are to be looked at again."""
    async with w.app.db.transaction() as tx:
        return bool(await tx.fetchval("SELECT count(*) FROM providers WHERE limits_changed_at IS NOT NULL"))


async def test_a_warm_up_caps_each_mailbox_provider_and_holds_the_rest_back(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=20) as w:
        await begin(w, 4, 8)
        people = [f"g{n}@gmail.com" for n in range(10)] + [f"m{n}@hotmail.fr" for n in range(3)]
        await w.contacts(*people, *(f"o{n}@{n}.example" for n in range(9)))
        await w.launch(await w.campaign())
        await eventually(w.states, lambda seen: sum(s == "deferred" for s, _ in seen.values()) == 11)
        took = [address[0] for address in w.server.recipients]
        assert {who: took.count(who) for who in "gmo"} == {"g": 4, "m": 3, "o": 4}
        details = {detail for state, detail in (await w.states()).values() if state == "deferred"}
        assert "held back: google gets at most 4 a day (step 1 of 2 of the warm-up)" in details
        assert {one.group: one.sent for one in (await look(w)).groups} == {
            "google": 4, "microsoft": 3, "yahoo": 0, "apple": 0, "other": 4,
        }  # fmt: skip
        await w.check_counters()
        await end_day(w)
        assert await hastened(w), "who is held back is to be looked at again: there is more room"


async def test_good_days_grow_bad_ones_step_back_and_quiet_ones_hold(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=20) as w:
        await begin(w, 10, 20, 40)
        w.server.verdict = lambda address: "550 5.1.1 no such user" if address.startswith("bad") else "ok"
        await w.contacts(*(f"g{n}@gmail.com" for n in range(10)), *(f"bad{n}@outlook.com" for n in range(6)))
        await w.launch(await w.campaign())
        await eventually(
            w.states, lambda seen: all(s in {"delivered", "bounced"} for s, _ in seen.values()) and len(seen) == 16
        )
        await end_day(w)
        assert await steps(w) == {
            "google": (1, 20), "microsoft": (0, 10), "yahoo": (0, 10), "apple": (0, 10), "other": (0, 10),
        }  # fmt: skip
        days = {day.group: day for day in (await look(w)).days}
        assert days["google"].move is WarmupMove.GROW
        assert days["google"].signals.sent == 10
        assert (days["microsoft"].move, days["microsoft"].signals.bounced) == (WarmupMove.BACK, 6)
        assert days["microsoft"].reason == "6 of 6 bounced (100.0%; 5% is bad)"
        assert days["yahoo"].move is WarmupMove.HOLD
        # The next day nobody was sent anything new to; but what happened within 24 hours still speaks.
        async with db.transaction() as tx:
            await tx.execute("UPDATE warmup_groups SET step = 2 WHERE scope IN ('google', 'microsoft')")
            await tx.execute("UPDATE budgets SET slowed_at = now() WHERE scope = 'google'")
        await end_day(w)
        assert (await steps(w))["google"] == (2, 40), "it asked for less: held"
        assert (await steps(w))["microsoft"] == (1, 20)


async def test_bounced_messages_to_single_recipients_count_for_their_mailbox_provider(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path) as w:
        await begin(w, 10, 20)
        w.server.verdict = lambda _: "550 5.1.1 no such user"
        for n in range(3):
            message = Message(
                to_email=f"nobody{n}@gmail.com", subject="Hi", html="<p>Hi</p>", sender_email="a@b.example"
            )
            async with db.transaction() as tx:
                await delivery.queue_message(
                    tx,
                    workspace=w.workspace,
                    message=message,
                    keys=w.app.keys,
                    public_url=w.app.public_url,
                    now=utc_now(),
                )

        async def bounced() -> int:
            async with db.connection() as connection:
                return await connection.fetchval("SELECT count(*) FROM events WHERE type = 'bounced'")

        await eventually(bounced, lambda many: many == 3)
        await end_day(w)
        days = {day.group: (day.signals.bounced, day.move) for day in (await look(w)).days}
        assert days["google"] == (3, WarmupMove.BACK)
        assert days["other"] == (0, WarmupMove.HOLD)


async def test_the_last_good_day_lifts_the_cap_and_ends_the_warm_up(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=20) as w:
        await begin(w, 2)
        await w.contacts(*(f"g{n}@gmail.com" for n in range(4)))
        await w.launch(await w.campaign())
        await eventually(w.states, lambda seen: sum(s == "deferred" for s, _ in seen.values()) == 2)
        await end_day(w)
        assert (await steps(w))["google"] == (0, None)
        assert (await look(w)).ended_at is None
        async with db.transaction() as tx:
            await tx.execute("UPDATE warmup_groups SET warm = true WHERE scope NOT IN ('google', 'apple')")
            await tx.execute(
                """INSERT INTO budgets (workspace_id, provider_id, scope, free_at) VALUES ($1, $2, 'apple', now());""",
                w.workspace,
                w.provider,
            )
            await tx.execute(
                "INSERT INTO budget_uses VALUES ($1, $2, 'apple', 86400, floor(extract(epoch FROM now()) / 1200), 2)",
                w.workspace,
                w.provider,
            )
        await end_day(w)
        assert (await look(w)).ended_at is not None
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM provider_caps") == 0
            assert not await delivery.step_warmup(tx, now=utc_now() + timedelta(days=9))


async def test_a_day_is_judged_once_however_many_conductors_and_after_a_long_rest_one_step_is_taken(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path, working=False) as w:
        await begin(w, 10, 20)
        later = utc_now() + timedelta(days=30)

        async def conductor() -> bool:
            async with db.transaction() as tx:
                return await delivery.step_warmup(tx, now=later)

        assert sorted(await asyncio.gather(*(conductor() for _ in range(6)))) == [False] * 5 + [True]
        found = await look(w, later)
        assert len(found.days) == 5
        assert not await hastened(w), "nothing grew"
        assert found.next_at == later + timedelta(days=1)


async def test_stopping_lifts_the_caps_and_beginning_anew_begins_at_the_first_step(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path, working=False) as w:
        await begin(w, 10, 20)
        async with db.transaction() as tx:
            await tx.execute("UPDATE warmup_groups SET step = 1")
        await begin(w, 5, 6, 7)
        assert set((await steps(w)).values()) == {(0, 5)}
        of = {"workspace": w.workspace, "provider": ProviderId(w.provider), "by": SYSTEM(w.workspace), "now": utc_now()}
        async with db.transaction() as tx:
            await delivery.stop_warmup(tx, **of)  # pyright: ignore[reportArgumentType]
            assert await tx.fetchval("SELECT count(*) FROM provider_caps") == 0
        with pytest.raises(NotFound, match="no warm-up"):
            async with db.transaction() as tx:
                await delivery.stop_warmup(tx, **of)  # pyright: ignore[reportArgumentType]


async def test_of_several_that_begin_at_once_the_last_one_holds(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await asyncio.gather(*(begin(w, cap, cap + 1) for cap in range(1, 7)))
        caps = (await look(w)).caps
        assert set((await steps(w)).values()) == {(0, caps[0])}
        async with db.transaction() as tx:
            rows = await tx.fetch("SELECT DISTINCT per_day FROM provider_caps")
        assert [row["per_day"] for row in rows] == [caps[0]]


async def test_the_signals_are_found_by_their_index(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, db.transaction() as tx:
        await tx.execute(
            """INSERT INTO events (workspace_id, at, type, send_id, n)
               SELECT $1, now() - i * interval '1 second', CASE WHEN i % 500 = 0 THEN 'bounced' ELSE 'opened' END, 1, i
               FROM generate_series(1, 100000) i""",
            w.workspace,
        )
        await tx.execute("ANALYZE events")
        plan = await tx.fetch(
            "EXPLAIN " + sql("tidings.delivery.quotas", "_warmup_signals"),
            w.workspace,
            w.provider,
            utc_now() - timedelta(days=1),
            utc_now(),
        )
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan on events" not in text, text
        assert "workspace_id_at_idx" in text, text
