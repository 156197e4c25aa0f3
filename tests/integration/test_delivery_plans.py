"""The hot statements use the indexes that were made for them, whatever the statistics say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from delivery_sql import delivery_sql
from tidings import accounts
from tidings.core.db import Database

SENDS, CHUNKS, SIZE = 20, 200, 100


async def _fill(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
            VALUES ($1, 1, 'sink', 'sandbox', '{}', now(), now())
            """,
            workspace,
        )
        await tx.execute(
            """
            INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, recipients, created_at)
            SELECT $1, s, 1, 1, 'running', '{1}', 0, now() FROM generate_series(1, $2) AS s
            """,
            workspace,
            SENDS,
        )
        await tx.execute(
            """
            INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n)
            SELECT $1, s, c, 1, 5, c, c * $4 + 1, (c + 1) * $4
            FROM generate_series(1, $2) AS s, generate_series(0, $3 - 1) AS c
            """,
            workspace,
            SENDS,
            CHUNKS,
            SIZE,
        )
        await tx.execute(
            "INSERT INTO deliveries (workspace_id, send_id, contact_id, n) SELECT $1, 1, n, n FROM generate_series(1, $2) AS n",
            workspace,
            CHUNKS * SIZE,
        )
        await tx.execute(
            """
            INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
            SELECT $1, n, n || '@example.com', decode(md5(n::text), 'hex'), now(), now() FROM generate_series(1, $2) AS n
            """,
            workspace,
            CHUNKS * SIZE,
        )
        await tx.execute(
            "INSERT INTO lists (workspace_id, id, name, created_at, updated_at) VALUES ($1, 1, 'a', now(), now())",
            workspace,
        )
        await tx.execute(
            """
            INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
            SELECT $1, 1, n, now() FROM generate_series(1, $2) AS n
            """,
            workspace,
            CHUNKS * SIZE,
        )


async def _plan(tx: Any, statement: str, *values: object) -> str:
    """The generic plan, as a prepared statement has it in the long run."""
    await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    rows = await tx.fetch("EXPLAIN " + statement, *values)
    return "\n".join(row[0] for row in rows)


async def test_a_claim_leases_what_was_asked_for_and_no_more(db: Database, workspace: int) -> None:
    await _fill(db, workspace)
    for analyse in (False, True):
        async with db.connection() as connection:
            if analyse:
                await connection.execute("ANALYZE chunks")
        for wanted in (1, 2, 7):
            async with db.transaction() as tx:
                assert len(await tx.fetch(delivery_sql("_claim"), "me", 60.0, wanted, [], 0, 9)) == wanted


async def test_claims_take_turns(db: Database, workspace: int) -> None:
    await _fill(db, workspace)
    async with db.transaction() as tx:
        rows = await tx.fetch(delivery_sql("_claim"), "me", 60.0, 2 * SENDS, [], 0, 9)
        assert {row["chunk_no"] for row in rows} == {0, 1}
        assert {row["send_id"] for row in rows} == set(range(1, SENDS + 1))


