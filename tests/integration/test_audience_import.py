"""Imports: merged, never resurrecting, row by row answerable, and exact whatever dies in between."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from tidings.accounts import SYSTEM
from tidings.audience import addresses, contacts, imports, leaving, lists, recipients
from tidings.audience.imports import Import, ImportStatus
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ListId, WorkspaceId
from tidings.core.jobs import run_jobs

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


@pytest.fixture
async def news(db: Database, workspace: WorkspaceId) -> ListId:
    async with db.transaction() as tx:
        return (await lists.create_list(tx, workspace=workspace, name="News", by=SYSTEM(workspace), now=NOW)).id


async def start(db: Database, workspace: WorkspaceId, list_id: ListId | None, rows: list[Any]) -> Import:
    async with db.transaction() as tx:
        return await imports.start_import(
            tx, workspace=workspace, list=list_id, contacts=rows, by=SYSTEM(workspace), now=NOW
        )


async def test_lists_tags_and_policies_of_contacts(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    async with db.transaction() as tx:
        offers = (await lists.create_list(tx, workspace=workspace, name="Offers", by=SYSTEM(workspace), now=NOW)).id

    async def start_with(rows: list[Any], **told: Any) -> Import:
        async with db.transaction() as tx:
            return await imports.start_import(
                tx, workspace=workspace, list=news, contacts=rows, by=SYSTEM(workspace), now=NOW, **told
            )

    rows = [{"email": "a@x.test", "first_name": "A", "tags": ["own"]}, {"email": "b@x.test", "last_name": "B"}]
    first = await start_with(rows, lists=[offers, news], tags=["fair"])
    assert first.list_ids == [news, offers]
    await imports.run_import(db, KEYS, workspace=workspace, import_=first.id)
    ann = await contact(db, "a@x.test")
    assert (ann["first_name"], ann["tags"], ann["subs"]) == ("A", ["own", "fair"], "subscribed,subscribed")
    rows = [{"email": "a@x.test", "first_name": "Other", "tags": ["more"]}, {"email": "c@x.test"}]
    second = await start_with(rows, tags=["again"], policy=imports.ImportPolicy.SKIP)
    await imports.run_import(db, KEYS, workspace=workspace, import_=second.id)
    ann = await contact(db, "a@x.test")
    assert (ann["first_name"], ann["tags"]) == ("A", ["own", "fair", "again"])
    assert (await contact(db, "c@x.test"))["tags"] == ["again"]
    for told, field in (
        ({"lists": [offers, ListId(999)]}, "list_ids"),
        ({"tags": ["x" * 500]}, "tags"),
        ({"policy": imports.ImportPolicy.OVERWRITE}, "policy"),
    ):
        with pytest.raises(Invalid) as caught:
            await start_with([{"email": "d@x.test"}], **told)
        assert caught.value.fields[0].field.startswith(field)


async def run(db: Database, workspace: WorkspaceId, list_id: ListId | None, rows: list[Any]) -> Import:
    started = await start(db, workspace, list_id, rows)
    await imports.run_import(db, KEYS, workspace=workspace, import_=started.id)
    return await result(db, workspace, started)


async def result(db: Database, workspace: WorkspaceId, started: Import) -> Import:
    async with db.connection() as connection:
        return await imports.get_import(connection, workspace=workspace, import_=started.id)


def counts(done: Import) -> tuple[int, int, int, int]:
    assert (done.status, done.processed) == (ImportStatus.DONE, done.total)
    return done.created, done.updated, done.unchanged, done.rejected


async def contact(db: Database, email: str) -> Any:
    async with db.connection() as connection:
        row = await connection.fetchrow(
            """SELECT c.*, (SELECT string_agg(b.status::text, ',') FROM subscriptions b WHERE b.contact_id = c.id) AS subs
               FROM contacts c WHERE email = $1""",
            email,
        )
        assert row is not None
        return row


async def test_new_rows_are_created_with_all_they_say(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    row = {
        "email": " Ann@Example.com",
        "first_name": "Ann",
        "last_name": "Lee",
        "phone": "1",
        "language": "en",
        "time_zone": "Europe/Paris",
        "tags": ["a", "b"],
        "attributes": {"plan": "gold", "deep": {"x": [1]}},
    }
    assert counts(await run(db, workspace, news, [row, {"email": "bob@example.com"}])) == (2, 0, 0, 0)
    ann = await contact(db, "ann@example.com")
    assert {k: ann[k] for k in row} == row | {"email": "ann@example.com"}
    assert (ann["status"], ann["subs"]) == ("active", "subscribed")
    assert ann["address_hash"] == addresses.address_hash(addresses.address_key(KEYS), "ann@example.com")


async def test_known_people_are_merged_and_nothing_unsaid_is_lost(
    db: Database, workspace: WorkspaceId, news: ListId
) -> None:
    await run(db, workspace, None, [{"email": "a@x.test", "first_name": "A", "tags": ["t"], "attributes": {"k": 1}}])
    told = {
        "email": "A@X.test",
        "first_name": "",
        "last_name": "B",
        "tags": ["u", "t"],
        "attributes": {"l": 2},
        "phone": None,
    }
    assert counts(await run(db, workspace, news, [told])) == (0, 1, 0, 0)
    assert counts(await run(db, workspace, news, [told])) == (0, 0, 1, 0)
    a = await contact(db, "a@x.test")
    assert (a["first_name"], a["last_name"], a["tags"], a["attributes"]) == ("A", "B", ["t", "u"], {"k": 1, "l": 2})
    assert a["subs"] == "subscribed"


async def test_a_person_named_twice_is_one_contact(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    rows = [
        {"email": "a@x.test", "first_name": "A", "tags": ["t"]},
        {"email": "A@x.test ", "last_name": "B", "tags": ["u"], "attributes": {"k": 1}},
        {"email": "a@X.test", "first_name": "", "tags": ["t"]},
    ]
    assert counts(await run(db, workspace, news, rows)) == (1, 1, 1, 0)
    a = await contact(db, "a@x.test")
    assert (a["first_name"], a["last_name"], a["tags"], a["attributes"]) == ("A", "B", ["t", "u"], {"k": 1})


async def test_nobody_who_is_out_comes_back(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    names = ["left", "bounced", "complained", "gone", "off"]
    await run(db, workspace, news, [{"email": f"{name}@x.test"} for name in names])
    ids = {name: ContactId((await contact(db, f"{name}@x.test"))["id"]) for name in names}
    by = SYSTEM(workspace)
    async with db.transaction() as tx:
        await leaving.unsubscribe(
            tx, workspace=workspace, contacts=[ids["left"], ids["gone"]], reason="", source="api", now=NOW
        )
        for reason in ("bounced", "complained"):
            await leaving.suppress(
                tx, workspace=workspace, contacts=[(ids[reason], "")], reason=reason, source="smtp", now=NOW
            )
        await contacts.delete_contact(tx, workspace=workspace, contact=ids["gone"], by=by, now=NOW)
        await tx.execute("UPDATE subscriptions SET status = 'unsubscribed' WHERE contact_id = $1", ids["off"])
        other = (await lists.create_list(tx, workspace=workspace, name="Other", by=by, now=NOW)).id
    await run(db, workspace, other, [{"email": f"{name}@x.test", "first_name": "New"} for name in names])
    await run(db, workspace, news, [{"email": f"{name}@x.test"} for name in names])
    stand = {name: ((c := await contact(db, f"{name}@x.test"))["status"], c["subs"]) for name in names}
    assert stand == {
        "left": ("unsubscribed", "unsubscribed,unsubscribed"),
        "bounced": ("bounced", "subscribed,subscribed"),
        "complained": ("complained", "unsubscribed,unsubscribed"),
        "gone": ("unsubscribed", "unsubscribed,unsubscribed"),
        "off": ("active", "unsubscribed,subscribed"),
    }
    async with db.connection() as connection:
        whom = recipients.Audience([ListId(news), ListId(other)])
        who = await recipients.recipients(connection, workspace=workspace, audience=whom, first=2, now=NOW)
        rows = await connection.fetch(who.sql, workspace, *who.values)
    assert {r["contact_id"]: r["skip_reason"] for r in rows} == {
        ids["bounced"]: "suppressed:bounced",
        ids["off"]: None,
    }


async def test_bad_rows_are_rejected_one_by_one_with_a_mend(db: Database, workspace: WorkspaceId) -> None:
    rows: list[Any] = [
        {"email": "ok@x.test"},
        {"email": "nope"},
        {"first_name": "Nobody"},
        "text",
        None,
        {"email": "b@x.test", "tags": ["", 1]},
        {"email": "c@x.test", "plan": "gold"},
        {"email": "d@x.test", "attributes": {"a": "x" * 20_000}},
    ]
    done = await run(db, workspace, None, rows)
    assert counts(done) == (1, 0, 0, 7)
    assert [(p["row"], p["field"]) for p in done.problems] == [
        (1, "email"),
        (2, "email"),
        (3, ""),
        (4, ""),
        (5, "tags[0]"),
        (6, "plan"),
        (7, "attributes"),
    ]
    assert all(p["message"] for p in done.problems)


async def test_the_first_hundred_problems_are_kept(db: Database, workspace: WorkspaceId) -> None:
    done = await run(db, workspace, None, [{"email": str(i)} for i in range(4100)])
    assert counts(done) == (0, 0, 0, 4100)
    assert [p["row"] for p in done.problems] == list(range(100))


async def test_the_list_must_exist_and_if_it_goes_the_import_says_so(
    db: Database, workspace: WorkspaceId, news: ListId
) -> None:
    with pytest.raises(Invalid) as caught:
        await start(db, workspace, ListId(999), [{}])
    assert caught.value.fields[0].field == "list_id"
    started = await start(db, workspace, news, [{"email": "a@x.test"}])
    async with db.transaction() as tx:
        await lists.delete_list(tx, workspace=workspace, list=news, by=SYSTEM(workspace), now=NOW)
    await imports.run_import(db, KEYS, workspace=workspace, import_=started.id)
    done = await result(db, workspace, started)
    assert (done.status, done.problems[0]["field"], done.processed) == (ImportStatus.FAILED, "list_id", 0)


async def test_a_fault_in_the_middle_ends_it_and_is_told(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    started = await start(db, workspace, news, [{"email": f"{i:0200}@x.test"} for i in range(30_000)])
    async with db.connection() as connection:
        await connection.execute("UPDATE import_pieces SET bytes = 'no JSON' WHERE piece_no = 5")
    await imports.run_import(db, KEYS, workspace=workspace, import_=started.id)
    done = await result(db, workspace, started)
    assert (done.status, done.processed, done.rejected) == (ImportStatus.FAILED, 20_000, 20_000)
    assert "JSONDecodeError" in done.problems[0]["message"]


async def test_two_imports_of_the_same_people_at_once(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    rows = [{"email": f"{i}@x.test", "tags": ["t"]} for i in range(3000)]
    one, two = await start(db, workspace, news, rows), await start(db, workspace, news, rows[::-1])
    await asyncio.gather(
        *(imports.run_import(db, KEYS, workspace=workspace, import_=i.id) for i in (one, two, one, two))
    )
    first, second = counts(await result(db, workspace, one)), counts(await result(db, workspace, two))
    assert first[0] + second[0] == 3000
    assert first[2] + second[2] == 3000
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subscriptions WHERE status = 'subscribed'") == 3000


async def test_who_leaves_while_their_row_is_taken_stays_out(
    db: Database, workspace: WorkspaceId, news: ListId
) -> None:
    await run(db, workspace, None, [{"email": "a@x.test"}])
    a = ContactId((await contact(db, "a@x.test"))["id"])
    started = await start(db, workspace, news, [{"email": "a@x.test", "first_name": "A"}])
    async with db.transaction() as tx:
        await leaving.unsubscribe(tx, workspace=workspace, contacts=[a], reason="", source="api", now=NOW)
        importing = asyncio.ensure_future(imports.run_import(db, KEYS, workspace=workspace, import_=started.id))
        await asyncio.sleep(0.2)  # it waits for the row that is being changed
        assert not importing.done()
    await importing
    assert (await contact(db, "a@x.test"))["subs"] == "unsubscribed"


_WORKER = """
import asyncio, sys
from tidings.audience import imports
from tidings.core.crypto import Keyring
from tidings.core.db import Database

