"""A process of its own that sends as much as a provider's limits let it, and prints when and to which domain."""

import asyncio
import json
import sys
import time

from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.core.loops import forever
from tidings.delivery.limits._budgets import Budget
from tidings.delivery.limits._caps import restraints
from tidings.delivery.limits._limits import limits_of


async def sending(
    url: str, *, workspace: int, provider: int, config: dict[str, object], seconds: float, domains: list[str]
) -> list[tuple[float, str]]:
    """For so many seconds, once a line is read that says go: to each domain by turns, past those that may not get any."""
    db = await Database.open(url, size=2)
    woken, sent = asyncio.Event(), list[tuple[float, str]]()
    limits = limits_of(config)
    budget = Budget(db, workspace=WorkspaceId(workspace), provider=ProviderId(provider), limits=limits, wake=woken.set)
    async with db.connection() as connection:
        found = await restraints(connection, providers=[(workspace, provider)])
    if (workspace, provider) in found:
        budget.restrain(found[workspace, provider])
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.time()
    keeping = asyncio.ensure_future(forever(budget.keep))
    while (left := begin + seconds - time.time()) > 0:
        if budget.ready() and (domain := next((one for one in domains if budget.may(one)), None)) is not None:
            budget.spend()
            budget.spend_on(domain)
            sent.append((time.time(), domain))
            domains = [*(one for one in domains if one != domain), domain]
            continue
        try:
            async with asyncio.timeout(left):
                await woken.wait()
        except TimeoutError:
            break
        woken.clear()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await db.close()
    return sent


if __name__ == "__main__":
    print(json.dumps(asyncio.run(sending(sys.argv[1], **json.loads(sys.argv[2])))))
