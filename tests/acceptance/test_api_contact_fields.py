"""Custom fields and tags as programs see them."""

from typing import Any

import pytest

from api_client import Client


async def made(api: Client, path: str, body: Any) -> Any:
    answer = await api("POST", path, body)
    assert answer.status == 201, answer
    return answer.json


async def attributes(api: Client, contact: Any) -> Any:
    return (await api("GET", f"/contacts/{contact['id']}")).json["attributes"]


async def test_a_field_is_declared_read_changed_and_given_up(api: Client) -> None:
    plan = await made(
        api, "/contact-fields", {"name": "plan", "label": "Plan", "type": "choice", "choices": ["free", "pro"]}
    )
    assert plan == {
        "id": plan["id"],
        "field_id": plan["id"],
        "name": "plan",
        "label": "Plan",
        "type": "choice",
        "choices": ["free", "pro"],
    }
    path = f"/contact-fields/{plan['id']}"
    assert (await api("GET", path)).json == plan
    assert (await api("GET", "/contact-fields")).json == {"items": [plan]}
    changed = (await api("PATCH", path, {"label": "Tariff", "choices": ["free", "pro", "max"]})).json
    assert changed == plan | {"label": "Tariff", "choices": ["free", "pro", "max"]}
    again = await api("POST", "/contact-fields", {"name": "plan", "type": "text"})
    assert (again.status, again.problem["code"], again.fields) == (409, "contact_field_exists", ["name"])
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).problem["code"] == "contact_field_not_found"
    assert (await api("DELETE", path)).status == 404


async def test_values_become_what_is_declared_wherever_contacts_are_written(api: Client) -> None:
    for name, type_ in (("age", "number"), ("member", "boolean"), ("born", "date"), ("note", "text")):
        await made(api, "/contact-fields", {"name": name, "type": type_})
    await made(api, "/contact-fields", {"name": "plan", "type": "choice", "choices": ["free", "Pro"]})
    told = {"age": "41", "member": "yes", "born": "1984/2/29", "note": 7, "plan": "PRO", "free": [1, {"a": None}]}
    ann = await made(api, "/contacts", {"email": "ann@example.com", "attributes": told})
    kept = {"age": 41, "member": True, "born": "1984-02-29", "note": "7", "plan": "Pro", "free": [1, {"a": None}]}
    assert ann["attributes"] == kept
    path = f"/contacts/{ann['id']}"
    wrong = {"age": "old", "member": "perhaps", "born": "1985-02-29", "note": [], "plan": "max"}
    for method, where, body in (
        ("PATCH", path, {"attributes": wrong}),
        ("POST", "/contacts", {"email": "bob@example.com", "attributes": wrong}),
    ):
        answer = await api(method, where, body)
        assert (answer.status, answer.fields) == (422, [f"attributes.{name}" for name in wrong])
    assert "one of free, Pro" in answer.problem["errors"][4]["message"]
    assert await attributes(api, ann) == kept
    changed = await api("PATCH", path, {"attributes": {"age": "", "born": None, "member": 0}})
    assert changed.json["attributes"] == {k: v for k, v in kept.items() if k not in {"age", "born"}} | {"member": False}


