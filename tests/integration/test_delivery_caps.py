"""Limits that are in nobody's settings, and slowing down where no limit is set."""

from pathlib import Path

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId
from tidings.delivery.limits._caps import Cap, restraints, set_caps


async def _cap(w: World, source: str, **caps: Cap) -> None:
    async with w.app.db.transaction() as tx:
        named = {scope.replace("whole", ""): cap for scope, cap in caps.items()}
        await set_caps(tx, workspace=w.workspace, provider=ProviderId(w.provider), source=source, caps=named)


async def test_a_source_replaces_its_own_caps_and_of_several_the_least_holds(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        pair = (int(w.workspace), w.provider)

        async def found() -> dict[str, Cap]:
            async with db.connection() as connection:
                return dict((await restraints(connection, providers=[pair]))[pair].caps)

        await _cap(w, "a", google=Cap(per_day=50, why="day 3"), whole=Cap(per_day=100))
        await _cap(w, "b", google=Cap(per_second=2.0, per_day=70, why="account"))
        assert await found() == {"google": Cap(2.0, 50, "day 3; account"), "": Cap(None, 100, "")}
        await _cap(w, "a", other=Cap(per_day=1))
        assert await found() == {"google": Cap(2.0, 70, "account"), "other": Cap(None, 1, "")}
        await _cap(w, "a")
        await _cap(w, "b")
        assert await found() == {}


async def test_a_cap_counts_all_of_a_mailbox_provider_and_the_rest_together(db: Database, tmp_path: Path) -> None:
    limits = {"gmail.com": {"per_minute": 6}}
    async with world(db, tmp_path, chunk_size=20, limits=limits) as w:
        await _cap(w, "plan", google=Cap(per_day=10, why="day 1"), other=Cap(per_day=5))
        people = [f"g{n}@{'gmail.com' if n % 2 else 'googlemail.com'}" for n in range(30)]
        people += [f"o{n}@{n}.example" for n in range(20)]
        await w.contacts(*people)
        await w.launch(await w.campaign())
        await eventually(w.states, lambda seen: sum(s == "deferred" for s, _ in seen.values()) == 35)
        took = w.server.recipients
        assert sum(one.startswith("g") for one in took) == 10
        assert sum(one.endswith("@gmail.com") for one in took) <= 6
        assert sum(one.startswith("o") for one in took) == 5
        details = {detail for state, detail in (await w.states()).values() if state == "deferred"}
        assert "held back: google gets at most 10 a day (day 1)" in details
        assert "held back: other gets at most 5 a day" in details
        await w.check_counters()


async def test_without_a_limit_who_throttles_gets_less_and_then_more_again(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=50) as w:
        throttled = list[str]()
        limit = 3

        def verdict(address: str) -> str:
            if address.endswith("@gmail.com") and len(throttled) < limit:
                throttled.append(address)
                return "421 4.7.28 unusual rate; try again in 1 second"
            return "ok"

        w.server.verdict = verdict
        people = [f"g{n}@gmail.com" for n in range(30)] + [f"o{n}@example.com" for n in range(400)]
        await w.contacts(*people)
        campaign = await w.campaign()
        await w.launch(campaign)

        async def health() -> str:
            async with db.connection() as connection:
                found = await delivery.get_provider(connection, workspace=w.workspace, provider=ProviderId(w.provider))
            return found.health

        assert "google: 421 4.7.28" in await eventually(health, bool)
        await w.until(campaign, CampaignStatus.SENT)
        began = {one.recipient: one.began for one in w.server.accepted}
        assert sorted(began) == sorted(people)
        google = [at for who, at in began.items() if who.startswith("g")]
        others = [at for who, at in began.items() if who.startswith("o")]
        assert sorted(google)[5] > sorted(others)[350], "the others did not go on at once"
        assert max(google) - min(google) > 1, "it did not become slower"
        # A quiet quarter of an hour later nothing is left of it.
        async with db.transaction() as tx:
            await tx.execute("UPDATE budgets SET slowed_at = slowed_at - interval '15 minutes'")
        before = len(w.server.accepted)
        await w.contacts(*(f"h{n}@gmail.com" for n in range(60)))
        again = await w.campaign()
        await w.launch(again)
        await w.until(again, CampaignStatus.SENT)
        at = sorted(one.began for one in w.server.accepted[before:] if one.recipient.startswith("h"))
        assert len(at) == 60
        assert at[-1] - at[20] < 2

        async def limits() -> list[delivery.LimitUse]:
            async with db.connection() as connection:
                return await delivery.provider_limits(
                    connection, workspace=w.workspace, provider=ProviderId(w.provider), now=utc_now()
                )

        assert not await eventually(limits, lambda found: not found)
