"""Everything that changes who may be mailed, at once: nothing is lost to a deadlock, and nobody who left is back."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest

from tidings import compliance
from tidings.accounts import SYSTEM
from tidings.audience import bulk, consents, contacts, leaving, lists, subscriptions, suppressions, tags
from tidings.audience.consents import Proof
from tidings.audience.fields import ContactFields
from tidings.audience.lists import create_list
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions import ToSuppress
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.ids import ConsentId, ContactId, ListId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


async def new_list(tx: Tx, workspace: WorkspaceId, name: str) -> ListId:
    return (await create_list(tx, workspace=workspace, name=name, by=SYSTEM(workspace), now=NOW)).id


async def new_contact(tx: Tx, workspace: WorkspaceId, email: str, *lists: ListId) -> ContactId:
    fields, by = ContactFields(email=email), SYSTEM(workspace)
    made = await contacts.create_contact(tx, workspace=workspace, fields=fields, lists=lists, keys=KEYS, by=by, now=NOW)
    return made.id


class NoWorkers:
    """Nobody sends."""

    async def settled(self, **_: object) -> None:
        return


@pytest.fixture
async def impatient(db: Database) -> AsyncIterator[Database]:
    """A database that looks for deadlocks after a moment, not a second."""
    async with db.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '10ms'")
    opened = await Database.open(db.url, size=8)
    try:
        yield opened
    finally:
        await opened.close()


async def test_what_a_deadlock_undid_is_done_anew(impatient: Database, workspace: int) -> None:
    who = WorkspaceId(workspace)
    async with impatient.transaction() as tx:
        people = [await new_contact(tx, who, f"p{n}@example.com") for n in range(2)]
    first_locked = asyncio.Barrier(2)
    undone = 0

    async def crosswise(order: list[ContactId]) -> None:
        first = True

        async def work(tx: Tx) -> None:
            nonlocal first, undone
            statement = "UPDATE contacts SET phone = phone || 'x' WHERE workspace_id = $1 AND id = $2"
            await tx.execute(statement, who, order[0])
            if first:
                first = False
                await first_locked.wait()
            else:
                undone += 1
            await tx.execute(statement, who, order[1])

        await impatient.transact(work)

    await asyncio.gather(crosswise(people), crosswise(people[::-1]))
    assert undone == 1
    async with impatient.connection() as connection:
        assert {r["phone"] for r in await connection.fetch("SELECT phone FROM contacts")} == {"xx"}


async def test_a_deadlock_that_never_ends_is_told(impatient: Database) -> None:
    tries = 0

    async def work(_: Tx) -> None:
        nonlocal tries
        tries += 1
        raise asyncpg.DeadlockDetectedError("deadlock detected")

    with pytest.raises(asyncpg.DeadlockDetectedError):
        await impatient.transact(work)
    assert tries == 8


async def test_leaving_among_everything_else(impatient: Database, workspace: int) -> None:
    """People leave one list while a dozen other things happen to them: in the end all are off it, and nothing failed."""
    dice = random.Random(7)
    for _ in range(6):
        assert await still_on_it_after_all(impatient, WorkspaceId(workspace), dice) == []


async def until_waiting(tx: Tx) -> None:
    """Until another connection waits for a lock."""
    async with asyncio.timeout(10):
        while not await tx.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("deed", ["delete", "merge", "remove"])
async def test_lists_are_locked_before_people(impatient: Database, workspace: int, deed: str) -> None:
    """Somebody suppresses an address on a list, and between its two locks another begins with the same list and person."""
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    async with impatient.transaction() as tx:
        news, other = await new_list(tx, who, "News"), await new_list(tx, who, "Other")
        ann = await new_contact(tx, who, "ann@example.com", news, other)
        bob = await new_contact(tx, who, "bob@example.com")
        await subscriptions.leave_lists(tx, workspace=who, contact=ann, lists=[other], source="page", now=NOW)
        await tx.execute("UPDATE subscriptions SET status = 'unsubscribed' WHERE contact_id = $1", ann)

    async def meanwhile(tx: Tx) -> None:
        if deed == "delete":
            await bulk.delete_contacts(tx, workspace=who, contacts=[ann], by=by, now=NOW)
        elif deed == "merge":
            await compliance.merge_contacts(tx, workspace=who, into=bob, merged=ann, keys=KEYS, by=by, now=NOW)
        else:
            await subscriptions.remove(tx, workspace=who, list=news, contacts=[bob, ann])

    async with (
        asyncio.TaskGroup() as together,
        impatient.connection() as looking,
        impatient.transaction() as tx,  # not done anew: a deadlock would be raised
    ):
        await tx.execute("SELECT FROM lists WHERE workspace_id = $1 AND id = $2 FOR UPDATE", who, news)
        together.create_task(once(impatient, meanwhile))
        await until_waiting(looking)
        told = [ToSuppress("ann@example.com", SuppressionReason.UNSUBSCRIBED)]
        await suppressions.suppress_addresses(
            tx, workspace=who, addresses=told, list=news, source="api", keys=KEYS, now=NOW
        )


async def once(db: Database, work: Callable[[Tx], Awaitable[None]]) -> None:
    async with db.transaction() as tx:
        await work(tx)


@pytest.mark.parametrize("turn", range(3))
async def test_a_list_goes_while_many_leave(impatient: Database, workspace: int, turn: int) -> None:
    """Neither waits for the other in a circle, in whatever order the pages have the rows."""
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    async with impatient.transaction() as tx:
        news = await new_list(tx, who, "News")
        people = [await new_contact(tx, who, f"p{n}@example.com") for n in range(300)]
        for person in random.Random(turn).sample(people, len(people)):
            await subscriptions.subscribe(tx, workspace=who, list=news, contacts=[person], now=NOW)

    async def leave(tx: Tx) -> None:
        told = [(person, "") for person in people]
        await leaving.suppress(tx, workspace=who, contacts=told, reason="unsubscribed", source="x", now=NOW)

    async def delete(tx: Tx) -> None:
        await lists.delete_list(tx, workspace=who, list=news, by=by, now=NOW)

    await asyncio.gather(once(impatient, leave), once(impatient, delete))


async def still_on_it_after_all(db: Database, who: WorkspaceId, dice: random.Random) -> list[int]:
    """Everything at once; those who are on the list that everybody left."""
    by = SYSTEM(who)
    nobody: Any = NoWorkers()
    async with db.transaction() as tx:
        left, other, gone = [await new_list(tx, who, f"{name} {dice.random()}") for name in ("Left", "Other", "Gone")]
        emails = [f"{dice.random()}@example.com" for _ in range(6)]
        people = [await new_contact(tx, who, email, left, other, gone) for email in emails]
        doomed_told = [ToSuppress(f"{dice.random()}@example.com") for _ in range(4)]
        doomed = [await new_contact(tx, who, one.email, left, other, gone) for one in doomed_told]
        await tx.execute(
            "UPDATE subscriptions SET status = 'unsubscribed' WHERE contact_id = ANY ($1) AND list_id = $2",
            doomed,
            left,
        )
        spare = [await new_contact(tx, who, f"{dice.random()}@example.com", left, other) for _ in range(3)]
        asked: list[ConsentId] = []
        for email, person in zip(emails, people, strict=True):
            asked.append(
                await consents.ask_consent(
                    tx,
                    workspace=who,
                    email=email,
                    lists=[other],
                    answers=ContactFields(),
                    proof=Proof(source="api", wording="w"),
                    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
                    contact=person,
                    now=NOW,
                )
            )

    def transact(work: Callable[..., Awaitable[object]], **told: object) -> Callable[[], Awaitable[object]]:
        return lambda: db.transact(partial(work, workspace=who, **told))

    def leaves(person: ContactId) -> Callable[[], Awaitable[object]]:
        return transact(subscriptions.leave_lists, contact=person, lists=[left], source="page", now=NOW)

    def merges(into: ContactId, merged: ContactId) -> Callable[[], Awaitable[object]]:
        return transact(compliance.merge_contacts, into=into, merged=merged, keys=KEYS, by=by, now=NOW)

    told = [ToSuppress(email, SuppressionReason.UNSUBSCRIBED) for email in dice.sample(emails, 3)]
    deeds = [
        *(leaves(person) for person in [*people, *spare]),
        transact(suppressions.suppress_addresses, addresses=told, list=other, source="api", keys=KEYS, now=NOW),
        *(
            transact(
                contacts.put_contact,
                fields=ContactFields(email=email, phone=str(dice.random())),
                lists=[left, other],
                keys=KEYS,
                by=by,
                now=NOW,
            )
            for email in emails[:3]
        ),
        *(transact(compliance.confirm, consent=one, ip="", user_agent="", keys=KEYS, now=NOW) for one in asked),
        *(merges(person, gone) for person, gone in zip(people, spare, strict=False)),
        transact(tags.tag_contacts, contacts=dice.sample(people, len(people)), add=["a"], by=by, now=NOW),
        transact(
            bulk.update_contacts,
            contacts=dice.sample(people, len(people)),
            fields=ContactFields(last_name="X"),
            by=by,
            now=NOW,
        ),
        transact(lists.delete_list, list=gone, by=by, now=NOW),
        transact(bulk.delete_contacts, contacts=[*reversed(doomed)], by=by, now=NOW),
        transact(
            leaving.suppress, contacts=[(p, "") for p in reversed(doomed)], reason="unsubscribed", source="x", now=NOW
        ),
        transact(suppressions.suppress_addresses, addresses=doomed_told, list=other, source="api", keys=KEYS, now=NOW),
        transact(subscriptions.remove, list=gone, contacts=dice.sample(people, len(people))),
        transact(subscriptions.remove, list=other, contacts=dice.sample(people, len(people))),
        transact(consents.decline_consent, consent=asked[-1], now=NOW),
        lambda: compliance.leave(
            db,
            nobody,
            workspace=who,
            contact=people[-1],
            reason="",
            source="page",
            now=NOW,
        ),
    ]
    dice.shuffle(deeds)
    ended = await asyncio.gather(*(deed() for deed in deeds), return_exceptions=True)
    assert [fault for fault in ended if isinstance(fault, BaseException)] == []
    async with db.connection() as connection:
        back = await connection.fetch(
            "SELECT contact_id FROM subscriptions WHERE list_id = $1 AND status <> 'unsubscribed'", left
        )
    return [row["contact_id"] for row in back]
