"""Pixels a second that one edge process keeps, group commit and all, and whether it kept each of them.

    .venv/bin/python benchmarks/edge.py [--recipients 300000] [--seconds 8] [--runs 3]

Needs `wrk`. An embedded PostgreSQL with the settings it ships with, `tidings role edge` as a process of its own, and a token
of its own for each recipient of one send. Prints the best run as one JSON object. `equal` says whether the database has
exactly the hits that were answered with 200; at the end of a run wrk hangs up on those in flight, so up to `connections`
hits more may have been kept than it counted.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres
from tidings.events import send_engagement
from tidings.tracking import Tokens
from tidings.up import free_ports

SECRET = "measured"
CONNECTIONS = 512
THREADS = 2
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
SCRIPT = """
local threads = 0
function setup(thread) thread:set("first", threads); threads = threads + 1 end
function init(args)
  requests = {}
  local number = 0
  for token in io.lines("TOKENS") do
    if number % THREADS == first then
      requests[#requests + 1] = wrk.format("GET", "/o/" .. token .. ".gif", {["User-Agent"] = "AGENT"})
    end
    number = number + 1
  end
  at = 0
end
function request() at = at % #requests + 1; return requests[at] end
function done(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format('{"requests": %d, "seconds": %f, "status": %d, "lost": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipients", type=int, default=300_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tidings-edge-"))
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        url = await postgres.start()
        await migrate(url)
        db = await Database.open(url, size=2)
        runs = [await measure(db, url, folder, postgres, number, given) for number in range(1, given.runs + 1)]
        await db.close()
        print(json.dumps(max(runs, key=lambda run: run["requests_per_second"])))
    finally:
        await postgres.stop()
        for made in (folder, postgres.folder):
            shutil.rmtree(made, ignore_errors=True)


async def measure(db, url: str, folder: Path, postgres: EmbeddedPostgres, number: int, given) -> dict:
    async with db.connection() as tx:
        workspace = await tx.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('Bench', now()) RETURNING id")
        # The log of the run before is not this run's business.
        await tx.execute("CHECKPOINT")
    token = Tokens(Keyring(SECRET)).for_send(WorkspaceId(workspace), SendId(number))
    tokens, script = folder / "tokens", folder / "run.lua"
    tokens.write_text("".join(f"{token(n, n)}\n" for n in range(1, given.recipients + 1)))
    script.write_text(SCRIPT.replace("TOKENS", str(tokens)).replace("THREADS", str(THREADS)).replace("AGENT", AGENT))
    (port,) = free_ports(1)
    settings = {
        "TIDINGS_DATABASE_URL": url, "TIDINGS_DATA_DIR": str(folder), "TIDINGS_EDGE_PORT": str(port),
        "TIDINGS_SECRET": SECRET,
    }  # fmt: skip
    edge = subprocess.Popen(
        [sys.executable, "-m", "tidings.cli", "role", "edge", "--writer", "100"],
        env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert edge.stdout.readline() == b"ready\n"
        before = cpu(edge, postgres)
        wrk = await asyncio.create_subprocess_exec(
            "wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{given.seconds}s", "-s", str(script),
            f"http://127.0.0.1:{port}", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, said = await wrk.communicate()
        after = cpu(edge, postgres)
    finally:
        edge.stdin.close()
        edge.wait(30)
        edge.stdout.close()
    counted = json.loads(said)
    good = counted["requests"] - counted["status"]
    async with db.connection() as tx:
        recorded, distinct = await tx.fetchrow(
            "SELECT count(*), count(DISTINCT n) FROM events WHERE workspace_id = $1 AND type = 'opened'", workspace
        )
        rollup = await send_engagement(tx, workspace=WorkspaceId(workspace), send=SendId(number))
        batches = await tx.fetchval("SELECT batch FROM event_sources ORDER BY at DESC LIMIT 1")
    return {
        "requests_per_second": round(counted["requests"] / counted["seconds"]),
        "p50_ms": round(counted["p50"], 1),
        "p99_ms": round(counted["p99"], 1),
        "errors": counted["status"] + counted["lost"],
        "responses_200": good,
        "events_recorded": recorded,
        "unique_opened": rollup.opened,
        "equal": 0 <= recorded - good <= CONNECTIONS and rollup.opens == recorded and rollup.opened == distinct,
        "hits_a_batch": round(recorded / batches),
        "cpu_seconds": {name: round(after[name] - before[name], 1) for name in after},
    }


def cpu(edge: subprocess.Popen[bytes], postgres: EmbeddedPostgres) -> dict[str, float]:
    server = psutil.Process(postgres.process_id())
    return {
        "edge": used(psutil.Process(edge.pid)),
        "postgres": sum(used(process) for process in [server, *server.children()]),
        "wrk": sum(os.times()[2:4]),
    }


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    asyncio.run(main())
