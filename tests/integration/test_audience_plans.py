"""The plans behind hot statements: what they must never do is read a whole table for a page, or loop over an audience."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tidings.audience import recipients
from tidings.audience.recipients import Audience, _anyone
from tidings.audience.search import _pages
from tidings.audience.suppressions import _suppressions
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx, sql
from tidings.core.ids import ListId, WorkspaceId

CONTACTS = 30_000


@pytest.fixture
async def tx(db: Database, workspace: int) -> AsyncIterator[Tx]:
    """Two workspaces, the second with thirty thousand contacts on a list of its own, half of them on another."""
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("INSERT INTO workspaces (id, name, created_at) VALUES (77, 'Big', now())")
        await tx.execute(
            """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
               SELECT w, i, i || '@x.test', decode(md5(i::text), 'hex'), now(), now()
               FROM generate_series(1, $1::integer) i, (VALUES ($2::bigint), (77)) AS v (w) WHERE w = 77 OR i < 3000""",
            CONTACTS,
            workspace,
        )
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
               SELECT workspace_id, list, id, now() FROM contacts, (VALUES (1), (2), (3)) AS v (list)
               WHERE list = 1 OR (list = 2 AND id % 2 = 0) OR id % 10 = 0"""
        )
        await tx.execute(
            """INSERT INTO suppressions (workspace_id, address_hash, reason, created_at)
               SELECT workspace_id, address_hash, 'bounced', now() FROM contacts WHERE id % 20 = 0"""
        )
        await tx.execute("ANALYZE contacts, subscriptions, suppressions")
        yield tx


async def plan(tx: Tx, statement: str, *values: Any) -> str:
    rows = await tx.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {statement}", *values)
    return "\n".join(row[0] for row in rows)


