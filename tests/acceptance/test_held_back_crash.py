"""`kill -9` of workers and the conductor while recipients are held back by a limit: none is forgotten, and the limit holds."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from running_system import RunningSystem, running_system
from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now
from tidings.core.ids import ProviderId, public_id

RECIPIENTS, SLOW, A_MINUTE = 1_200, 400, 100
_STATES = ("pending", "sent", "delivered", "deferred", "bounced", "failed", "skipped", "unknown", "cancelled")


async def test_held_back_through_crashes(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted"
    script = Path(__file__).parents[1] / "counting_sink.py"
    sink = subprocess.Popen([sys.executable, str(script), "0", str(accepted)], stdout=subprocess.PIPE)
    assert sink.stdout is not None
    port = int(sink.stdout.readline())
    data = tmp_path / "data"
    data.mkdir()
    try:
        async with running_system(data, TIDINGS_CHUNK_SIZE="100", TIDINGS_SEND_WORKERS="2") as system:
            await _through_crashes(system, port, accepted)
    finally:
        sink.kill()
        sink.wait()
        sink.stdout.close()


async def _through_crashes(system: RunningSystem, port: int, accepted: Path) -> None:
    config: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": "none", "connections": 4}
    limits = {"slow.example": {"per_minute": A_MINUTE}}
    async with system.database() as db:
        workspace, campaign = await prepare(
            db, system.keys, recipients=RECIPIENTS, size="5kb", provider=config | {"limits": limits}
        )
        async with db.transaction() as tx:
            await tx.execute(
                "UPDATE contacts SET email = 'slow' || id || '@slow.example' WHERE workspace_id = $1 AND id % 3 = 0",
                workspace,
            )
            provider = await tx.fetchval("SELECT id FROM providers WHERE workspace_id = $1", workspace)
            key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=utc_now())
    path = f"{system.api}/campaigns/{public_id('campaign', campaign)}"
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(path + "/send") as response:
        assert response.status == 200
    begun = asyncio.get_running_loop().time()
    async with asyncio.timeout(40):
        while len(_slow(accepted)) < A_MINUTE // 2:
            await asyncio.sleep(0.05)
    for victim in ("send", "conduct", "send"):
        async with asyncio.timeout(20):
            while not system.kill(victim):
                await asyncio.sleep(0.05)
        await _make_due(system)  # those that wait in the database come back, and are held back anew
        await asyncio.sleep(2)
    assert asyncio.get_running_loop().time() - begun < 58, "too slow a machine to say anything of a minute's limit"
    assert A_MINUTE // 2 <= len(_slow(accepted)) <= A_MINUTE, "the limit did not hold"

    async with system.database() as db, db.transaction() as tx:
        rows = await _states(tx, workspace)
        held = [row for row in rows if row["state"] in {"deferred", "pending"}]
        assert len(held) >= SLOW - A_MINUTE
        # Now the limit goes: each of them arrives, and nobody else does a second time.
        await delivery.update_provider(
            tx, workspace=workspace, provider=ProviderId(provider), config=config, keys=system.keys,
            by=SYSTEM(workspace), now=utc_now(),
        )  # fmt: skip
    async with asyncio.timeout(90):
        while True:
            await _make_due(system)
            async with system.database() as db, db.connection() as connection:
                rows = await _states(connection, workspace)
            if all(row["state"] not in {"deferred", "pending", "unknown"} for row in rows):
                break
            await asyncio.sleep(0.5)
    async with system.database() as db, db.connection() as connection:
        sums = await connection.fetchrow(
            f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in _STATES)} FROM send_counters WHERE workspace_id = $1",  # noqa: S608
            workspace,
        )
    assert sums is not None
    assert Counter(row["state"] for row in rows) == {"delivered": RECIPIENTS} == +Counter(dict(sums))
    got = Counter(line.split("\t")[0] for line in _lines(accepted))
    assert set(got) == {row["email"] for row in rows}
    twice = {email for email, many in got.items() if many > 1}
    assert twice <= {row["email"] for row in rows if row["unknowns"]}
    assert not any(row["attempts"] > 1 + row["unknowns"] for row in rows), "being held back counted as an attempt"


def _slow(accepted: Path) -> list[str]:
    return [line for line in _lines(accepted) if line.partition("\t")[0].endswith("@slow.example")]


def _lines(accepted: Path) -> list[str]:
    return accepted.read_text().splitlines() if accepted.exists() else []


async def _states(connection: Any, workspace: int) -> list[Any]:
    return await connection.fetch(
        """
        SELECT c.email, d.state::text AS state, d.unknowns, d.attempts FROM deliveries AS d
        JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id WHERE d.workspace_id = $1
        """,
        workspace,
    )


async def _make_due(system: RunningSystem) -> None:
    async with system.database() as db, db.connection() as connection:
        await connection.execute("UPDATE retries SET due_at = now() WHERE due_at < now() + interval '1 day'")
