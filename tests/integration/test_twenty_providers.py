"""Twenty providers with limits of their own, four workers: each gets what its limit allows, and no campaign starves."""

import asyncio
import re
from collections import Counter
from pathlib import Path

from delivery_world import ObedientServer, World, eventually, world
from sending_processes import four_workers
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.audience import lists
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ListId, ProviderId

RATES = range(2, 42, 2)
MANY, FEW = 1500, 12
"""Recipients of the large campaign at each provider, which nobody can finish here, and of the small one that comes later."""
LOOK_SECONDS = 25.0
_FROM = re.compile(rb"^From: [^<\r]*<?([a-z]+)\d+@", re.MULTILINE)


def campaign_of(message: bytes) -> str:
    found = _FROM.search(message)
    assert found
    return found[1].decode()


async def _provider(w: World, rate: int) -> tuple[ProviderId, ObedientServer]:
    server = ObedientServer()
    await server.start()
    async with w.app.db.transaction() as tx:
        made = await delivery.add_provider(
            tx, workspace=w.workspace, name=f"{rate} a second", kind="smtp",
            config={"host": "127.0.0.1", "port": server.port, "tls": "none", "connections": 4, "rate_per_second": rate},
            secret={}, is_default=False, keys=w.app.keys, by=SYSTEM(w.workspace), now=utc_now(),
        )  # fmt: skip
    return made.id, server


async def _list(w: World, name: str, many: int) -> ListId:
    async with w.app.db.transaction() as tx:
        w.newsletter = (
            await lists.create_list(tx, workspace=w.workspace, name=name, by=SYSTEM(w.workspace), now=utc_now())
        ).id
    await w.contacts(*(f"{name}{n}@{n % 5}.example" for n in range(many)))
    return w.newsletter


async def test_twenty_providers_get_what_their_limits_allow_and_no_campaign_starves(
    db: Database, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with world(db, tmp_path, working=False) as w:
        many, few = await _list(w, "many", MANY), await _list(w, "few", FEW)
        providers = {rate: await _provider(w, rate) for rate in RATES}
        try:
            large = {
                rate: await w.campaign(provider_id=made, list_ids=[many], sender_email=f"large{rate}@example.org")
                for rate, (made, _) in providers.items()
            }
            small = {
                rate: await w.campaign(provider_id=made, list_ids=[few], sender_email=f"small{rate}@example.org")
                for rate, (made, _) in providers.items()
            }
            async with four_workers(w, tmp_path, chunk_size=100):
                for one in large.values():
                    await w.launch(one)

                async def least() -> int:
                    return min(len(server.accepted) for _, server in providers.values())

                await eventually(least, lambda seen: seen >= 2, seconds=30)
                for one in small.values():
                    await w.launch(one)
                since = loop.time()
                await asyncio.sleep(LOOK_SECONDS)
                until = loop.time()
            for rate, (_, server) in providers.items():
                times = [one.began for one in server.accepted]
                seen = [one for one in server.accepted if since <= one.began < until]
                # Times are those of arrival, on a machine that may be busy: test_delivery_budgets.py looks at each second.
                assert len(times) - 1 <= rate * (max(times) - min(times)), rate
                assert len(seen) >= 0.7 * rate * (until - since), (rate, len(seen))
                of = Counter(campaign_of(one.message) for one in server.accepted)
                # It comes after two or three turns of the large one (5 s each), in one of four workers.
                assert of["small"] >= min(FEW, 0.02 * len(seen)), (rate, of)
                assert of["large"] >= 0.5 * (len(seen) - FEW), (rate, of)
                assert len({(one.recipient, campaign_of(one.message)) for one in server.accepted}) == len(times), rate
            recipients = [one.recipient for _, server in providers.values() for one in server.accepted]
            assert len(recipients) <= sum(RATES) * (until - since + 10)
        finally:
            for _, server in providers.values():
                await server.stop()
