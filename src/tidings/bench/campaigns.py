"""`tidings bench campaigns`: thousands of small campaigns due at the same moment, with the real roles into any SMTP server."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tidings import campaigns
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.bench._system import System, throw_away_system
from tidings.bench._usage import cpu, groups, memory, postgres
from tidings.campaigns import Draft
from tidings.core.clock import utc_now
from tidings.core.ids import CampaignId, WorkspaceId

_LEAD = timedelta(seconds=2)

_PROGRESS = """
SELECT count(*) FILTER (WHERE status = 'sent') AS sent,
       count(*) FILTER (WHERE started_at IS NOT NULL) AS begun, count(*) AS all
FROM campaigns WHERE schedule_time IS NOT NULL
"""

# From the due moment: until the last audience was numbered, a campaign's first message handed over, and the last of all. `longest`:
# from a campaign's first message to its last; `waited`: from being numbered to the first message.
_TIMES = """
SELECT extract(epoch FROM max(s.started_at) - $1)::float8 AS numbered,
       extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY d.first) - $1)::float8 AS first_p50,
       extract(epoch FROM percentile_disc(0.99) WITHIN GROUP (ORDER BY d.first) - $1)::float8 AS first_p99,
       extract(epoch FROM max(d.first) - $1)::float8 AS first_last,
       extract(epoch FROM max(d.last) - $1)::float8 AS done,
       max(extract(epoch FROM d.last - d.first))::float8 AS longest,
       extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY d.first - s.started_at))::float8 AS waited_p50,
       extract(epoch FROM max(d.first - s.started_at))::float8 AS waited_longest,
       sum(d.delivered)::bigint AS delivered, sum(s.recipients)::bigint AS recipients
FROM sends AS s
JOIN (SELECT workspace_id, send_id, min(at) AS first, max(at) AS last, count(*) FILTER (WHERE state = 'delivered') AS delivered
      FROM deliveries WHERE workspace_id <> $2 GROUP BY workspace_id, send_id
     ) AS d ON d.workspace_id = s.workspace_id AND d.send_id = s.id
"""

# The large campaign beside them: how far it was when they came, what it sent until the last of them, and how long it stood still.
_BESIDE = """
SELECT count(*) FILTER (WHERE at < $2) AS before, count(*) FILTER (WHERE at >= $2) AS during,
       extract(epoch FROM max(at - previous) FILTER (WHERE at >= $2))::float8 AS longest_pause
FROM (SELECT at, lag(at) OVER (ORDER BY at) AS previous
      FROM deliveries WHERE workspace_id = $1 AND state = 'delivered' AND at <= $3) AS d
"""


async def run(
    *,
    host: str,
    port: int,
    count: int,
    recipients: int,
    workspaces: int,
    workers: int,
    connections: int,
    beside: int,
    json: bool,
) -> dict[str, object]:
    """Measure, print, and return what was measured: `count` campaigns to `recipients` each, due at once.

    `beside`: recipients of one more, of a workspace of its own, that is being sent when they come; 0 for none.
    """
    console = Console(stderr=True)
    async with throw_away_system(send_workers=workers) as system:
        with console.status(f"Making {count:,} campaigns in {workspaces:,} workspaces …"):
            provider: dict[str, object] = {"host": host, "port": port, "tls": "none", "connections": connections}
            large = None
            if beside:
                large = await prepare(system.app.db, system.app.keys, recipients=beside, size="5kb", provider=provider)
            due = await _make(system, count, recipients, workspaces, provider)
            if large is not None:
                await _launch(system, *large)
        result = await _watch(system, due, console, WorkspaceId(0) if large is None else large[0])
    result |= {"campaigns": count, "workspaces": workspaces, "workers": workers, "connections": connections}
    if json:
        print(orjson.dumps(result).decode(), flush=True)
    else:
        console.print_json(data=result)
    return result


async def _launch(system: System, workspace: WorkspaceId, campaign: CampaignId) -> None:
    async with system.app.db.transaction() as tx:
        await campaigns.launch(
            tx,
            workspace=workspace,
            campaign=campaign,
            public_url=system.app.public_url,
            by=SYSTEM(workspace),
            now=utc_now(),
        )


async def _make(system: System, count: int, recipients: int, workspaces: int, provider: dict[str, object]) -> datetime:
    made: list[WorkspaceId] = []
    for number in range(workspaces):
        workspace, pattern = await prepare(
            system.app.db, system.app.keys, recipients=recipients, size="5kb", provider=provider
        )
        made.append(workspace)
        async with system.app.db.transaction() as tx:
            model = await campaigns.get_campaign(tx, workspace=workspace, campaign=pattern)
            draft = Draft(
                name="Bench",
                subject="",
                template_id=model.template_id,
                sender_email=model.sender_email,
                sender_name=model.sender_name,
                list_ids=model.list_ids,
                provider_id=model.provider_id,
            )
            for _ in range(count // workspaces + (number < count % workspaces)):
                await campaigns.create_campaign(
                    tx, workspace=workspace, draft=draft, by=SYSTEM(workspace), now=utc_now()
                )
    due = utc_now() + _LEAD
    async with system.app.db.transaction() as tx:
        # As if each had been scheduled in time: what is measured begins at the moment they are due.
        await tx.execute(
            """
            UPDATE campaigns SET status = 'scheduled', schedule_time = $1
            WHERE status = 'draft' AND (workspace_id, id) NOT IN (SELECT workspace_id, min(id) FROM campaigns GROUP BY workspace_id)
            """,
            due,
        )
    return due


async def _watch(system: System, due: datetime, console: Console, large: WorkspaceId) -> dict[str, object]:
    processes = system.processes() | postgres(system)
    before = {name: cpu(group) for name, group in groups(processes)}
    peaks: dict[str, float] = {}
    await asyncio.sleep(_LEAD.total_seconds())
    begun = time.monotonic()
    bar = Progress(
        TextColumn("sent"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[begun]} begun"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("sent", total=None, begun=0)
        while True:
            await asyncio.sleep(0.5)
            async with system.app.db.connection() as connection:
                seen = await connection.fetchrow(_PROGRESS)
            assert seen is not None
            for name, group in groups(processes):
                peaks[name] = max(peaks.get(name, 0.0), memory(group))
            bar.update(task, total=seen["all"], completed=seen["sent"], begun=seen["begun"])
            if seen["sent"] == seen["all"]:
                break
    seconds = time.monotonic() - begun
    async with system.app.db.connection() as connection:
        times = await connection.fetchrow(_TIMES, due, large)
        assert times is not None
        until = due + timedelta(seconds=times["done"])
        aside = await connection.fetchrow(_BESIDE, large, due, until) if large else None
    return _rounded(dict(times.items())) | {
        "seconds": round(seconds, 2),
        "messages_per_second": round(times["delivered"] / seconds),
        "cpu_seconds": {name: round(cpu(group) - before[name], 2) for name, group in groups(processes)},
        "peak_memory_mb": {name: round(peak, 1) for name, peak in peaks.items()},
        "beside": None if aside is None else _rounded(dict(aside.items())),
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}
