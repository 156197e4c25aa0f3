"""What is left when a machine crashed, and when retries cannot go out."""

import asyncio
import struct
from collections import Counter
from datetime import timedelta
from pathlib import Path

from delivery_world import eventually, world
from tidings import delivery, workers
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.delivery.recording._record import Told, record_others, release_chunks
from tidings.delivery.recording._recover import replay_orphans


async def test_a_journal_from_before_a_crash_of_the_machine_is_not_trusted(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(20)))
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=10, now=utc_now())
            await tx.execute(
                "UPDATE chunks SET state = 'leased', owner = 'gone', lease_until = now() + interval '1 h' WHERE chunk_no = 0"
            )
        journals = tmp_path / "journals"
        journals.mkdir()
        # It says that everybody was accepted; another boot wrote it.
        head = struct.pack("<4sII36s36s", b"TDJ1", 1, 10, b"gone", b"another boot").ljust(128, b"\0")
        slot = struct.pack("<qqqii", 1, w.workspace, 1, 0, 10).ljust(64, b"\0")
        (journals / "gone.journal").write_bytes(head + slot + struct.pack("<10i", *range(1, 11)) + b"\x02" * 10)
        assert await replay_orphans(db, folder=journals, writer=1, now=utc_now()) == 1
        assert {state for state, _ in (await w.states()).values()} == {"pending"}
        async with db.transaction() as tx:
            assert await delivery.expire_leases(tx, now=utc_now()) == 1
        assert Counter(state for state, _ in (await w.states()).values()) == {"unknown": 10, "pending": 10}
        await w.check_counters()
        assert list(journals.iterdir()) == []


async def test_retries_that_cannot_go_out_are_put_off_and_say_why(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com", "b@example.com")
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=10, now=utc_now())
            await tx.execute("UPDATE sends SET status = 'done', finished_at = now()")
            await tx.execute("UPDATE chunks SET ns = '{1,2}'")
            await tx.execute("UPDATE providers SET sealed_secret = 'sealed with another key'")
        sending = asyncio.ensure_future(workers.send(w.app, w.stop))
        states = await eventually(w.states, lambda states: {s for s, _ in states.values()} == {"deferred"})
        assert all("cannot be read" in detail for _, detail in states.values())
        await w.check_counters()
        async with db.connection() as connection:
            assert (
                await connection.fetchval("SELECT count(*) FROM retries WHERE due_at > now() + interval '1 min'") == 2
            )
            assert await connection.fetchval("SELECT state::text FROM chunks") == "done"
        w.stop.set()
        await sending


async def test_an_outcome_written_again_after_its_retry_was_queued_changes_nothing(
    db: Database, tmp_path: Path
) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            (send,) = await delivery.prepare_next(tx, chunk_size=10, now=utc_now())
            await tx.execute("UPDATE chunks SET state = 'done'")
        told = Told()
        told.add(w.workspace, send, 1, delivery.DeliveryState.UNKNOWN, "unread", attempts=0)
        for again in range(2):
            async with db.transaction() as tx:
                await record_others(tx, told=told, writer=1, now=utc_now())
            if not again:
                async with db.transaction() as tx:
                    assert await delivery.requeue_due(tx, now=utc_now() + timedelta(minutes=1)) == 1
        async with db.connection() as connection:
            row = await connection.fetchrow("SELECT state::text, attempts, unknowns FROM deliveries")
        assert row is not None
        assert tuple(row) == ("pending", 1, 1), "its one resend was used up by hearing the same twice"
        await w.check_counters()


async def test_whoever_came_back_in_a_later_chunk_is_not_sent_to_by_the_one_before(
    db: Database, tmp_path: Path
) -> None:
    """A chunk of retries was given back while two of it, deferred by it, were out again in the next one: both sent to them."""
    async with world(db, tmp_path, working=False) as w:
        await w.contacts(*(f"a{n}@example.com" for n in range(6)))
        await w.launch(await w.campaign())
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=10, now=utc_now())
            send = await tx.fetchval("SELECT send_id FROM chunks")
            await tx.execute("DELETE FROM chunks")
            for number, ns, state in (
                (1, [1, 2, 3, 4], "leased"),
                (2, [1, 2], "leased"),
                (3, [5, 6], "leased"),
                (4, [5, 6], "done"),
            ):
                await tx.execute(
                    """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, priority, position, first_n, last_n, ns,
                                           state, owner, lease_until)
                       SELECT $1, $2, $3, (SELECT id FROM providers WHERE workspace_id = $1 AND is_default), 5, 0,
                              ($4::integer[])[1], ($4::integer[])[cardinality($4::integer[])], $4, $5::chunk_state, 'me',
                              now() + interval '1 min'""",
                    w.workspace, send, number, ns, state,
                )  # fmt: skip
            await tx.execute("UPDATE deliveries SET state = 'delivered' WHERE n = 3")
            await release_chunks(tx, chunks=[(w.workspace, send, 1), (w.workspace, send, 3)], owner="me")
            rows = await tx.fetch("SELECT chunk_no, state::text AS state, ns FROM chunks ORDER BY chunk_no")
        assert [tuple(row) for row in rows] == [
            (1, "pending", [4]), (2, "leased", [1, 2]), (3, "pending", [5, 6]), (4, "done", [5, 6]),
        ]  # fmt: skip
        async with db.transaction() as tx:
            await tx.execute("UPDATE deliveries SET state = 'delivered' WHERE n = 4")
            await tx.execute("UPDATE chunks SET state = 'leased', owner = 'me', ns = '{1,2,4}' WHERE chunk_no = 1")
            await release_chunks(tx, chunks=[(w.workspace, send, 1)], owner="me")
            assert await tx.fetchval("SELECT state::text FROM chunks WHERE chunk_no = 1") == "done"
