"""`tidings demo`: from an empty folder to a report, through the public API and real SMTP."""

import asyncio
import signal
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from tidings import accounts
from tidings.bootstrap import open_app
from tidings.core.clock import utc_now
from tidings.core.settings import Settings
from tidings.demo._api import Api
from tidings.demo._audience import person
from tidings.demo._population import Population
from tidings.demo._report import Known, Report, show
from tidings.demo._template import HTML, SUBJECT, TEXT
from tidings.supervisor import Supervisor, is_running, supervise
from tidings.up import clear, environment, private_settings, roles

_IMPORT_AT_ONCE = 5000
_READERS_AT_ONCE = 32


async def run(*, recipients: int, json: bool, exit_after: bool) -> None:
    """Show the whole of Tidings once; then keep it up until Ctrl-C, unless `exit_after`."""
    console = Console(stderr=True)
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    folder = (Settings().data_dir / "demo").absolute()
    if not is_running(folder):
        await clear(folder)
    settings = private_settings(folder)
    with console.status("Starting PostgreSQL and every role …"):
        system = supervise(data_dir=folder, database_url=None, roles=roles(settings), environment=environment(settings))
        supervisor = await system.__aenter__()
    try:
        work = asyncio.ensure_future(_show(settings, supervisor, recipients, console))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            return
        report = work.result()
        show(report, console)
        _say_where(settings, console)
        if json:
            print(orjson.dumps(report.as_json()).decode(), flush=True)
        if not exit_after:
            console.print("\nIt keeps running: look around. Ctrl-C stops it.")
            await stop.wait()
        elif not report.right:
            sys.exit(1)
    finally:
        with console.status("Stopping …"):
            await system.__aexit__(None, None, None)


async def _show(settings: Settings, supervisor: Supervisor, recipients: int, console: Console) -> Report:
    with console.status("Waiting for the roles …"):
        await supervisor.until_ready()
        operator = await _operator_key(settings, supervisor)
    base = f"http://{settings.api_host}:{settings.api_port}/api/v1"
    connector = aiohttp.TCPConnector(limit=_READERS_AT_ONCE * 2)
    async with aiohttp.ClientSession(connector=connector) as session:
        api = Api(session, base, operator)
        workspace = await api.post(
            "/workspaces", {"name": "North Trail", "postal_address": "12 Harbour Road, 5003 Bergen, Norway"}
        )
        api = api.as_(workspace["api_key"])
        campaign = await _prepare(api, settings, recipients, console)
        return await _send(api, session, settings, campaign, recipients, console)


async def _prepare(api: Api, settings: Settings, recipients: int, console: Console) -> str:
    """A provider, contacts on a list, a template and a campaign, as a customer makes them. Returns the campaign's id."""
    await api.post(
        "/providers",
        {
            "name": "Catcher",
            "kind": "smtp",
            "config": {"host": "127.0.0.1", "port": settings.catcher_smtp_port, "tls": "none"},
        },
    )
    newsletter = await api.post("/lists", {"name": "Newsletter"})
    with _bar(console, "Importing contacts") as bar:
        task = bar.add_task("", total=recipients, speed="")
        for first in range(0, recipients, _IMPORT_AT_ONCE):
            numbers = range(first, min(first + _IMPORT_AT_ONCE, recipients))
            contacts = [person(number).contact() for number in numbers]
            begun = await api.post("/contacts/import", {"list_id": newsletter["id"], "contacts": contacts})
            await api.wait_for_import(begun["import_id"])
            bar.advance(task, len(numbers))
    template = await api.post(
        "/templates", {"name": "Newsletter", "subject": SUBJECT, "html_content": HTML, "text_content": TEXT}
    )
    campaign = await api.post(
        "/campaigns",
        {
            "name": "Spring news",
            "subject": "",
            "template_id": template["id"],
            "sender_email": "news@northtrail.example",
            "sender_name": "North Trail",
            "contact_list_ids": [newsletter["id"]],
        },
    )
    return campaign["id"]


async def _send(
    api: Api, session: aiohttp.ClientSession, settings: Settings, campaign: str, recipients: int, console: Console
) -> Report:
    catcher = f"http://127.0.0.1:{settings.catcher_http_port}"
    population = Population(session, catcher=catcher, at_once=_READERS_AT_ONCE)
    sent = asyncio.Event()
    living = asyncio.ensure_future(population.live(sent))
    started = time.monotonic()
    await api.post(f"/campaigns/{campaign}/send")
    try:
        with _bar(console, "Sending") as bar:
            task = bar.add_task("", total=recipients, speed="")
            while (seen := await api.get(f"/campaigns/{campaign}"))["status"] == "sending":
                handled = seen["sent_count"]
                speed = handled / (time.monotonic() - started)
                bar.update(task, completed=handled, speed=f"{speed:,.0f}/s")
                await asyncio.sleep(0.1)
            seconds = _seconds(seen)
            bar.update(task, completed=recipients, speed=f"{recipients / seconds:,.0f}/s")
        sent.set()
        with _bar(console, "Readers opening, clicking, leaving") as bar:
            task = bar.add_task("", total=seen["delivered_count"], speed="")
            while not living.done():
                bar.update(task, completed=population.done)
                await asyncio.wait([living], timeout=0.1)
            bar.update(task, completed=population.done)
        await living
    finally:
        living.cancel()
    async with session.get(f"{catcher}/api/counts") as response:
        caught = await response.json()
    told: dict[str, Any] = await api.get(f"/campaigns/{campaign}")
    truth = population.truth
    return Report(
        recipients=told["total_recipients"],
        unique_delivered=caught["unique_delivered"],
        rejected=caught["rejected"],
        lost=recipients - caught["unique_delivered"] - caught["rejected"],
        duplicates=caught["duplicates"],
        unknown=told["unknown_count"] + told["possible_duplicate_count"],
        seconds=round(seconds, 3),
        messages_per_second=round(recipients / seconds, 1),
        opened=told["opened_count"],
        human_opened=told["human_opened_count"],
        clicked=told["clicked_count"],
        human_clicked=told["human_clicked_count"],
        unsubscribed=told["unsubscribed_count"],
        bounced=told["bounced_count"],
        truth=Known(
            opened=len(truth.opened),
            human_opened=len(truth.human_opened),
            clicked=len(truth.clicked),
            human_clicked=len(truth.human_clicked),
            unsubscribed=len(truth.unsubscribed),
            bounced=sum(person(number).bounces for number in range(recipients)),
        ),
    )


def _seconds(campaign: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(campaign[name]) for name in ("started_at", "finished_at"))
    return max((ended - begun) / timedelta(seconds=1), 0.001)


async def _operator_key(settings: Settings, supervisor: Supervisor) -> str:
    """The one thing that does not come through the API: who installs Tidings has the first key."""
    opened = settings.model_copy(update={"database_url": supervisor.database_url})
    async with open_app(opened, pool_size=1) as app, app.db.transaction() as tx:
        home = await accounts.create_workspace(tx, name="Operator", postal_address="", now=utc_now())
        return await accounts.create_api_key(tx, workspace=home, name="demo", scopes=[accounts.OPERATOR], now=utc_now())


def _say_where(settings: Settings, console: Console) -> None:
    console.print(f"\nRead the messages   http://127.0.0.1:{settings.catcher_http_port}/")
    console.print(f"The API             http://{settings.api_host}:{settings.api_port}/api/v1/docs")


def _bar(console: Console, title: str) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn(title.ljust(36)),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=console,
    )