async def test_a_type_changes_only_with_every_value(api: Client) -> None:
    ann = await made(api, "/contacts", {"email": "ann@example.com", "attributes": {"n": "1.50", "other": "x"}})
    bob = await made(api, "/contacts", {"email": "bob@example.com", "attributes": {"n": "many"}})
    cal = await made(api, "/contacts", {"email": "cal@example.com", "attributes": {"n": " "}})
    refused = await api("POST", "/contact-fields", {"name": "n", "type": "number"})
    assert (refused.status, refused.problem["code"], refused.fields) == (
        409,
        "contact_field_values_do_not_fit",
        ["type"],
    )
    assert "1 of the 2 values" in refused.problem["detail"]
    assert (await api("GET", "/contact-fields")).json == {"items": []}
    field = await made(api, "/contact-fields", {"name": "n", "type": "text"})
    path = f"/contact-fields/{field['id']}"
    assert (await api("PATCH", path, {"type": "number"})).status == 409
    assert (await api("GET", path)).json == field
    await api("PATCH", f"/contacts/{bob['id']}", {"attributes": {"n": "-3"}})
    assert (await api("PATCH", path, {"type": "number"})).json["type"] == "number"
    assert [await attributes(api, who) for who in (ann, bob, cal)] == [{"n": 1.5, "other": "x"}, {"n": -3}, {}]
    short = await api("PATCH", path, {"type": "choice", "choices": ["1.5"]})
    assert (short.status, "1 of the 2" in short.problem["detail"]) == (409, True)
    assert (await api("PATCH", path, {"type": "choice", "choices": ["1.5", "-3"]})).json["type"] == "choice"
    assert (await api("PATCH", path, {"type": "text"})).json["choices"] == []
    assert (await api("DELETE", path)).status == 204
    assert (await attributes(api, bob))["n"] == "-3"
    field = await made(api, "/contact-fields", {"name": "n", "type": "text"})
    assert (await api("DELETE", f"/contact-fields/{field['id']}?values=true")).status == 204
    assert [await attributes(api, who) for who in (ann, bob)] == [{"other": "x"}, {}]


async def test_what_cannot_be_a_field_is_refused(api: Client) -> None:
    for body, field in (
        ({"name": "Email", "type": "text"}, "name"),
        ({"name": "x", "type": "choice"}, "choices"),
        ({"name": "x", "type": "choice", "choices": ["a", "a"]}, "choices[1]"),
        ({"name": "x", "type": "choice", "choices": ["a", " "]}, "choices[1]"),
        ({"name": "x", "type": "text", "choices": ["a"]}, "choices"),
        ({"name": "x", "type": "colour"}, "type"),
    ):
        answer = await api("POST", "/contact-fields", body)
        assert (answer.status, answer.fields) == (422, [field]), body


async def test_tags_register_themselves_and_are_counted(api: Client) -> None:
    await made(api, "/contacts", {"email": "ann@example.com", "tags": ["vip", "new"]})
    bob = await made(api, "/contacts", {"email": "bob@example.com", "tags": ["vip"]})
    await api("PATCH", f"/contacts/{bob['id']}", {"tags": ["vip", "blue"]})
    quiet = await made(api, "/tags", {"name": " quiet ", "colour": "#1C7ED6"})
    assert (quiet["name"], quiet["colour"]) == ("quiet", "#1c7ed6")
    found = (await api("GET", "/tags")).json["items"]
    assert [(t["name"], t["contact_count"]) for t in found] == [("blue", 1), ("new", 1), ("quiet", 0), ("vip", 2)]
    for body, field in (({"name": "vip"}, "name"), ({"name": ""}, "name"), ({"name": "x", "colour": "red"}, "colour")):
        assert (await api("POST", "/tags", body)).fields == [field]


async def test_a_tag_is_renamed_merged_recoloured_and_deleted_on_everyone(api: Client) -> None:
    ann = await made(api, "/contacts", {"email": "ann@example.com", "tags": ["a", "vip", "VIP", "z"]})
    bob = await made(api, "/contacts", {"email": "bob@example.com", "tags": ["vip", "z"]})
    ids = {tag["name"]: tag["id"] for tag in (await api("GET", "/tags")).json["items"]}

    async def tags() -> list[list[str]]:
        return [(await api("GET", f"/contacts/{who['id']}")).json["tags"] for who in (ann, bob)]

    taken = await api("PATCH", f"/tags/{ids['vip']}", {"name": "VIP"})
    assert (taken.status, taken.problem["code"], taken.fields) == (409, "tag_exists", ["name"])
    assert (await api("PATCH", f"/tags/{ids['VIP']}", {"colour": "#00ff00"})).json["colour"] == "#00ff00"
    merged = (await api("PATCH", f"/tags/{ids['vip']}", {"name": "VIP", "merge": True})).json
    assert (merged["id"], merged["contact_count"], merged["colour"]) == (ids["VIP"], 2, "#00ff00")
    assert await tags() == [["a", "VIP", "z"], ["VIP", "z"]]
    assert (await api("GET", f"/tags/{ids['vip']}")).problem["code"] == "tag_not_found"
    assert (await api("PATCH", f"/tags/{ids['z']}", {"name": "last", "colour": ""})).json["name"] == "last"
    assert (await api("DELETE", f"/tags/{ids['VIP']}")).status == 204
    assert await tags() == [["a", "last"], ["last"]]


