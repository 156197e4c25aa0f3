"""Timelines, merges, search and bulk operations as programs see them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from api_client import Client
from tidings import events
from tidings.bootstrap import App
from tidings.core.ids import ContactId, SendId
from tidings.events import Agent, Event, EventType


async def made(api: Client, path: str, body: Any) -> Any:
    answer = await api("POST", path, body)
    assert answer.status == 201, answer
    return answer.json


async def walk(api: Client, path: str, size: int) -> list[Any]:
    """All items, page by page."""
    items: list[Any] = []
    cursor = ""
    while True:
        mark = "&" if "?" in path else "?"
        page = (await api("GET", f"{path}{mark}page_size={size}{cursor}")).json
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        assert len(page["items"]) == size
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_timeline_tells_everything_in_order(api: Client, app: App) -> None:
    news = await made(api, "/lists", {"name": "News"})
    ann = await made(api, "/contacts", {"email": "ann@example.com", "list_ids": [news["id"]]})
    old = await made(api, "/contacts", {"email": "old@example.com"})
    path = f"/contacts/{ann['id']}/timeline"
    contact, merged = (ContactId(int(who["id"].rpartition("_")[2])) for who in (ann, old))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    async with app.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO templates (workspace_id, id, name, created_at, updated_at) VALUES ($1, 1, '', now(), now());
            """.replace("$1", str(api.workspace))
        )
        await tx.execute(
            """INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
               VALUES ($1, 1, '', 'sandbox', '{}', now(), now())""",
            api.workspace,
        )
        await tx.execute(
            """INSERT INTO campaigns (workspace_id, id, name, subject, template_id, sender_email, sender_name, list_ids, send_id,
                                      created_at, updated_at)
               VALUES ($1, 5, 'Spring', '', 1, 'n@x.test', '', '{}', 9, now(), now())""",
            api.workspace,
        )
        await tx.execute(
            """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, list_ids, created_at)
               VALUES ($1, 9, 5, 1, '{}', $2)""",
            api.workspace,
            start,
        )
        await tx.execute(
            """INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
               VALUES ($1, 9, 1, 1, '{"subject": "Hello {{ name }}"}', '{https://a.example/,https://b.example/}')""",
            api.workspace,
        )
        for who, n in ((contact, 1), (merged, 2)):
            await tx.execute(
                """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, at)
                   VALUES ($1, 9, $2, $3, 'delivered', $4)""",
                api.workspace,
                n,
                who,
                start + timedelta(minutes=n),
            )
        told = [
            (EventType.OPENED, contact, 1, {"ua": "x"}),
            (EventType.CLICKED, merged, 2, {"link": 1}),
            (EventType.CLICKED, contact, 1, {"url": "https://c.example/"}),
        ]
        # Three of the very same moment: the cursor must tell them apart.
        facts = [
            Event(api.workspace, kind, start + timedelta(hours=1), SendId(9), n, who, Agent.HUMAN, data)
            for kind, who, n, data in told
        ]
        await events.record(tx, events=facts, writer=1)
        await tx.execute(
            """INSERT INTO custom_events (workspace_id, contact_id, name, at, properties)
               VALUES ($1, $2, 'bought', $3, '{"eur": 7}')""",
            api.workspace,
            contact,
            start + timedelta(hours=2),
        )
        await tx.execute(
            """INSERT INTO consents (workspace_id, contact_id, email, list_ids, source, wording, at, confirmed_at)
               VALUES ($1, $2, 'ann@example.com', '{1}', 'form', 'Yes, please', $3, $4)""",
            api.workspace,
            contact,
            start + timedelta(hours=3),
            start + timedelta(hours=4),
        )
    await api("PATCH", f"/contacts/{ann['id']}", {"first_name": "Ann"})
    assert (await api("POST", f"/contacts/{ann['id']}/merge", {"from": old["id"]})).status == 200
    await api("POST", f"/contacts/{ann['id']}/unsubscribe", {"reason": "enough"})
    whole = (await api("GET", path)).json["items"]
    assert [one["kind"] for one in whole] == [
        "unsubscribed", "taken_out", "merged", "updated", "created", "subscribed", "created",
        "consent_given", "consent_asked", "custom_event", "clicked", "clicked", "opened", "message", "message",
    ]  # fmt: skip
    assert [one["at"] for one in whole] == sorted((one["at"] for one in whole), reverse=True)
    by_kind = {one["kind"]: one for one in whole}
    assert by_kind["merged"]["data"]["from"] == old["id"]
    assert by_kind["merged"]["data"]["actor"].startswith("key")
    assert by_kind["custom_event"]["data"] == {"name": "bought", "properties": {"eur": 7}}
    assert by_kind["unsubscribed"]["data"]["reason"] == "enough"
    assert {one["url"] for one in whole if one["kind"] == "clicked"} == {"https://b.example/", "https://c.example/"}
    message = by_kind["message"]
    assert (message["campaign_id"], message["campaign_name"], message["subject"]) == (
        "campaign_5",
        "Spring",
        "Hello {{ name }}",
    )
    assert message["data"] == {"state": "delivered", "n": 1}
    for size in (1, 2, 3, 50):
        assert await walk(api, path, size) == whole
    some = await walk(api, f"{path}?kind=clicked&kind=message", 1)
    assert some == [one for one in whole if one["kind"] in {"clicked", "message"}]
    assert (await api("GET", f"{path}?kind=dreamt")).fields == ["kind[0]"]
    for cursor in ("x", "AAAA", "LTk5OTk5OTk5OTk5OTk5OTk5OjE6MQ"):
        assert (await api("GET", f"{path}?cursor={cursor}")).fields == ["cursor"]
    gone = await api("GET", f"/contacts/{old['id']}/timeline")
    assert (gone.status, ann["id"] in gone.problem["detail"]) == (404, True)