async def test_of_equal_turns_the_oldest_goes_first_whosever_it_is(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        later = await accounts.create_workspace(tx, name="Later", postal_address="1 Road", now=datetime.now(UTC))
        assert later > workspace
        await tx.execute(
            """INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
               SELECT w, 1, 'sink', 'sandbox', '{}', now(), now() FROM unnest($1::bigint[]) AS w""",
            [workspace, later],
        )
        for send, owner in ((1, later), (2, workspace), (3, later)):
            await tx.execute(
                """INSERT INTO sends (workspace_id, id, provider_id, list_ids, status, recipients, created_at)
                   VALUES ($1, $2, 1, '{}', 'running', 1, now())""",
                owner,
                send,
            )
            await tx.execute(
                """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n)
                   VALUES ($1, $2, 0, 1, 5, 7, 1, 1)""",
                owner,
                send,
            )
        taken = [(await tx.fetch(delivery_sql("_claim"), "me", 60.0, 1, [], 0, 9))[0]["send_id"] for _ in range(3)]
        assert taken == [1, 2, 3]


async def test_plans(db: Database, workspace: int) -> None:
    await _fill(db, workspace)
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
    now = datetime.now(UTC)
    async with db.transaction() as tx:
        claim = await _plan(tx, delivery_sql("_claim"), "me", 60.0, 2, [], 0, 9)
        assert "chunks_pending" in claim
        # A plain subquery may be run once for each row of an unlucky plan, and lease everything; a CTE runs once in any plan.
        assert "CTE free" in claim
        fetch = await _plan(tx, delivery_sql("_fetch"), workspace, 1, 1, SIZE, None, 0)
        assert "deliveries_pkey" in fetch
        assert "Seq Scan on deliveries" not in fetch
        assert "Seq Scan on contacts" not in fetch
        accepted = await _plan(
            tx, delivery_sql("_record_accepted"), [workspace], [1], [1], "delivered", now, 1, "pending", [1], True
        )
        assert "deliveries_pkey" in accepted
        assert "Seq Scan on deliveries" not in accepted
        other = await _plan(
            tx,
            delivery_sql("_record_other"),
            [workspace],
            [1],
            [1],
            ["deferred"],
            ["later"],
            [None],
            [60.0],
            [600.0],
            now,
            1,
            1,
            30.0,
            [0],
            [1],
            [False],
        )
        assert "Seq Scan on deliveries" not in other
        finish = await _plan(tx, delivery_sql("_finish"), [workspace], [1], now, 10)
        assert "chunks_open" in finish or "chunks_pkey" in finish
        assert "Seq Scan on chunks" not in finish
        from tidings.delivery.withdrawals._withdrawals import _HOLDERS

        holders = await _plan(tx, _HOLDERS, workspace, [5])
        assert "deliveries_workspace_id_contact_id_send_id_key" in holders


def test_statements_are_where_they_are_looked_for() -> None:
    folder = Path(__file__).parents[2] / "src/tidings/delivery"
    for file in folder.glob("*.sql"):
        assert file.read_text(encoding="utf-8").startswith("--"), f"{file.name} begins by saying what it is for"


async def test_plans_of_messages(db: Database, workspace: int) -> None:
    await _fill(db, workspace)
    now = datetime.now(UTC)
    async with db.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO sends (workspace_id, id, provider_id, status, priority, list_ids, created_at)
            VALUES ($1, 1000, 1, 'running', 0, '{}', now())
            """,
            workspace,
        )
        await tx.execute(
            """
            INSERT INTO messages (workspace_id, id, send_id, n, kind, to_email, address_hash, to_name, first_name, last_name, phone,
                language, time_zone, tags, variables, known_at, content_hash, subject, headers, attached, created_at)
            SELECT $1, n, 1000, n, 'transactional', n || '@example.com', '', '', '', '', '', '', '', '{}', '{}', now(), '', '',
                   '[]', '[]', now()
            FROM generate_series(1, 5000) AS n
            """,
            workspace,
        )
        await tx.execute(
            "INSERT INTO deliveries (workspace_id, send_id, n) SELECT $1, 1000, n FROM generate_series(1, 5000) AS n",
            workspace,
        )
        await tx.execute(
            """
            INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n, ns)
            SELECT $1, 1000, n, 1, 0, n, n, n, ARRAY[n] FROM generate_series(1, 5000) AS n
            """,
            workspace,
        )
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
    async with db.transaction() as tx:
        fetch = await _plan(tx, delivery_sql("_fetch_messages"), workspace, 1000, 7, 7, [7], 7)
        assert "Seq Scan on deliveries" not in fetch
        assert "Seq Scan on messages" not in fetch
        queue = await _plan(
            tx,
            delivery_sql("_queue_message"),
            *(workspace, 1000, 1, b"h", "{}", "transactional", None, "a@example.com", b"h", "", "", "", "", "", "", []),
            *("{}", now, None, None, "s", "[]", "[]", None, now, None),
        )
        assert queue.count("chunks_urgent") + queue.count("chunks_pending") >= 2
        assert "Seq Scan" not in queue
        whom = await _plan(tx, delivery_sql("_messages_of"), [workspace], [1000], [7])
        assert "Seq Scan on messages" not in whom
        # Nobody's turn depends on how much another has waiting.
        claim = await _plan(tx, delivery_sql("_claim"), "me", 60.0, 2, [], 0, 0)
        assert "chunks_pending" in claim
