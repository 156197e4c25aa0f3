"""Forms, sign-ups by a program, and the proofs, over HTTP."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from api_client import Client
from tidings.audience import leaving, lists
from tidings.bootstrap import App
from tidings.compliance import SignupTokens, confirm
from tidings.core.clock import utc_now
from tidings.core.ids import ConsentId, ContactId, ListId

HOSTILE = "\"><script>alert(1)</script>'&"


@pytest.fixture
async def letters(api: Client, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been sent."""
    await api("POST", "/providers", {"name": "P", "kind": "sandbox", "is_default": True})
    sent: list[Any] = []

    async def keep(tx: Any, *, letter: Any, **_: Any) -> None:
        sent.append(letter)

    monkeypatch.setattr("tidings.compliance._optin.post", keep)
    return sent


async def make_list(api: Client, **more: Any) -> str:
    answer = await api("POST", "/lists", {"name": "News"} | more)
    assert answer.status == 201, answer
    return answer.json["id"]


async def press(app: App, api: Client, consent: str) -> None:
    async with app.db.transaction() as tx:
        await confirm(
            tx,
            workspace=api.workspace,
            consent=ConsentId(int(consent.removeprefix("consent_"))),
            ip="198.51.100.7",
            user_agent="Phone",
            keys=app.keys,
            now=utc_now(),
        )


async def test_lists_say_how_people_get_on_them(api: Client) -> None:
    list_id = await make_list(api)
    seen = (await api("GET", f"/lists/{list_id}")).json
    assert (seen["opt_in"], seen["visibility"], seen["confirm_days"]) == ("double", "private", 7)
    changes = {"opt_in": "single", "visibility": "public", "public_name": "Garden", "confirm_days": 3}
    changed = (await api("PATCH", f"/lists/{list_id}", changes)).json
    assert changes.items() <= changed.items()
    assert changed["name"] == "News"
    for field, value in (
        ("confirm_days", 0),
        ("confirm_days", 91),
        ("sender_email", "nobody"),
        ("opt_in", "triple"),
        ("confirm_text", "no link"),
        ("confirm_html", "{{ confirm_url"),
        ("confirm_html", "{{ confirm_url }} {{ unsubscribe_url }}"),
    ):
        answer = await api("PATCH", f"/lists/{list_id}", {field: value})
        assert (answer.status, answer.fields) == (422, [field]), (field, value)
    good = {"confirm_subject": "Sure, {{ email }}?", "confirm_html": "<a href='{{ confirm_url }}'>{{ list_names }}</a>"}
    assert (await api("PATCH", f"/lists/{list_id}", good)).status == 200


async def test_a_form_needs_somebody_to_write_from(api: Client) -> None:
    list_id = await make_list(api)
    form = {"name": "Site", "list_ids": [list_id]}
    assert (await api("POST", "/forms", form)).problem["code"] == "no_sender"
    assert (await api("GET", "/forms")).json["items"] == []
    made = await api("POST", "/forms", form | {"opt_in": "single"})
    assert made.status == 201
    assert (await api("PATCH", f"/forms/{made.json['id']}", {"opt_in": None})).problem["code"] == "no_sender"
    await api("PATCH", "/workspaces/current", {"sender_email": "Hello@Example.com"})
    assert (await api("GET", "/workspaces/current")).json["sender_email"] == "hello@example.com"
    assert (await api("POST", "/forms", form | {"name": "Other"})).status == 201
    taken = await api("POST", "/forms", form)
    assert (taken.status, taken.problem["code"], taken.fields) == (409, "form_exists", ["name"])
    used = await api("DELETE", f"/lists/{list_id}")
    assert (used.status, used.problem["code"]) == (409, "list_in_use")


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("list_ids", ["list_99"], "list_ids[0]"),
        ("fields", [{"name": "shoe"}], "fields[0].name"),
        ("fields", [{"name": "email"}], "fields[0].name"),
        ("fields", [{"name": "phone"}, {"name": "phone"}], "fields[1].name"),
        ("redirect_url", "javascript:alert(1)", "redirect_url"),
        ("redirect_url", "//evil.example", "redirect_url"),
        ("confirmed_url", "https://a@b.example/", "confirmed_url"),
        ("redirect_url", 'https://example.com/"><script>', "redirect_url"),
        ("origins", ["https://shop.example.com/path"], "origins[0]"),
        ("origins", ["https://*.example.com"], "origins[0]"),
        ("origins", ["https://a.example; script-src *"], "origins[0]"),
        ("hourly_limit", 0, "hourly_limit"),
    ],
)
async def test_forms_that_cannot_be(api: Client, field: str, value: Any, at: str) -> None:
    list_id = await make_list(api)
    form = {"name": "Site", "list_ids": [list_id], "opt_in": "single"}
    refused = await api("POST", "/forms", form | {field: value})
    assert (refused.status, refused.fields) == (422, [at])
    made = (await api("POST", "/forms", form)).json
    changed = await api("PATCH", f"/forms/{made['id']}", {field: value})
    assert (changed.status, changed.fields) == (422, [at])
    assert (await api("GET", f"/forms/{made['id']}")).json == made