async def test_a_timeline_says_who_took_somebody_out_and_let_them_back(api: Client) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    ann, bob = [
        (await made(api, "/contacts", {"email": f"{name}@example.com", "list_ids": [news]}))["id"]
        for name in ("ann", "bob")
    ]

    async def told(contact: str) -> list[tuple[str, Any]]:
        items = (await api("GET", f"/contacts/{contact}/timeline")).json["items"]
        assert all(one["data"].pop("actor").startswith("key") for one in items if one["kind"] != "subscribed")
        return [(one["kind"], one["data"]) for one in items if one["kind"] not in {"created", "subscribed"}]

    some = {"emails": ["ann@example.com", "stranger@example.com"], "detail": "By phone", "source": "crm"}
    everywhere = (await api("POST", "/suppressions", some)).json["suppressions"]["ann@example.com"]
    await api("POST", "/suppressions", some)  # changes nothing
    one_list = {"emails": ["ann@example.com"], "list_id": news, "reason": "manual"}
    on_list = (await api("POST", "/suppressions", one_list)).json["suppressions"]["ann@example.com"]
    for one in (on_list, everywhere):
        lifting = {"suppression_ids": [one], "reason": "Wrote to us"}
        assert (await api("POST", "/suppressions/lift", lifting)).status == 200
    assert (await api("POST", f"/lists/{news}/contacts/remove", {"contact_ids": [ann, bob]})).status == 200
    assert await told(ann) == [
        ("removed_from_list", {"list_id": news}),
        ("lifted", {"was": "manual", "suppression_id": everywhere}),
        ("lifted", {"was": "manual", "suppression_id": on_list, "list_id": news}),
        ("suppressed", {"reason": "manual", "source": "api", "list_id": news}),
        ("suppressed", {"reason": "manual", "source": "crm"}),
    ]
    assert await told(bob) == [("removed_from_list", {"list_id": news})]
    kinds = (await api("GET", f"/contacts/{ann}/timeline?kind=lifted&page_size=1")).json
    assert [one["kind"] for one in kinds["items"]] == ["lifted"]
    assert kinds["next_cursor"] is not None


async def test_a_timeline_says_what_an_import_or_a_domain_keeps_out(api: Client, app: App) -> None:
    ann = (await made(api, "/contacts", {"email": "ann@example.com"}))["id"]
    file = b"email,reason\nann@example.com,complained\n"
    assert (await api("POST", "/suppressions/import", file, Content_Type="text/csv")).status == 200
    await api("POST", "/suppressions", {"emails": ["@example.com"]})
    items = await walk(api, f"/contacts/{ann}/timeline?kind=suppressed", 1)
    assert [(one["data"].get("reason"), one["data"].get("domain")) for one in items] == [
        ("manual", "@example.com"),
        ("complained", None),
    ]
    # What nobody of the workspace did by hand: of an import of contacts there is the suppression alone.
    async with app.db.connection() as connection:
        await connection.execute("DELETE FROM audit_entries WHERE action = 'contact.suppressed'")
    (domain, own) = await walk(api, f"/contacts/{ann}/timeline?kind=suppressed", 1)
    assert domain == items[0]
    assert own["data"] == {"reason": "complained", "source": "import"}


