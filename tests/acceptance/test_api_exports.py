"""Exports: every contact in full, safe in a spreadsheet, the same when read back, and nothing left behind by who hangs up."""

import asyncio
import csv
import gzip
import io
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_client import Client
from delivery_world import eventually
from tidings.audience.exports._reading import csv_reading
from tidings.audience.spreadsheets import neutralised, safe_cell
from tidings.bootstrap import App

NASTY = [
    "=1+1",
    "+1",
    "-5",
    "@x",
    "'=1",
    "''@x",
    "O'Brien",
    'a"b,c',
    "ä;ö",
    "＝1",
    "-",
    "+44 20 7946 0000",
    "-x",
    "+1;cmd",
    "\\.",
]


def rows_of(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def undone(text: str) -> str:
    """What an importer makes of a neutralised cell."""
    return text[1:] if re.match(r"'+[\t\n\r+\-=@＋－＝＠]", text) else text


async def made(api: Client, path: str, body: Any) -> Any:
    answer = await api("POST", path, body)
    assert answer.status == 201, answer.raw
    return answer.json


async def test_every_contact_in_full(api: Client, stranger: Client) -> None:
    await made(stranger, "/contacts", {"email": "theirs@example.com"})
    news = (await made(api, "/lists", {"name": 'News, "daily"'}))["id"]
    other = (await made(api, "/lists", {"name": "Other"}))["id"]
    people: list[Any] = []
    for n, text in enumerate(NASTY):
        body = {"email": f"p{n}@example.com", "first_name": text, "phone": "+44 20 7946 0000", "tags": ["a,b", 'c"d', "=e"],
                "attributes": {"plan": text, "points": n, "deep": {"a": [1, None]}, "yes": True, "=head": "x", "email": "y"},
                "list_ids": [news] if n % 2 else [news, other]}  # fmt: skip
        people.append(await made(api, "/contacts", body))
    await api("POST", "/suppressions", {"emails": ["p1@example.com"], "list_id": news})
    answer = await api("GET", "/contacts/export", Accept_Encoding="identity")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="contacts-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"])
    rows = rows_of(answer.raw)
    assert [row["id"] for row in rows] == [person["id"] for person in people]
    for n, (row, person) in enumerate(zip(rows, people, strict=True)):
        text = NASTY[n]
        assert row["first_name"] == row["plan"] == neutralised(text), text
        assert undone(row["first_name"]) == text
        assert row["phone"] == person["phone"]
        assert next(csv.reader([undone(row["tags"])])) == person["tags"]
        assert (row["points"], row["yes"], row["'=head"], row["attributes.email"]) == (str(n), "true", "x", "y")
        assert orjson.loads(row["deep"]) == {"a": [1, None]}
        assert (row["status"], row["email"]) == ("active", person["email"])
        assert row["created_at"].endswith("Z")
        on = next(csv.reader([row["lists"]]), [])
        assert on == ([] if n == 1 else ['News, "daily"'] if n % 2 else ['News, "daily"', "Other"])
    assert next(csv.reader([rows[1]["unsubscribed_lists"]])) == ['News, "daily"']
    raw = rows_of((await api("GET", "/contacts/export?escape_formulas=false")).raw)
    assert [row["first_name"] for row in raw] == NASTY
    lines = (await api("GET", "/contacts/export?format=jsonl")).raw.splitlines()
    seen = [orjson.loads(line) for line in lines]
    for row, person in zip(seen, people, strict=True):
        for name in ("id", "email", "first_name", "phone", "tags", "attributes", "status", "language"):
            assert row[name] == person[name]
    assert seen[1]["lists"] == [{"id": news, "name": 'News, "daily"', "status": "unsubscribed"}]


