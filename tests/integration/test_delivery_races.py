"""What happens when two things happen at once: each interleaving is brought about on purpose, with locks that are held."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.core.clock import utc_now
from tidings.core.db import Database, sql
from tidings.core.ids import SendId
from tidings.delivery.recording._record import Accepted, record_accepted, release_chunks


@asynccontextmanager
async def prepared(db: Database, folder: Path, recipients: int, **settings: Any) -> AsyncGenerator[World]:
    """A send whose audience is numbered, and nobody at work."""
    async with world(db, folder, working=False, **settings) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(recipients)))
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=settings.get("chunk_size", 100), now=utc_now())
        yield w


async def _waiting(db: Database) -> None:
    """Until a statement waits for a lock."""

    async def waiting() -> int:
        async with db.connection() as connection:
            return await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )

    await eventually(waiting, bool)


async def test_a_cancelled_retry_chunk_leaves_others_in_flight_alone(db: Database, tmp_path: Path) -> None:
    async with prepared(db, tmp_path, 100) as w:
        async with db.transaction() as tx:
            # A worker is at chunk 0; 1 and 100 have come back, and wait in a retry chunk that spans all of it.
            await tx.execute("UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() + interval '1 min'")
            await tx.execute(
                """
                INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, state, priority, position, first_n, last_n, ns)
                SELECT workspace_id, send_id, 1, provider_id, 'pending', priority, 0, 1, 100, '{1,100}' FROM chunks
                """
            )
            send = await tx.fetchval("SELECT id FROM sends")
            assert await delivery.cancel_send(tx, workspace=w.workspace, send=send)
        async with db.transaction() as tx:
            assert await delivery.cancel_some(tx, now=utc_now()) == 1
        async with db.transaction() as tx:
            accepted = Accepted([w.workspace] * 98, [send] * 98, list(range(2, 100)))
            await record_accepted(
                tx, accepted=accepted, state=delivery.DeliveryState.DELIVERED, writer=1, now=utc_now()
            )
        assert Counter(state for state, _ in (await w.states()).values()) == {"delivered": 98, "cancelled": 2}
        await w.check_counters()


async def test_a_chunk_that_expired_while_it_was_given_back_stays_done(db: Database, tmp_path: Path) -> None:
    async with prepared(db, tmp_path, 10) as w:
        async with db.transaction() as tx:
            await tx.execute("UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() - interval '1 s'")
            send = await tx.fetchval("SELECT id FROM sends")

        async def give_back() -> None:
            async with db.transaction() as tx:
                await release_chunks(tx, chunks=[(w.workspace, send, 0)], owner="w")

        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 1
            giving = asyncio.ensure_future(give_back())
            await _waiting(db)
        await giving
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT state::text FROM chunks") == "done"


async def _all_deferred(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'deferred'")
        await tx.execute("UPDATE chunks SET state = 'done'")
        await tx.execute("UPDATE send_counters SET deferred = pending, pending = 0")
        await tx.execute(
            """
            INSERT INTO retries (workspace_id, send_id, n, due_at, first_at)
            SELECT workspace_id, send_id, n, now(), now() FROM deliveries
            """
        )


async def test_retries_do_not_slip_past_a_cancellation(db: Database, tmp_path: Path) -> None:
    async with prepared(db, tmp_path, 10) as w:
        await _all_deferred(db)

        async def cancel() -> None:
            async with db.transaction() as tx:
                await delivery.cancel_send(tx, workspace=w.workspace, send=await tx.fetchval("SELECT id FROM sends"))
            async with db.transaction() as tx:
                await delivery.cancel_some(tx, now=utc_now())
            async with db.transaction() as tx:
                await delivery.close_cancelled(tx, now=utc_now())

        async with db.transaction() as tx:
            assert await delivery.requeue_due(tx, now=utc_now() + timedelta(seconds=1)) == 10
            cancelling = asyncio.ensure_future(cancel())
            await _waiting(db)
        await cancelling
        assert {state for state, _ in (await w.states()).values()} == {"cancelled"}
        await w.check_counters()


async def test_who_is_tried_again_belongs_to_the_retry_chunk_alone(db: Database, tmp_path: Path) -> None:
    """A retry may be due while the first chunk is still open: slow, paused, or given to another worker."""
    async with prepared(db, tmp_path, 10) as w:
        async with db.transaction() as tx:
            await tx.execute("UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() + interval '1 min'")
            await tx.execute("UPDATE deliveries SET state = 'deferred', attempts = 1 WHERE n = 4")
            await tx.execute("UPDATE send_counters SET deferred = 1, pending = 9")
            await tx.execute(
                "INSERT INTO retries SELECT workspace_id, send_id, n, now(), now() FROM deliveries WHERE n = 4"
            )
            send = await tx.fetchval("SELECT id FROM sends")
        async with db.transaction() as tx:
            assert await delivery.requeue_due(tx, now=utc_now() + timedelta(seconds=1)) == 1
        async with db.transaction() as tx:
            await release_chunks(tx, chunks=[(w.workspace, send, 0)], owner="w")

        async def fetched(ns: list[int] | None) -> list[int]:
            async with db.connection() as connection:
                rows = await connection.fetch(
                    sql("tidings.delivery.worker", "_fetch"), w.workspace, send, 1, 10, ns, 0 if ns is None else 1
                )
            return [row["n"] for row in rows]

        assert await fetched(None) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
        assert await fetched([4]) == [4]
        # The first chunk is through when the others are; and a worker that vanishes with it takes only its own along.
        lease = "UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() + $1::interval WHERE chunk_no = 0"
        async with db.transaction() as tx:
            await tx.execute("UPDATE deliveries SET state = 'delivered' WHERE n NOT IN (4, 9)")
            await tx.execute("UPDATE send_counters SET delivered = 8, pending = 2")
            await tx.execute(lease, timedelta(seconds=-1))
        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 1
            states = await tx.fetch("SELECT n, state::text FROM deliveries WHERE n IN (4, 9) ORDER BY n")
            assert [tuple(row) for row in states] == [(4, "pending"), (9, "unknown")]
            await tx.execute(lease, timedelta(minutes=1))
        async with db.transaction() as tx:
            await release_chunks(tx, chunks=[(w.workspace, send, 0)], owner="w")
            assert await tx.fetchval("SELECT state::text FROM chunks WHERE chunk_no = 0") == "done"
        await w.check_counters()


async def _named_twice(w: World, db: Database, *, first: str) -> SendId:
    """3 and 5 went out with chunk 1; 3 was deferred by it, and is out again in chunk 2 while chunk 1 is still `first`."""
    async with db.transaction() as tx:
        await tx.execute("UPDATE chunks SET state = 'done'")
        await tx.execute("UPDATE deliveries SET state = 'delivered' WHERE n NOT IN (3, 5)")
        await tx.execute("UPDATE send_counters SET delivered = 8, pending = 2")
        await tx.execute("UPDATE deliveries SET attempts = 2 WHERE n = 3")
        await tx.execute(
            "INSERT INTO retries SELECT workspace_id, send_id, n, 'infinity', now() FROM deliveries WHERE n IN (3, 5)"
        )
        for number, ns, state in ((1, [3, 5], first), (2, [3], "leased")):
            await tx.execute(
                """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n, ns,
                                       state, owner, lease_until)
                   SELECT workspace_id, send_id, $1, provider_id, priority, 0, ($2::integer[])[1],
                          ($2::integer[])[cardinality($2::integer[])], $2, $3::chunk_state, o.owner, now() + o.lease
                   FROM chunks, (SELECT 'w' AS owner, interval '1 min' AS lease) AS o WHERE chunk_no = 0""",
                number, ns, state,
            )  # fmt: skip
        if first != "leased":
            await tx.execute("UPDATE chunks SET owner = NULL, lease_until = NULL WHERE chunk_no = 1")
        return SendId(await tx.fetchval("SELECT id FROM sends"))


async def test_a_retry_chunk_read_late_leaves_whom_a_later_one_has(db: Database, tmp_path: Path) -> None:
    """Both workers had them in hand otherwise: mailed twice, and nothing says so."""
    async with prepared(db, tmp_path, 10) as w:
        send = await _named_twice(w, db, first="leased")
        async with db.connection() as connection:
            for statement in ("_fetch", "_fetch_messages"):
                found = [
                    [
                        row["n"]
                        for row in await connection.fetch(
                            sql("tidings.delivery.worker", statement), w.workspace, send, ns[0], ns[-1], ns, number
                        )
                    ]
                    for number, ns in ((1, [3, 5]), (2, [3]))
                ]
                assert found == [[5], [3]], statement
            # Once the later one is through with them and they are pending again, they are in a chunk that is later still.
            await connection.execute("UPDATE chunks SET state = 'done' WHERE chunk_no = 2")
            rows = await connection.fetch(sql("tidings.delivery.worker", "_fetch"), w.workspace, send, 3, 5, [3, 5], 1)
            assert [row["n"] for row in rows] == [3, 5]


async def test_a_retry_chunk_that_expires_takes_nobody_along_whom_a_later_one_has(db: Database, tmp_path: Path) -> None:
    """They counted as unknown while the later chunk's worker sent to them, its yes found nobody waiting, and they were resent."""
    async with prepared(db, tmp_path, 10) as w:
        send = await _named_twice(w, db, first="leased")
        async with db.transaction() as tx:
            await tx.execute("UPDATE chunks SET lease_until = now() - interval '1 s' WHERE chunk_no = 1")
        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 1
        async with db.transaction() as tx:
            accepted = Accepted([w.workspace], [send], [3])
            await record_accepted(
                tx, accepted=accepted, state=delivery.DeliveryState.DELIVERED, writer=1, now=utc_now()
            )
            rows = await tx.fetch("SELECT n, state::text, unknowns FROM deliveries WHERE n IN (3, 5) ORDER BY n")
        assert [tuple(row) for row in rows] == [(3, "delivered", 0), (5, "unknown", 1)]
        await w.check_counters()
        # Both at once: each takes its own.
        async with db.transaction() as tx:
            await tx.execute("UPDATE deliveries SET state = 'pending' WHERE n IN (3, 5)")
            await tx.execute("UPDATE send_counters SET delivered = 0, unknown = 0, pending = 0 WHERE writer <> 0")
            await tx.execute("UPDATE send_counters SET delivered = 8, unknown = 0, pending = 2 WHERE writer = 0")
            await tx.execute(
                """UPDATE chunks SET state = 'leased', owner = 'w', lease_until = now() - interval '1 s'
                   WHERE chunk_no IN (1, 2)"""
            )
        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 2
        assert Counter(state for state, _ in (await w.states()).values()) == {"delivered": 8, "unknown": 2}
        await w.check_counters()


