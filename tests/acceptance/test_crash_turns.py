"""Campaigns that take turns at a slow provider while workers are killed: chunks are given back half done, and nobody is lost."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from crash_world import counting_sink, end, hurt, lines, post
from running_system import running_system
from tidings import accounts, campaigns
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now
from tidings.core.ids import public_id

CONNECTIONS = 4


async def test_turns_while_workers_are_killed(tmp_path: Path) -> None:
    await _survives(tmp_path, recipients=700, per_second=40, kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_many_turns_while_workers_are_killed(tmp_path: Path, seed: int) -> None:
    await _survives(tmp_path, recipients=3_000, per_second=60, kills=12, seed=seed)


async def _survives(folder: Path, *, recipients: int, per_second: int, kills: int, seed: int) -> None:
    data = folder / "data"
    data.mkdir()
    # A chunk is all of a campaign: without turns the later one would wait for the whole of the first.
    async with running_system(data, TIDINGS_CHUNK_SIZE=str(min(recipients, 1000))) as system:
        with counting_sink(folder) as (port, accepted):
            config = {"host": "127.0.0.1", "port": port, "tls": "none", "rate_per_second": per_second}
            async with system.database() as db:
                workspace, large = await prepare(
                    db, system.keys, recipients=recipients, size="5kb", provider={**config, "connections": CONNECTIONS}
                )
                by, now = SYSTEM(workspace), utc_now()
                async with db.transaction() as tx:
                    key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=now)
                    later = await campaigns.duplicate_campaign(tx, workspace=workspace, campaign=large, by=by, now=now)
            await post(system, key, f"/campaigns/{public_id('campaign', large)}/send")
            async with asyncio.timeout(60):
                while lines(accepted) < per_second:
                    await asyncio.sleep(0.05)
            await post(system, key, f"/campaigns/{public_id('campaign', later.id)}/send")
            await hurt(system, kills, accepted, 2 * recipients, random.Random(seed))
            counts, rows = await end(system, workspace)
            taken = [line.split("\t") for line in accepted.read_text().splitlines()]

    times = Counter(message_id for _, message_id in taken)
    assert len(rows) == len(times) == 2 * recipients, "lost, or two messages with one Message-ID"
    assert counts == Counter(row["state"] for row in rows) == Counter(delivered=2 * recipients)
    twice = sum(many > 1 for many in times.values())
    flagged = sum(bool(row["possible_duplicate"] or row["unknowns"]) for row in rows)
    assert twice <= flagged
    assert twice <= CONNECTIONS * kills
    before = _before_the_later(taken)
    assert before < recipients, "the later one waited for all of the first"
    print(
        f"2 x {recipients:,}, {kills} kills: 0 lost, {twice} twice, {flagged} flagged, the later began after {before:,}"
    )


def _before_the_later(taken: list[list[str]]) -> int:
    """How many messages went before the first of the later campaign: both have the same people."""
    seen: dict[str, str] = {}
    for number, (recipient, message_id) in enumerate(taken):
        if seen.setdefault(recipient, message_id) != message_id:
            return number
    return len(taken)
