"""`kill -9` of the send worker, the supervisor and PostgreSQL at random moments of a send: nobody lost, nobody twice unseen."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash_world import counting_sink, end, hurt, post
from running_system import running_system
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
    with counting_sink(tmp_path) as found:
        yield found


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
        await post(system, key, f"/campaigns/{public_id('campaign', campaign)}/send")
        await hurt(system, kills, accepted, recipients, random.Random(seed))
        counts, rows = await end(system, workspace)

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
