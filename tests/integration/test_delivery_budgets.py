"""Shares of limits: never exceeded in any stretch of time, nearly used, whoever else takes."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, eventually, world
from sending_processes import most_in
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery import provider_limits
from tidings.delivery.limits._budgets import Ask, Return, slow_down, take
from tidings.delivery.limits._caps import set_caps
from tidings.delivery.limits._limits import Limit
from tidings.delivery.providers import SesAccount
from tidings.delivery.quotas._accounts import caps_of


async def _sent_by_four(
    w: World, config: dict[str, object], seconds: float, domains: tuple[str, ...] = ("example.com",)
) -> list[tuple[float, str]]:
    told = {"workspace": w.workspace, "provider": w.provider, "config": config, "seconds": seconds, "domains": domains}
    arguments = (sys.executable, str(Path(__file__).with_name("budget_process.py")), w.app.db.url, json.dumps(told))
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    four = [await asyncio.create_subprocess_exec(*arguments, **pipes) for _ in range(4)]
    async with asyncio.timeout(60):
        for process in four:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        printed = await asyncio.gather(*(process.communicate(b"go\n") for process in four))
    return sorted((at, domain) for out, _ in printed for at, domain in json.loads(out))


async def test_four_processes_keep_to_a_rate_a_second(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        sent = [at for at, _ in await _sent_by_four(w, {"rate_per_second": 200}, 4)]
        assert most_in(sent, 1.0) <= 200
        took = sent[-1] - sent[0]
        assert len(sent) >= 0.85 * 200 * took


async def test_four_processes_keep_to_limits_of_periods(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        sent = [at for at, _ in await _sent_by_four(w, {"rate_per_minute": 1000, "rate_per_hour": 1500}, 4)]
        assert most_in(sent, 60) <= 1000
        assert len(sent) >= 980


async def test_four_processes_keep_to_a_warm_up_and_to_the_quota_of_an_account(db: Database, tmp_path: Path) -> None:
    """Google's cap is one row for its two domains, and `other` one for all who have none of their own."""
    async with world(db, tmp_path, working=False) as w:
        provider = ProviderId(w.provider)
        async with db.transaction() as tx:
            await delivery.start_warmup(
                tx,
                workspace=w.workspace,
                provider=provider,
                caps=(150, 300),
                by=SYSTEM(w.workspace),
                now=utc_now(),
            )
            quota = SesAccount(
                most_per_second=250, most_per_day=50_000, sent_last_day=49_500, enabled=True, production=True
            )
            await set_caps(tx, workspace=w.workspace, provider=provider, source="account", caps=caps_of(quota, ours=0))
        domains = ("gmail.com", "googlemail.com", "hotmail.com", "one.example", "two.example", "three.example")
        sent = await _sent_by_four(w, {}, 6, domains)
        took = Counter(domain for _, domain in sent)
        google, other = took["gmail.com"] + took["googlemail.com"], sum(took[one] for one in domains[3:])
        assert most_in([at for at, _ in sent], 1.0) <= 250
        assert max(google, took["hotmail.com"], other) <= 150, took
        assert min(google, took["hotmail.com"], other) >= 130, took
        assert len(sent) <= 500


async def test_a_mailbox_provider_that_is_used_up_holds_nobody_else_up_in_four_processes(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path, working=False) as w:
        limits = {"rate_per_second": 400, "limits": {"google": {"per_minute": 20}, "microsoft": {"per_second": 10}}}
        sent = await _sent_by_four(w, limits, 4, ("gmail.com", "hotmail.com", "one.example"))
        of = {domain: [at for at, to in sent if to == domain] for domain in ("gmail.com", "hotmail.com", "one.example")}
        assert 16 <= len(of["gmail.com"]) <= 20
        assert most_in(of["hotmail.com"], 1.0) <= 10
        assert most_in([at for at, _ in sent], 1.0) <= 400
        assert len(of["one.example"]) >= 0.7 * 400 * (sent[-1][0] - sent[0][0])


async def _age(db: Database, provider: int, seconds: int) -> None:
    """As if everything had been taken so long ago."""
    async with db.connection() as connection:
        await connection.execute(
            """
            CREATE TEMP TABLE older AS SELECT workspace_id, provider_id, scope, seconds,
                part - $2::integer / CASE seconds WHEN 60 THEN 1 WHEN 3600 THEN 60 ELSE 1200 END AS part, taken
            FROM budget_uses WHERE provider_id = $1
            """.replace("$1", str(provider)).replace("$2", str(seconds))  # no arguments: it makes a table
        )
        await connection.execute("DELETE FROM budget_uses WHERE provider_id = $1", provider)
        await connection.execute("INSERT INTO budget_uses SELECT * FROM older; DROP TABLE older")


