"""`kill -9` of the send worker, the supervisor and PostgreSQL at random moments of a send: nobody lost, nobody twice unseen."""

import asyncio
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from running_system import RunningSystem, running_system
from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.ids import ProviderId, WorkspaceId, public_id

CONNECTIONS = 10


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of a counting sink and the file of what it accepted."""
    accepted = tmp_path / "accepted"
    script = Path(__file__).parents[1] / "counting_sink.py"
    process = subprocess.Popen([sys.executable, str(script), "0", str(accepted)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    yield port, accepted
    process.kill()
    process.wait()
    process.stdout.close()


async def test_killed_at_random_moments_loses_nobody(tmp_path: Path, sink: tuple[int, Path]) -> None:
    await _survives(tmp_path, sink, recipients=15_000, kills=6, per_second=2000, seed=1)


async def test_killed_with_three_providers_in_turn_loses_nobody(tmp_path: Path, sink: tuple[int, Path]) -> None:
    await _survives(tmp_path, sink, recipients=9_000, kills=4, per_second=700, seed=2, providers=3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_a_hundred_thousand_and_twenty_kills(tmp_path: Path, sink: tuple[int, Path], seed: int) -> None:
    await _survives(tmp_path, sink, recipients=100_000, kills=20, per_second=3000, seed=seed)


async def _survives(
    folder: Path,
    sink: tuple[int, Path],
    *,
    recipients: int,
    kills: int,
    per_second: int,
    seed: int,
    providers: int = 1,
) -> None:
    port, accepted = sink
    data = folder / "data"
    data.mkdir()
    async with running_system(data, TIDINGS_CHUNK_SIZE="500") as system:
        async with system.database() as db:
            workspace, campaign = await prepare(
                db,
                system.keys,
                recipients=recipients,
                size="5kb",
                provider={
                    "host": "127.0.0.1",
                    "port": port,
                    "tls": "none",
                    "connections": CONNECTIONS,
                    "rate_per_second": per_second,
                },
            )
            async with db.transaction() as tx:
                if providers > 1:
                    await _behind_a_route(tx, workspace, providers)
                key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=utc_now())
        await _post(system, key, f"/campaigns/{public_id('campaign', campaign)}/send")
        await _hurt(system, kills, accepted, recipients, random.Random(seed))
        counts, rows = await _end(system, workspace)

    by_recipient: defaultdict[str, list[str]] = defaultdict(list)
    for line in accepted.read_text().splitlines():
        recipient, message_id = line.split("\t")
        by_recipient[recipient].append(message_id)
    twice = {recipient: ids for recipient, ids in by_recipient.items() if len(ids) > 1}
    flagged = {row["email"] for row in rows if row["possible_duplicate"] or row["unknowns"]}

    lost = {row["email"] for row in rows} - set(by_recipient)
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:5]}"
    assert len(by_recipient) == recipients
    assert all(len(set(ids)) == 1 for ids in twice.values()), "a second copy has another Message-ID"
    assert set(twice) <= flagged, f"not flagged: {sorted(set(twice) - flagged)[:5]}"
    assert len(twice) <= CONNECTIONS * kills * providers
    carried = Counter(row["provider_id"] for row in rows if row["state"] == "delivered")
    assert None not in carried, "it is not known who took some of them"
    assert len(carried) == providers
    assert min(carried.values()) > recipients / providers / 2, carried
    assert len({ids[0] for ids in by_recipient.values()}) == recipients, "a Message-ID was used for two people"
    assert counts == Counter(row["state"] for row in rows), "the counters and the deliveries disagree"
    print(f"{recipients:,} recipients, {kills} kills: 0 lost, {len(twice)} twice, {len(flagged)} flagged as unknown")


async def _behind_a_route(tx: Tx, workspace: WorkspaceId, providers: int) -> None:
    """The campaign goes through copies of its provider by turns."""
    await tx.execute(
        """
        INSERT INTO providers (workspace_id, name, kind, config, created_at, updated_at)
        SELECT p.workspace_id, p.name || k, p.kind, p.config, now(), now()
        FROM providers AS p, generate_series(2, $1) AS k
        WHERE p.workspace_id = $2 AND p.is_default
        """,
        providers,
        workspace,
    )
    found = await tx.fetch("SELECT id FROM providers WHERE workspace_id = $1 ORDER BY id", workspace)
    ids = [ProviderId(row["id"]) for row in found]
    await delivery.add_route(
        tx,
        workspace=workspace,
        name="all",
        strategy=delivery.Strategy.ROUND_ROBIN,
        members=[delivery.RouteMember(one) for one in ids],
        is_default=True,
        by=SYSTEM(workspace),
        now=utc_now(),
    )
    await tx.execute("UPDATE campaigns SET provider_id = NULL")


async def _hurt(system: RunningSystem, kills: int, accepted: Path, recipients: int, dice: random.Random) -> None:
    """Kill something, whenever another part of the messages has arrived."""
    victims = ["send", "postgres", "supervisor"] * kills
    for number in range(kills):
        goal = recipients * (number + dice.random()) / (kills + 1)
        async with asyncio.timeout(120):
            while _lines(accepted) < goal:
                await asyncio.sleep(0.005)
        victim = victims[number]
        async with asyncio.timeout(30):
            while not system.kill(victim):
                await asyncio.sleep(0.01)
        if victim == "supervisor":
            await asyncio.sleep(dice.random())
            system.start()


def _lines(file: Path) -> int:
    with file.open("rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))


async def _end(system: RunningSystem, workspace: int) -> tuple[Counter[str], list[dict[str, object]]]:
    """Wait until nothing is left to do, retries of the unknown included; the counters, and every delivery."""
    async with asyncio.timeout(240):
        while True:
            try:
                async with system.database() as db, db.connection() as connection:
                    busy = await connection.fetchval(
                        """
                        SELECT (SELECT count(*) FROM retries) + (SELECT count(*) FROM chunks WHERE state <> 'done')
                            + (SELECT count(*) FROM campaigns WHERE status <> 'sent')
                        """
                    )
                    if busy == 0:
                        break
            except OSError:
                pass
            await asyncio.sleep(0.5)
    async with system.database() as db, db.connection() as connection:
        rows = await connection.fetch(
            """
            SELECT c.email, d.state::text AS state, d.possible_duplicate, d.unknowns, d.provider_id FROM deliveries AS d
            JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id WHERE d.workspace_id = $1
            """,
            workspace,
        )
        names = ("pending", "sent", "delivered", "deferred", "bounced", "failed", "skipped", "unknown", "cancelled")
        sums = await connection.fetchrow(
            f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in names)} FROM send_counters WHERE workspace_id = $1",  # noqa: S608
            workspace,
        )
        assert sums is not None
        return +Counter({name: sums[name] for name in names}), [dict(row) for row in rows]


async def _post(system: RunningSystem, key: str, path: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.post(system.api + path) as response,
    ):
        assert response.status == 200, await response.text()