async def main():
    db = await Database.open(sys.argv[1])
    await imports.run_import(db, Keyring("for tests only"), workspace=int(sys.argv[2]), import_=int(sys.argv[3]))

asyncio.run(main())
"""


async def test_killed_in_the_middle_it_goes_on_and_doubles_nothing(
    db: Database, workspace: WorkspaceId, news: ListId
) -> None:
    rows = [{"email": f"{i % 20_000}@x.test", "first_name": f"N{i}"} for i in range(24_000)]
    rows[7] = {"email": "nope"}
    started = await start(db, workspace, news, rows)
    kills = 0
    for after in (4000, 12_000):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, db.url, str(workspace), str(started.id)
        )
        async with asyncio.timeout(30):
            while process.returncode is None and (await result(db, workspace, started)).processed < after:
                await asyncio.sleep(0.001)
        if process.returncode is None:
            process.kill()
            kills += 1
        await process.wait()
    assert kills == 2
    await imports.run_import(db, KEYS, workspace=workspace, import_=started.id)
    # 7@x.test is rejected at its first mention and created at its second.
    assert counts(await result(db, workspace, started)) == (20_000, 3999, 0, 1)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM contacts") == 20_000
        assert await connection.fetchval("SELECT count(*) FROM subscriptions WHERE status = 'subscribed'") == 20_000
        assert await connection.fetchval("SELECT count(*) FROM import_pieces") == 0


async def test_the_queue_runs_it_and_outlives_a_lost_connection(
    db: Database, workspace: WorkspaceId, news: ListId
) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(run_jobs(db, stop, jobs=imports.jobs(db, KEYS)))
    started = await start(db, workspace, news, [{"email": f"{i}@x.test"} for i in range(60_000)])
    admin = await asyncpg.connect(db.url)
    cut = False
    async with asyncio.timeout(30):
        while (now := await result(db, workspace, started)).status not in {ImportStatus.DONE, ImportStatus.FAILED}:
            if now.processed and not cut:
                cut = True
                await admin.execute(
                    """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"""
                )
            await asyncio.sleep(0.005)
    await admin.close()
    stop.set()
    await running
    assert cut
    assert counts(await result(db, workspace, started)) == (60_000, 0, 0, 0)
