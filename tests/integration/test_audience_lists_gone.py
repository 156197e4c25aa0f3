"""Deleting lists that many people are on: gone at once, cleared in batches, whatever happens meanwhile."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

from tidings.accounts import SYSTEM
from tidings.audience import contacts, lists, segments, subscriptions
from tidings.audience.leaving import suppress
from tidings.audience.lists import ListNotFound, _clearing
from tidings.audience.suppressions import ToSuppress, suppress_addresses
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ListId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clearing, "BATCH", 10)


async def new_list(db: Database, workspace: WorkspaceId, name: str, people: int) -> ListId:
    async with db.transaction() as tx:
        made = await lists.create_list(tx, workspace=workspace, name=name, by=SYSTEM(workspace), now=NOW)
        await tx.execute(
            """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
               SELECT $1, i, 'p' || i || '@x.test', decode(md5(i::text), 'hex'), $3, $3 FROM generate_series(1, $2::bigint) AS i
               ON CONFLICT DO NOTHING""",
            workspace,
            people,
            NOW,
        )
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
               SELECT $1, $2, id, $3 FROM contacts WHERE workspace_id = $1 AND id <= $4""",
            workspace,
            made.id,
            NOW,
            people,
        )
    return made.id


async def delete(db: Database, workspace: WorkspaceId, list_: ListId) -> list[ContactId]:
    async with db.transaction() as tx:
        return await lists.delete_list(tx, workspace=workspace, list=list_, by=SYSTEM(workspace), now=NOW)


async def left(db: Database, table: str = "subscriptions") -> int:
    async with db.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own words


async def count(db: Database, workspace: WorkspaceId, **condition: object) -> int:
    async with db.transaction() as tx:
        members = await segments.conditions_members(tx, workspace=workspace, conditions=condition, first=2, now=NOW)
        return (await segments.count_segment(tx, workspace=workspace, members=members)).contacts


@pytest.mark.usefixtures("small_batches")
async def test_a_large_list_is_gone_at_once(db: Database, workspace: WorkspaceId) -> None:
    news, other = await new_list(db, workspace, "News", 35), await new_list(db, workspace, "Other", 3)
    async with db.transaction() as tx:
        for hashed in range(25):
            await tx.execute(
                """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
                   VALUES ($1, $2, $3, 'manual', now())""",
                workspace,
                news,
                bytes([hashed]),
            )
    assert len(await delete(db, workspace, news)) == 10
    assert (await left(db), await left(db, "list_suppressions")) == (28, 15)
    # Nothing shows what is not cleared yet; a list of the same name may be made.
    async with db.transaction() as tx:
        with pytest.raises(ListNotFound):
            await lists.get_list(tx, workspace=workspace, list=news)
        with pytest.raises(ListNotFound):
            await lists.require_list(tx, workspace=workspace, list=news)
        assert [one.id for one in await lists.list_lists(tx, workspace=workspace, limit=10)] == [other]
        found = await contacts.get_contact(tx, workspace=workspace, contact=ContactId(30))
        assert found.list_ids == []
        assert await tx.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", _clearing.JOB) == 1
    assert await count(db, workspace, field="lists", operator="is_set") == 3
    assert await count(db, workspace, field="lists", operator="is_not_set") == 32
    assert await count(db, workspace, field="subscribed_at", operator="is_set") == 3
    again = await new_list(db, workspace, "News", 2)
    await lists.jobs(db)[_clearing.JOB]({"workspace": workspace, "list": news})
    assert (await left(db), await left(db, "list_suppressions")) == (5, 0)
    assert await count(db, workspace, field="lists", operator="=", value=f"list_{again}") == 2


@pytest.mark.usefixtures("small_batches")
async def test_killed_at_every_batch_it_goes_on(
    db: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = await new_list(db, workspace, "News", 95)
    await delete(db, workspace, news)
    batch = _clearing._some_subscriptions

    async def dies(*told: object, **named: object) -> None:
        done = await batch(*told, **named)  # pyright: ignore[reportArgumentType]
        if done[0] == 10 and named["after"]:
            raise ConnectionError  # before the commit: this batch is undone
        return done  # pyright: ignore[reportReturnType]

    monkeypatch.setattr(_clearing, "_some_subscriptions", dies)
    seen = [await left(db)]
    while seen[-1]:
        with contextlib.suppress(ConnectionError):
            await lists.clear_list(db, workspace=workspace, list=news)
        seen.append(await left(db))
    assert seen == [85, 75, 65, 55, 45, 35, 25, 15, 0]


@pytest.mark.usefixtures("small_batches")
async def test_what_was_written_meanwhile_is_swept_away(db: Database, workspace: WorkspaceId) -> None:
    news = await new_list(db, workspace, "News", 30)
    await delete(db, workspace, news)
    async with db.transaction() as tx:  # the merged one's row goes to the other, whose batch was cleared
        await tx.execute(
            "UPDATE subscriptions SET contact_id = 1 WHERE workspace_id = $1 AND contact_id = 30", workspace
        )
    await lists.sweep_lists(db, now=NOW + timedelta(hours=1))
    assert (await left(db), await left(db, "lists_gone")) == (0, 1)
    await lists.sweep_lists(db, now=NOW + timedelta(days=1, seconds=1))
    assert await left(db, "lists_gone") == 0


async def test_nobody_waits_for_a_hundred_thousand(db: Database, workspace: WorkspaceId) -> None:
    news = await new_list(db, workspace, "News", 100_000)
    began = time.perf_counter()
    await delete(db, workspace, news)
    assert time.perf_counter() - began < 1
    clearing = asyncio.ensure_future(lists.clear_list(db, workspace=workspace, list=news))
    waited: list[float] = []
    dead = iter(range(99_999, 0, -997))
    while not clearing.done():
        began = time.perf_counter()
        async with db.transaction() as tx:
            people = [(ContactId(next(dead)), "")]
            await suppress(tx, workspace=workspace, contacts=people, reason="unsubscribed", source="x", now=NOW)
        waited.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    await clearing
    assert await left(db) == 0
    assert len(waited) > 3
    assert max(waited) < 1


async def test_batches_go_by_the_key_whatever_statistics_say(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await tx.execute("ALTER TABLE subscriptions SET (autovacuum_enabled = off)")
    news = await new_list(db, workspace, "News", 20_000)
    async with db.transaction() as tx:
        for statement, after in ((_clearing._SUBSCRIPTIONS, 0), (_clearing._SUPPRESSIONS, b"")):
            rows = await tx.fetch(f"EXPLAIN {statement}", workspace, news, after, 5000)
            plan = "\n".join(row[0] for row in rows)
            assert "Seq Scan" not in plan, plan
            assert "Join" not in plan, plan


async def test_who_is_put_on_a_list_keeps_it_from_going(db: Database, workspace: WorkspaceId) -> None:
    """No foreign key does it; afterwards nothing of the list is left."""
    news = await new_list(db, workspace, "News", 3)
    async with db.transaction() as tx:
        await lists.require_list(tx, workspace=workspace, list=news)
        going = asyncio.ensure_future(delete(db, workspace, news))
        await subscriptions.subscribe(tx, workspace=workspace, list=news, contacts=[ContactId(1)], now=NOW)
        told = [ToSuppress("p2@x.test")]
        await asyncio.sleep(0.1)
        assert not going.done()
    await going
    assert await left(db) == 0
    async with db.transaction() as tx:
        with pytest.raises(Invalid):
            await suppress_addresses(tx, workspace=workspace, addresses=told, list=news, source="x", keys=KEYS, now=NOW)