async def test_a_timeline_says_what_was_changed_and_only_if_it_was(api: Client) -> None:
    ann = (await made(api, "/contacts", {"email": "ann@example.com", "attributes": {"plan": "pro", "seats": 1}}))["id"]
    changes = {"first_name": "Ann", "tags": ["vip"], "attributes": {"plan": "pro", "seats": True, "city": None}}
    for _ in range(2):
        await api("PATCH", f"/contacts/{ann}", changes)
    await api(
        "POST",
        "/contacts/update",
        {"contact_ids": [ann], "changes": {"last_name": "Lee", "attributes": {"plan": None}}},
    )
    items = (await api("GET", f"/contacts/{ann}/timeline?kind=updated")).json["items"]
    assert [one["data"]["changed"] for one in items] == [
        ["last_name", "attributes.plan"],
        ["first_name", "tags", "attributes.seats"],
    ]


async def test_a_merge_is_asked_for_once_or_twice(api: Client) -> None:
    ann = await made(api, "/contacts", {"email": "ann@example.com", "tags": ["a"], "attributes": {"x": 1}})
    old = await made(
        api, "/contacts", {"email": "old@example.com", "first_name": "Ann", "attributes": {"x": 2, "y": 3}}
    )
    path = f"/contacts/{ann['id']}/merge"
    both = (await api("POST", path, {"from": old["id"], "prefer": "from", "address": "from"})).json
    assert (both["id"], both["email"], both["first_name"]) == (ann["id"], "old@example.com", "Ann")
    assert (both["attributes"], both["tags"]) == ({"x": 2, "y": 3}, ["a"])
    again = await api("POST", path, {"from": old["id"]})
    assert (again.status, again.json) == (200, both)
    assert (await api("POST", path, {"from": ann["id"]})).fields == ["from"]
    assert (await api("POST", path, {"from": "contact_999"})).fields == ["from"]
    assert (await api("POST", path, {"into": "contact_999"})).status == 422
    missing = await api("POST", "/contacts/contact_999/merge", {"from": ann["id"]})
    assert (missing.status, missing.problem["code"]) == (404, "contact_not_found")


async def test_any_part_of_address_or_name_finds(api: Client) -> None:
    news = await made(api, "/lists", {"name": "News"})
    people = [
        ("zoe.durand@example.com", "Zoë", "Durand", ["vip"]),
        ("jurgen@firma.test", "Jürgen", "Groß-Müller", []),
        ("100%_sure@example.com", "Bjørn", "O'Neil", ["vip"]),
        ("ann@example.org", "Ann", "Smith", []),
        ("smith@example.org", "Zed", "", ["vip", "new"]),
    ]
    for email, first, last, tags in people:
        body: dict[str, Any] = {"email": email, "first_name": first, "last_name": last, "tags": tags}
        await made(api, "/contacts", body | ({"list_ids": [news["id"]]} if "n" in tags or "vip" in tags else {}))

    async def found(query: str) -> list[str]:
        answer = await api("GET", f"/contacts?{query}")
        assert answer.status == 200, answer
        assert answer.json["total"] == len(answer.json["items"])
        assert not answer.json["total_capped"]
        return [contact["email"].partition("@")[0] for contact in answer.json["items"]]

    for text, expected in (
        ("durand", ["zoe.durand"]),
        ("ZOE", ["zoe.durand"]),
        ("zoë", ["zoe.durand"]),
        ("müller", ["jurgen"]),
        ("MULLER gross", ["jurgen"]),
        ("bjorn", ["100%_sure"]),
        ("0%_s", ["100%_sure"]),
        ("%", ["100%_sure"]),
        ("o'ne", ["100%_sure"]),
        ("smith", ["smith", "ann"]),
        ("smith ann", ["ann"]),
        ("example.org", ["smith", "ann"]),
        ("nobody here", []),
        ("\\", []),
    ):
        assert await found(f"search={quote(text)}") == expected, text
    assert await found("search=example&tag=vip") == ["smith", "100%_sure", "zoe.durand"]
    assert await found(f"search=zoe&tag=vip&status=active&list_id={news['id']}") == ["zoe.durand"]
    assert await found("search=zoe&status=bounced") == []
    assert await found(f"list_id={news['id']}") == ["smith", "100%_sure", "zoe.durand"]
    assert await found("tag=new") == ["smith"]
    assert [c["email"] for c in await walk(api, "/contacts?search=example", 1)] == [
        "smith@example.org", "ann@example.org", "100%_sure@example.com", "zoe.durand@example.com",
    ]  # fmt: skip
    assert (await api("GET", "/contacts?list_id=list_999")).status == 404
    assert (await api("GET", f"/contacts?search={'+'.join('abcdefghijkl')}")).fields == ["search"]


