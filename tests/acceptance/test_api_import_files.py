"""Files over the API: uploaded, looked at, tried, started, followed, and their rejected rows fetched."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from api_client import Client
from tidings.audience import imports
from tidings.bootstrap import App
from tidings.core.jobs import run_jobs

FILE = (
    "E-Mail;Vorname;Nachname;Kunde seit;Punkte\r\n"
    "ann@example.com;Ann;Lee;01.03.2024;7\r\n"
    "bob@example.com;Bob;Müller;25.12.2023;1,5\r\n"
    "nope;=cmd|' /C calc'!A0;X;01.01.2024;3\r\n"
    "ann@example.com;Ann;Lee;01.03.2024;7\r\n"
).encode("cp1252")


@pytest.fixture
async def working(app: App) -> AsyncIterator[None]:
    """Background jobs, as the conductor runs them."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(run_jobs(app.db, stop, jobs=imports.jobs(app.db, app.keys)))
    yield
    stop.set()
    await running


def form(file: bytes, options: dict[str, Any] | None = None, *, name: str = "contacts.csv") -> tuple[bytes, str]:
    parts = [("file", f'; filename="{name}"', file)]
    if options is not None:
        parts.append(("options", "", orjson.dumps(options)))
    body = b"".join(
        f'--frontier\r\nContent-Disposition: form-data; name="{part}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for part, more, data in parts
    )
    return body + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"


async def until(api: Client, id_: str, *states: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            seen = (await api("GET", f"/imports/{id_}")).json
            if seen["status"] in states:
                return seen
            await asyncio.sleep(0.02)


async def test_a_file_from_upload_to_rejected_rows(api: Client, working: None) -> None:
    list_id = (await api("POST", "/lists", {"name": "News"})).json["id"]
    body, kind = form(FILE)
    answer = await api("POST", "/imports", body, Content_Type=kind)
    assert answer.status == 201, answer
    seen = answer.json
    id_ = seen["id"]
    assert (seen["status"], seen["filename"], seen["total"]) == ("uploaded", "contacts.csv", 4)
    assert (seen["format"]["encoding"], seen["format"]["delimiter"]) == ("cp1252", ";")
    assert [(c["name"], c["target"], c["type"]) for c in seen["columns"]] == [
        ("E-Mail", "email", None),
        ("Vorname", "first_name", None),
        ("Nachname", "last_name", None),
        ("Kunde seit", "field:kunde_seit", "date"),
        ("Punkte", "field:punkte", "number"),
    ]
    choices = {"list_ids": [list_id], "tags": ["fair"], "mapping": {"Punkte": "field:points:number"}}
    assert (await api("POST", f"/imports/{id_}/dry-run", choices)).status == 202
    tried = await until(api, id_, "uploaded")
    found = tried["analysis"]
    counted = {name: found[name] for name in ("rows", "new", "known", "duplicates", "rejected", "suppressed")}
    assert counted == {"rows": 4, "new": 2, "known": 0, "duplicates": 1, "rejected": 1, "suppressed": 0}
    assert [(p["row"], p["line"], p["field"]) for p in found["problems"]] == [(2, 4, "E-Mail")]
    assert (await api("GET", "/contacts")).json["total"] == 0
    assert (await api("GET", "/contact-fields")).json["items"] == []

    assert (await api("POST", f"/imports/{id_}/start", {})).status == 202
    done = await until(api, id_, "done", "failed")
    counts = {name: done[name] for name in ("status", "total", "created", "updated", "unchanged", "rejected")}
    assert counts == {"status": "done", "total": 4, "created": 2, "updated": 0, "unchanged": 1, "rejected": 1}
    ann, bob = [(await api("GET", f"/contacts?email={name}@example.com")).json["items"][0] for name in ("ann", "bob")]
    assert (bob["last_name"], bob["tags"], bob["list_ids"]) == ("Müller", ["fair"], [list_id])
    assert bob["attributes"] == {"kunde_seit": "2023-12-25", "points": 1.5}
    assert ann["attributes"] == {"kunde_seit": "2024-03-01", "points": 7}
    fields = {f["name"]: f["type"] for f in (await api("GET", "/contact-fields")).json["items"]}
    assert fields == {"kunde_seit": "date", "points": "number"}
    assert "fair" in [tag["name"] for tag in (await api("GET", "/tags")).json["items"]]

    file = await api("GET", f"/imports/{id_}/rejected")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(file.raw.decode("utf-8-sig"), newline="")))
    assert rows[0][:2] == ["E-Mail", "Vorname"]
    assert rows[1][:2] == ["nope", "'=cmd|' /C calc'!A0"]
    assert rows[1][5:7] == ["4", "E-Mail"]
    assert "@" in rows[1][7]
    again = await api("POST", f"/imports/{id_}/start", {})
    assert (again.status, again.problem["code"]) == (409, "import_state")
    assert [i["id"] for i in (await api("GET", "/imports")).json["items"]] == [id_]


