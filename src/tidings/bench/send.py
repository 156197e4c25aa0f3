"""`tidings bench send`: a launched campaign with the real roles into any SMTP server, or one that speaks as Amazon SES."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidings import campaigns
from tidings.accounts import SYSTEM
from tidings.bench._campaign import SIZES, prepare
from tidings.bench._system import System, throw_away_system
from tidings.bench._usage import cpu, groups, memory, postgres
from tidings.bench._ways import sign, spread
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import CampaignId, WorkspaceId
from tidings.delivery import DkimAlgorithm


async def run(
    *,
    smtp: tuple[str, int],
    ses: str,
    recipients: int,
    size: str,
    workers: int,
    connections: int,
    dkim: Sequence[DkimAlgorithm],
    providers: int,
    json: bool,
) -> dict[str, object]:
    """Measure, print, and return what was measured. `ses`: the URL of what speaks as SES does, instead of the SMTP server."""
    if size not in SIZES:
        raise Invalid.at("--size", f"choose one of {', '.join(SIZES)}")
    console = Console(stderr=True)
    async with throw_away_system(send_workers=workers) as system:
        with console.status(f"Making {recipients:,} contacts …"):
            db, keys = system.app.db, system.app.keys
            provider: dict[str, object] = {"host": smtp[0], "port": smtp[1], "tls": "none", "connections": connections}
            workspace, campaign = await prepare(db, keys, recipients=recipients, size=size, provider=provider)
            if dkim:
                await sign(db, keys, workspace=workspace, algorithms=dkim)
            way = partial(spread, db, keys, workspace=workspace, campaign=campaign, many=providers)
            if ses:
                there: dict[str, object] = {"region": "eu-west-1", "endpoint": ses, "connections": connections}
                await way(provider=there, kind="ses", secret={"access_key_id": "AKIA", "secret_access_key": "secret"})
            elif providers > 1:
                await way(provider=provider)
        result = await _measure(system, workspace, campaign, console)
    result |= {"size": size, "workers": workers, "connections": connections}
    result |= {"dkim": [str(one) for one in dkim], "providers": providers, "kind": "ses" if ses else "smtp"}
    if json:
        print(orjson.dumps(result).decode(), flush=True)
    else:
        console.print_json(data=result)
    return result


async def _measure(system: System, workspace: WorkspaceId, campaign: CampaignId, console: Console) -> dict[str, object]:
    processes = system.processes() | postgres(system)
    cpu_before = {name: cpu(group) for name, group in groups(processes)}
    peaks: dict[str, float] = {}
    now, launched = utc_now(), time.monotonic()
    async with system.app.db.transaction() as tx:
        await campaigns.launch(
            tx,
            workspace=workspace,
            campaign=campaign,
            public_url=system.settings.public_url,
            by=SYSTEM(workspace),
            now=now,
        )
    numbered: float | None = None
    bar = Progress(
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}/s"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("sending", total=None, speed="")
        while True:
            await asyncio.sleep(0.2)
            async with system.app.db.connection() as connection:
                seen = await campaigns.get_campaign(connection, workspace=workspace, campaign=campaign)
                progress = await campaigns.progress_of(connection, workspace=workspace, campaign=seen, now=utc_now())
            for name, group in groups(processes):
                peaks[name] = max(peaks.get(name, 0.0), memory(group))
            counts = progress.counts
            if numbered is None and counts.total_recipients:
                numbered = time.monotonic() - launched
            bar.update(
                task,
                total=counts.total_recipients or None,
                completed=counts.sent_count,
                speed=f"{progress.messages_per_second:,.0f}",
            )
            if seen.status not in {CampaignStatus.SENDING, CampaignStatus.SCHEDULED}:
                break
    # From the moment the audience was numbered to the end of the last chunk, by the database's own account.
    async with system.app.db.connection() as connection:
        times = await connection.fetchrow(
            """
            SELECT extract(epoch FROM max(d.at) - min(d.at))::float8 AS seconds FROM deliveries AS d
            WHERE d.workspace_id = $1 AND d.state IN ('sent', 'delivered')
            """,
            workspace,
        )
    total = time.monotonic() - launched
    assert times is not None
    sending = total - (numbered or 0.0)
    return {
        "recipients": counts.total_recipients,
        "delivered": counts.delivered_count,
        "handed_over": counts.sent_count,
        "seconds": round(sending, 3),
        "messages_per_second": round(counts.sent_count / sending) if sending else 0,
        "launch_seconds": round(numbered or 0.0, 3),
        "cpu_seconds": {name: round(cpu(group) - cpu_before[name], 2) for name, group in groups(processes)},
        "peak_memory_mb": {name: round(peak, 1) for name, peak in peaks.items()},
    }