async def test_counting_stops_at_a_thousand(api: Client, app: App) -> None:
    async with app.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
               SELECT $1, i || '@many.test', '', now(), now() FROM generate_series(1, 1003) i""",
            api.workspace,
        )
    page = (await api("GET", "/contacts?search=many&page_size=400")).json
    assert (page["total"], page["total_capped"], len(page["items"])) == (1000, True, 400)
    deep = (await api("GET", "/contacts?search=many&page_size=1000&page=2")).json
    assert (deep["total"], deep["total_capped"], len(deep["items"])) == (1003, False, 3)
    last = (await api("GET", "/contacts?search=many&page_size=500&page=2")).json
    assert (last["total_capped"], last["next_cursor"] is not None) == (True, True)
    assert len(await walk(api, "/contacts?search=many", 300)) == 1003


async def test_very_long_names_of_any_script_can_be_kept(api: Client) -> None:
    for name in ("\ufdfa" * 255, "ß" * 255, "𝔛" * 255, "é" * 255, "x" * 255):
        email = ("ö" * 27 + "@" + ".".join(["x" * 50] * 3) + ".test") if name[0] == "ß" else f"{ord(name[0])}@x.test"
        contact = await made(api, "/contacts", {"email": email, "first_name": name, "last_name": name})
        assert contact["last_name"] == name


async def test_put_makes_or_changes_by_address(api: Client) -> None:
    news, other = await made(api, "/lists", {"name": "News"}), await made(api, "/lists", {"name": "Other"})
    body = {"email": "Ann@Example.com", "first_name": "Ann", "attributes": {"a": 1, "b": 2}, "list_ids": [news["id"]]}
    first = await api("PUT", "/contacts", body)
    assert (first.status, first.json["list_ids"]) == (201, [news["id"]])
    changes = {"email": "ann@example.com", "last_name": "Smith", "attributes": {"b": None}, "list_ids": [other["id"]]}
    second = await api("PUT", "/contacts", changes)
    assert (second.status, second.json["id"]) == (200, first.json["id"])
    assert (second.json["first_name"], second.json["last_name"]) == ("Ann", "Smith")
    assert (second.json["attributes"], second.json["list_ids"]) == ({"a": 1}, [news["id"], other["id"]])
    read = await api("GET", "/contacts/by-email/ANN%40example.com")
    assert read.json == second.json
    assert (await api("GET", "/contacts/by-email/bob@example.com")).problem["code"] == "contact_not_found"
    await api("POST", f"/contacts/{read.json['id']}/unsubscribe")
    third = await api("PUT", "/contacts", body)
    assert (third.status, third.json["status"], third.json["list_ids"]) == (200, "unsubscribed", [])
    assert (await api("PUT", "/contacts", body | {"list_ids": ["list_999"]})).fields == ["list_ids[0]"]


async def test_many_are_changed_or_deleted_at_once_or_none(api: Client) -> None:
    ids = [
        (await made(api, "/contacts", {"email": f"{i}@example.com", "attributes": {"a": i}}))["id"] for i in range(3)
    ]
    await made(api, "/contact-fields", {"name": "age", "type": "number"})
    changes = {"language": "de", "tags": ["x"], "attributes": {"age": "7", "a": None}}
    wrong = await api("POST", "/contacts/update", {"contact_ids": [ids[0], "contact_999"], "changes": changes})
    assert (wrong.status, wrong.fields) == (422, ["contact_ids[1]"])
    old = await api("POST", "/contacts/update", {"contact_ids": ids, "changes": {"attributes": {"age": "old"}}})
    assert (old.status, old.fields) == (422, ["changes.attributes.age"])
    answer = await api("POST", "/contacts/update", {"contact_ids": [*ids[:2], ids[0]], "changes": changes})
    assert answer.json == {"changed": 2}
    assert (await api("POST", "/contacts/update", {"contact_ids": ids[:2], "changes": changes})).json == {"changed": 0}
    contact = (await api("GET", f"/contacts/{ids[0]}")).json
    assert (contact["language"], contact["tags"], contact["attributes"]) == ("de", ["x"], {"age": 7})
    untouched = (await api("GET", f"/contacts/{ids[2]}")).json
    assert (untouched["language"], untouched["attributes"]) == ("", {"a": 2})
    assert [tag["name"] for tag in (await api("GET", "/tags")).json["items"]] == ["x"]
    assert (await api("POST", "/contacts/delete", {"contact_ids": [ids[0], "contact_999"]})).fields == [
        "contact_ids[1]"
    ]
    assert (await api("POST", "/contacts/delete", {"contact_ids": [*ids[:2], ids[0]]})).json == {"deleted": 2}
    assert [c["id"] for c in (await api("GET", "/contacts")).json["items"]] == [ids[2]]
