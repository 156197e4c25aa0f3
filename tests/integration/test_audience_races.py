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
from tidings.audience import bulk, consents, contacts, subscriptions, suppressions, tags
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


async def still_on_it_after_all(db: Database, who: WorkspaceId, dice: random.Random) -> list[int]:
    """Everything at once; those who are on the list that everybody left."""
    by = SYSTEM(who)
    nobody: Any = NoWorkers()
    async with db.transaction() as tx:
        left, other = (
            await new_list(tx, who, f"Left {dice.random()}"),
            await new_list(tx, who, f"O {dice.random()}"),
        )
        emails = [f"{dice.random()}@example.com" for _ in range(6)]
        people = [await new_contact(tx, who, email, left, other) for email in emails]
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
