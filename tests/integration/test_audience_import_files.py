"""Files into the audience: policies, people who are out, formats, interruptions; and 100,000 rows."""

import asyncio
import csv
import io
import random
import sys
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from peak_memory import forget_peak, peak
from tidings.accounts import SYSTEM
from tidings.audience import addresses, contacts, fields, imports, leaving, lists
from tidings.audience.imports import Choices, Import, ImportPolicy, ImportStatus, Reading, Upload, _reader, _work
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ListId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


@pytest.fixture
async def news(db: Database, workspace: WorkspaceId) -> ListId:
    async with db.transaction() as tx:
        return (await lists.create_list(tx, workspace=workspace, name="News", by=SYSTEM(workspace), now=NOW)).id


async def queue(
    db: Database, workspace: WorkspaceId, data: bytes, *, name: str = "c.csv", dry_run: bool = False, **told: Any
) -> Import:
    upload = Upload(db, workspace, 2**30)
    await upload.begin(filename=name, now=NOW)
    for start in range(0, len(data), 700_000):
        await upload.write(data[start : start + 700_000])
    await upload.end(filename=name, reading=Reading())
    async with db.transaction() as tx:
        return await imports.queue_import(
            tx,
            workspace=workspace,
            import_=upload.id,
            choices=Choices(**told),
            dry_run=dry_run,
            by=SYSTEM(workspace),
            now=NOW,
        )


async def result(db: Database, workspace: WorkspaceId, job: Import) -> Import:
    async with db.connection() as connection:
        return await imports.get_import(connection, workspace=workspace, import_=job.id)


async def run(db: Database, workspace: WorkspaceId, data: bytes, **told: Any) -> Import:
    job = await queue(db, workspace, data, **told)
    await imports.run_import(db, KEYS, workspace=workspace, import_=job.id)
    return await result(db, workspace, job)


def counts(done: Import) -> tuple[int, int, int, int]:
    assert (done.status, done.processed) == (ImportStatus.DONE, done.total), done.problems
    return done.created, done.updated, done.unchanged, done.rejected


async def people(db: Database) -> dict[str, Any]:
    """By the part of their address before the @-sign."""
    async with db.connection() as connection:
        rows = await connection.fetch(
            """SELECT c.*, (SELECT string_agg(b.status::text, ',' ORDER BY b.list_id) FROM subscriptions b
                            WHERE b.contact_id = c.id) AS subs,
                      (SELECT s.reason::text FROM suppressions s WHERE s.address_hash = c.address_hash) AS suppressed
               FROM contacts c"""
        )
    return {row["email"].partition("@")[0]: row for row in rows}


def table(header: str, rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header.split(","), *rows])
    return text.getvalue().encode()


