"""Taking mail that came back costs what waits, not what was kept: the statements use their indexes, whatever the statistics say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.core.db import Database, sql
from tidings.delivery.inbound import _inbound
from tidings.delivery.inbound import _take as _inbound_take

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MANY = 20_000
FILL = (
    """INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
       SELECT $1, 1, 'sink', 'sandbox', '{}', now(), now() WHERE $2 > 0""",
    """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, recipients, created_at)
       SELECT $1, s, 1, 1, 'running', '{1}', 0, now() FROM generate_series(1, $2 / 1000) AS s""",
    """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
       SELECT $1, n, n || '@example.com', decode(md5(n::text), 'hex'), now(), now() FROM generate_series(1, $2) AS n""",
    """INSERT INTO deliveries (workspace_id, send_id, contact_id, n, state, at)
       SELECT $1, 1 + n % 20, n, n, 'sent', now() FROM generate_series(1, $2) AS n""",
    """INSERT INTO inbound_messages (workspace_id, received_at, source, sender, recipient, digest, state, content)
       SELECT $1, '2026-10-20'::timestamptz + n * interval '1 second', 'smtp', '', 'b+x@r.example', decode(md5(n::text), 'hex'),
              CASE WHEN n % 100 = 0 THEN 'waiting' ELSE 'applied' END, '' FROM generate_series(1, $2) AS n""",
)


async def _plan(tx: Any, statement: str, *values: object) -> str:
    """The generic plan, as a prepared statement has it in the long run."""
    await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return "\n".join(row[0] for row in await tx.fetch("EXPLAIN " + statement, *values))


@pytest.mark.parametrize("analysed", [False, True])
async def test_no_mail_that_came_back_reads_a_table_from_end_to_end(
    db: Database, workspace: int, analysed: bool
) -> None:
    async with db.transaction() as tx:
        for statement in FILL:
            await tx.execute(statement.replace("$2", "$2::integer"), workspace, MANY)
    async with db.connection() as connection:
        await connection.execute("ANALYZE" if analysed else "SELECT 1")
    asked: dict[str, tuple[str, tuple[object, ...]]] = {
        "take": (sql("tidings.delivery.inbound", "_inbound_take"), (200,)),
        "recent": (
            sql("tidings.delivery.inbound", "_inbound_recent"),
            (workspace, ["7@example.com", "8@example.com"], NOW),
        ),
        "leaving": (_inbound_take._LEAVING, (100,)),
    }
    async with db.transaction() as tx:
        for name, (statement, values) in asked.items():
            plan = await _plan(tx, statement, *values)
            for table in ("inbound_messages", "contacts", "deliveries"):
                assert f"Seq Scan on {table} " not in plan, f"{name}\n{plan}"
        assert "inbound_messages_oldest" in await _plan(tx, _inbound._TIDY, NOW, 1000)
        take = await _plan(tx, asked["take"][0], 200)
        assert "inbound_messages_waiting" in take, take
        rows = await tx.fetch(asked["take"][0], 200)
        assert len(rows) == 200
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        recent = await tx.fetch(asked["recent"][0], *asked["recent"][1])
        assert [(row["email"], row["n"]) for row in recent] == [("7@example.com", 7), ("8@example.com", 8)]