async def test_a_page_of_a_list_reads_a_page(tx: Tx) -> None:
    for below in (2**63 - 1, CONTACTS // 3):
        told = await plan(tx, _pages.members_sql(status=True), 77, 1, below, 0, 50, "subscribed")
        assert "Seq Scan" not in told, told
        assert "Scan Backward using subscriptions_pkey" in told, told
        assert "rows=50.00" in told, told
        assert "Rows Removed" not in told, told


async def test_an_audience_is_joined_whole_never_one_by_one(tx: Tx) -> None:
    for lists, excluded, expected in (([1], [], 30_000), ([1, 2], [3], 27_000)):
        whom = Audience([ListId(id_) for id_ in lists], [ListId(id_) for id_ in excluded])
        who = await recipients.recipients(tx, workspace=WorkspaceId(77), audience=whom, first=2, now=utc_now())
        told = await plan(tx, who.sql, 77, *who.values)
        assert "Nested Loop" not in told, told
        assert len(await tx.fetch(who.sql, 77, *who.values)) == expected


async def test_the_first_of_an_audience_is_found_at_once(tx: Tx) -> None:
    for excluded in ([], [3]):
        told = await plan(tx, _anyone._ANYONE_LISTED, 77, [1], excluded)
        assert "Hash" not in told, told
        assert "Sort" not in told, told


async def test_an_import_looks_each_row_up_whatever_the_statistics_say(tx: Tx) -> None:
    from tidings.audience.imports._stage import PLANS, STAGE

    await tx.execute(STAGE)
    await tx.execute(PLANS)
    await tx.execute(
        """INSERT INTO import_rows (email, address_hash)
           SELECT i || '@x.test', decode(md5(i::text), 'hex') FROM generate_series(1, 4000) i ORDER BY 1"""
    )
    await tx.execute(
        """INSERT INTO lists (workspace_id, id, name, created_at, updated_at) OVERRIDING SYSTEM VALUE
           VALUES (77, 1, 'News', now(), now())"""
    )
    await tx.execute("UPDATE pg_temp.import_rows SET on_lists = '{News}'")
    for name, values in (
        ("_unlocked_named", (77,)),
        ("_subscribe_named", (77, utc_now())),
        ("_new", (77, utc_now(), [])),
        ("_changed", (77, utc_now(), ["t"], "update", [])),
        ("_unlocked", (77, [1])),
        ("_subscribe", (77, 1, utc_now())),
    ):
        told = await plan(tx, sql("tidings.audience.imports", name), *values)
        assert "Seq Scan on contacts" not in told, told
        assert "Seq Scan on suppressions" not in told, told
        assert "Hash Cond" not in told, told


async def test_a_key_is_found_by_its_hash(tx: Tx) -> None:
    await tx.execute(
        """INSERT INTO api_keys (workspace_id, name, key_hash, scopes, created_at)
           SELECT 77, '', decode(md5(i::text), 'hex'), '{}', now() FROM generate_series(1, 3000) i"""
    )
    await tx.execute("ANALYZE api_keys")
    told = await plan(
        tx, "SELECT workspace_id, id, scopes FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL", b"x"
    )
    assert "Index Scan using api_keys_by_hash" in told, told


@pytest.fixture
async def just_filled(tx: Tx) -> Tx:
    """A workspace that the statistics know nothing of, with three thousand contacts on a list."""
    await tx.execute("INSERT INTO workspaces (id, name, created_at) VALUES (78, 'Filled just now', now())")
    await tx.execute(
        """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
           SELECT 78, i, i || '@x.test', decode(md5(i::text), 'hex'), now(), now() FROM generate_series(90001, 93000) i"""
    )
    await tx.execute(
        """INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
           SELECT 78, 1, i, now() FROM generate_series(90001, 93000) i"""
    )
    return tx


async def test_leaving_looks_each_contact_up_whatever_the_statistics_say(just_filled: Tx) -> None:
    from tidings.audience.imports._stage import PLANS

    await just_filled.execute(PLANS)
    values = (78, list(range(90_001, 93_001)), [""] * 3000, "unsubscribed", "import", utc_now())
    told = await plan(just_filled, sql("tidings.audience.leaving", "_suppress"), *values)
    assert "Join Filter" not in told, told
    assert "Rows Removed" not in told, told
    left = "SELECT count(*) FROM subscriptions WHERE workspace_id = 78 AND status = 'unsubscribed'"
    assert await just_filled.fetchval(left) == 3000


async def test_an_import_looks_suppressions_up_by_address_whatever_the_statistics_say(just_filled: Tx) -> None:
    from tidings.audience.imports._stage import PLANS, STAGE

    await just_filled.execute(STAGE)
    await just_filled.execute(PLANS)
    await just_filled.execute(
        "INSERT INTO import_rows (email, address_hash) VALUES ('a@x.test', decode(md5('a'), 'hex'))"
    )
    told = await plan(just_filled, sql("tidings.audience.imports", "_new"), 78, utc_now(), [])
    assert "using suppressions_pkey" in told, told
    assert "suppressions_by_reason" not in told, told


@pytest.mark.parametrize("kind", ["force_custom_plan", "force_generic_plan"])
async def test_suppressing_looks_each_address_up_whatever_the_statistics_say(just_filled: Tx, kind: str) -> None:
    tx = just_filled
    await tx.execute(
        """INSERT INTO lists (workspace_id, id, name, created_at, updated_at) OVERRIDING SYSTEM VALUE
           VALUES (78, 1, 'News', now(), now())"""
    )
    await tx.execute(
        """INSERT INTO suppressions (workspace_id, address_hash, reason, created_at)
           SELECT 78, address_hash, 'bounced', now() FROM contacts WHERE workspace_id = 78 AND id % 2 = 0"""
    )
    await tx.execute(
        """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
           SELECT 78, 1, address_hash, 'bounced', now() FROM contacts WHERE workspace_id = 78 AND id % 2 = 0"""
    )
    await tx.execute(f"SET LOCAL plan_cache_mode = {kind}")
    people = await tx.fetch(
        "SELECT id, email, address_hash FROM contacts WHERE workspace_id = 78 ORDER BY id LIMIT 1000"
    )
    ids, emails, hashes = ([row[name] for row in people] for name in ("id", "email", "address_hash"))
    told = (emails, hashes, ["unsubscribed"] * 1000, [""] * 1000)
    lookups = 0
    for statement, values in (
        (_suppressions._LOCK_PEOPLE, (78, emails)),
        (sql("tidings.audience.suppressions", "_on_list"), (78, *told, ids, "api", utc_now(), 1)),
        (sql("tidings.audience.suppressions", "_addresses"), (78, *told, "api", utc_now())),
        (sql("tidings.audience.suppressions", "_follow"), (78, ids, hashes, "unsubscribed", utc_now())),
    ):
        found = await plan(tx, statement, *values)
        assert "Rows Removed by Join Filter" not in found, found
        lookups += found.count("loops=1000")
    assert lookups >= 3
    assert (
        await tx.fetchval("SELECT count(*) FROM contacts WHERE workspace_id = 78 AND status = 'unsubscribed'") == 1000
    )
    assert await tx.fetchval("SELECT count(*) FROM list_suppressions WHERE workspace_id = 78") == 2000


async def test_messages_meet_suppressions_one_by_one_whatever_the_statistics_say(just_filled: Tx) -> None:
    tx = just_filled
    await tx.execute(
        """INSERT INTO suppressions (workspace_id, address_hash, reason, created_at)
           SELECT 78, address_hash, 'bounced', now() FROM contacts WHERE workspace_id = 78"""
    )
    await tx.execute(
        """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, created_at)
           VALUES (78, 1, 1, 1, 'running', '{}', now())"""
    )
    await tx.execute(
        """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, at)
           SELECT 78, 1, i, 90000 + i, 'pending', now() FROM generate_series(1, 500) i"""
    )
    await tx.execute(
        """INSERT INTO messages (workspace_id, id, send_id, n, contact_id, to_email, address_hash, kind, content_hash, created_at,
               to_name, first_name, last_name, phone, language, time_zone, tags, variables, known_at, subject, headers, attached)
           SELECT 78, c.id, 1, c.id - 90000, c.id, c.email, c.address_hash, 'transactional', '', now(),
                  '', '', '', '', '', '', '{}', '{}', now(), '', '[]', '[]'
           FROM contacts AS c WHERE c.workspace_id = 78 AND c.id <= 90500"""
    )
    await tx.execute("ANALYZE deliveries, messages, sends")
    found = await plan(tx, sql("tidings.delivery.worker", "_fetch_messages"), 78, 1, 1, 500, None, 1)
    assert "using suppressions_pkey" in found, found
    assert "Rows Removed by Join Filter" not in found, found
    rows = await tx.fetch(sql("tidings.delivery.worker", "_fetch_messages"), 78, 1, 1, 500, None, 1)
    assert {row["skip"] for row in rows} == {"suppressed:bounced"}
    assert len(rows) == 500
