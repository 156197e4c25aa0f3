"""The send worker at the moments that are rare: deaf, frozen, replaced, told to stop, with an answer that never came."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from delivery_world import World, eventually, world
from tidings import delivery, workers
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.core.clock import steady, utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId
from tidings.core.loops import forever
from tidings.delivery.limits._budgets import Budget
from tidings.delivery.limits._limits import Limit, Limits


@asynccontextmanager
async def at_work(db: Database, folder: Path, **settings: Any) -> AsyncGenerator[tuple[World, delivery.SendWorker]]:
    """A world whose send worker can be looked into."""
    async with world(db, folder, working=False, **settings) as w:
        worker = delivery.SendWorker(
            db,
            keys=w.app.keys,
            public_url=w.app.public_url,
            folder=folder / "journals",
            writer=1,
            chunk_size=settings.get("chunk_size", 100),
            share=1,
        )
        tasks = [asyncio.ensure_future(worker.run(w.stop)), asyncio.ensure_future(workers.conduct(w.app, w.stop))]
        try:
            yield w, worker
        finally:
            w.stop.set()
            async with asyncio.timeout(40):
                await asyncio.gather(*tasks)


class _Gate:
    """A database that is slow to give a connection."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.waiting, self.open = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        self.waiting.set()
        await self.open.wait()
        async with self._db.connection() as connection:
            yield connection


