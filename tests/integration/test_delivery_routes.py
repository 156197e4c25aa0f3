"""Several providers behind one route, each a real server: who gets what, and what happens when one of them dies."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from delivery_world import ObedientServer, World, eventually, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import Campaign, CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId, RouteId
from tidings.delivery import RouteMember, Strategy


class Servers:
    """Providers of a world by name, each with a server of its own."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.servers = {"server": w.server}
        self.ids = {"server": ProviderId(w.provider)}

    async def add(self, name: str, **config: Any) -> ObedientServer:
        server = self.servers[name] = ObedientServer()
        await server.start()
        settings = {"host": "127.0.0.1", "port": server.port, "tls": "none", "connections": 4} | config
        async with self.w.app.db.transaction() as tx:
            made = await delivery.add_provider(
                tx,
                workspace=self.w.workspace,
                name=name,
                kind="smtp",
                config=settings,
                secret={},
                is_default=False,
                keys=self.w.app.keys,
                by=SYSTEM(self.w.workspace),
                now=utc_now(),
            )
        self.ids[name] = made.id
        return server

    async def route(self, strategy: Strategy, *members: tuple[str, int, int], default: bool = False) -> RouteId:
        async with self.w.app.db.transaction() as tx:
            made = await delivery.add_route(
                tx,
                workspace=self.w.workspace,
                name=f"{strategy} {members}",
                strategy=strategy,
                members=self.members(members),
                is_default=default,
                by=SYSTEM(self.w.workspace),
                now=utc_now(),
            )
        return made.id

    def members(self, members: Sequence[tuple[str, int, int]]) -> list[RouteMember]:
        return [RouteMember(self.ids[name], weight, priority) for name, weight, priority in members]

    async def change(self, route: RouteId, *members: tuple[str, int, int]) -> None:
        async with self.w.app.db.transaction() as tx:
            await delivery.update_route(
                tx,
                workspace=self.w.workspace,
                route=route,
                members=self.members(members),
                by=SYSTEM(self.w.workspace),
                now=utc_now(),
            )

    async def send(self, count: int, **through: Any) -> Campaign:
        await self.w.contacts(*(f"a{n}@example.com" for n in range(count)))
        campaign = await self.w.campaign(**through)
        await self.w.launch(campaign)
        return campaign

    def got(self) -> dict[str, int]:
        return {name: len(server.accepted) for name, server in self.servers.items()}

    async def through(self) -> dict[str, int]:
        """How many deliveries were recorded as having gone through each."""
        async with self.w.app.db.connection() as connection:
            rows = await connection.fetch(
                "SELECT provider_id, count(*) AS n FROM deliveries WHERE state = 'delivered' GROUP BY 1"
            )
        names = {id_: name for name, id_ in self.ids.items()}
        return {names[row["provider_id"]]: row["n"] for row in rows}

    async def nobody_lost(self, count: int) -> None:
        """All have it once, the database knows from whom, and the counters agree."""
        everyone = Counter(address for server in self.servers.values() for address in server.recipients)
        assert set(everyone.values()) == {1}
        assert len(everyone) == count
        assert await self.through() == {name: n for name, n in self.got().items() if n}
        await self.w.check_counters()
        async with self.w.app.db.connection() as connection:
            (send,) = await connection.fetch("SELECT id FROM sends")
            shares = await delivery.provider_shares(connection, workspace=self.w.workspace, send=send["id"])
        assert {one.name: one.accepted for one in shares if one.accepted} == await self.through()


@asynccontextmanager
async def servers(db: Database, folder: Path, **settings: Any) -> AsyncGenerator[Servers]:
    async with world(db, folder, **settings) as w:
        here = Servers(w)
        try:
            yield here
        finally:
            for name, server in here.servers.items():
                if name != "server":
                    await server.stop()