@pytest.mark.parametrize(
    ("limit", "period", "part"),
    [(Limit(per_minute=50), 60, 1), (Limit(per_hour=50), 3600, 60), (Limit(per_day=50), 86400, 1200)],
)
async def test_a_period_slides(db: Database, tmp_path: Path, limit: Limit, period: int, part: int) -> None:
    async with world(db, tmp_path, working=False) as w:
        of: dict[str, Any] = {"workspace": WorkspaceId(w.workspace), "provider": ProviderId(w.provider)}

        async def ask(wanted: int, returns: list[Return] | None = None) -> tuple[int, float, int | None, float]:
            async with db.transaction() as tx:
                (got,) = await take(tx, **of, asks=[Ask("google", limit, wanted)], returns=returns or [])
            return got.many, got.wait_seconds, got.full_for, got.taken_at

        assert (await ask(60))[0] == 50
        many, wait, full_for, _ = await ask(1)
        assert (many, full_for) == (0, period)
        assert period - part < wait <= period + part + 2
        await _age(db, w.provider, period // 2)
        assert (await ask(1))[0] == 0
        many, wait, _, _ = await ask(1)
        assert period / 2 - part < wait <= period / 2 + part + 2
        await _age(db, w.provider, period // 2 + part + (3 if part == 1 else part))
        assert (await ask(60))[0] == 50
        # What was not used is there for others.
        assert (await ask(1))[0] == 0
        async with db.connection() as connection:
            at = (
                await connection.fetchval("SELECT max(part) FROM budget_uses WHERE provider_id = $1", w.provider)
            ) * part
        assert (await ask(60, [Return("google", at, 7)]))[0] == 7


async def test_scopes_are_taken_by_themselves(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        of: dict[str, Any] = {"workspace": WorkspaceId(w.workspace), "provider": ProviderId(w.provider)}
        asks = [Ask("", Limit(per_day=5), 10), Ask("google", Limit(per_minute=3), 10), Ask("a.example", Limit(), 10)]
        async with db.transaction() as tx:
            got = {one.scope: one.many for one in await take(tx, **of, asks=asks)}
        assert got == {"": 5, "google": 3, "a.example": 10}


async def test_what_is_told_to_slow_down_gets_its_part(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        of: dict[str, Any] = {"workspace": WorkspaceId(w.workspace), "provider": ProviderId(w.provider)}
        ask = Ask("", Limit(per_minute=100), 100)
        async with db.transaction() as tx:
            await take(tx, **of, asks=[Ask("", Limit(per_minute=100), 1)])
            await tx.execute("UPDATE budgets SET factor = 0.25 WHERE provider_id = $1", w.provider)
            (got,) = await take(tx, **of, asks=[ask])
        assert got.many == 24


async def test_a_provider_that_asks_for_less_gets_less_and_slowly_more_again(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False, rate_per_minute=100, limits={"google": {"per_day": 40}}) as w:
        of: dict[str, Any] = {"workspace": WorkspaceId(w.workspace), "provider": ProviderId(w.provider)}

        async def factor() -> float:
            async with db.connection() as connection:
                seen = {use.scope: use for use in await provider_limits(connection, **of, now=utc_now())}
            assert (seen["google"].used_day, seen["google"].used_minute) == (8, None)
            assert seen[""].reason == ("421 4.7.28 slow down" if seen[""].factor < 1 else "")
            return seen[""].factor

        async with db.transaction() as tx:
            await take(tx, **of, asks=[Ask("", Limit(per_minute=100), 1), Ask("google", Limit(per_day=40), 8)])
        assert await factor() == 1
        for _ in range(3):  # once in ten seconds, however many say it
            async with db.transaction() as tx:
                await slow_down(tx, **of, scope="", reason="421 4.7.28 slow down")
        assert await factor() == 0.5
        for grown in (0.6, 0.7, 0.8, 0.9, 1):
            async with db.transaction() as tx:
                await tx.execute(
                    "UPDATE budgets SET slowed_at = slowed_at - interval '61 s', grown_at = grown_at - interval '61 s'"
                )
                await take(tx, **of, asks=[Ask("", Limit(per_minute=100), 1)])
            async with db.transaction() as tx:
                await take(tx, **of, asks=[Ask("", Limit(per_minute=100), 1)])  # not before another minute
            assert await factor() == pytest.approx(grown, abs=0.001)


async def test_a_throttled_message_slows_its_mailbox_provider_down(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, rate_per_second=1000, limits={"google": {"per_second": 1000}}) as w:
        w.server.verdict = lambda address: "421 4.7.28 unusual rate" if address == "a@gmail.com" else "ok"
        await w.contacts("a@gmail.com", "b@example.com")
        await w.launch(await w.campaign())

        async def slowed() -> dict[str, tuple[float, str]]:
            async with db.connection() as connection:
                uses = await provider_limits(
                    connection, workspace=WorkspaceId(w.workspace), provider=ProviderId(w.provider), now=utc_now()
                )
            return {use.scope: (use.factor, use.reason) for use in uses}

        seen = await eventually(slowed, lambda seen: seen["google"][0] < 1)
        assert "4.7.28 unusual rate" in seen["google"][1]
        assert seen[""] == (1, "")
