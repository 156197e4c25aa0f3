"""Contacts and lists as programs see them."""

from typing import Any

import pytest

from api_client import Client
from api_world import make_world
from tidings.bootstrap import App
from tidings.core.ids import ContactId, SendId
from tidings.tracking import Tokens

ANN = {
    "email": " Ann@Example.COM ",
    "first_name": "Ann",
    "last_name": "O'Brien",
    "phone": "+44 20 7946 0000",
    "language": "en-GB",
    "time_zone": "Europe/London",
    "tags": ["vip", "new"],
    "attributes": {"plan": "gold", "points": 7},
}


async def made(api: Client, path: str, body: Any) -> Any:
    answer = await api("POST", path, body)
    assert answer.status == 201, answer
    return answer.json


async def news(api: Client, name: str = "News") -> str:
    return (await made(api, "/lists", {"name": name}))["id"]


async def test_a_contact_is_made_read_changed_and_deleted(api: Client) -> None:
    list_id = await news(api)
    ann = await made(api, "/contacts", ANN | {"list_ids": [list_id]})
    assert {k: ann[k] for k in ANN} == ANN | {"email": "ann@example.com"}
    assert (ann["status"], ann["list_ids"]) == ("active", [list_id])
    path = f"/contacts/{ann['id']}"
    assert (await api("GET", path)).json == ann
    changes = {"first_name": "Anna", "phone": "", "last_name": None, "attributes": {"points": None, "city": "Bonn"}}
    changed = (await api("PATCH", path, changes)).json
    assert changed | {"updated_at": None} == ann | {
        "first_name": "Anna",
        "phone": "",
        "attributes": {"plan": "gold", "city": "Bonn"},
        "updated_at": None,
    }
    assert (await api("PUT", path, changes)).json == changed  # nothing changed, nothing touched
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).problem["code"] == "contact_not_found"
    assert (await api("DELETE", path)).status == 404


async def test_a_taken_address_is_a_conflict_that_names_who_has_it(api: Client) -> None:
    ann = await made(api, "/contacts", ANN)
    again = await api("POST", "/contacts", {"email": "ANN@example.com"})
    assert (again.status, again.problem["code"], again.fields) == (409, "contact_exists", ["email"])
    assert ann["id"] in again.problem["detail"]
    bob = await made(api, "/contacts", {"email": "bob@example.com"})
    moved = await api("PATCH", f"/contacts/{bob['id']}", {"email": "ann@example.com", "first_name": "Bob"})
    assert (moved.status, moved.problem["code"]) == (409, "contact_exists")
    assert (await api("GET", f"/contacts/{bob['id']}")).json == bob


async def test_unsubscribing_is_for_good(api: Client, app: App) -> None:
    list_id = await news(api)
    ann = await made(api, "/contacts", ANN | {"list_ids": [list_id]})
    left = await api("POST", f"/contacts/{ann['id']}/unsubscribe", {"reason": "Too much mail"})
    assert (left.status, left.json["status"], left.json["list_ids"]) == (200, "unsubscribed", [])
    assert (await api("POST", f"/contacts/{ann['id']}/unsubscribe")).status == 200
    added = await api("POST", f"/lists/{list_id}/contacts", {"contact_ids": [ann["id"]]})
    assert added.json == {"added": [], "already": [], "refused": [ann["id"]]}
    assert (await api("DELETE", f"/contacts/{ann['id']}")).status == 204
    again = await made(api, "/contacts", ANN | {"list_ids": [list_id]})
    assert (again["status"], again["list_ids"]) == ("unsubscribed", [])
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT detail FROM suppressions") == "Too much mail"
        assert await connection.fetchval("SELECT count(*) FROM events WHERE type = 'unsubscribed'") == 1


async def test_a_token_from_a_message_is_enough_to_leave(api: Client, app: App) -> None:
    anyone = api.with_key(None)
    ann = await made(api, "/contacts", ANN)
    number = int(ann["id"].removeprefix("contact_"))
    make = Tokens(app.keys).for_send(api.workspace, SendId(5))
    answers = [
        await anyone("POST", "/public/unsubscribe", {"token": make(1, contact), "reason": "Bye"})
        for contact in (number, number, ContactId(999))
    ]
    assert {(a.status, a.raw) for a in answers} == {(200, b'{"status":"unsubscribed"}')}
    assert (await api("GET", f"/contacts/{ann['id']}")).json["status"] == "unsubscribed"
    token = make(1, number)
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x", "é" * 40):
        answer = await anyone("POST", "/public/unsubscribe", {"token": forged})
        assert (answer.status, answer.fields) == (422, ["token"])
    # The fact is tied to the message it came from.
    engagement = (await api("GET", f"/contacts/{ann['id']}/engagement")).json
    assert [(s["n"], s["unsubscribed_at"] is not None) for s in engagement["sends"]] == [(1, True)]


async def test_engagement_names_the_campaigns_that_are_still_there(api: Client, stranger: Client, app: App) -> None:
    world = await make_world(api)
    await make_world(stranger)
    number = int(world.ids["contact_id"].removeprefix("contact_"))
    async with app.db.transaction() as tx:
        # Send 5 is Spring's, and the number of another workspace's send too; the campaign of send 6 was deleted.
        await tx.execute("UPDATE campaigns SET send_id = 5, name = 'of ' || workspace_id")
        await tx.execute(
            """INSERT INTO engagements (workspace_id, send_id, n, contact_id, opens, first_open_at)
               SELECT $1, send, 7, $2, 3, now() FROM generate_series(5, 6) AS send""",
            api.workspace,
            number,
        )
    engagement = (await api("GET", f"/contacts/{world.ids['contact_id']}/engagement")).json
    named = [(s["campaign_id"], s["campaign_name"], s["n"], s["opens"]) for s in engagement["sends"]]
    assert named == [(None, None, 7, 3), (world.ids["campaign_id"], f"of {api.workspace}", 7, 3)]
    assert "send_id" not in engagement["sends"][0]