@pytest.mark.parametrize(
    ("strategy", "weights"), [(Strategy.ROUND_ROBIN, (5, 1, 1)), (Strategy.WEIGHTED, (3, 2, 1))], ids=str
)
async def test_shares_are_what_was_asked_for_however_fast_the_servers_are(
    db: Database, tmp_path: Path, strategy: Strategy, weights: tuple[int, int, int]
) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("quick")
        slow = await s.add("slow", connections=1)
        slow.delay_seconds = 0.002
        names = ("server", "quick", "slow")
        route = await s.route(
            Strategy.WEIGHTED, *((name, weight, 1) for name, weight in zip(names, weights, strict=True))
        )
        # What another strategy has no eyes for is kept when it is chosen later; and refused when it is given.
        async with db.transaction() as tx:
            told: dict[str, Any] = {"workspace": s.w.workspace, "by": SYSTEM(s.w.workspace), "now": utc_now()}
            await delivery.update_route(tx, route=route, strategy=strategy, **told)
            members = s.members([("server", 5, 2)])
            with pytest.raises(Invalid) as refused:
                await delivery.update_route(tx, route=route, strategy=strategy, members=members, **told)
        ignored = ["weight", "priority"] if strategy is Strategy.ROUND_ROBIN else ["priority"]
        assert [one.field for one in refused.value.fields] == [f"providers[0].{name}" for name in ignored]
        campaign = await s.send(600, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT, 40)
        await s.nobody_lost(600)
        expected = weights if strategy is Strategy.WEIGHTED else (1, 1, 1)
        for name, weight in zip(names, expected, strict=True):
            share = 600 * weight / sum(expected)
            assert abs(s.got()[name] - share) < 0.15 * share + 8, s.got()