async def test_one_request_does_it_and_events_tell(api: Client, working: None) -> None:
    rows = "".join(f"person{i}@example.com,P{i}\n" for i in range(30_000))
    body, kind = form(f"email,name\n{rows}".encode(), {"start": True, "tags": ["t"]})
    started = (await api("POST", "/imports", body, Content_Type=kind)).json
    assert started["status"] == "queued"
    stream = await api("GET", f"/imports/{started['id']}/events")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    told = [orjson.loads(line[6:]) for line in stream.raw.splitlines() if line.startswith(b"data: ")]
    assert told[-1]["status"] == "done"
    assert [t["processed"] for t in told] == sorted(t["processed"] for t in told)
    assert told[-1]["created"] == 30_000


async def test_a_raw_body_and_cancelling(api: Client, app: App) -> None:
    answer = await api(
        "POST", "/imports", FILE, Content_Type="text/csv", Content_Disposition='attachment; filename="../x/k.csv"'
    )
    assert (answer.status, answer.json["filename"]) == (201, "k.csv")
    id_ = answer.json["id"]
    assert (await api("POST", f"/imports/{id_}/cancel")).json["status"] == "cancelled"
    assert (await api("POST", f"/imports/{id_}/cancel")).problem["code"] == "import_state"
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM import_pieces") == 0


