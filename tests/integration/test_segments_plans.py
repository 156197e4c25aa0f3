"""The plans behind segments, and their time: tables are read whole and once, whatever the shape of the conditions."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tidings.audience import segments
from tidings.audience.segments._blocks import count_of
from tidings.audience.segments._preview import _within, estimate_segment
from tidings.bench import segments as bench
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId

CONTACTS = 100_000


@pytest.fixture
async def large(db: Database) -> AsyncIterator[WorkspaceId]:
    """A hundred thousand contacts and three hundred thousand engagement events."""
    yield await bench.prepare(db, contacts=CONTACTS, events=300_000)  # noqa: PT022 - an async fixture


async def _plan(db: Database, workspace: WorkspaceId, conditions: Any) -> str:
    async with db.transaction() as tx:
        members = await segments.conditions_members(
            tx, workspace=workspace, conditions=conditions, first=2, now=utc_now()
        )
        await segments.settle_plans(tx)
        rows = await tx.fetch(f"EXPLAIN SELECT count(*) FROM ({members.sql}) AS m", workspace, *members.values)  # noqa: S608
    return "\n".join(row[0] for row in rows)


async def _count_plan(db: Database, workspace: WorkspaceId, conditions: Any) -> str:
    async with db.transaction() as tx:
        found = await segments.conditions_members(
            tx, workspace=workspace, conditions=conditions, first=2, now=utc_now()
        )
        rows = await _within(tx, 5000, f"EXPLAIN {count_of(found.node)}", found.node, workspace, *found.values)
    return "\n".join(row[0] for row in rows)


def _shapes(conditions: Any) -> tuple[Any, ...]:
    other = {"field": "email", "operator": "=", "value": "x"}
    return conditions, {"not": conditions}, {"or": [conditions, other]}, {"and": [{"not": conditions}, other]}


def _scans(plan: str, table: str) -> int:
    scans = re.findall(rf"Scan (?:using (\S+) )?on {table}\b", plan)
    return len([index for index in scans if index != "contacts_unmailable"])


async def test_plans_and_previews_at_a_hundred_thousand(db: Database, large: WorkspaceId) -> None:
    for name, conditions in bench.KINDS.items():
        for shape in _shapes(conditions):
            told = await _plan(db, large, shape)
            # Links are unnested from the contents of sends, which is a loop over a few.
            assert "Nested Loop" not in told or "Function Scan on unnest l" in told, (name, told)
            assert "SubPlan" not in told, (name, told)
            counted = await _count_plan(db, large, shape)
            # What is counted joins no contact to anything, and reads each table once.
            assert "Join" not in counted or "Full Join" in counted or "Function Scan on unnest l" in counted, (
                name,
                counted,
            )
            assert "SubPlan" not in counted, (name, counted)
            assert _scans(counted, "contacts") <= 1, (name, counted)
            assert _scans(counted, "contact_activity") <= 1, (name, counted)
            assert _scans(counted, "events_default") <= 2, (name, counted)
    for name in ("attribute =", "on a list", "opened in the last", "clicked between dates", "event with a property"):
        told = await _count_plan(db, large, bench.KINDS[name])
        assert "Parallel" in told, (name, told)
        assert "Partial" in told or name == "event with a property", (name, told)  # of those there may be few
    lately = await _count_plan(db, large, bench.KINDS["opened in the last"])
    assert "human_opened_last >=" in lately, lately
    for name in ("on a list", "not on a list", "opened ever", "several with and"):
        told = await _count_plan(db, large, bench.KINDS[name])
        # Each worker makes blocks of what it scans, in the scan: nothing stands between the two.
        bits = re.findall(r"Partial HashAggregate.*\n\s+Group Key:.*\n\s+->  (.*)", told)
        assert bits, (name, told)
        assert all(re.match(r"Parallel (Seq|Index Only) Scan", scan) for scan in bits), (name, told)
    nobody = await _count_plan(db, large, bench.KINDS["not on a list"])
    # All contacts are counted, and no blocks are made of them.
    everybody = r"InitPlan 1\n(.*\n)*?.*Partial Aggregate.*\n\s+->  Parallel (Seq|Index Only) Scan .*on contacts c "
    assert re.search(everybody, nobody), nobody
    opened = await _count_plan(db, large, bench.KINDS["opened at least 3 in a window"])
    assert _scans(opened, "contact_activity") == 1, opened
    assert _scans(opened, "events_default") == 0, opened
    bought = await _count_plan(db, large, bench.KINDS["event sum"])
    # In the order of pages, never each event from its own.
    assert "Index Scan using custom_events" not in bought, bought
    never = await _plan(db, large, bench.KINDS["opened never"])
    assert "Anti Join" in never, never
    link = await _count_plan(db, large, bench.KINDS["clicked a link anywhere"])
    assert "link_send_id" in link, link
    async with db.transaction() as tx:
        members = await segments.conditions_members(
            tx, workspace=large, conditions=bench.KINDS["opened ever"], first=2, now=utc_now()
        )
        exact = await segments.count_segment(tx, workspace=large, members=members)
        assert exact.exact
        assert 0 < exact.mailable < exact.contacts < CONTACTS
        some = await segments.sample_segment(tx, workspace=large, members=members, limit=5)
        assert len(some) == 5
        assert some[0].id > some[4].id
        guess = await estimate_segment(tx, workspace=large, members=members)
        assert not guess.exact
        # Three times the 95 % interval: a miss is one in hundreds of millions.
        assert abs(guess.contacts - exact.contacts) <= 3 * guess.error
        assert 0 < guess.error < CONTACTS / 20


@pytest.mark.soak
async def test_a_million_contacts_and_ten_million_events(db: Database) -> None:
    workspace = await bench.prepare(db, contacts=1_000_000, events=10_000_000)
    slow: dict[str, float] = {}
    for name, conditions in bench.KINDS.items():
        took: list[float] = []
        for _ in range(3):
            began = time.perf_counter()
            await _counted(db, workspace, conditions)
            took.append(time.perf_counter() - began)
        if min(took) > 1:
            slow[name] = min(took)
        async with db.transaction() as tx:
            found = await segments.conditions_members(
                tx, workspace=workspace, conditions=conditions, first=2, now=utc_now()
            )
            exact = await segments.count_segment(tx, workspace=workspace, members=found)
            guess = await estimate_segment(tx, workspace=workspace, members=found)
            some = await segments.sample_segment(tx, workspace=workspace, members=found, limit=3)
        # Three times the 95 % interval, of forty kinds: a miss is one in some ten million runs.
        assert abs(guess.contacts - exact.contacts) <= 3 * guess.error, name
        assert len(some) == 3
    assert slow == {}


async def _counted(db: Database, workspace: WorkspaceId, conditions: Any) -> None:
    async with db.transaction() as tx:
        found = await segments.conditions_members(
            tx, workspace=workspace, conditions=conditions, first=2, now=utc_now()
        )
        await segments.count_segment(tx, workspace=workspace, members=found)
