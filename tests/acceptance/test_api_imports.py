"""An import as programs see it: accepted at once, followed by its id, done once."""

import asyncio
from typing import Any

import orjson

from api_client import Client
from tidings.audience import imports
from tidings.bootstrap import App
from tidings.core.jobs import run_jobs


async def until_done(api: Client, path: str) -> Any:
    async with asyncio.timeout(30):
        while (told := (await api("GET", path)).json)["status"] in {"queued", "running"}:
            await asyncio.sleep(0.02)
    return told


async def test_an_import_is_accepted_worked_off_and_told(api: Client, app: App) -> None:
    list_id = (await api("POST", "/lists", {"name": "News"})).json["id"]
    await api("POST", "/contacts", {"email": "reader0@example.com", "first_name": "Known"})
    rows: list[Any] = [{"email": f"reader{i}@example.com", "tags": ["spring"]} for i in range(9_000)]
    rows[5] = {"email": "reader5@example", "first_name": "Bad"}
    body = {"list_id": list_id, "contacts": rows}
    started = await api("POST", "/contacts/import", body, Idempotency_Key="spring import")
    assert (started.status, started.json["status"], started.json["total"]) == (202, "queued", 9_000)
    again = await api("POST", "/contacts/import", body, Idempotency_Key="spring import")
    assert again.raw == started.raw
    import_id = started.json["import_id"]
    stop = asyncio.Event()
    working = asyncio.ensure_future(run_jobs(app.db, stop, jobs=imports.jobs(app.db, app.keys)))
    done = await until_done(api, f"/imports/{import_id}")
    stop.set()
    await working
    told = {k: done[k] for k in ("status", "processed", "created", "updated", "unchanged", "rejected", "list_id")}
    assert told == {
        "status": "done",
        "processed": 9_000,
        "created": 8_998,
        "updated": 1,
        "unchanged": 0,
        "rejected": 1,
        "list_id": list_id,
    }
    assert done["finished_at"] is not None
    (problem,) = done["problems"]
    assert (problem["row"], problem["field"]) == (5, "email")
    assert "period" in problem["message"]
    assert (await api("GET", f"/contacts/import/{import_id}")).json == done
    assert (await api("GET", f"/lists/{list_id}")).json["contact_count"] == 8_999
    known = (await api("GET", "/contacts?email=reader0@example.com")).json["items"][0]
    assert (known["first_name"], known["tags"], known["list_ids"]) == ("Known", ["spring"], [list_id])


async def test_a_refused_import_leaves_nothing(api: Client, app: App) -> None:
    row = {"email": "ann@example.com"}
    for body, status, field in (
        ({"list_id": "list_999", "contacts": [row]}, 422, "list_id"),
        ({"contacts": []}, 422, "contacts"),
        ({"contacts": [row] * 100_001}, 422, "contacts"),
        ({"contacts": {"email": "x"}}, 422, "contacts"),
        ({"contacts": [row, {"email": "b@x.test", "first_name": "a\0b"}]}, 422, "contacts[1].first_name"),
        (b'{"contacts": [{"email": "\\udc00"}]}', 422, "contacts[0].email"),
        (b'{"contacts": ["' + b"x" * (32 * 1024 * 1024) + b'"]}', 413, None),
    ):
        answer = await api("POST", "/contacts/import", body if isinstance(body, bytes) else orjson.dumps(body))
        assert answer.status == status, answer.json
        assert field is None or field in answer.fields
    async with app.db.connection() as connection:
        for table in ("imports", "import_pieces", "pgqueuer"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