async def test_what_was_claimed_while_going_deaf_is_not_sent_before_it_hears_again(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(db, tmp_path) as (w, worker):
        gate = _Gate(db)
        monkeypatch.setattr(worker, "_db", gate)
        await gate.waiting.wait()
        await w.contacts(*(f"a{n}@example.com" for n in range(20)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(w.states, bool)
        worker._ears._deaf()
        gate.open.set()
        await asyncio.sleep(0.7)
        assert w.server.accepted == []
        worker._ears.listening = True
        await w.until(campaign, CampaignStatus.SENT)
        assert len(w.server.recipients) == len(set(w.server.recipients)) == 20


async def test_a_severed_run_stays_severed(db: Database, tmp_path: Path) -> None:
    async with at_work(db, tmp_path, connections=1) as (w, worker):
        w.server.delay_seconds = 0.5
        await w.contacts("a@example.com", "b@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, [r for r in worker._runs.values() if r.flying]), bool)
        run = next(iter(worker._runs.values()))
        worker._ears._deaf()
        await worker._renew()
        assert run.leased_until < steady(), "its lease was renewed, and with it the leave to transmit"
        worker._ears.listening = True
        await w.until(campaign, CampaignStatus.SENT)
        assert sorted(w.server.recipients) == ["a@example.com", "b@example.com"]


async def test_a_lapsed_lease_costs_one_connection_and_not_one_a_message(db: Database, tmp_path: Path) -> None:
    async with at_work(db, tmp_path, connections=1) as (w, worker):
        served = 0
        serve = w.server._serve

        async def count(*streams: Any) -> None:
            nonlocal served
            served += 1
            await serve(*streams)

        await w.server.stop()
        w.server._serve = count  # type: ignore[method-assign]
        await w.server.start(w.server.port)
        w.server.delay_seconds = 0.01
        await w.contacts(*(f"a{n}@example.com" for n in range(60)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 5)
        for run in worker._runs.values():
            run.heard_until = steady() - 1.0
        await w.until(campaign, CampaignStatus.SENT)
        assert len(w.server.recipients) == len(set(w.server.recipients)) == 60
        assert served < 8


async def test_a_job_that_a_replaced_provider_gives_back_goes_through_the_new_one(db: Database, tmp_path: Path) -> None:
    silent = await asyncio.start_server(_silence, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with at_work(db, tmp_path, port=port, connections=1) as (w, worker):
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, [r for r in worker._runs.values() if r.flying]), bool)
        lane = worker._lanes.get((w.workspace, w.provider, 0))
        assert lane is not None
        (outlet,) = lane.outlets
        before = outlet.provider
        async with db.transaction() as tx:
            config = {"host": "127.0.0.1", "port": w.server.port, "tls": "none", "connections": 1}
            await delivery.update_provider(
                tx,
                workspace=w.workspace,
                provider=ProviderId(w.provider),
                config=config,
                keys=w.app.keys,
                by=SYSTEM(w.workspace),
                now=utc_now(),
            )
        await eventually(lambda: asyncio.sleep(0, outlet.provider is not before), bool)
        await asyncio.sleep(0.2)  # the new one has found nothing to do
        await before.close(grace_seconds=0.1)
        await w.until(campaign, CampaignStatus.SENT)
        assert w.server.recipients == ["a@example.com"]
    silent.close()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shakes hands, and never answers a MAIL."""
    writer.write(b"220 silent\r\n")
    while line := await reader.readline():
        if line[:4].upper() == b"EHLO":
            writer.write(b"250-silent\r\n250 PIPELINING\r\n")
    writer.close()


async def test_a_lane_that_is_closed_for_being_idle_while_a_chunk_loads_strands_nobody(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(db, tmp_path) as (w, worker):
        await w.contacts("a@example.com")
        first = await w.campaign()
        await w.launch(first)
        await w.until(first, CampaignStatus.SENT)
        lane = worker._lanes.get((w.workspace, w.provider, 0))
        assert lane is not None
        second = await w.campaign()
        # It is being loaded, slowly, at the very moment that the lane has been idle for long enough.
        loading, go_on = asyncio.Event(), asyncio.Event()
        get = worker._contents.get

        async def slowly(**which: Any) -> Any:
            loading.set()
            await go_on.wait()
            return await get(**which)

        monkeypatch.setattr(worker._contents, "get", slowly)
        await w.launch(second)
        await loading.wait()
        lane.idle_since = steady() - 1000
        await worker._lanes.mind()
        assert worker._lanes.get((w.workspace, w.provider, 0)) is None
        go_on.set()
        await w.until(second, CampaignStatus.SENT)


@pytest.mark.parametrize("turns", range(4))
async def test_a_loop_that_is_told_to_end_while_it_is_woken_ends(db: Database, tmp_path: Path, turns: int) -> None:
    async with world(db, tmp_path, working=False) as w:
        worker = delivery.SendWorker(
            db, keys=w.app.keys, public_url="", folder=tmp_path, writer=1, chunk_size=100, share=1
        )
        tasks = [asyncio.ensure_future(worker._claim()), asyncio.ensure_future(worker._record())]
        await asyncio.sleep(0.01)
        worker._progress()
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=1)
        assert not pending


async def test_a_chunk_whose_claim_was_never_answered_is_not_kept(db: Database, tmp_path: Path) -> None:
    async with at_work(db, tmp_path) as (w, worker):
        await eventually(lambda: asyncio.sleep(0, worker._ears.listening), bool)
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        begin = worker._begin
        forgotten: list[Any] = []
        worker._begin = lambda row, *_, **__: forgotten.append(row)  # type: ignore[method-assign]
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, forgotten), bool)
        worker._begin = begin  # type: ignore[method-assign]
        await worker._renew()
        await w.until(campaign, CampaignStatus.SENT)
        assert w.server.recipients == ["a@example.com"]


async def test_strays_are_given_back_though_another_claim_is_answered_meanwhile(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(db, tmp_path) as (w, worker):
        await eventually(lambda: asyncio.sleep(0, worker._ears.listening), bool)
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        begin, gate = worker._begin, _Gate(db)

        def lose(*_: Any, **__: Any) -> None:
            worker._begin = begin  # type: ignore[method-assign]
            monkeypatch.setattr(worker, "_db", gate)  # the next claim waits

        worker._begin = lose  # type: ignore[method-assign]
        await w.launch(campaign)
        async with asyncio.timeout(20):
            await gate.waiting.wait()
        monkeypatch.setattr(worker, "_db", db)
        await worker._renew()
        gate.open.set()
        await w.until(campaign, CampaignStatus.SENT, 10)  # the next renewal is 15 seconds away
        assert w.server.recipients == ["a@example.com"]


class _Flaky:
    """A database that is lost at the first try."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.tries = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        self.tries += 1
        if self.tries == 1:
            raise asyncpg.InterfaceError("connection lost")
        async with self._db.transaction() as connection:
            yield connection


async def test_a_slice_that_was_asked_for_comes_though_the_database_was_lost(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        there = asyncio.Event()
        flaky: Any = _Flaky(db)
        limits = Limits(Limit(per_second=100))
        budget = Budget(flaky, workspace=w.workspace, provider=ProviderId(w.provider), limits=limits, wake=there.set)
        keeping = asyncio.ensure_future(forever(budget.keep))
        assert not budget.ready()  # asked once: whoever asked has gone to rest until it is woken
        async with asyncio.timeout(3):
            await there.wait()
        assert budget.ready()
        keeping.cancel()


async def _provider(w: World, name: str, **config: Any) -> int:
    async with w.app.db.transaction() as tx:
        made = await delivery.add_provider(
            tx,
            workspace=w.workspace,
            name=name,
            kind="smtp",
            config={"host": "127.0.0.1", "port": w.server.port, "tls": "none", "connections": 1} | config,
            secret={},
            is_default=False,
            keys=w.app.keys,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )
    return made.id


async def test_providers_that_are_down_leave_room_for_one_that_works(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery.worker._worker._MAX_RUNS", 4)
    async with at_work(db, tmp_path) as (w, worker):
        await w.contacts("a@example.com")
        for n in range(8):
            await w.launch(await w.campaign(provider_id=await _provider(w, f"down {n}", port=1)))
        await eventually(lambda: asyncio.sleep(0, len(worker._runs)), lambda n: n == 4)
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT, 15)


async def test_many_small_sends_at_a_slow_rate_leave_room_for_another_provider(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery.worker._worker._MAX_RUNS", 4)
    async with at_work(db, tmp_path) as (w, worker):
        await w.contacts("a@example.com")
        slow = [await _provider(w, f"slow {n}", rate_per_second=0.05) for n in range(5)]
        for n in range(20):
            await w.launch(await w.campaign(provider_id=slow[n % 5]))
        await eventually(lambda: asyncio.sleep(0, len(worker._runs)), lambda n: n == 4)
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT, 15)