async def test_the_policies(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    first = table("email,first_name,last_name,tags,Plan,Visits", [["a@x.test", "A", "Lee", "t", "gold", "3"]])
    again = table("email,first_name,tags,Plan", [["a@x.test", "", "u", ""], ["b@x.test", "B", "", "free"]])
    expected = {
        ImportPolicy.SKIP: ((1, 1, 0, 0), ("A", "Lee", ["t", "fair"], {"plan": "gold", "visits": 3})),
        ImportPolicy.UPDATE: ((1, 1, 0, 0), ("A", "Lee", ["t", "u", "fair"], {"plan": "gold", "visits": 3})),
        ImportPolicy.OVERWRITE: ((1, 1, 0, 0), ("", "Lee", ["u", "fair"], {"visits": 3})),
    }
    for policy, (counted, said) in expected.items():
        assert counts(await run(db, workspace, first)) == (1, 0, 0, 0)
        assert counts(await run(db, workspace, again, policy=policy, tags=["fair"], lists=[news])) == counted
        a = (await people(db))["a"]
        assert (a["first_name"], a["last_name"], a["tags"], a["attributes"]) == said, policy
        assert a["subs"] == "subscribed"
        # The same file once more changes nothing and writes nothing.
        before = (await people(db))["a"]
        repeated = await run(db, workspace, again, policy=policy, tags=["fair"], lists=[news])
        assert counts(repeated) == (0, 0, 2, 0), policy
        assert (await people(db))["a"] == before
        async with db.connection() as connection:
            await connection.execute("TRUNCATE contacts CASCADE")


async def test_nobody_who_is_out_comes_back(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    await run(db, workspace, table("email", [["left@x.test"], ["gone@x.test"], ["off@x.test"]]), lists=[news])
    ids = {name: ContactId(row["id"]) for name, row in (await people(db)).items()}
    async with db.transaction() as tx:
        await leaving.unsubscribe(
            tx, workspace=workspace, contacts=[ids["left"], ids["gone"]], reason="", source="api", now=NOW
        )
        await contacts.delete_contact(tx, workspace=workspace, contact=ids["gone"], by=SYSTEM(workspace), now=NOW)
        await tx.execute("UPDATE subscriptions SET status = 'unsubscribed' WHERE contact_id = $1", ids["off"])
        await tx.execute(
            """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
               VALUES ($1, $2, $3, 'manual', $4)""",
            workspace,
            news,
            addresses.address_hash(addresses.address_key(KEYS), "barred@x.test"),
            NOW,
        )
    rows = [[f"{name}@x.test", "subscribed"] for name in ("left", "gone", "off", "barred", "new")]
    for policy in ImportPolicy:
        done = await run(db, workspace, table("email,status", rows), lists=[news], policy=policy)
        assert done.suppressed == 2
        found = {name: (row["status"], row["subs"]) for name, row in (await people(db)).items()}
        assert found == {
            "left": ("unsubscribed", "unsubscribed"),
            "gone": ("unsubscribed", "unsubscribed"),
            "off": ("active", "unsubscribed"),
            "barred": ("active", "unsubscribed"),
            "new": ("active", "subscribed"),
        }


async def test_a_zip_of_mailchimp(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    await run(db, workspace, table("email", [["known@x.test"]]), lists=[news])
    common = "Email Address,First Name,MEMBER_RATING,LEID,EUID,TAGS"
    files = {
        "subscribed.csv": table(common, [["on@x.test", "On", "2", "1", "e", '"VIP","Blog"']]),
        "unsubscribed.csv": table(
            f"{common},UNSUB_TIME", [[f"{name}@x.test", *[""] * 5, "2024-01-01 00:00:00"] for name in ("off", "known")]
        ),
        "cleaned.csv": table(f"{common},CLEAN_TIME", [["dead@x.test", "", "", "", "", "", "2024-01-01 00:00:00"]]),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    done = await run(db, workspace, packed.getvalue(), name="export.zip", lists=[news])
    assert counts(done)[0] == 3
    assert (done.format or {})["source"] == "mailchimp"
    found = {n: (r["status"], r["subs"], r["suppressed"]) for n, r in (await people(db)).items()}
    assert found == {
        "on": ("active", "subscribed", None),
        "off": ("unsubscribed", "unsubscribed", "unsubscribed"),
        "known": ("unsubscribed", "unsubscribed", "unsubscribed"),
        "dead": ("bounced", "subscribed", "bounced"),
    }
    on = (await people(db))["on"]
    assert (on["tags"], on["attributes"]) == (["VIP", "Blog"], {"member_rating": 2})


async def test_an_export_of_listmonk_and_a_workbook(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    rows = [["u1", "on@x.test", "Ann Lee", '{"city": "Riga", "n": 1}', "enabled", "", ""],
            ["u2", "off@x.test", "Bob", "{}", "blocklisted", "", ""],
            ["u3", "bad@x.test", "Bad", "{nope", "enabled", "", ""]]  # fmt: skip
    done = await run(
        db, workspace, table("uuid,email,name,attributes,status,created_at,updated_at", rows), lists=[news]
    )
    assert counts(done) == (2, 0, 0, 1)
    assert (done.problems[0]["field"], done.problems[0]["line"]) == ("attributes", 4)
    found = await people(db)
    assert (found["on"]["first_name"], found["on"]["last_name"]) == ("Ann", "Lee")
    assert found["on"]["attributes"] == {"city": "Riga", "n": 1}
    assert (found["off"]["status"], found["off"]["suppressed"]) == ("unsubscribed", "unsubscribed")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["E-Mail", "Name", "Geboren"], ["x@x.test", "Eva Maus", datetime(2001, 2, 3, tzinfo=None)]):  # noqa: DTZ001
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    assert counts(await run(db, workspace, data.getvalue(), name="b.xlsx")) == (1, 0, 0, 0)
    assert (await people(db))["x"]["attributes"] == {"geboren": "2001-02-03"}


async def test_fields_that_it_brings_are_labelled_as_the_file_calls_them(db: Database, workspace: WorkspaceId) -> None:
    header = "email,Favourite colour,Größe (cm),attributes.Shoe size,Kundennr."
    told = {"mapping": {"Kundennr.": "field:customer_no"}}
    await run(db, workspace, table(header, [["a@x.test", "red", "180", "44", "K-1"]]), **told)
    # Who renamed a field meanwhile keeps their label, and a column that nobody named has none.
    async with db.transaction() as tx:
        known = await fields.declared_fields(tx, workspace=workspace)
        assert {name: field.label for name, field in known.items()} == {
            "favourite_colour": "Favourite colour",
            "größe_cm": "Größe (cm)",
            "shoe_size": "Shoe size",
            "customer_no": "Kundennr.",
        }
        await tx.execute("UPDATE contact_fields SET label = 'Colour' WHERE name = 'favourite_colour'")
    await run(db, workspace, b"a@x.test;blue;180\nb@x.test;red;175\n", mapping={"Column 2": "field:favourite_colour"})
    async with db.transaction() as tx:
        known = await fields.declared_fields(tx, workspace=workspace)
    assert (known["favourite_colour"].label, known["column_3"].label) == ("Colour", "")


async def test_a_broken_file_says_so_and_what_came_before_stays(db: Database, workspace: WorkspaceId) -> None:
    rows = b"".join(b"p%d@x.test,P\n" % i for i in range(25_000))
    done = await run(db, workspace, b"email,name\n" + rows + b"q@x.test," + b"Q" * 300_000 + b"\n" + rows)
    assert (done.status, done.created) == (ImportStatus.FAILED, 20_000)
    assert "line 25002" in done.problems[0]["message"]
    with pytest.raises(Invalid):
        await queue(db, workspace, b"a,b\n1,2\n")


async def test_broken_bytes_reject_their_row_alone(db: Database, workspace: WorkspaceId) -> None:
    good = "".join(f"p{i}@x.test,Jürgen\n" for i in range(100)).encode()
    data = b"email,name,no\0te\n" + good + b"bad@x.test,J\xfcrgen\nnul@x.test,a\0b\n"
    done = await run(db, workspace, data)
    assert counts(done) == (100, 0, 0, 2)
    assert "encoding" in done.problems[0]["message"]
    parts = [part async for part in imports.rejected_rows(db, workspace=workspace, import_=done.id)]
    assert "J\ufffdrgen" in b"".join(parts).decode()


async def test_cancelled_it_stops_after_the_batch_at_hand(
    db: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked first is next: no batch is begun after somebody has asked to cancel, however slowly that one wakes up.

    A row's lock keeps no such order, so what is waited for is looked at, too.
    """
    monkeypatch.setattr(_reader, "BATCH", 50)
    storing, asked = asyncio.Event(), asyncio.Event()
    merge = _work._Worker._merge

    async def held(self: Any, tx: Any, batch: Any) -> Any:
        storing.set()
        await asked.wait()
        return await merge(self, tx, batch)

    monkeypatch.setattr(_work._Worker, "_merge", held)
    job = await queue(db, workspace, table("email", [[f"p{i}@x.test"] for i in range(500)]))

    async def cancel() -> None:
        async with db.transaction() as tx:
            await imports.cancel_import(tx, workspace=workspace, import_=job.id, by=SYSTEM(workspace), now=NOW)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(imports.run_import(db, KEYS, workspace=workspace, import_=job.id))
        await storing.wait()
        group.create_task(cancel())
        async with db.connection() as connection:
            # In the queue of those who take turns, not at the row.
            waiting = "SELECT array_agg(DISTINCT locktype) FROM pg_locks WHERE NOT granted"
            while not (seen := await connection.fetchval(waiting)):
                await asyncio.sleep(0.005)
        assert seen == ["advisory"]
        asked.set()
    done = await result(db, workspace, job)
    assert (done.status, done.processed, done.created) == (ImportStatus.CANCELLED, 50, 50)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM contacts") == 50
        assert await connection.fetchval("SELECT count(*) FROM import_pieces") == 0


async def test_interrupted_at_every_step_nobody_is_lost_or_doubled(
    db: Database, workspace: WorkspaceId, news: ListId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reader, "BATCH", 50)
    rows = [[f"p{i % 180}@x.test", "nope" if i == 77 else f"N{i}"] for i in range(200)]
    rows[77][0] = "nope"
    job = await queue(db, workspace, table("email,first_name", rows), lists=[news])
    steps, chance = 0, random.Random(7)

    class Cut(ConnectionError):
        """As if the process had died here."""

    def dying(name: str) -> None:
        original = getattr(_work._Worker, name)

        async def cut_after(self: Any, *args: Any) -> Any:
            done = await original(self, *args)
            nonlocal steps
            steps += 1
            if chance.random() < 0.4:
                raise Cut(name)
            return done

        monkeypatch.setattr(_work._Worker, name, cut_after)

    for name in ("_merge", "_store", "_lock_lists", "_store_all"):
        dying(name)
    for _ in range(300):
        try:
            await imports.run_import(db, KEYS, workspace=workspace, import_=job.id)
        except Cut:
            continue
        break
    assert steps > 10
    assert counts(await result(db, workspace, job)) == (179, 20, 0, 1)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subscriptions") == 179
        assert await connection.fetchval("SELECT count(*) FROM import_rejects") == 1


async def grow(db: Database, workspace: WorkspaceId, news: ListId, rows: int) -> None:
    """The same people twice, beside what the database says of them; memory stays flat."""
    lines = (f"p{i}@x.test,N{i % 100},+49 {i:09},{i % 7}\n" for i in range(rows))
    data = ("email,first_name,phone,score\n" + "".join(lines)).encode()
    assert counts(await run(db, workspace, data, lists=[news])) == (rows, 0, 0, 0)
    before = forget_peak()
    assert counts(await run(db, workspace, data, lists=[news])) == (0, 0, rows, 0)
    assert peak() - before < 100
    async with db.connection() as connection:
        row = await connection.fetchrow(
            """SELECT count(*), count(DISTINCT email), sum((attributes->>'score')::int), min(phone), max(phone)
               FROM contacts WHERE workspace_id = $1 AND status = 'active'""",
            workspace,
        )
        assert row is not None
        last = f"+49 {rows - 1:09}"
        assert tuple(row) == (rows, rows, sum(i % 7 for i in range(rows)), "+49 000000000", last)
        assert await connection.fetchval("SELECT count(*) FROM subscriptions WHERE status = 'subscribed'") == rows


async def test_a_hundred_thousand_rows(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    await grow(db, workspace, news, 100_000)


@pytest.mark.soak
async def test_a_million_rows(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    await grow(db, workspace, news, 1_000_000)


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


async def test_killed_while_reading_a_file_it_goes_on(db: Database, workspace: WorkspaceId, news: ListId) -> None:
    job = await queue(
        db, workspace, table("email,first_name", [[f"p{i}@x.test", f"N{i}"] for i in range(70_000)]), lists=[news]
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, db.url, str(workspace), str(job.id))
    async with asyncio.timeout(30):
        while process.returncode is None and (await result(db, workspace, job)).processed < 20_000:
            await asyncio.sleep(0.001)
    assert process.returncode is None
    process.kill()
    await process.wait()
    assert (await result(db, workspace, job)).processed < 70_000
    await imports.run_import(db, KEYS, workspace=workspace, import_=job.id)
    assert counts(await result(db, workspace, job)) == (70_000, 0, 0, 0)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subscriptions") == 70_000
