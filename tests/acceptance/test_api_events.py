"""Custom events: each kept once, whoever tells it how often at once, and each judged by itself."""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_client import Client
from tidings.audience.custom_events._custom_events import _clean
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.errors import FieldProblem


async def contact(api: Client, email: str = "ann@example.com") -> str:
    answer = await api("POST", "/contacts", {"email": email})
    assert answer.status == 201
    return answer.json["id"]


def statuses(answer: Any) -> list[str]:
    assert answer.status == 200, answer
    told = [one["status"] for one in answer.json["events"]]
    counts = (answer.json["accepted"], answer.json["duplicates"], answer.json["rejected"])
    assert counts == (told.count("accepted"), told.count("duplicate"), told.count("rejected"))
    return told


async def test_one_event_a_batch_and_an_array(api: Client) -> None:
    ann = await contact(api)
    one = {"id": "o-1", "email": "ANN@example.com", "name": "order", "at": "2026-03-01T12:00:00+01:00"}
    one["properties"] = {"total": 17.5, "items": ["a"], "note": None}  # type: ignore[assignment]
    assert statuses(await api("POST", "/events", one)) == ["accepted"]
    assert statuses(await api("POST", "/events", one)) == ["duplicate"]
    two = {"contact_id": ann, "name": "login"}
    assert statuses(await api("POST", "/events", [one, two, two])) == ["duplicate", "accepted", "accepted"]
    assert statuses(await api("POST", "/events", {"events": [two | {"id": "l-1"}, two | {"id": "l-1"}]})) == [
        "accepted", "duplicate",
    ]  # fmt: skip
    page = (await api("GET", f"/contacts/{ann}/events")).json
    assert page["total"] == 4
    assert page["items"][-1] == page["items"][-1] | {
        "key": "o-1", "contact_id": ann, "name": "order", "at": "2026-03-01T11:00:00Z", "properties": one["properties"],
    }  # fmt: skip
    walked: list[str] = []
    cursor = ""
    while cursor is not None:
        some = (await api("GET", f"/contacts/{ann}/events?page_size=1{cursor and f'&cursor={cursor}'}")).json
        walked += [item["id"] for item in some["items"]]
        cursor = some["next_cursor"]
    assert walked == [item["id"] for item in page["items"]]
    names = (await api("GET", "/events/names")).json["items"]
    assert [(n["name"], n["total"]) for n in names] == [("login", 3), ("order", 1)]
    assert names[1]["properties"] == {"total": ["number"], "items": ["array"], "note": ["null"]}


async def test_each_is_judged_by_itself(api: Client) -> None:
    ann = await contact(api)
    good = {"contact_id": ann, "name": "ok"}
    late = (utc_now() + timedelta(hours=1)).isoformat()
    bad: list[tuple[Any, list[str]]] = [
        (7, [""]),
        ({}, ["name", "contact_id"]),
        ({"name": "x"}, ["contact_id"]),
        ({"name": "x", "contact_id": ann, "email": "ann@example.com"}, ["contact_id"]),
        ({"name": "x", "contact_id": "contact_999"}, ["contact_id"]),
        ({"name": "x", "contact_id": 17}, ["contact_id"]),
        ({"name": "x", "email": "nobody@example.com"}, ["email"]),
        ({"name": "x", "email": "nonsense"}, ["email"]),
        ({"name": "x", "email": 3}, ["email"]),
        (good | {"name": " "}, ["name"]),
        (good | {"name": "a" * 101}, ["name"]),
        (good | {"id": ""}, ["id"]),
        (good | {"at": "yesterday"}, ["at"]),
        (good | {"at": "2026-03-01T12:00:00"}, ["at"]),
        (good | {"at": late}, ["at"]),
        (good | {"at": 17}, ["at"]),
        (good | {"properties": [1]}, ["properties"]),
        (good | {"properties": {"a": "x" * 17_000}}, ["properties"]),
        (good | {"properties": {"a": [[[[[[1]]]]]]}}, ["properties"]),
        (good | {"properties": {str(n): n for n in range(101)}}, ["properties"]),
        (good | {"create_contact": "yes"}, ["create_contact"]),
        (good | {"colour": "red"}, ["colour"]),
    ]
    answer = await api("POST", "/events", {"events": [good, *(event for event, _ in bad)]})
    assert statuses(answer) == ["accepted", *(["rejected"] * len(bad))]
    for position, ((event, fields), told) in enumerate(zip(bad, answer.json["events"][1:], strict=True), start=1):
        expected = [f"events[{position}].{name}".rstrip(".") for name in fields]
        assert [error["field"] for error in told["errors"]] == expected, event
    assert (await api("GET", f"/contacts/{ann}/events")).json["total"] == 1
    alone = await api("POST", "/events", {"name": "x", "email": "nobody@example.com"})
    assert (alone.status, alone.fields) == (422, ["email"])
    array = await api("POST", "/events", [{"name": "x"}, {"contact_id": ann}])
    assert (array.status, array.fields) == (422, ["[0].contact_id", "[1].name"])


