"""The plans behind search and timelines: one index walked in order, never a table, whatever there is of the others."""

from collections.abc import AsyncIterator

import pytest

from tidings.audience.search._search import search_sql
from tidings.campaigns import TOP
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx, sql

CONTACTS = 9_000


@pytest.fixture
async def tx(db: Database, workspace: int) -> AsyncIterator[Tx]:
    """Nine thousand contacts, each with ten events, deliveries, custom events and audit entries; one of them with more."""
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """INSERT INTO contacts (workspace_id, id, email, address_hash, first_name, last_name, tags, created_at, updated_at)
               SELECT w, i, i || '@' || (ARRAY['one', 'two', 'three'])[1 + i % 3] || '.test', decode(md5(i::text), 'hex'),
                      'Ann' || i % 100, 'Smith', CASE WHEN i % 50 = 0 THEN '{vip}' ELSE '{}' END::text[], now(), now()
               FROM generate_series(1, $1::integer) i, (VALUES ($2::bigint), (77)) AS v (w) WHERE w = 77 OR i < 3000""",
            CONTACTS,
            workspace,
        )
        await tx.execute(
            """INSERT INTO events (workspace_id, at, type, send_id, n, contact_id)
               SELECT 77, now() - make_interval(mins => i), (ARRAY['opened', 'clicked'])[1 + i % 2], 1 + i % 7, i,
                      1 + i % $1::integer
               FROM generate_series(1, 40000) i
               UNION ALL SELECT 77, now() - make_interval(secs => i), 'opened', 1, i, 5 FROM generate_series(1, 5000) i""",
            CONTACTS,
        )
        await tx.execute(
            """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, list_ids, created_at)
               SELECT 77, i, i, 1, '{}', now() FROM generate_series(1, 7) i"""
        )
        await tx.execute(
            """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, at)
               SELECT 77, s, i, i, 'sent', now() FROM generate_series(1, 7) s, generate_series(1, $1::integer) i""",
            CONTACTS,
        )
        await tx.execute(
            """INSERT INTO custom_events (workspace_id, contact_id, name, at)
               SELECT 77, 1 + i % $1::integer, 'bought', now() - make_interval(mins => i) FROM generate_series(1, 20000) i""",
            CONTACTS,
        )
        await tx.execute(
            """INSERT INTO audit_entries (workspace_id, at, actor, action, subject)
               SELECT 77, now(), 'key', 'contact.updated', 'contact_' || i FROM generate_series(1, $1::integer) i""",
            CONTACTS,
        )
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
               SELECT 77, 1, id, now() FROM contacts WHERE workspace_id = 77 AND id % 3 = 0"""
        )
        await tx.execute(
            """INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at)
               SELECT 77, 1000000 + i, i, '', now() FROM generate_series(1, 2000) i"""
        )
        await tx.execute(
            "ANALYZE contacts, events, sends, deliveries, custom_events, audit_entries, subscriptions, contact_merges"
        )
        yield tx


async def plan(tx: Tx, statement: str, *values: object) -> str:
    rows = await tx.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {statement}", *values)
    return "\n".join(row[0] for row in rows)


async def test_any_part_is_found_in_the_primary_key_alone(tx: Tx) -> None:
    for words in ([("two", "two")], [("ann7", "ann7"), ("two", "two")]):
        statement, values = search_sql(words)
        told = await plan(tx, statement, 77, 2**63 - 1, 21, *values)
        assert "Index Only Scan Backward using contacts_pkey" in told, told
        assert "Sort" not in told, told
        assert "rows=21.00" in told, told
    # A page of a common word reads a page, wherever it begins.
    statement, values = search_sql([("smith", "smith")])
    for below in (2**63 - 1, CONTACTS // 2):
        told = await plan(tx, statement, 77, below, 51, *values)
        assert "Rows Removed" not in told, told
        assert "Sort" not in told, told


async def test_a_timeline_reads_a_page_of_each_source(tx: Tx) -> None:
    statement = sql("tidings.campaigns", "_contact_timeline")
    for contact, below in ((5, TOP.at), (5, utc_now()), (CONTACTS - 1, TOP.at)):
        for kinds in (None, ["opened"]):
            told = await plan(tx, statement, 77, contact, below, 99, 0, 21, kinds)
            scans = [line.strip() for line in told.splitlines() if "Seq Scan on" in line]
            # Whole tables are read only where they are tiny in this test: sends, campaigns and what is empty.
            big = (
                "contacts",
                "events_default",
                "deliveries",
                "custom_events",
                "audit_entries",
                "subscriptions",
                "contact_merges",
            )
            assert not [line for line in scans if any(f"Seq Scan on {table} " in line for table in big)], told
            for line in told.splitlines():
                if "events_" in line and "Index Scan" in line and "never executed" not in line:
                    assert float(line.partition("rows=")[2].split(" ")[0]) <= 21, line
