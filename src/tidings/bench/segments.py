"""`tidings bench segments`: how long each documented kind of condition takes to count, on a large workspace."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tidings import delivery
from tidings.accounts import create_workspace
from tidings.audience import segments
from tidings.core.clock import utc_now
from tidings.core.db import Database, sql
from tidings.core.errors import Invalid
from tidings.core.ids import WorkspaceId
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres
from tidings.up import clear

_TABLES = (
    "contacts, subscriptions, sends, deliveries, events, contact_activity, contact_receipts, engagements, custom_events"
)


def _one(field: str, operator: str, value: Any = None, **options: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, **({} if value is None else {"value": value}), **options}


KINDS: dict[str, Any] = {
    "text =": _one("first_name", "=", "ann"),
    "text contains": _one("email", "contains", "99"),
    "text in": _one("language", "in", ["de", "fr"]),
    "status": _one("status", "=", "active"),
    "created in the last": _one("created_at", "in_the_last", "90 days"),
    "created anniversary": _one("created_at", "anniversary", [0, 7]),
    "tag": _one("tags", "contains", "vip"),
    "attribute =": _one("attributes.plan", "=", "gold"),
    "attribute not in": _one("attributes.city", "not_in", ["Berlin", "Paris"]),
    "attribute >": _one("attributes.points", ">", 900),
    "attribute is true": _one("attributes.opted", "=", True),
    "attribute date": _one("attributes.born", "before", "1970-01-01"),
    "birthday": _one("attributes.born", "anniversary", [0, 7]),
    "random sample": _one("contact", "random_sample", 10),
    "on a list": _one("lists", "contains", "list_1"),
    "not on a list": _one("lists", "not_contains", "list_1"),
    "subscribed in the last": _one("subscribed_at", "in_the_last", "30 days", lists=["list_1"]),
    "opened ever": _one("opened", "is_set"),
    "opened never": _one("opened", "is_not_set"),
    "opened in the last": _one("opened", "in_the_last", "30 days"),
    "not opened in the last": _one("opened", "not_in_the_last", "90 days"),
    "opened at least 3 in a window": _one("opened", ">=", 3, last="180 days"),
    "opened at most 2 in a window": _one("opened", "<=", 2, last="365 days"),
    "opened, machines too": _one("opened", ">=", 5, machines=True),
    "clicked between dates": _one("clicked", "is_set", since="2026-01-01", until="2026-12-31"),
    "opened a campaign": _one("opened", "is_set", campaigns=["campaign_20"]),
    "not opened a campaign": _one("opened", "is_not_set", campaigns=["campaign_20"]),
    "opened 2 of 5 campaigns": _one("opened", ">=", 2, campaigns=[f"campaign_{n}" for n in range(11, 16)]),
    "opened a campaign in a window": _one("opened", "is_set", campaigns=["campaign_20"], last="10 days"),
    "clicked a link anywhere": _one("clicked", "is_set", link="https://shop.example.com/sale"),
    "clicked a campaign's link": _one("clicked", "is_set", link=1, campaigns=["campaign_20"]),
    "received ever": _one("received", "is_set"),
    "received in the last": _one("received", "in_the_last", "60 days"),
    "received at least 5 in a window": _one("received", ">=", 5, last="365 days"),
    "received a campaign": _one("received", "is_set", campaigns=["campaign_20"]),
    "bounced": _one("bounced", "is_set"),
    "complained": _one("complained", "in_the_last", "365 days"),
    "unsubscribed": _one("unsubscribed", "is_set"),
    "event at least 2": _one("event.bought", ">=", 2),
    "event in the last": _one("event.viewed", "in_the_last", "30 days"),
    "event with a property": _one(
        "event.bought", "is_set", where=[{"property": "sku", "operator": "=", "value": "sku4"}]
    ),
    "event sum": _one("event.bought", ">", 100, aggregate="sum", property="price"),
    "event last": _one("event.bought", ">", 150, aggregate="last", property="price"),
    "several with and": {
        "and": [
            _one("attributes.plan", "=", "gold"),
            _one("lists", "contains", "list_1"),
            _one("opened", "in_the_last", "90 days"),
            _one("clicked", "is_not_set"),
        ]
    },
    "several with or": {
        "or": [
            _one("tags", "contains", "vip"),
            _one("opened", ">=", 5),
            {"and": [_one("attributes.points", ">", 500), _one("lists", "contains", "list_2")]},
        ]
    },
}
"""What is measured: each documented kind of condition, and two usual segments."""


async def run(*, contacts: int, events: int, repeat: int, only: str = "", json: bool) -> list[dict[str, Any]]:
    """Measure the kinds that have `only` in their name, print, and return what was measured. Raises Invalid if none has."""
    kinds = [name for name in KINDS if only.lower() in name]
    if not kinds:
        raise Invalid.at("--only", f"no kind is named so; there are: {', '.join(KINDS)}")
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="tidings-bench-"))
    server = EmbeddedPostgres(folder / "postgres")
    try:
        url = await server.start()
        await migrate(url)
        db = await Database.open(url, size=2)
        try:
            with console.status(f"Making {contacts:,} contacts and {events:,} events …"):
                workspace = await prepare(db, contacts=contacts, events=events)
            results = [await _measure(db, workspace, name, KINDS[name], repeat) for name in kinds]
        finally:
            await db.close()
    finally:
        await server.stop()
        await clear(folder)
    if json:
        print(orjson.dumps({"contacts": contacts, "events": events, "kinds": results}).decode(), flush=True)
    else:
        _show(results, contacts, events)
    return results


async def prepare(db: Database, *, contacts: int, events: int) -> WorkspaceId:
    """A workspace with that many contacts and engagement events."""
    async with db.transaction() as tx:
        workspace = await create_workspace(tx, name="Bench", postal_address="1 Main Street", now=utc_now())
        script = sql(__package__, "_segment_data")
        for name, number in (("workspace", workspace), ("contacts", contacts), ("events", events)):
            script = script.replace(f"{{{name}}}", str(int(number)))
        await tx.execute(script, timeout=3600)
    more = True
    while more:
        async with db.transaction() as tx:
            more = await delivery.gather_receipts(tx, now=utc_now())
    async with db.connection() as connection:
        await connection.execute(f"VACUUM (ANALYZE) {_TABLES}", timeout=3600)
    return workspace


async def _measure(db: Database, workspace: WorkspaceId, name: str, conditions: Any, repeat: int) -> dict[str, Any]:
    times: list[float] = []
    count = 0
    for _ in range(repeat):
        async with db.transaction() as tx:
            began = time.perf_counter()
            members = await segments.conditions_members(
                tx, workspace=workspace, conditions=conditions, first=2, now=utc_now()
            )
            count = (await segments.count_segment(tx, workspace=workspace, members=members)).contacts
            times.append((time.perf_counter() - began) * 1000)
    return {
        "kind": name,
        "contacts": count,
        "min_ms": round(min(times), 1),
        "median_ms": round(statistics.median(times), 1),
    }


def _show(results: list[dict[str, Any]], contacts: int, events: int) -> None:
    table = Table(title=f"{contacts:,} contacts, {events:,} engagement events")
    table.add_column("kind of condition")
    for name in ("contacts", "least ms", "median ms"):
        table.add_column(name, justify="right")
    for one in results:
        table.add_row(one["kind"], f"{one['contacts']:,}", f"{one['min_ms']:,.0f}", f"{one['median_ms']:,.0f}")
    Console().print(table)
