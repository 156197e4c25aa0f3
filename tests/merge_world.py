"""Merging contacts in a small world to send in."""

from typing import Any

from delivery_world import World
from tidings import compliance
from tidings.accounts import SYSTEM
from tidings.audience import contacts
from tidings.audience.contacts import Contact
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.ids import ContactId


async def merge(here: World, into: ContactId, merged: ContactId, **choices: Any) -> Contact:
    async with here.app.db.transaction() as tx:
        contact = await merge_in(tx, here, into, merged, **choices)
    await compliance.withdraw_barrier(here.app.withdrawals, workspace=here.workspace, contacts=[into, merged])
    return contact


async def merge_in(tx: Tx, here: World, into: ContactId, merged: ContactId, **choices: Any) -> Contact:
    return await compliance.merge_contacts(
        tx,
        workspace=here.workspace,
        into=into,
        merged=merged,
        keys=here.app.keys,
        by=SYSTEM(here.workspace),
        now=utc_now(),
        **choices,
    )


async def fetch(here: World, statement: str, *values: Any) -> list[Any]:
    async with here.app.db.connection() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in await connection.fetch(statement, *values)]


async def execute(here: World, statement: str, *values: Any) -> None:
    async with here.app.db.connection() as connection:
        await connection.execute(statement, *values)


async def leave(here: World, contact: ContactId, **message: Any) -> bool:
    return await compliance.leave(
        here.app.db,
        here.app.withdrawals,
        workspace=here.workspace,
        contact=contact,
        reason="",
        source="test",
        now=utc_now(),
        **message,
    )


async def status(here: World, contact: ContactId) -> str:
    async with here.app.db.connection() as connection:
        return (await contacts.get_contact(connection, workspace=here.workspace, contact=contact)).status
