"""Whoever leaves is out everywhere, at once and for good, and the stronger reason stays."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.accounts import SYSTEM
from tidings.audience import leaving, subscriptions
from tidings.audience.contacts import create_contact, delete_contact, update_contact
from tidings.audience.fields import ContactFields
from tidings.audience.lists import create_list
from tidings.audience.states import ContactStatus
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, ListId, SendId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


async def new_list(tx: Tx, workspace: WorkspaceId, name: str = "News") -> ListId:
    return (await create_list(tx, workspace=workspace, name=name, by=SYSTEM(workspace), now=NOW)).id


async def new_contact(tx: Tx, workspace: WorkspaceId, email: str, *lists: ListId) -> ContactId:
    made = await create_contact(
        tx,
        workspace=workspace,
        fields=ContactFields(email=email),
        lists=lists,
        keys=KEYS,
        by=SYSTEM(workspace),
        now=NOW,
    )
    return made.id


async def state(tx: Tx, contact: ContactId) -> tuple[str, list[str], str | None]:
    row = await tx.fetchrow(
        """SELECT status, (SELECT array_agg(status::text) FROM subscriptions b WHERE b.contact_id = c.id) AS subs,
                  (SELECT reason::text FROM suppressions s WHERE s.workspace_id = c.workspace_id
                   AND s.address_hash = c.address_hash) AS reason FROM contacts c WHERE id = $1""",
        contact,
    )
    assert row is not None
    return row["status"], row["subs"], row["reason"]


async def leave(tx: Tx, workspace: WorkspaceId, *contacts: ContactId, **more: Any) -> list[ContactId]:
    return await leaving.unsubscribe(
        tx, workspace=workspace, contacts=contacts, reason="too much\0 mail", source="page", now=NOW, **more
    )


async def test_leaving_is_complete_recorded_once_and_repeatable(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        lists = [await new_list(tx, workspace, name) for name in ("A", "B")]
        ann = await new_contact(tx, workspace, "ann@example.com", *lists)
        bob = await new_contact(tx, workspace, "bob@example.com", *lists)
        assert await leave(tx, workspace, ann, send=SendId(3), n=7) == [ann]
        assert await leave(tx, workspace, ann) == []
        assert await state(tx, ann) == ("unsubscribed", ["unsubscribed"] * 2, "unsubscribed")
        assert await state(tx, bob) == ("active", ["subscribed"] * 2, None)
        events = await tx.fetch("SELECT type, send_id, n, contact_id, data FROM events")
        assert [tuple(e) for e in events] == [
            ("unsubscribed", 3, 7, ann, {"reason": "too much mail", "source": "page"})
        ]


async def test_bounces_and_complaints_suppress_and_weaker_reasons_give_way(
    db: Database, workspace: WorkspaceId
) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        ann = await new_contact(tx, workspace, "ann@example.com", news)
        for reason, changed, expected in (
            ("bounced", [ann], ("bounced", ["subscribed"], "bounced")),
            ("unsubscribed", [ann], ("unsubscribed", ["unsubscribed"], "unsubscribed")),
            ("bounced", [], ("unsubscribed", ["unsubscribed"], "unsubscribed")),
            ("complained", [ann], ("complained", ["unsubscribed"], "complained")),
            ("manual", [], ("complained", ["unsubscribed"], "complained")),
        ):
            done = await leaving.suppress(
                tx, workspace=workspace, contacts=[(ann, "550 no")], reason=reason, source="smtp", now=NOW
            )
            assert (done, await state(tx, ann)) == (changed, expected), reason


async def test_the_departure_is_announced_with_the_commit_and_not_before(db: Database, workspace: WorkspaceId) -> None:
    heard: list[str] = []
    listener = await db.connect()
    await listener.add_listener("tidings_withdrawn", lambda *args: heard.append(str(args[3])))
    try:
        async with db.transaction() as tx:
            ann = await new_contact(tx, workspace, "ann@example.com")
            await leave(tx, workspace, ann)
            await listener.execute("SELECT 1")
            assert heard == []
        await listener.execute("SELECT 1")
        assert heard == [f"{workspace}:{ann}"]
    finally:
        await listener.close()


async def test_announcements_of_many_fit_their_channel(db: Database, workspace: WorkspaceId) -> None:
    ids = [ContactId(2**63 - 1 - i) for i in range(1000)]
    heard: list[str] = []
    listener = await db.connect()
    await listener.add_listener("tidings_withdrawn", lambda *args: heard.append(str(args[3])))
    try:
        async with db.transaction() as tx:
            await leaving.announce_withdrawn(tx, workspace=workspace, contacts=ids)
        await listener.execute("SELECT 1")
    finally:
        await listener.close()
    assert max(map(len, heard)) < 8000
    assert sorted(int(i) for text in heard for i in text.partition(":")[2].split(",")) == sorted(ids)


async def test_who_left_comes_back_by_no_side_door(db: Database, workspace: WorkspaceId) -> None:
    by = SYSTEM(workspace)
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        ann = await new_contact(tx, workspace, "ann@example.com", news)
        await leave(tx, workspace, ann)
        added = await subscriptions.subscribe(tx, workspace=workspace, list=news, contacts=[ann], now=NOW)
        assert added.refused == [ann]
        other = await new_list(tx, workspace, "Other")
        assert (
            await subscriptions.subscribe(tx, workspace=workspace, list=other, contacts=[ann], now=NOW)
        ).refused == [ann]
        await subscriptions.remove(tx, workspace=workspace, list=news, contacts=[ann])
        assert (await state(tx, ann))[1] == ["unsubscribed"]
        # Deleted and made anew: the address is remembered.
        await delete_contact(tx, workspace=workspace, contact=ann, by=by, now=NOW)
        again = await new_contact(tx, workspace, "ann@example.com", news)
        assert await state(tx, again) == ("unsubscribed", None, "unsubscribed")
        # Under another address the person is still the same.
        moved, changed = await update_contact(
            tx,
            workspace=workspace,
            contact=again,
            fields=ContactFields(email="ann@new.example"),
            keys=KEYS,
            by=by,
            now=NOW,
        )
        assert (changed, moved.status) == (True, ContactStatus.UNSUBSCRIBED)
        assert await state(tx, again) == ("unsubscribed", None, "unsubscribed")


async def test_a_bounce_belongs_to_the_address(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        ann = await new_contact(tx, workspace, "ann@example.com")
        await leaving.suppress(tx, workspace=workspace, contacts=[(ann, "")], reason="bounced", source="", now=NOW)
        moved, _ = await update_contact(
            tx,
            workspace=workspace,
            contact=ann,
            fields=ContactFields(email="ann@new.example"),
            keys=KEYS,
            by=SYSTEM(workspace),
            now=NOW,
        )
        assert moved.status == ContactStatus.ACTIVE
        back, _ = await update_contact(
            tx,
            workspace=workspace,
            contact=ann,
            fields=ContactFields(email="ann@example.com"),
            keys=KEYS,
            by=SYSTEM(workspace),
            now=NOW,
        )
        assert back.status == ContactStatus.BOUNCED


async def test_a_thousand_leaving_in_two_directions_do_not_deadlock(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        rows = await tx.fetch(
            """INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
               SELECT $1, i || '@example.com', decode(md5(i::text), 'hex'), $2, $2 FROM generate_series(1, 1000) i
               RETURNING id""",
            workspace,
            NOW,
        )
    ids = [ContactId(r["id"]) for r in rows]

    async def go(order: list[ContactId]) -> int:
        async with db.transaction() as tx:
            return len(await leave(tx, workspace, *order))

    assert sum(await asyncio.gather(go(ids), go(ids[::-1]), go(ids))) == 1000


@pytest.mark.parametrize("contacts", [[], [ContactId(999)]])
async def test_nobody_leaves_nothing_happens(db: Database, workspace: WorkspaceId, contacts: list[ContactId]) -> None:
    async with db.transaction() as tx:
        other = await tx.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('B', now()) RETURNING id")
        theirs = await new_contact(tx, other, "ann@example.com")
        assert await leave(tx, workspace, *contacts, theirs) == []
        assert (await state(tx, theirs))[0] == "active"
        assert await tx.fetchval("SELECT count(*) FROM events") == 0
