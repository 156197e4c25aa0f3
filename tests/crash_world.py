"""A system whose parts are killed while it sends into a counting sink, and what is left of it in the end."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from running_system import RunningSystem


@contextlib.contextmanager
def counting_sink(folder: Path) -> Iterator[tuple[int, Path]]:
    """The port of a counting sink and the file of what it accepted."""
    accepted = folder / "accepted"
    script = Path(__file__).parent / "counting_sink.py"
    process = subprocess.Popen([sys.executable, str(script), "0", str(accepted)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    yield port, accepted
    process.kill()
    process.wait()
    process.stdout.close()


async def hurt(system: RunningSystem, kills: int, accepted: Path, recipients: int, dice: random.Random) -> None:
    """Kill something, whenever another part of the messages has arrived."""
    victims = ["send", "postgres", "supervisor"] * kills
    for number in range(kills):
        goal = recipients * (number + dice.random()) / (kills + 1)
        async with asyncio.timeout(120):
            while lines(accepted) < goal:
                await asyncio.sleep(0.005)
        victim = victims[number]
        async with asyncio.timeout(30):
            while not system.kill(victim):
                await asyncio.sleep(0.01)
        if victim == "supervisor":
            await asyncio.sleep(dice.random())
            system.start()


def lines(file: Path) -> int:
    """How many it has by now."""
    with file.open("rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))


async def end(system: RunningSystem, workspace: int) -> tuple[Counter[str], list[dict[str, object]]]:
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


async def post(system: RunningSystem, key: str, path: str) -> None:
    """Ask the API, as a user does. It must agree."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.post(system.api + path) as response,
    ):
        assert response.status == 200, await response.text()