async def test_lists_hold_who_was_added(api: Client) -> None:
    list_id = await news(api)
    ids = [(await made(api, "/contacts", {"email": f"{name}@example.com"}))["id"] for name in ("ann", "bob", "cy")]
    path = f"/lists/{list_id}/contacts"
    assert (await api("POST", path, {"contact_ids": [*ids[:2], ids[0]]})).json["added"] == ids[:2]
    assert (await api("POST", path, {"contact_ids": ids})).json == {
        "added": ids[2:],
        "already": ids[:2],
        "refused": [],
    }
    assert (await api("GET", f"/lists/{list_id}")).json["contact_count"] == 3
    assert (await api("POST", f"{path}/remove", {"contact_ids": ids[1:2]})).json == {"removed": ids[1:2]}
    assert (await api("DELETE", f"{path}/{ids[0]}")).status == 204
    assert (await api("DELETE", f"{path}/{ids[0]}")).status == 204
    assert [c["id"] for c in (await api("GET", path)).json["items"]] == ids[2:]
    missing = await api("POST", path, {"contact_ids": [ids[0], "contact_999"]})
    assert (missing.status, missing.fields) == (422, ["contact_ids[1]"])
    assert (await api("GET", f"/lists/{list_id}")).json["contact_count"] == 1


async def test_a_list_is_renamed_and_deleted_and_its_contacts_stay(api: Client) -> None:
    list_id, other = await news(api), await news(api, "Other")
    ann = await made(api, "/contacts", ANN | {"list_ids": [list_id, other]})
    taken = await api("PATCH", f"/lists/{list_id}", {"name": "Other"})
    assert (taken.status, taken.problem["code"], taken.fields) == (409, "list_exists", ["name"])
    assert (await api("POST", "/lists", {"name": " News "})).problem["code"] == "list_exists"
    renamed = (await api("PATCH", f"/lists/{list_id}", {"name": "Weekly", "description": "Each\nFriday"})).json
    assert (renamed["name"], renamed["description"]) == ("Weekly", "Each\nFriday")
    assert [item["name"] for item in (await api("GET", "/lists")).json["items"]] == ["Other", "Weekly"]
    assert (await api("DELETE", f"/lists/{list_id}")).status == 204
    assert (await api("GET", f"/lists/{list_id}")).status == 404
    assert (await api("GET", f"/contacts/{ann['id']}")).json["list_ids"] == [other]


async def test_every_contact_is_met_once_by_page_and_by_cursor(api: Client, app: App) -> None:
    list_id = await news(api)
    async with app.db.transaction() as tx:
        await tx.execute(
            """WITH made AS (
                   INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
                   SELECT $1, i || '@example.com', decode(md5(i::text), 'hex'), now(), now() FROM generate_series(1, 105) i
                   RETURNING id)
               INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at, status)
               SELECT $1, $2, id, now(), CASE WHEN id % 21 = 0 THEN 'unsubscribed' ELSE 'subscribed' END::subscription_status
               FROM made""",
            api.workspace,
            int(list_id.removeprefix("list_")),
        )
    listed = f"/lists/{list_id}/contacts"
    for path, expected in (("/contacts?", 105), (f"{listed}?", 100), (f"{listed}?status=all&", 105)):
        by_page: list[str] = []
        for page in (1, 2, 3):
            answer = (await api("GET", f"{path}page={page}&page_size=50")).json
            assert (answer["total"], answer["page"]) == (expected, page)
            by_page += [c["id"] for c in answer["items"]]
        by_cursor: list[str] = []
        cursor = ""
        while cursor is not None:
            answer = (await api("GET", f"{path}page_size=50{cursor and '&cursor='}{cursor}")).json
            by_cursor += [c["id"] for c in answer["items"]]
            cursor = answer["next_cursor"]
        assert len(set(by_page)) == expected
        assert by_page == by_cursor
    assert [c["email"] for c in (await api("GET", "/contacts?email=7@EXAMPLE.com")).json["items"]] == ["7@example.com"]
    assert (await api("GET", "/contacts?status=bounced")).json["total"] == 0


async def test_broken_pages_are_refused(api: Client) -> None:
    for query, field in (
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=99999999999999999999999", "page"),
        ("page=3&page_size=1000000", "page_size"),
        ("page=2000&page_size=1000", "page"),
        ("cursor=abc", "cursor"),
        ("cursor=" + "A" * 65, "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=YmVmb3JlOi0x", "cursor"),
        ("cursor=YmVmb3JlOjk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
        ("status=gone", "status"),
        ("email=%00@x", "email"),
        ("email=%ff", "email"),
    ):
        answer = await api("GET", f"/contacts?{query}")
        assert (answer.status, answer.fields) == (422, [field]), query


@pytest.mark.parametrize(
    "number", ["18446744073709551616", "-9223372036854775809", "1" * 40, "[[9223372036854775808]]"]
)
async def test_whole_numbers_that_cannot_be_kept_exactly_are_refused(api: Client, number: str) -> None:
    body = f'{{"email": "a@example.org", "attributes": {{"customer": {number}}}}}'.encode()
    refused = await api("POST", "/contacts", body, Content_Type="application/json")
    assert (refused.status, refused.fields) == (422, ["attributes.customer"]), refused.json
    assert "send it as text" in refused.json["errors"][0]["message"]
    kept = await api(
        "POST", "/contacts", {"email": "a@example.org", "attributes": {"customer": 2**63 - 1, "rate": 1e15}}
    )
    assert (kept.status, kept.json["attributes"]["customer"]) == (201, 2**63 - 1)