class Page(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def test_code_for_other_pages(api: Client, app: App) -> None:
    await api("PATCH", "/workspaces/current", {"name": HOSTILE})
    list_id = await make_list(api, name=HOSTILE)
    form = {
        "name": "Site",
        "list_ids": [list_id],
        "opt_in": "single",
        "consent": HOSTILE,
        "button": HOSTILE,
        "fields": [{"name": "first_name", "label": HOSTILE, "required": True}],
    }
    made = (await api("POST", "/forms", form)).json
    assert re.fullmatch(r"http://127\.0\.0\.1:8081/f/[\w-]{24}", made["url"])
    token = made["url"].rpartition("/")[2]
    assert SignupTokens(app.keys).read_form(token) == (api.workspace, int(made["id"].removeprefix("form_")))
    for code, scripts in ((made["embed_html"], 0), (made["embed_script"], 1)):
        page = Page(code)
        (element,) = page.all("form")
        assert (element["action"], element["method"]) == (made["url"], "post")
        assert len(page.all("script")) == scripts
        assert {one["name"] for one in page.all("input")} == {"wording", "lang", "your_homepage", "email", "first_name"}
        labelled = {one["for"] for one in page.all("label")}
        assert {one["id"] for one in page.all("input") if one.get("type") != "hidden"} == labelled
        assert "alert(1)</script>" not in code


async def test_two_forms_on_one_page_have_ids_of_their_own(api: Client) -> None:
    list_id = await make_list(api)
    codes = [
        (await api("POST", "/forms", {"name": name, "list_ids": [list_id], "opt_in": "single"})).json["embed_html"]
        for name in "ab"
    ]
    ids = [one["id"] for code in codes for one in Page(code).all("input") if "id" in one]
    assert len(ids) == 4
    assert len(set(ids)) == 4, "a label leads to the first element of its id, be it in the other form"


async def test_signing_up_by_a_program(api: Client, app: App, letters: list[Any]) -> None:
    await api("PATCH", "/workspaces/current", {"sender_email": "hello@example.com"})
    list_id = await make_list(api)
    said = {"email": "Ann@Example.com", "wording": "Yes", "ip": "2001:db8::1", "first_name": "Ann", "language": "fr"}
    path = f"/lists/{list_id}/subscriptions"
    asked = await api("POST", path, said)
    assert (asked.status, asked.json["state"], asked.json["contact_id"]) == (202, "pending", None)
    assert "confirmer" in letters[0].subject
    assert (await api("GET", "/contacts")).json["items"] == []
    often = await api("POST", path, said)
    assert (often.status, int(often.headers["Retry-After"]) > 0) == (429, True)
    pending = (await api("GET", f"/consents?state=pending&list_id={list_id}&email=ann@example.com")).json["items"]
    assert [one["id"] for one in pending] == [asked.json["id"]]
    assert (await api("GET", "/consents?state=given")).json["items"] == []

    await press(app, api, asked.json["id"])
    (contact,) = (await api("GET", "/contacts")).json["items"]
    stands = (await api("GET", f"/contacts/{contact['id']}/subscriptions")).json["items"]
    (one,) = stands
    assert (one["list_id"], one["status"]) == (list_id, "subscribed")
    (proof,) = one["consents"]
    assert (proof["wording"], proof["ip"], proof["source"]) == ("Yes", "2001:db8::1", "api")
    assert (proof["state"], proof["confirm_ip"], proof["confirm_user_agent"]) == ("given", "198.51.100.7", "Phone")

    bad = await api("POST", path, said | {"ip": "somewhere"})
    assert (bad.status, bad.fields) == (422, ["ip"])
    assert (await api("POST", path, said | {"email": "ann"})).fields == ["email"]
    assert (await api("POST", path, {"email": "a@example.com"})).fields == ["wording"]


async def test_a_program_brings_nobody_back(api: Client, app: App, letters: list[Any]) -> None:
    await api("PATCH", "/workspaces/current", {"sender_email": "hello@example.com"})
    list_id = await make_list(api, opt_in="single")
    path = f"/lists/{list_id}/subscriptions"
    made = await api("POST", path, {"email": "ann@example.com", "wording": "Yes"})
    assert (made.json["state"], letters) == ("given", [])
    contact = made.json["contact_id"]
    await api("POST", f"/contacts/{contact}/unsubscribe")
    async with app.db.connection() as connection:
        await connection.execute("UPDATE consents SET at = at - interval '2 days'")
    # Even where one opt-in is enough they are asked, and nothing is lifted before they answer.
    again = await api("POST", path, {"email": "ann@example.com", "wording": "Yes"})
    assert (again.json["state"], len(letters)) == ("pending", 1)
    assert (await api("GET", f"/contacts/{contact}")).json["status"] == "unsubscribed"
    added = await api("POST", f"/lists/{list_id}/contacts", {"contact_ids": [contact]})
    assert added.json["refused"] == [contact]
    async with app.db.transaction() as tx:
        await leaving.suppress(
            tx,
            workspace=api.workspace,
            contacts=[(ContactId(int(contact.removeprefix("contact_"))), "")],
            reason="complained",
            source="x",
            now=utc_now(),
        )
        await tx.execute("UPDATE consents SET at = at - interval '2 days'")
    refused = await api("POST", path, {"email": "ann@example.com", "wording": "Yes"})
    assert (refused.status, refused.problem["code"]) == (409, "consent_refused")
    assert (await api("POST", f"/consents/{again.json['id']}/resend")).problem["code"] == "consent_refused"
    assert len(letters) == 1


async def test_sent_again(api: Client, app: App, letters: list[Any]) -> None:
    await api("PATCH", "/workspaces/current", {"sender_email": "hello@example.com"})
    list_id = await make_list(api)
    first = (await api("POST", f"/lists/{list_id}/subscriptions", {"email": "a@example.com", "wording": "Yes"})).json
    assert (await api("POST", f"/consents/{first['id']}/resend")).status == 429
    async with app.db.connection() as connection:
        await connection.execute("UPDATE consents SET at = at - interval '2 minutes'")
    second = await api("POST", f"/consents/{first['id']}/resend")
    assert (second.status, second.json["wording"]) == (202, "Yes")
    assert second.json["id"] != first["id"]
    links = {letter.variables["confirm_url"] for letter in letters}
    assert len(links) == 2
    assert (await api("POST", "/consents/consent_99/resend")).status == 404
    async with app.db.connection() as connection:
        found = await lists.some_lists(connection, workspace=api.workspace, lists=[ListId(int(list_id[5:]))])
    assert [one.shown_name for one in found] == ["News"]


async def test_the_owner_is_told_what_is_wrong_with_a_form(api: Client, app: App) -> None:
    async with app.db.connection() as connection:
        await connection.execute(
            "UPDATE workspaces SET sender_email = 'hello@acme.example' WHERE id = $1", api.workspace
        )
    kept, other = await make_list(api), await make_list(api, name="Other")
    size = (await api("POST", "/contact-fields", {"name": "size", "type": "number"})).json["id"]
    asks = [{"name": "first_name"}, {"name": "size"}]
    form = (await api("POST", "/forms", {"name": "F", "list_ids": [kept, other], "fields": asks})).json
    before = (await api("GET", f"/forms/{form['id']}")).json["problems"]
    assert [one["code"] for one in before] == ["no_provider"]
    assert (await api("DELETE", f"/contact-fields/{size}")).status == 204
    async with app.db.connection() as connection:
        await connection.execute("UPDATE workspaces SET sender_email = ''")
        await connection.execute("DELETE FROM lists WHERE name = 'Other'")
        await connection.execute("DELETE FROM providers")
    seen = {one["code"]: one["message"] for one in (await api("GET", f"/forms/{form['id']}")).json["problems"]}
    assert set(seen) == {"list_missing", "field_missing", "no_sender", "no_provider"}
    assert "fields: size is no contact field" in seen["field_missing"]
    assert other in seen["list_missing"]
    assert "sender_email" in seen["no_sender"]
    async with app.db.connection() as connection:
        await connection.execute("DELETE FROM lists")
    told = (await api("GET", f"/forms/{form['id']}")).json["problems"]
    assert [one["code"] for one in told] == ["list_missing", "field_missing", "no_lists"]