async def test_many_are_tagged_at_once_or_none(api: Client) -> None:
    ann = await made(api, "/contacts", {"email": "ann@example.com", "tags": ["old", "both"]})
    bob = await made(api, "/contacts", {"email": "bob@example.com", "tags": [str(i) for i in range(100)]})
    full = await api("POST", "/contacts/tags", {"contact_ids": [ann["id"], bob["id"]], "add": ["new"]})
    assert (full.status, full.fields) == (422, ["contact_ids[1]"])
    gone = await api("POST", "/contacts/tags", {"contact_ids": ["contact_999", ann["id"]], "add": ["new"]})
    assert (gone.status, gone.fields) == (422, ["contact_ids[0]"])
    nothing = await api("POST", "/contacts/tags", {"contact_ids": [ann["id"]]})
    assert (nothing.status, nothing.fields) == (422, ["add"])
    assert (await api("POST", "/contacts/tags", {"contact_ids": [ann["id"]], "add": ["x", ""]})).fields == ["add[1]"]
    told = {
        "contact_ids": [ann["id"], bob["id"], ann["id"]],
        "add": ["new", "both"],
        "remove": ["old", "both", "0", "1"],
    }
    assert (await api("POST", "/contacts/tags", told)).json == {"changed": 2}
    assert (await api("POST", "/contacts/tags", told)).json == {"changed": 0}
    assert (await api("GET", f"/contacts/{ann['id']}")).json["tags"] == ["both", "new"]
    assert (await api("GET", f"/contacts/{bob['id']}")).json["tags"][-3:] == ["99", "new", "both"]


async def test_everybody_of_a_list_or_segment_is_tagged(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.audience.bulk._tag_many._BATCH", 2)
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    on = [await made(api, "/contacts", {"email": f"a{n}@example.com", "list_ids": [news]}) for n in range(4)]
    other = await made(api, "/contacts", {"email": "b@example.com"})
    full = await made(
        api, "/contacts", {"email": "c@example.com", "tags": [str(n) for n in range(100)], "list_ids": [news]}
    )
    assert (await api("POST", f"/lists/{news}/tags", {"add": ["vip"]})).json == {
        "contacts": 5, "changed": 4, "full": 1,
    }  # fmt: skip
    assert (await api("POST", f"/lists/{news}/tags", {"add": ["vip"]})).json["changed"] == 0
    conditions = {"and": [{"field": "email", "operator": "starts_with", "value": "a"}]}
    segment = (await made(api, "/segments", {"name": "A", "conditions": conditions}))["id"]
    assert (await api("POST", f"/segments/{segment}/tags", {"add": ["x"], "remove": ["vip"]})).json["changed"] == 4
    tags = {c["id"]: (await api("GET", f"/contacts/{c['id']}")).json["tags"] for c in [*on, other, full]}
    assert [tags[c["id"]] for c in on] == [["x"]] * 4
    assert (tags[other["id"]], len(tags[full["id"]])) == ([], 100)
    assert (await api("POST", f"/lists/{news}/tags", {})).fields == ["add"]
    assert (await api("POST", "/segments/segment_99/tags", {"add": ["x"]})).problem["code"] == "segment_not_found"


async def test_a_field_that_segments_ask_for_stays(api: Client) -> None:
    field = (await made(api, "/contact-fields", {"name": "points", "type": "number"}))["id"]
    for name in ("points", "attributes.points"):
        conditions = {"and": [{"not": {"and": [{"field": name, "operator": ">", "value": 1}]}}]}
        segment = (await made(api, "/segments", {"name": name, "conditions": conditions}))["id"]
        refused = await api("DELETE", f"/contact-fields/{field}")
        assert (refused.status, refused.problem["code"]) == (409, "contact_field_in_use")
        assert segment in refused.problem["detail"]
        assert (await api("DELETE", f"/segments/{segment}")).status == 204
    assert (await api("DELETE", f"/contact-fields/{field}")).status == 204
