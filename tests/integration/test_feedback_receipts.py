"""What segments are told of messages received follows what the outside reports late, after a send's receipts were gathered."""

from datetime import timedelta
from typing import Any

from tests.feedback_world import NOW, Sent, sent

from tidings import delivery
from tidings.core.db import Database
from tidings.delivery import DeliveryState
from tidings.delivery.providers import FailureClass, Happening

H, C = Happening, FailureClass


async def gathered(here: Sent) -> None:
    """As if the send were over, and its receipts gathered; it began an hour ago."""
    async with here.db.transaction() as tx:
        await tx.execute(
            "UPDATE sends SET status = 'done', finished_at = $1, created_at = $1::timestamptz - interval '1 hour'"
            " WHERE gathered_at IS NULL",
            NOW,
        )
    async with here.db.transaction() as tx:
        assert await delivery.gather_receipts(tx, now=NOW)


async def receipts(here: Sent) -> dict[int, list[int]]:
    """By the number of the contact: seconds after NOW."""
    epoch = int(NOW.timestamp()) - 946_684_800
    rows: list[Any] = await here.fetch("SELECT contact_id, at FROM contact_receipts WHERE workspace_id = $1 ORDER BY 1")
    return {here.contacts.index(row["contact_id"]) + 1: [at - epoch for at in row["at"]] for row in rows}


async def test_late_reports_take_receipts_back_and_add_them(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "delivered", "unknown", "failed", "sent"])
    await gathered(here)
    assert await receipts(here) == {1: [0], 2: [0], 5: [0]}
    later = NOW + timedelta(seconds=90)
    await here.apply(
        here.report(1, H.BOUNCED, C.HARD, at=later),
        here.report(2, H.BOUNCED, C.BLOCK, at=later),
        here.report(3, H.DELIVERED, at=later),
        here.report(4, H.DELIVERED, at=later),
        here.report(5, H.DELIVERED, at=later),
        now=later,
    )
    assert await here.states() == ["bounced", "failed", "delivered", "delivered", "delivered"]
    assert await receipts(here) == {3: [90], 4: [90], 5: [0]}
    # Found delivered some seconds later than it was handed over, and then bounced: it is the same receipt.
    await here.apply(here.report(5, H.BOUNCED, C.SOFT, at=later), now=later)
    assert await receipts(here) == {3: [90], 4: [90]}


async def test_a_bounce_takes_back_none_but_the_receipt_of_its_send(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "sent"])
    await gathered(here)
    other = await sent(db, workspace, ["sent", "sent"])
    await gathered(other)
    async with db.transaction() as tx:
        await tx.execute("UPDATE contact_receipts SET at = (at[1] - 86400) || at || (at[1] + 500)")
    assert await receipts(here) == {n: [-86400, 0, 0, 500] for n in (1, 2)}
    await here.apply(here.report(1, H.BOUNCED, C.HARD))
    assert await receipts(here) == {1: [-86400, 0, 500], 2: [-86400, 0, 0, 500]}
    # Two sends to one person in a batch: two receipts.
    await other.apply(other.report(2, H.BOUNCED, C.SOFT, event_id="other"), here.report(2, H.BOUNCED, C.SOFT))
    assert await receipts(here) == {1: [-86400, 0, 500], 2: [-86400, 500]}


async def test_before_they_are_gathered_nothing_is_to_be_taken_back(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "unknown"])
    await here.apply(here.report(1, H.BOUNCED, C.HARD), here.report(2, H.DELIVERED))
    assert await receipts(here) == {}
    await gathered(here)
    assert await receipts(here) == {2: [0]}


async def test_who_was_merged_and_who_was_deleted(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "unknown", "sent", "unknown"])
    await gathered(here)
    async with db.transaction() as tx:
        for merged in (1, 2):
            await tx.execute(
                "INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at) VALUES ($1, $2, $3, 'm', now())",
                workspace,
                here.contacts[merged - 1],
                here.contacts[2],
            )
        await tx.execute("UPDATE contact_receipts SET at = at || at WHERE contact_id = $1", here.contacts[2])
        await tx.execute("DELETE FROM contact_receipts WHERE contact_id = $1", here.contacts[0])
        await tx.execute("DELETE FROM contacts WHERE id = ANY ($1)", [here.contacts[n - 1] for n in (1, 2, 4)])
    await here.apply(here.report(1, H.BOUNCED, C.HARD))
    assert await receipts(here) == {3: [0]}
    later = NOW + timedelta(seconds=5)
    await here.apply(here.report(2, H.DELIVERED, at=later), here.report(4, H.DELIVERED, at=later), now=later)
    assert await receipts(here) == {3: [0, 5]}


async def test_what_was_told_of_a_failure_does_not_outlast_its_retry(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "sent"])
    await here.apply(*(here.report(n, H.REJECTED) for n in (1, 2)), here.report(2, H.COMPLAINED))
    assert await here.states() == ["failed", "failed"]
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, state, priority, position, first_n, last_n)
               VALUES ($1, $2, 0, $3, 'done', 5, 0, 1, 2)""",
            workspace,
            here.send,
            here.provider,
        )
        await delivery.retry_failed(tx, workspace=here.workspace, send=here.send, now=NOW + timedelta(minutes=1))
    async with db.transaction() as tx:
        await delivery.retry_some(tx)
    assert await here.states() == ["pending", "pending"]
    (left,) = await here.fetch("SELECT n, failed_at, complained_at FROM delivery_feedback WHERE workspace_id = $1")
    assert (left["n"], left["failed_at"]) == (2, None)
    assert left["complained_at"] is not None
    async with db.transaction() as tx:  # it fails again, as we believe; its server knows better
        await tx.execute("UPDATE deliveries SET state = $1", DeliveryState.FAILED)
        await tx.execute("UPDATE send_counters SET failed = failed + pending, pending = 0")
    await here.apply(*(here.report(n, H.DELIVERED) for n in (1, 2)))
    assert await here.states() == ["delivered", "delivered"]
    await here.counts()
