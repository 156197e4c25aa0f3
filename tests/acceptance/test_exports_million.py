"""A million contacts exported: rows a second, memory of the process that serves them, and others served meanwhile."""

import asyncio
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api_client import Client
from peak_memory import forget_peak, peak
from tidings.bootstrap import App

ROWS = 1_000_000


async def fill(app: App, workspace: int, rows: int) -> None:
    """Contacts with names, tags, three attributes, on a list."""
    async with app.db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            "INSERT INTO lists (workspace_id, id, name, created_at, updated_at) VALUES ($1, 1, 'News', now(), now())",
            workspace,
        )
        await tx.execute(
            """INSERT INTO contacts (workspace_id, id, email, address_hash, first_name, last_name, phone, tags, attributes,
                                     created_at, updated_at)
               SELECT $1, i, 'person' || i || '@example.com', decode(md5(i::text), 'hex'), 'Firstname', 'Lastname' || i,
                      '+44 20 7946 0000', '{vip,new}', jsonb_build_object('plan', 'gold', 'points', i, 'city', 'Bonn'), now(), now()
               FROM generate_series(1, $2::integer) i""",
            workspace,
            rows,
        )
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
               SELECT $1, 1, i, now() FROM generate_series(1, $2::integer) i""",
            workspace,
            rows,
        )
    async with app.db.connection() as connection:
        await connection.execute("ANALYZE contacts, subscriptions")


@pytest.mark.soak
@pytest.mark.parametrize("query", ["format=csv", "format=jsonl", "format=csv&list_id=list_1"])
async def test_a_million_in_flat_memory(api: Client, app: App, query: str) -> None:
    await fill(app, api.workspace, ROWS)
    headers = {"Authorization": f"Bearer {api.key}", "Accept-Encoding": "identity"}
    before, held = resource.getrusage(resource.RUSAGE_SELF), forget_peak()
    began, lines, size, waits = time.monotonic(), 0, 0, list[float]()
    done = asyncio.Event()

    async def others() -> None:
        while not done.is_set():
            asked = time.monotonic()
            assert (await api("GET", "/contacts?page_size=1&cursor=YmVmb3JlOjU")).status == 200
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.05)

    asking = asyncio.ensure_future(others())
    async with api._session.get(f"http://api/api/v1/contacts/export?{query}", headers=headers) as response:
        async for part in response.content.iter_any():
            lines += part.count(b"\n")
            size += len(part)
    took = time.monotonic() - began
    done.set()
    await asking
    after = resource.getrusage(resource.RUSAGE_SELF)
    grown = peak() - held
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    waits.sort()
    sys.stderr.write(
        f"\n{query}: {lines:,} lines, {size / 1e6:.0f} MB in {took:.1f} s = {lines / took:,.0f} rows/s;"
        f" server and client {cpu:.1f} s of CPU;"
        f" peak memory + {grown} MB; others waited {waits[len(waits) // 2] * 1000:.0f} ms, at worst {waits[-1] * 1000:.0f} ms\n"
    )
    assert lines == ROWS + ("csv" in query)
    assert grown < 64
    assert waits[-1] < 2


@pytest.mark.soak
async def test_the_command_line_exports_a_million(api: Client, app: App, database_url: str, tmp_path: Path) -> None:
    await fill(app, api.workspace, ROWS)
    file = tmp_path / "all.csv"
    # Not ru_maxrss: Linux hands a process that of the one that started it, which here is pytest with its hundreds of MB.
    code = (
        "import re, sys; from tidings.cli import app; sys.argv = ['tidings', 'export', '-o', sys.argv[1]]\n"
        "try: app()\nfinally: print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    environment = {"TIDINGS_DATABASE_URL": database_url, "TIDINGS_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert file.read_bytes().count(b"\n") == ROWS + 1
    assert int(told.stdout) < 150, told.stdout
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []
    sys.stderr.write(f"\ntidings export: peak {told.stdout.strip()} MB\n")