async def test_the_least_loaded_carries_the_most(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        slow = await s.add("slow", connections=1)
        slow.delay_seconds = 0.05
        route = await s.route(Strategy.LEAST_LOADED, ("server", 1, 1), ("slow", 1, 1))
        campaign = await s.send(400, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        await s.nobody_lost(400)
        assert 0 < s.got()["slow"] < 100


async def test_the_second_is_not_used_while_the_first_works(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("second")
        route = await s.route(Strategy.PRIORITY, ("second", 1, 2), ("server", 1, 1))
        campaign = await s.send(300, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        assert s.got() == {"server": 300, "second": 0}
        await s.nobody_lost(300)


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_one_dies_in_mid_campaign_and_the_rest_goes_through_the_other(
    db: Database, tmp_path: Path, strategy: Strategy
) -> None:
    async with servers(db, tmp_path) as s:
        s.w.server.delay_seconds = 0.01
        other = await s.add("other")
        other.delay_seconds = 0.01
        route = await s.route(strategy, ("server", 1, 1), ("other", 1, 2 if strategy is Strategy.PRIORITY else 1))
        campaign = await s.send(500, route_id=route)
        await eventually(lambda: asyncio.sleep(0, s.got()["server"]), lambda n: n > 50)
        await s.w.server.die()
        await s.w.until(campaign, CampaignStatus.SENT, 60)
        # What was in doubt when it died is sent once more, half a minute later; what it took is not.
        states = await s.w.states()
        doubtful = {address for address, (state, _) in states.items() if state == "unknown"}
        assert len(doubtful) <= 4
        assert {state for address, (state, _) in states.items() if address not in doubtful} == {"delivered"}
        everyone = Counter([*s.w.server.recipients, *other.recipients])
        assert set(everyone.values()) == {1}
        assert set(everyone) | doubtful == set(states)
        assert s.got()["other"] > 200
        await s.w.check_counters()


@pytest.mark.parametrize("words", ["554 5.7.1 account suspended", "550 5.7.0 authentication required"])
async def test_one_that_refuses_everything_loses_nobody(db: Database, tmp_path: Path, words: str) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("other")
        s.w.server.verdict = lambda _: words
        route = await s.route(Strategy.PRIORITY, ("server", 1, 1), ("other", 1, 2))
        campaign = await s.send(200, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        assert s.got() == {"server": 0, "other": 200}
        await s.nobody_lost(200)
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT max(attempts) FROM deliveries") == 1

        async def seen() -> delivery.ProviderSettings:
            async with db.connection() as connection:
                return await delivery.get_provider(connection, workspace=s.w.workspace, provider=s.ids["server"])

        provider = await eventually(seen, lambda one: bool(one.troubles))
        assert words in provider.health
        assert provider.troubles[0].state in {"open", "half_open"}


async def test_a_single_provider_that_refuses_everything_waits_and_burns_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery.worker._breaker._FIRST_PAUSE_SECONDS", 0.5)
    async with servers(db, tmp_path) as s:
        s.w.server.verdict = lambda _: "554 5.7.1 account suspended"
        campaign = await s.send(100)

        async def health() -> str:
            async with db.connection() as connection:
                return (await delivery.list_providers(connection, workspace=s.w.workspace))[0].health

        words = await eventually(health, bool)
        assert "account suspended" in words
        assert {state for state, _ in (await s.w.states()).values()} == {"pending"}
        s.w.server.verdict = lambda _: "ok"
        await s.w.until(campaign, CampaignStatus.SENT)
        await s.nobody_lost(100)
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT max(attempts) FROM deliveries") == 1
        assert await eventually(health, lambda said: not said) == ""


async def test_a_refusal_of_one_provider_goes_to_another_and_of_all_is_a_failure(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        other = await s.add("other")
        s.w.server.verdict = lambda a: "550 5.7.1 blocked" if _number(a) % 4 in {1, 3} else "ok"
        other.verdict = lambda a: "550 5.7.1 blocked too" if _number(a) % 8 == 3 else "ok"
        route = await s.route(Strategy.PRIORITY, ("server", 1, 1), ("other", 1, 2))
        campaign = await s.send(40, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        states = await eventually(s.w.states, lambda all_: not any(state == "pending" for state, _ in all_.values()))
        for address, (state, detail) in states.items():
            assert state == ("failed" if _number(address) % 8 == 3 else "delivered"), (address, state, detail)
        assert all(_number(address) % 2 for address in other.recipients)
        assert await s.through() == {"server": 20, "other": 15}
        await s.w.check_counters()


def _number(address: str) -> int:
    return int(address.partition("@")[0][1:])


async def test_a_throttled_one_hands_over_to_the_next(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("other")
        s.w.server.verdict = lambda _: "421 4.7.0 too fast"
        route = await s.route(Strategy.PRIORITY, ("server", 1, 1), ("other", 1, 2))
        campaign = await s.send(100, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        assert s.got() == {"server": 0, "other": 100}
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT max(attempts) FROM deliveries") == 1


async def test_a_route_is_changed_and_deleted_in_mid_send(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        s.w.server.delay_seconds = 0.01
        await s.add("other")
        route = await s.route(Strategy.PRIORITY, ("server", 1, 1))
        campaign = await s.send(600, route_id=route)
        await eventually(lambda: asyncio.sleep(0, s.got()["server"]), lambda n: n > 30)
        await s.change(route, ("other", 1, 1))
        async with db.transaction() as tx:
            await delivery.delete_route(
                tx, workspace=s.w.workspace, route=route, by=SYSTEM(s.w.workspace), now=utc_now()
            )
        await s.w.until(campaign, CampaignStatus.SENT)
        assert s.got()["other"] > 300
        await s.nobody_lost(600)


async def test_a_member_that_cannot_be_opened_is_left_out_until_it_can(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("other")
        sealed = Keyring("another secret").seal("provider credentials", b'{"username":"u","password":"p"}')
        async with db.transaction() as tx:
            await tx.execute("UPDATE providers SET sealed_secret = $1 WHERE id = $2", sealed, s.ids["server"])
        route = await s.route(Strategy.ROUND_ROBIN, ("server", 1, 1), ("other", 1, 1))
        campaign = await s.send(50, route_id=route)
        await s.w.until(campaign, CampaignStatus.SENT)
        assert s.got() == {"server": 0, "other": 50}


async def test_single_messages_go_through_the_default_route_and_in_turn(db: Database, tmp_path: Path) -> None:
    async with servers(db, tmp_path) as s:
        await s.add("other")
        await s.route(Strategy.ROUND_ROBIN, ("server", 1, 1), ("other", 1, 1), default=True)
        for n in range(20):
            async with db.transaction() as tx:
                await delivery.queue_message(
                    tx,
                    workspace=s.w.workspace,
                    message=delivery.Message(
                        to_email=f"m{n}@example.com", subject="Hi", text="Hello", sender_email="news@example.org"
                    ),
                    keys=s.w.app.keys,
                    public_url="http://127.0.0.1:9",
                    now=utc_now(),
                )
            await eventually(lambda n=n: asyncio.sleep(0, sum(s.got().values())), lambda sent, n=n: sent == n + 1)
        assert min(s.got().values()) >= 6, s.got()