async def test_refused_uploads_leave_nothing(api: Client, app: App) -> None:
    app.import_limit = 100_000
    whole, kind = form(b"email\nann@example.com\n")
    no_file = whole.replace(b'name="file"', b'name="options"')
    cases: list[tuple[bytes, str, int, str | None]] = [
        (b"", "text/csv", 422, "file"),
        (b"email\n" + b"x@example.com\n" * 10_000, "text/csv", 413, None),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, "application/vnd.ms-excel", 422, "file"),
        (b"%PDF-1.7", "application/octet-stream", 422, "file"),
        (b"PK\x03\x04 broken", "application/zip", 422, "file"),
        (b"a=b", "text/html", 415, None),
        (b"a=b", "application/json", 415, None),
        (b"a=b", "multipart/form-data", 415, None),
        (b"a=b", "multipart/form-data; boundary=x", 422, "file"),
        (whole[:-30], kind, 422, "file"),
        (no_file, kind, 422, "file"),
        (*form(b"email\na@x.test", {"policy": "no"}), 422, "options.policy"),  # type: ignore[list-item]
        (*form(b"email\na@x.test", {"lists": []}), 422, "options.lists"),  # type: ignore[list-item]
        (*form(b"email\na@x.test", {"encoding": "ebcdic"}), 422, "encoding"),  # type: ignore[list-item]
        (*form(b"email\na@x.test", {"start": True, "mapping": {"no": "email"}}), 422, "mapping.no"),  # type: ignore[list-item]
        (*form(b"a,b\n1,2", {"start": True}), 422, "mapping"),  # type: ignore[list-item]
        (*form(b"email\na@x.test", {"start": True, "list_ids": ["list_99"]}), 422, "list_ids[0]"),  # type: ignore[list-item]
    ]
    for body, content_type, status, field in cases:
        answer = await api("POST", "/imports", body, Content_Type=content_type)
        assert answer.status == status, (body[:40], content_type, answer)
        assert field is None or answer.fields == [field], (body[:40], answer.json)
    async with app.db.connection() as connection:
        for table in ("imports", "import_pieces", "pgqueuer"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608


async def test_files_are_of_their_workspace_alone(api: Client, stranger: Client) -> None:
    id_ = (await api("POST", "/imports", FILE, Content_Type="text/csv")).json["id"]
    for method, path in (("GET", ""), ("GET", "/rejected"), ("GET", "/events"), ("POST", "/cancel")):
        assert (await stranger(method, f"/imports/{id_}{path}")).status == 404
    assert (await stranger("GET", "/imports")).json["items"] == []


async def test_exports_and_rejected_rows_come_back_as_they_were(api: Client, working: None) -> None:
    told = [
        {"email": "ann@example.com", "first_name": "=Ann", "phone": "+49 30 1", "tags": ["a, b", 'say "hi"', "c"]},
        {"email": "bob@example.com", "last_name": "'=Bob", "attributes": {"Plan Name": "-gold", "state": "Bavaria"}},
    ]
    for one in told:
        assert (await api("POST", "/contacts", one)).status == 201
    before = await everybody(api)
    assert before.keys() == {"ann@example.com", "bob@example.com"}
    export = (await api("GET", "/contacts/export")).raw
    lines = (await api("GET", "/contacts/export?format=jsonl")).raw
    for one in (await api("GET", "/contacts")).json["items"]:
        await api("DELETE", f"/contacts/{one['id']}")
    rejected = await imported(api, export.replace(b"ann@example.com", b"nope").replace(b"bob@", b"nobody@"))
    await imported(api, rejected.replace(b"nope", b"ann@example.com"))
    await imported(api, export)
    assert await everybody(api) == before
    for one in (await api("GET", "/contacts")).json["items"]:
        await api("DELETE", f"/contacts/{one['id']}")
    await imported(api, lines)
    assert await everybody(api) == before


async def everybody(api: Client) -> dict[str, Any]:
    shown = ("first_name", "last_name", "phone", "tags", "attributes", "status")
    people = (await api("GET", "/contacts")).json["items"]
    return {one["email"]: {name: one[name] for name in shown} for one in people if one["email"] != "nobody@example.com"}


async def imported(api: Client, file: bytes) -> bytes:
    """Its rejected rows."""
    body, kind = form(file, {"start": True})
    id_ = (await api("POST", "/imports", body, Content_Type=kind)).json["id"]
    assert (await until(api, id_, "done", "failed"))["status"] == "done"
    return (await api("GET", f"/imports/{id_}/rejected")).raw


async def test_a_repeated_upload_is_one_import(api: Client, working: None) -> None:
    body, kind = form(FILE, {"start": True, "status": "active"})
    first = await api("POST", "/imports", body, Content_Type=kind, Idempotency_Key="file-1")
    assert first.status == 201, first
    other = body.replace(b"frontier", b"elsewhere")  # a client draws another boundary each time
    again = await api(
        "POST", "/imports", other, Content_Type="multipart/form-data; boundary=elsewhere", Idempotency_Key="file-1"
    )
    assert (again.status, again.json) == (201, first.json)
    assert (await api("GET", "/imports")).json["total"] == 1
    await until(api, first.json["id"], "done")
    changed, _ = form(FILE + b"x@example.com;;;;\r\n", {"start": True, "status": "active"})
    refused = await api("POST", "/imports", changed, Content_Type=kind, Idempotency_Key="file-1")
    assert (refused.status, refused.problem["code"]) == (422, "idempotency_key_reused")
    assert (await api("GET", "/imports")).json["total"] == 1


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
async def test_who_left_a_list_has_left_it_where_they_move_to(
    api: Client, stranger: Client, app: App, working: None, format_: str
) -> None:
    ids: dict[str, str] = {}
    for client in (api, stranger):
        for name in ('Offers, "special"', "News"):
            ids[name] = (await client("POST", "/lists", {"name": name})).json["id"]
    mine = [one["id"] for one in (await api("GET", "/lists")).json["items"]]
    for email in ("ann@example.com", "bob@example.com"):
        await api("POST", "/contacts", {"email": email, "list_ids": mine})
    left = next(one["id"] for one in (await api("GET", "/lists")).json["items"] if one["name"].startswith("Offers"))
    async with app.db.transaction() as tx:
        await tx.execute(
            """UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now()
               WHERE list_id = $1 AND contact_id = (SELECT min(id) FROM contacts)""",
            int(left.removeprefix("list_")),
        )
    exported = (await api("GET", f"/contacts/export?format={format_}")).raw
    # They were put on the list there by somebody who did not know.
    await stranger("POST", "/contacts", {"email": "ann@example.com", "list_ids": list(ids.values())})
    body, kind = form(exported, {"start": True, "list_ids": list(ids.values())}, name=f"contacts.{format_}")
    done = await until(stranger, (await stranger("POST", "/imports", body, Content_Type=kind)).json["id"], "done")
    assert (done["source"], done["rejected"], done["created"]) == ("tidings", 0, 1)
    offers = ids['Offers, "special"']
    page = (await stranger("GET", f"/lists/{offers}/contacts?status=all")).json
    there = {one["email"]: offers in one["list_ids"] for one in page["items"]}
    assert there == {"ann@example.com": False, "bob@example.com": True}
    assert (await stranger("GET", f"/lists/{ids['News']}/contacts")).json["total"] == 2


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
async def test_people_come_on_the_lists_that_an_export_names(
    api: Client, stranger: Client, app: App, working: None, format_: str
) -> None:
    here = [(await api("POST", "/lists", {"name": name})).json["id"] for name in ('Offers, "special"', "News", "Gone")]
    there = {
        name: (await stranger("POST", "/lists", {"name": name})).json["id"]
        for name in ("First", 'Offers, "special"', "News")
    }
    on = {"ann": here, "bob": here[1:2], "cat": [], "dan": here[:2], "eve": here[:2], "fay": here[1:2]}
    for name, lists in on.items():
        await api("POST", "/contacts", {"email": f"{name}@example.com", "list_ids": lists})
    await api("POST", "/suppressions", {"emails": ["eve@example.com"], "reason": "unsubscribed"})
    async with app.db.transaction() as tx:
        await tx.execute(
            "UPDATE subscriptions SET status = 'pending' WHERE contact_id = (SELECT max(id) FROM contacts)"
        )
    exported = (await api("GET", f"/contacts/export?format={format_}")).raw
    # Bob left News there; Dan's address is not to be written to through it.
    await stranger("POST", "/contacts", {"email": "bob@example.com", "list_ids": [there["News"]]})
    async with app.db.transaction() as tx:
        await tx.execute(
            "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = now() WHERE list_id = $1",
            int(there["News"].removeprefix("list_")),
        )
    await stranger("POST", "/suppressions", {"emails": ["dan@example.com"], "list_id": there["News"]})

    async def members(name: str) -> set[str]:
        page = await stranger("GET", f"/lists/{there[name]}/contacts")
        return {one["email"].partition("@")[0] for one in page.json["items"]}

    body, kind = form(exported, name=f"contacts.{format_}")
    id_ = (await stranger("POST", "/imports", body, Content_Type=kind)).json["id"]
    await stranger("POST", f"/imports/{id_}/dry-run", {})
    tried = await until(stranger, id_, "uploaded")
    told = ["there is no list 'Gone': nobody was put on it. Make it, and import the file again"]
    assert (tried["analysis"]["new"], tried["analysis"]["rejected"]) == (5, 0)
    assert [one["message"] for one in tried["analysis"]["problems"]] == told
    assert await members("News") == set()
    for _ in range(2):
        body, kind = form(exported, {"start": True}, name=f"contacts.{format_}")
        id_ = (await stranger("POST", "/imports", body, Content_Type=kind)).json["id"]
        done = await until(stranger, id_, "done", "failed")
        assert (done["status"], done["source"], done["rejected"]) == ("done", "tidings", 0)
        assert [one["message"] for one in done["problems"]] == told
        assert await members("News") == {"ann"}
        assert await members('Offers, "special"') == {"ann", "dan"}
        assert await members("First") == set()
