"""The statements that reports run through use the indexes that were made for them, whatever the statistics say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from delivery_sql import delivery_sql
from tidings.core.db import Database, sql

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MANY = 20_000
STATEMENTS: dict[str, tuple[list[Any], list[str]]] = {
    "_feedback_find": ([[1], ["a@example.com"]], ["contacts", "deliveries"]),
    "_feedback_lock": ([[1], [1]], ["deliveries", "delivery_feedback", "chunks"]),
    "_feedback_move": (
        [[1], [1], ["sent"], ["bounced"], [NOW], ["no"], [True], [False], -1],
        ["deliveries", "retries", "send_counters"],
    ),
    "_feedback_against": ([[1], [1], [NOW], [None], [None], ["hard"], ["5.1.1"]], ["delivery_feedback"]),
    "_feedback_receipts": ([[1], [1]], ["deliveries", "sends", "contact_receipts", "contact_merges"]),
    "_soft_bounces": ([[1], [NOW], 100], ["contacts", "soft_bounces", "deliveries", "messages"]),
    "_soft_bounces_of_addresses": ([[b"1"], [NOW], 100], ["address_soft_bounces", "deliveries", "messages"]),
}
"""Their values behind the workspace, and the tables of which none may be read from end to end."""


async def _fill(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        for statement in (
            """INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
               SELECT $1, 1, 'sink', 'sandbox', '{}', now(), now() WHERE $2 > 0""",
            """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, recipients, created_at)
               SELECT $1, s, 1, 1, 'running', '{1}', 0, now() FROM generate_series(1, $2 / 100) AS s""",
            """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n)
               SELECT $1, 1 + c % 100, c, 1, 5, c, c * 10 + 1, (c + 1) * 10 FROM generate_series(0, $2 / 10) AS c""",
            """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
               SELECT $1, n, n || '@example.com', decode(md5(n::text), 'hex'), now(), now() FROM generate_series(1, $2) AS n""",
            """INSERT INTO deliveries (workspace_id, send_id, contact_id, n, state)
               SELECT $1, 1, n, n, 'sent' FROM generate_series(1, $2) AS n""",
            """INSERT INTO delivery_feedback (workspace_id, send_id, n, bounced_at)
               SELECT $1, 1, n, now() FROM generate_series(1, $2) AS n""",
            "INSERT INTO retries SELECT $1, 1, n, now(), now() FROM generate_series(1, $2) AS n",
            """INSERT INTO messages (workspace_id, id, send_id, n, kind, contact_id, to_email, address_hash, to_name, first_name,
                   last_name, phone, language, time_zone, tags, variables, known_at, content_hash, subject, headers, attached,
                   created_at)
               SELECT $1, n, 2, n, 'transactional', CASE n % 2 WHEN 0 THEN n END, n || '@example.com', decode(md5(n::text), 'hex'),
                      '', '', '', '', '', '', '{}', '{}', now(), '', '', '[]', '[]', now() FROM generate_series(1, $2) AS n""",
            "INSERT INTO contact_receipts SELECT $1, n, '{1}' FROM generate_series(1, $2) AS n",
            "INSERT INTO soft_bounces SELECT $1, n, '{}' FROM generate_series(1, $2) AS n",
            """INSERT INTO address_soft_bounces
               SELECT $1, decode(md5(n::text), 'hex'), '{}', now() FROM generate_series(1, $2) AS n""",
            """INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at)
               SELECT $1, n + $2, n, '', now() FROM generate_series(1, $2) AS n""",
            """INSERT INTO deleted_contacts (workspace_id, contact_id, address_hash, at)
               SELECT $1, n + 2 * $2, decode(md5(n::text), 'hex'), '2026-10-01'::timestamptz + n * interval '1 minute'
               FROM generate_series(1, $2) AS n""",
            """INSERT INTO feedback (workspace_id, received_at, source, happening, at, send_id, n, address, message_id,
                                     event_id, status, reason, raw)
               SELECT $1, now(), 'ses', 'delivered', now(), 1, n, '', '', '', '', '', '{}' FROM generate_series(1, $2) AS n""",
        ):
            await tx.execute(statement.replace("$2", "$2::integer"), workspace, MANY)


async def _plan(tx: Any, statement: str, *values: object) -> str:
    """The generic plan, as a prepared statement has it in the long run."""
    await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return "\n".join(row[0] for row in await tx.fetch("EXPLAIN " + statement, *values))


@pytest.mark.parametrize("analysed", [False, True])
async def test_no_report_reads_a_table_from_end_to_end(db: Database, workspace: int, analysed: bool) -> None:
    await _fill(db, workspace)
    async with db.connection() as connection:
        await connection.execute("ANALYZE" if analysed else "SELECT 1")
    async with db.transaction() as tx:
        for name, (values, tables) in STATEMENTS.items():
            plan = await _plan(tx, delivery_sql(name), workspace, *values)
            for table in tables:
                assert f"Seq Scan on {table} " not in plan, f"{name}\n{plan}"
        late = await _plan(tx, sql("tidings.delivery.recording", "_late_receipts"), [workspace], [1], [1])
        assert "Seq Scan" not in late, late
        erase = await _plan(tx, sql("tidings.delivery.feedback", "_feedback_erase"), NOW, 0, 0, 2000)
        for table in ("deleted_contacts", "deliveries"):
            assert f"Seq Scan on {table} " not in erase, erase


@pytest.mark.parametrize("analysed", [False, True])
async def test_few_complaints_are_found_among_many_opens(db: Database, workspace: int, analysed: bool) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO rollups (workspace_id, send_id, hour, type, writer, total, uniques)
               SELECT $1, n % 2000, date_trunc('hour', now()) - n / 2000 * interval '1 hour',
                      CASE WHEN n % 100 = 0 THEN 'complained' ELSE 'opened' END, 0, 1, 1
               FROM generate_series(1, 20000) AS n""",
            workspace,
        )
    async with db.connection() as connection:
        await connection.execute("ANALYZE rollups" if analysed else "SELECT 1")
    async with db.transaction() as tx:
        plan = await _plan(tx, sql("tidings.events", "_lately_complained"), NOW)
        assert "rollups_complained" in plan, plan
        assert "Seq Scan" not in plan, plan
