"""Three providers that fail, throttle, stall and lie at random while workers are killed: nobody lost, and the sum holds."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from running_system import RunningSystem, running_system
from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now
from tidings.core.ids import CampaignId, ProviderId, WorkspaceId, public_id
from tidings.delivery import RouteMember, Strategy

STATES = ("pending", "sent", "delivered", "deferred", "bounced", "failed", "skipped", "unknown", "cancelled")
KINDS = ("smtp", "smtp", "ses")
CONNECTIONS = 6
GONE = 97
"""One recipient in so many is unknown to all providers."""


@pytest.fixture
def providers(tmp_path: Path) -> Iterator[list[tuple[int, Path]]]:
    """Of each the port, and the file of what it took."""
    started: list[subprocess.Popen[bytes]] = []
    found: list[tuple[int, Path]] = []
    script = Path(__file__).parents[1] / "chaotic_provider.py"
    for number, kind in enumerate(KINDS):
        file = tmp_path / f"taken-{number}"
        process = subprocess.Popen([sys.executable, str(script), kind, str(file), str(number)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        started.append(process)
        found.append((int(process.stdout.readline()), file))
    yield found
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_chaos(tmp_path: Path, providers: list[tuple[int, Path]]) -> None:
    await _survives(tmp_path, providers, recipients=5_000, kills=3, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
async def test_chaos_among_a_hundred_thousand(tmp_path: Path, providers: list[tuple[int, Path]], seed: int) -> None:
    await _survives(tmp_path, providers, recipients=100_000, kills=15, seed=seed)


async def _survives(folder: Path, providers: list[tuple[int, Path]], *, recipients: int, kills: int, seed: int) -> None:
    data = folder / "data"
    data.mkdir()
    async with running_system(data, TIDINGS_CHUNK_SIZE="300") as system:
        workspace, campaign, key = await _campaign(system, providers, recipients)
        path = f"{system.api}/campaigns/{public_id('campaign', campaign)}"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            async with session.post(path + "/send") as response:
                assert response.status == 200, await response.text()
            watching = asyncio.ensure_future(_watch(session, path, recipients))
            await _hurt(system, kills, [file for _, file in providers], recipients, random.Random(seed))
            rows = await _end(system, workspace)
            looks = await _stopped(watching)
        async with system.database() as db, db.connection() as connection:
            suppressed = {
                row[0]
                for row in await connection.fetch(
                    """
                    SELECT c.email FROM suppressions AS s
                    JOIN contacts AS c ON c.workspace_id = s.workspace_id AND c.address_hash = s.address_hash
                    """
                )
            }
    assert looks >= 5

    taken: defaultdict[str, list[str]] = defaultdict(list)
    by: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
    for number, (_, file) in enumerate(providers):
        for line in file.read_text().splitlines():
            recipient, message_id, *fate = line.split("\t")
            taken[recipient].append(message_id)
            by[recipient].append((number, *fate))
    of = {row["email"]: row for row in rows}
    gone = {email for email in of if email.startswith("gone")}
    states = Counter(row["state"] for row in rows)
    assert len(of) == recipients
    assert set(states) <= {"sent", "delivered", "bounced", "failed", "unknown"}, states
    # Whoever counts as reached was; whoever was not reached does not count as reached, and is no more than a few.
    assert {email for email, row in of.items() if row["state"] in {"sent", "delivered"}} <= set(taken)
    reached_all_the_same = {email for email, row in of.items() if row["state"] in {"bounced", "failed"}} & set(taken)
    assert all(of[email]["unknowns"] for email in reached_all_the_same)
    assert {email for email, row in of.items() if row["state"] == "bounced"} <= gone
    failed = {email for email, row in of.items() if row["state"] == "failed"}
    assert len(failed - gone) <= recipients * 0.02, sorted(of[email]["detail"] for email in failed - gone)[:5]
    twice = {email for email, ids in taken.items() if len(ids) > 1}
    flagged = {email for email, row in of.items() if row["possible_duplicate"] or row["unknowns"]}
    assert not twice - flagged, [(of[email], by[email]) for email in sorted(twice - flagged)[:5]]
    assert all(len(set(ids)) == 1 for ids in taken.values()), "a second copy has another Message-ID"
    assert suppressed <= gone, "somebody was suppressed for what was no fault of theirs"
    print(
        f"{recipients:,} recipients, {kills} kills, {looks} looks: {dict(states)}, {len(twice)} twice, {len(flagged)} flagged"
    )


async def _campaign(
    system: RunningSystem, providers: list[tuple[int, Path]], recipients: int
) -> tuple[WorkspaceId, CampaignId, str]:
    first = {"host": "127.0.0.1", "port": providers[0][0], "tls": "none"}
    async with system.database() as db:
        workspace, campaign = await prepare(db, system.keys, recipients=recipients, size="5kb", provider=first | _PACE)
        by, now = SYSTEM(workspace), utc_now()
        async with db.transaction() as tx:
            await tx.execute(
                "UPDATE contacts SET email = 'gone' || id || '@example.com' WHERE workspace_id = $1 AND id % $2 = 0",
                workspace,
                GONE,
            )
            await tx.execute("UPDATE workspaces SET pause_failed_percent = 0, pause_bounced_percent = 0")
            ids = [await tx.fetchval("SELECT id FROM providers WHERE workspace_id = $1", workspace)]
            for number, (port, _) in enumerate(providers[1:], 1):
                config: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": "none"}
                secret: dict[str, str] = {}
                if KINDS[number] == "ses":
                    config = {"region": "eu-west-1", "endpoint": f"http://127.0.0.1:{port}"}
                    secret = {"access_key_id": "AKIA", "secret_access_key": "s"}
                made = await delivery.add_provider(
                    tx,
                    workspace=workspace,
                    name=f"provider {number}",
                    kind=KINDS[number],
                    config=config | _PACE,
                    secret=secret,
                    is_default=False,
                    keys=system.keys,
                    by=by,
                    now=now,
                )
                ids.append(made.id)
            route = await delivery.add_route(
                tx,
                workspace=workspace,
                name="all three",
                strategy=Strategy.LEAST_LOADED,
                members=[RouteMember(ProviderId(id_), 1, 1) for id_ in ids],
                is_default=True,
                by=by,
                now=now,
            )
            await tx.execute("UPDATE campaigns SET provider_id = NULL, route_id = $1", route.id)
            key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=now)
    return workspace, campaign, key


_PACE: dict[str, Any] = {"connections": CONNECTIONS, "rate_per_second": 1500, "retry_first_seconds": 1.0}


async def _watch(session: aiohttp.ClientSession, path: str, recipients: int) -> int:
    """Look at the report all the time: whenever it answers, it adds up. Returns how often, when cancelled."""
    looks = 0
    try:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(path + "/analytics") as response:
                    if response.status == 200:
                        counts = (await response.json())["counts"]
                        if counts["total_recipients"]:
                            parts = [counts[f"{name}_count"] for name in STATES if name != "sent"]
                            total = sum(parts) + counts["awaiting_count"]
                            assert total == counts["total_recipients"] == recipients, counts
                            looks += 1
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return looks


async def _stopped(watching: "asyncio.Task[int]") -> int:
    watching.cancel()
    return await watching


async def _hurt(system: RunningSystem, kills: int, files: list[Path], recipients: int, dice: random.Random) -> None:
    """Kill something, whenever another part of the messages has been taken."""
    victims = ["send", "postgres", "conduct"] * kills
    for number in range(kills):
        goal = recipients * (number + dice.random()) / (kills + 1)
        async with asyncio.timeout(240):
            while sum(_lines(file) for file in files) < goal:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            while not system.kill(victims[number]):
                await asyncio.sleep(0.01)


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


async def _end(system: RunningSystem, workspace: int) -> list[dict[str, Any]]:
    """Wait until nothing is left to do, retries included; then every delivery, and the counters say the same."""
    async with asyncio.timeout(400):
        while True:
            with contextlib.suppress(OSError):
                async with system.database() as db, db.connection() as connection:
                    busy = await connection.fetchval(
                        """
                        SELECT (SELECT count(*) FROM retries) + (SELECT count(*) FROM chunks WHERE state <> 'done')
                            + (SELECT count(*) FROM campaigns WHERE status <> 'sent')
                        """
                    )
                    if busy == 0:
                        break
                    await connection.execute(  # minutes of waiting, gone by at once
                        "UPDATE retries SET due_at = now() WHERE due_at BETWEEN now() AND now() + interval '1 day'"
                    )
            await asyncio.sleep(0.5)
    async with system.database() as db, db.connection() as connection:
        rows = await connection.fetch(
            """
            SELECT c.email, d.state::text AS state, d.possible_duplicate, d.unknowns, d.detail FROM deliveries AS d
            JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id WHERE d.workspace_id = $1
            """,
            workspace,
        )
        sums = await connection.fetchrow(
            f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in STATES)} FROM send_counters WHERE workspace_id = $1",  # noqa: S608
            workspace,
        )
    assert sums is not None
    assert +Counter({name: sums[name] for name in STATES}) == Counter(row["state"] for row in rows)
    return [dict(row) for row in rows]