async def test_the_same_id_with_other_content_is_said_so(api: Client) -> None:
    ann, bob = await contact(api), await contact(api, "bob@example.com")
    event = {"id": "e", "contact_id": ann, "name": "buy", "at": "2026-03-01T12:00:00Z", "properties": {"n": 1}}
    others = [
        {"contact_id": bob}, {"name": "sell"}, {"at": "2026-03-01T12:00:01Z"}, {"properties": {"n": 2}}, {"properties": {}},
    ]  # fmt: skip
    assert statuses(await api("POST", "/events", event)) == ["accepted"]
    answer = await api("POST", "/events", {"events": [event, *(event | other for other in others)]})
    assert statuses(answer) == ["duplicate", *["rejected"] * 5]
    assert [e["errors"][0]["field"] for e in answer.json["events"][1:]] == [f"events[{n}].id" for n in range(1, 6)]
    same = event | {"properties": {"n": 1.0}, "at": "2026-03-01T13:00:00+01:00"}
    untold = {key: value for key, value in event.items() if key != "at"}
    assert statuses(await api("POST", "/events", [same, untold])) == ["duplicate", "duplicate"]
    within = [event | {"id": "f"}, event | {"id": "f", "name": "other"}]
    assert statuses(await api("POST", "/events", within)) == ["accepted", "rejected"]


async def test_told_by_many_at_once_kept_once(api: Client, app: App) -> None:
    ann = await contact(api)
    events = [{"id": f"k{n}", "contact_id": ann, "name": f"n{n % 7}"} for n in range(500)]
    answers = await asyncio.gather(
        *(api("POST", "/events", e) for e in (events, events[::-1], events[250:] + events[:250]))
    )
    assert all(a.status == 200 for a in answers), answers
    assert sum(a.json["accepted"] for a in answers) == 500
    assert sum(a.json["duplicates"] for a in answers) == 1000
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM custom_events") == 500
        assert await connection.fetchval("SELECT sum(total) FROM custom_event_names") == 500


async def test_contacts_are_made_if_asked_and_merged_ones_found(api: Client) -> None:
    await api("POST", "/suppressions", {"emails": ["gone@example.com"], "reason": "complained"})
    batch = [
        {"email": "new@example.com", "name": "x", "create_contact": True},
        {"email": "new@example.com", "name": "y"},
        {"email": "gone@example.com", "name": "x", "create_contact": True},
    ]
    answer = await api("POST", "/events", batch)
    assert statuses(answer) == ["accepted"] * 3
    made = answer.json["events"]
    assert made[0]["contact_id"] == made[1]["contact_id"]
    assert (await api("GET", f"/contacts/{made[2]['contact_id']}")).json["status"] == "complained"
    ann, bob = await contact(api), await contact(api, "bob@example.com")
    assert statuses(await api("POST", "/events", {"id": "b", "contact_id": bob, "name": "x"})) == ["accepted"]
    merged = await api("POST", f"/contacts/{ann}/merge", {"from": bob})
    assert merged.status == 200, merged
    again = [{"id": "b", "contact_id": bob, "name": "x"}, {"email": "bob@example.com", "name": "y"}]
    answer = await api("POST", "/events", again)
    assert statuses(answer) == ["duplicate", "accepted"]
    assert {one["contact_id"] for one in answer.json["events"]} == {ann}
    assert (await api("GET", f"/contacts/{ann}/events")).json["total"] == 2


async def test_who_is_deleted_takes_their_events_along(api: Client, app: App) -> None:
    ann = await contact(api)
    assert statuses(await api("POST", "/events", {"contact_id": ann, "name": "x"})) == ["accepted"]
    assert (await api("DELETE", f"/contacts/{ann}")).status == 204
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM custom_events") == 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("id", "contact_id", "email", "name", "at", "properties", "create_contact")


@settings(max_examples=300, deadline=None)
@given(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=7))
def test_whatever_is_told_is_taken_or_refused_by_field(event: Any) -> None:
    problems: list[FieldProblem] = []
    one = _clean(event, 0, "events[0].", problems, utc_now())
    assert (one is None) == bool(problems)
    for problem in problems:
        assert problem.field.startswith("events[0]")
        assert problem.message
    if one is not None:
        assert one.name
        assert (one.contact is None) != (one.email is None)
