"""Contacts of an audience with segments, sampled from stretches of ids: nobody whom a launch would skip, and nobody missing."""

import random
import re
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, world
from tidings.accounts import SYSTEM
from tidings.audience import lists, recipients, segments
from tidings.audience.recipients import Audience, _some
from tidings.audience.segments import conditions_members, fetch_of_members, members_between
from tidings.bench import segments as bench
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ListId, SegmentId

# Of 700 contacts in an order that says nothing: some out, some suppressed (themselves, for a list, with their domain), and on
# three lists as subscribed, pending, left, or not at all.
_PEOPLE = """
WITH made AS (
    INSERT INTO contacts (workspace_id, id, email, address_hash, first_name, tags, status, created_at, updated_at)
    SELECT $1, i * 3, 'p' || i || CASE i % 11 WHEN 0 THEN '@gone.example' ELSE '@example.com' END, decode(md5(i::text), 'hex'),
           'N' || i % 7, CASE WHEN i % 5 = 0 THEN ARRAY['vip'] ELSE '{}' END,
           (CASE i % 13 WHEN 0 THEN 'unsubscribed' WHEN 1 THEN 'bounced' ELSE 'active' END)::contact_status, now(), now()
    FROM generate_series(1, 700) AS i RETURNING id, address_hash
), listed AS (
    INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
    SELECT $1, l, m.id,
           (ARRAY['subscribed', 'pending', 'unsubscribed', 'subscribed'])[(hashint8(m.id * 7 + l) & 3) + 1]::subscription_status,
           now()
    FROM made AS m, unnest($2::bigint[]) AS l WHERE hashint8(m.id + l) & 3 < 2
), out AS (
    INSERT INTO suppressions (workspace_id, address_hash, reason, created_at)
    SELECT $1, address_hash, 'manual', now() FROM made WHERE id % 17 = 0
), out_of_list AS (
    INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
    SELECT $1, ($2::bigint[])[1], address_hash, 'manual', now() FROM made WHERE id % 19 = 0
)
INSERT INTO suppressions (workspace_id, address_hash, address, reason, created_at)
VALUES ($1, '\\x00', '@gone.example', 'manual', now())
"""

_CONDITIONS: list[Any] = [
    {"field": "first_name", "operator": "=", "value": "N3"},
    {"not": {"field": "tags", "operator": "contains", "value": "vip"}},
    {"field": "lists", "operator": "contains", "value": "{list}"},
    {"not": {"field": "lists", "operator": "contains", "value": "{list}"}},
    {"or": [
        {"field": "email", "operator": "starts_with", "value": "p1"},
        {"and": [{"field": "first_name", "operator": "=", "value": "N1"},
                 {"field": "lists", "operator": "contains", "value": "{list}"}]},
    ]},
    {"field": "email", "operator": "=", "value": "nobody@example.com"},
]  # fmt: skip


async def _prepared(w: World, tx: Any) -> tuple[list[ListId], list[SegmentId]]:
    by, now = SYSTEM(w.workspace), utc_now()
    made = [(await lists.create_list(tx, workspace=w.workspace, name=f"L{n}", by=by, now=now)).id for n in range(3)]
    await tx.execute(_PEOPLE, w.workspace, made)
    found: list[SegmentId] = []
    for n, told in enumerate(_CONDITIONS):
        conditions = _named(told, f"list_{made[1]}")
        segment = await segments.create_segment(
            tx, workspace=w.workspace, name=f"S{n}", conditions=conditions, by=by, now=now
        )
        found.append(segment.id)
    return made, found


def _named(told: Any, list_: str) -> Any:
    if isinstance(told, dict):
        return {key: _named(value, list_) for key, value in told.items()}
    if isinstance(told, list):
        return [_named(one, list_) for one in told]
    return list_ if told == "{list}" else told


