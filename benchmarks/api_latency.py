"""How long `POST /api/v1/campaigns` takes while a send runs at full speed on the same machine.

    python benchmarks/api_latency.py --smtp 127.0.0.1:2525

Prints one JSON object: the percentiles in milliseconds, with and without the send.
"""

import argparse
import asyncio
import json
import statistics
import time

import aiohttp
import uvloop

from tidings import accounts, campaigns
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.bench._system import System, throw_away_system
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.ids import CampaignId, WorkspaceId, public_id

PER_SECOND = 20


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--smtp", required=True, metavar="HOST:PORT")
    parser.add_argument("--recipients", type=int, default=200_000)
    options = parser.parse_args()
    host, _, port = options.smtp.rpartition(":")
    async with throw_away_system() as system:
        provider: dict[str, object] = {"host": host, "port": int(port), "tls": "none"}
        workspace, campaign = await prepare(
            system.app.db, system.app.keys, recipients=options.recipients, size="5kb", provider=provider
        )
        async with system.app.db.transaction() as tx:
            key = await accounts.create_api_key(tx, workspace=workspace, name="bench", scopes=["*"], now=utc_now())
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            idle = await _create(system, session, asyncio.create_task(asyncio.sleep(5)))
            sending = asyncio.create_task(_send(system, workspace, campaign))
            busy = await _create(system, session, sending)
            rate = options.recipients / await sending
    print(json.dumps({"idle": _percentiles(idle), "sending": _percentiles(busy), "messages_per_second": round(rate)}))


async def _create(system: System, session: aiohttp.ClientSession, until: asyncio.Task[object]) -> list[float]:
    """Create campaigns, evenly spaced, until something ends; the milliseconds that each took."""
    url = f"http://127.0.0.1:{system.settings.api_port}/api/v1/campaigns"
    body = {
        "name": "Another",
        "template_id": "template_1",
        "sender_email": "news@example.org",
        "sender_name": "News",
        "contact_list_ids": ["list_1"],
    }
    taken: list[float] = []
    while not until.done():
        begun = time.perf_counter()
        async with session.post(url, json=body) as response:
            assert response.status == 201, await response.text()
            await response.read()
        taken.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(max(0.0, 1 / PER_SECOND - taken[-1] / 1000))
    return taken


async def _send(system: System, workspace: WorkspaceId, campaign: CampaignId) -> float:
    async with system.app.db.transaction() as tx:
        await campaigns.launch(
            tx,
            workspace=workspace,
            campaign=campaign,
            public_url=system.settings.public_url,
            by=SYSTEM(workspace),
            now=utc_now(),
        )
    begun = time.perf_counter()
    while True:
        await asyncio.sleep(0.5)
        async with system.app.db.connection() as connection:
            seen = await campaigns.get_campaign(connection, workspace=workspace, campaign=campaign)
        if seen.status != CampaignStatus.SENDING:
            assert seen.status == CampaignStatus.SENT, public_id("campaign", campaign)
            return time.perf_counter() - begun


def _percentiles(taken: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100)
    return {"requests": len(taken), "p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(taken), 1)}


if __name__ == "__main__":
    uvloop.run(main())