async def test_who_and_what_is_chosen(api: Client) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    for name in "abc":
        body = {"email": f"{name}@example.com", "attributes": {"plan": name}, "list_ids": [news] if name != "c" else []}
        await made(api, "/contacts", body)
    await api("POST", "/suppressions", {"emails": ["a@example.com"], "reason": "unsubscribed"})

    async def emails(query: str) -> list[str]:
        answer = await api("GET", f"/contacts/export?fields=email&{query}")
        assert answer.status == 200, answer
        return [row["email"][0] for row in rows_of(answer.raw)]

    assert await emails("") == ["a", "b", "c"]
    assert await emails(f"list_id={news}") == ["b"]
    assert await emails(f"list_id={news}&subscription=unsubscribed") == ["a"]
    assert await emails("status=unsubscribed") == ["a"]
    assert await emails(f"list_id={news}&status=unsubscribed") == []
    some = await api("GET", "/contacts/export?fields=attributes.plan,email")
    assert some.raw.splitlines() == [b"plan,email", b"a,a@example.com", b"b,b@example.com", b"c,c@example.com"]
    lines = await api("GET", "/contacts/export?format=jsonl&fields=email,attributes.plan")
    assert orjson.loads(lines.raw.splitlines()[0]) == {"email": "a@example.com", "attributes": {"plan": "a"}}
    for query, field in (
        ("fields=nonsense", "fields"),
        ("fields=", "fields"),
        ("list_id=list_99", "list_id"),
        ("segment_id=segment_99", "segment_id"),
        ("format=xlsx", "format"),
    ):
        answer = await api("GET", f"/contacts/export?{query}")
        assert (answer.status, answer.fields) == (422, [field]), query
    assert (await api("GET", "/contacts/export?bom=true")).raw.startswith(b"\xef\xbb\xbfid,email")


async def test_gzip_if_asked(api: Client) -> None:
    await made(api, "/contacts", {"email": "a@example.com"})
    asked = await api("GET", "/contacts/export?fields=email", Accept_Encoding="gzip;q=1.0, *;q=0")
    assert asked.headers["Content-Encoding"] == "gzip"
    body = asked.raw if not asked.raw.startswith(b"\x1f\x8b") else gzip.decompress(asked.raw)
    assert body == b"email\na@example.com\n"
    plain = await api("GET", "/contacts/export?fields=email", Accept_Encoding="identity, gzip;q=0")
    assert "Content-Encoding" not in plain.headers


async def test_a_suppression_list_comes_back_as_it_was(api: Client, stranger: Client) -> None:
    await api(
        "POST", "/suppressions", {"emails": ["a@example.com"], "reason": "complained", "detail": "=no, never\nagain"}
    )
    await api("POST", "/suppressions", {"emails": ["b@example.com"], "source": "crm"})
    told = await api("GET", "/suppressions/export")
    back = await stranger("POST", "/suppressions/import", told.raw, Content_Type="text/csv")
    assert (back.json["added"], back.json["rejected"]) == (2, 0)
    items = (await stranger("GET", "/suppressions")).json["items"]
    assert {(i["email"], i["reason"]) for i in items} == {("a@example.com", "complained"), ("b@example.com", "manual")}
    lines = [orjson.loads(line) for line in (await api("GET", "/suppressions/export?format=jsonl")).raw.splitlines()]
    assert [(line["email"], line["detail"]) for line in lines] == [
        ("a@example.com", "=no, never\nagain"),
        ("b@example.com", ""),
    ]


async def test_exported_imported_the_same(api: Client, stranger: Client) -> None:
    fields = "email,first_name,last_name,phone,language,time_zone,tags,attributes"
    for n, text in enumerate(NASTY):
        body = {
            "email": f"p{n}@example.com",
            "first_name": text,
            "tags": ["x", text],
            "attributes": {"a": text, "n": n},
        }
        await made(api, "/contacts", body | {"language": "de", "time_zone": "Europe/Berlin"})
    told = (await api("GET", f"/contacts/export?format=jsonl&fields={fields}")).raw
    rows = [orjson.loads(line) for line in told.splitlines()]
    for row in rows:
        await made(stranger, "/contacts", row)
    assert (await stranger("GET", f"/contacts/export?format=jsonl&fields={fields}")).raw == told