async def test_exactly_whom_a_launch_would_mail(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stretches of four ids, so that most of the audiences are found in the second pass, and some in the first.
    monkeypatch.setattr(_some, "_SHORTEST", 4)
    chance = random.Random(7)
    async with world(db, tmp_path, working=False) as w:
        async with db.transaction() as tx:
            made, found = await _prepared(w, tx)
        async with db.connection() as connection:
            await connection.execute("ANALYZE contacts, subscriptions, suppressions, list_suppressions")
        async with db.transaction() as tx:
            for _ in range(30):
                whom = Audience(
                    chance.sample(made, chance.choice((0, 0, 1, 2))),
                    chance.sample(made, chance.choice((0, 0, 1))),
                    chance.sample(found, chance.choice((0, 1, 1, 2))),
                    chance.sample(found, chance.choice((0, 0, 1))),
                )
                if not whom.segments and not whom.excluded_segments:
                    continue
                who = await recipients.recipients(tx, workspace=w.workspace, audience=whom, first=2, now=utc_now())
                await segments.settle_plans(tx)
                rows = await tx.fetch(who.sql, w.workspace, *who.values)
                await segments.unsettle_plans(tx)
                mailable = {row["contact_id"] for row in rows if row["skip_reason"] is None}
                there = await recipients.anyone(tx, workspace=w.workspace, audience=whom, now=utc_now())
                assert there == bool(rows), whom
                for limit, quick in ((5, True), (5, False), (40, False), (700, False)):
                    sampled = await recipients.sample_recipients(
                        tx, workspace=w.workspace, audience=whom, limit=limit, now=utc_now(), quick=quick
                    )
                    ids = [row["id"] for row in sampled]
                    assert set(ids) <= mailable, whom
                    assert len(set(ids)) == len(ids), whom
                    if quick:
                        assert bool(ids) == bool(mailable), whom
                    else:
                        assert len(ids) == min(limit, len(mailable)), (whom, limit)
            assert await tx.fetchval("SHOW statement_timeout") == "0"
            assert await tx.fetchval("SHOW enable_nestloop") == "on"


async def test_of_a_large_workspace_a_few_stretches_are_looked_at(db: Database) -> None:
    workspace = await bench.prepare(db, contacts=100_000, events=1000)
    async with db.transaction() as tx:
        stretches, whole = await _some._stretches(tx, workspace, everywhere=False)
        assert not whole
        assert len(stretches) == 8
        assert stretches[0][0] == 1
        assert stretches[-1][1] == 100_001
        assert sum(high - low for low, high in stretches) == 8 * 1024
        for name in ("text =", "opened never", "on a list", "not on a list", "several with or"):
            members = await conditions_members(
                tx, workspace=workspace, conditions=bench.KINDS[name], first=2, now=utc_now()
            )
            statement = f"EXPLAIN {members_between(members, stretches)}"
            rows = await fetch_of_members(
                tx, members=[members], statement=statement, values=[workspace, *members.values], milliseconds=15_000
            )
            plan = "\n".join(row[0] for row in rows)
            # What is keyed by contact is found there by its key, and never read whole.
            read = re.findall(
                r"(\w+(?: \w+)*) Scan (?:using \w+ )?on (contacts|subscriptions|contact_activity)\b", plan
            )
            assert read, (name, plan)
            assert not [table for scan, table in read if "Seq" in scan], (name, plan)
        by = SYSTEM(workspace)
        segment = await segments.create_segment(
            tx, workspace=workspace, name="N", conditions=bench.KINDS["opened never"], by=by, now=utc_now()
        )
        rows = await recipients.sample_recipients(
            tx, workspace=workspace, audience=Audience(segments=[segment.id]), limit=200, now=utc_now()
        )
        assert len(rows) == 200
        within = [any(low <= row["id"] < high for low, high in stretches) for row in rows]
        assert all(within)
        for low, high in stretches:
            assert any(low <= row["id"] < high for row in rows), "spread over all of them"