async def test_a_cancelled_retry_chunk_leaves_whom_a_later_one_has(db: Database, tmp_path: Path) -> None:
    async with prepared(db, tmp_path, 10) as w:
        send = await _named_twice(w, db, first="held")
        async with db.transaction() as tx:
            assert await delivery.cancel_send(tx, workspace=w.workspace, send=send)
        async with db.transaction() as tx:
            await delivery.cancel_some(tx, now=utc_now())
            rows = await tx.fetch("SELECT n, state::text FROM deliveries WHERE n IN (3, 5) ORDER BY n")
        assert [tuple(row) for row in rows] == [(3, "pending"), (5, "cancelled")]
        await w.check_counters()


async def test_two_conductors_queue_retries_of_one_send(db: Database, tmp_path: Path) -> None:
    async with prepared(db, tmp_path, 10) as w:
        await _all_deferred(db)
        later = utc_now() + timedelta(seconds=1)
        async with db.connection() as connection:
            await connection.execute("UPDATE retries SET due_at = $1 WHERE n > 5", later + timedelta(seconds=1))

        async def other() -> int:
            async with db.transaction() as tx:
                return await delivery.requeue_due(tx, now=later + timedelta(seconds=2))

        async with db.transaction() as tx:
            assert await delivery.requeue_due(tx, now=later) == 5
            second = asyncio.ensure_future(other())
            await asyncio.wait([second], timeout=0.3)
        first_try = await second
        assert first_try + (await other() if not first_try else 0) == 5
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM chunks WHERE state = 'pending'") == 2
        await w.check_counters()