async def test_who_hangs_up_leaves_nothing_behind(api: Client, app: App) -> None:
    async with app.db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, first_name, created_at, updated_at)
               SELECT $1, i || '@x.test', decode(md5(i::text), 'hex'), repeat('x', 200), now(), now()
               FROM generate_series(1, 100000) i""",
            api.workspace,
        )

    async def copies() -> int:
        async with app.db.connection() as connection:
            return await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
                " AND query LIKE 'COPY (%' AND pid <> pg_backend_pid()"
            )

    for _ in range(3):
        headers = {"Authorization": f"Bearer {api.key}"}
        response = await api._session.get("http://api/api/v1/contacts/export", headers=headers)
        assert await response.content.read(1000)
        assert await copies() == 1  # it waits for its reader
        response.close()
        await eventually(copies, lambda n: n == 0, 5)
    # Four may run at once; a fifth is told to come again.
    open_ = [
        await api._session.get("http://api/api/v1/contacts/export", headers={"Authorization": f"Bearer {api.key}"})
        for _ in range(4)
    ]
    fifth = await api("GET", "/contacts/export")
    assert (fifth.status, fifth.problem["code"]) == (429, "rate_limited")
    assert (await api("GET", "/contacts?page_size=1")).status == 200  # the pool is not theirs
    for response in open_:
        response.close()
    await eventually(copies, lambda n: n == 0, 5)
    whole = await api("GET", "/contacts/export?fields=email")
    assert whole.raw.count(b"\n") == 100_001


async def test_an_export_that_breaks_is_seen_to_break(api: Client, app: App) -> None:
    import aiohttp

    async with app.db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, first_name, created_at, updated_at)
               SELECT $1, i || '@x.test', decode(md5(i::text), 'hex'), repeat('x', 200), now(), now()
               FROM generate_series(1, 60000) i""",
            api.workspace,
        )
    response = await api._session.get(
        "http://api/api/v1/contacts/export", headers={"Authorization": f"Bearer {api.key}"}
    )
    await response.content.read(1000)
    async with app.db.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()"
        )

    async def rest() -> None:
        while await response.content.read(1 << 20):
            pass

    try:
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(rest(), 20)
    finally:
        response.close()


@given(st.text())
def test_nothing_neutralised_begins_like_a_formula(text: str) -> None:
    told = neutralised(text)
    assert undone(told) == text or told == text
    if told[:1] in set("\t\n\r=@＝＠＋－") or (
        told[:1] in {"+", "-"} and not re.fullmatch(r"[+-][0-9][0-9 ().,/-]*", told)
    ):
        raise AssertionError(told)


async def test_sql_and_python_agree_on_formulas(app: App) -> None:
    texts = [
        *NASTY,
        "\ta",
        "\ra",
        "\nb",
        "'",
        "''",
        "'a",
        "+1 (2)/3",
        "+1a",
        "-1.5",
        "- 1",
        "@",
        "=",
        "'\t",
        "a=b",
        "",
        "＠x",
        "-1\n=x",
        "+1\n",
    ]
    async with app.db.connection() as connection:
        rows = await connection.fetch(
            f"SELECT x, {safe_cell('x')} AS safe FROM unnest($1::text[]) WITH ORDINALITY AS t (x, o) ORDER BY o",  # noqa: S608
            texts,
        )
    for row in rows:
        assert (row["safe"] or "") == neutralised(row["x"]), row


def test_a_statement_holds_no_text_of_strangers() -> None:
    reading = csv_reading(["attributes.'; DROP TABLE x; --"], source="true", values=[1], safe=True, bom=False)
    assert "DROP" not in reading.sql
    assert reading.values[-1] == "'; DROP TABLE x; --"


async def test_an_export_of_what_a_search_finds(api: Client) -> None:
    for email, name, tags in (
        ("ann@example.com", "Änne Lee", ["vip"]),
        ("bob@example.com", "Bob Lee", []),
        ("lea@x.test", "", ["vip"]),
    ):
        await made(api, "/contacts", {"email": email, "first_name": name, "tags": tags})

    async def found(query: str) -> list[str]:
        return [row["email"] for row in rows_of((await api("GET", f"/contacts/export?{query}")).raw)]

    assert await found("search=lee") == ["ann@example.com", "bob@example.com"]
    assert await found("search=ANNE%20example") == ["ann@example.com"]
    assert await found("search=le&tag=vip") == ["ann@example.com", "lea@x.test"]
    assert await found("search=%25") == []
    assert (await api("GET", "/contacts/export?search=" + "%20".join("abcdefghijk"))).fields == ["search"]
