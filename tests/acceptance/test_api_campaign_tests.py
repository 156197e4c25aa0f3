"""Previews and tests of campaigns over real HTTP."""

import email
import email.policy
import re
from typing import Any

import pytest

from api_client import Client
from tidings import delivery
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._message_content import MessageContent
from tidings.delivery.wire._message_wire import MessageWire
from tidings.delivery.wire._wire import WireMessage
from tidings.tracking import Tokens

HTML = (
    "<p>Hi {{ first_name | default: 'friend' }}, plan {{ plan }}</p><a href='https://shop.example/{{ plan }}'>Shop</a>"
    "<a href='{{ unsubscribe_url }}'>Leave</a>{{ workspace.postal_address }}"
)
LIKE_CAMPAIGNS = ("From", "Reply-To", "List-Id", "Feedback-ID", "List-Unsubscribe-Post", "MIME-Version", "Content-Type")


class World:
    """A campaign to a list with one contact, another contact who is on no list, and two files."""

    campaign: str
    listed: str
    contact: str
    other: str
    provider: str


@pytest.fixture
async def world(api: Client) -> World:
    made = World()
    made.provider = (await api("POST", "/providers", {"name": "S", "kind": "sandbox"})).json["id"]
    made.listed = (await api("POST", "/lists", {"name": "Nёws"})).json["id"]
    ada = {"email": "ada@example.com", "first_name": "<Ada>", "attributes": {"plan": "pro"}, "list_ids": [made.listed]}
    made.contact = (await api("POST", "/contacts", ada)).json["id"]
    made.other = (await api("POST", "/contacts", {"email": "bob@example.com"})).json["id"]
    files = [
        (await api("POST", "/attachments", name.encode(), **header(name))).json["id"] for name in ("a.txt", "b.txt")
    ]
    template = await api(
        "POST",
        "/templates",
        {"name": "T", "subject": "S", "html_content": HTML, "preheader": "P {{ plan }}", "attachment_ids": files[:1]},
    )
    campaign = await api(
        "POST",
        "/campaigns",
        {
            "name": "June",
            "subject": "{{ campaign.name }} for {{ first_name }}",
            "template_id": template.json["id"],
            "sender_email": "news@acme.example",
            "sender_name": "Acme",
            "reply_to": "re@acme.example",
            "contact_list_ids": [made.listed],
            "provider_id": made.provider,
            "attachment_ids": files[1:],
        },
    )
    assert campaign.status == 201, campaign.json
    made.campaign = campaign.json["id"]
    return made


def header(name: str) -> dict[str, str]:
    """Header fields of an upload."""
    return {"Content_Type": "text/plain", "Content_Disposition": f'attachment; filename="{name}"'}


async def test_a_preview_is_as_somebody_of_the_audience_reads_it(api: Client, world: World, stranger: Client) -> None:
    path = f"/campaigns/{world.campaign}/preview"
    shown = (await api("GET", path)).json
    assert (shown["contact_id"], shown["subject"], shown["preheader"]) == (world.contact, "June for <Ada>", "P pro")
    assert "<p>Hi &lt;Ada&gt;, plan pro</p>" in shown["html"]
    assert shown["missing"] == []
    bob = (await api("GET", f"{path}?contact_id={world.other}")).json
    assert bob["contact_id"] == world.other
    assert "Hi friend, plan " in bob["text"]
    assert {(one["field"], one["name"]) for one in bob["missing"]} >= {
        ("html_content", "plan"),
        ("subject", "first_name"),
    }
    marked = re.search(r"<p>Hi friend, plan (.*?)</p>", bob["html"])
    assert marked is not None
    assert "plan" in marked[1]
    plain = (await api("GET", f"{path}?contact_id={world.other}&marked=false")).json
    assert "<p>Hi friend, plan </p>" in plain["html"]
    assert (await api("GET", f"{path}?contact_id=contact_99999")).status == 404
    assert (await stranger("GET", path)).status == 404


async def test_a_strict_template_shows_what_it_lacks(api: Client, world: World) -> None:
    template = (await api("GET", f"/campaigns/{world.campaign}")).json["template_id"]
    await api("PATCH", f"/templates/{template}", {"strict": True})
    path = f"/campaigns/{world.campaign}/preview?contact_id={world.other}"
    assert "plan" in [one["name"] for one in (await api("GET", path)).json["missing"]]
    alone = f"/templates/{template}/preview"
    shown = await api("POST", alone, {"contact_id": world.other, "marked": True})
    assert "plan" in [one["name"] for one in shown.json["missing"]]
    for asked in ({"marked": True, "strict": True}, {}):
        assert (await api("POST", alone, {"contact_id": world.other} | asked)).status == 422
    refused = await api("GET", f"{path}&marked=false")
    assert (refused.status, next(iter(refused.fields))) == (422, "preheader")


async def test_of_nobody_everything_is_missing(api: Client, world: World) -> None:
    empty = (await api("POST", "/lists", {"name": "Empty"})).json["id"]
    await api("PATCH", f"/campaigns/{world.campaign}", {"contact_list_ids": [empty]})
    shown = (await api("GET", f"/campaigns/{world.campaign}/preview")).json
    assert shown["contact_id"] is None
    assert "plan" in [one["name"] for one in shown["missing"]]


async def queued(api: Client, app: App, workspace: WorkspaceId, world: World, **body: Any) -> MessageContent:
    """The content of a test that is queued."""
    answer = await api("POST", f"/campaigns/{world.campaign}/test", {"to": ["Me@example.com"], **body})
    assert answer.status == 202, answer.json
    (message,) = answer.json["message_ids"]
    seen = (await api("GET", f"/messages/{message}")).json
    assert (seen["to"], seen["provider_id"]) == ("me@example.com", world.provider)
    async with app.db.connection() as tx:
        raw = await tx.fetchval("SELECT content::text FROM message_contents WHERE workspace_id = $1", workspace)
    return MessageContent.from_json(raw.encode())


async def test_a_test_is_the_message_that_would_go_out(
    api: Client, app: App, workspace: WorkspaceId, world: World
) -> None:
    said = await queued(api, app, workspace, world)
    files = {one.hash: b"x" for one in said.attached}
    assert [one.filename for one in said.attached] == ["a.txt", "b.txt"]
    tokens = Tokens(app.keys, app.public_url)
    wire = MessageWire(said, workspace=workspace, send=SendId(1), tokens=tokens, files=files)
    row = (7, 0, "me@example.com", "", "", "", "", "", [], "{}", utc_now(), None, 0, 0, "", "[]", None)
    test: Any = email.message_from_bytes(wire.build(row, date=b"now"), policy=email.policy.default)
    assert test["Subject"] == "[Test] June for <Ada>"
    assert test["Auto-Submitted"] is None
    body = test.get_body(("html",)).get_content()
    assert "<p>Hi &lt;Ada&gt;, plan pro</p><a href='https://shop.example/pro'>Shop</a>" in body
    assert "/o/" not in body
    # The real one, as it is launched and filled in.
    await api("PATCH", "/workspaces/current", {"postal_address": "1 Main Street"})
    launched = await api("POST", f"/campaigns/{world.campaign}/send")
    assert launched.status == 200, launched.json
    async with app.db.connection() as tx:
        send = await tx.fetchval("SELECT send_id FROM campaigns WHERE id = $1", int(world.campaign.split("_")[1]))
        (source,) = await delivery.public_content(tx, workspace=workspace, sends=[SendId(send)])
    assert isinstance(source.content, delivery.SendContent)
    real_wire = WireMessage.compile(
        source.content, links=[], workspace=workspace, send=SendId(send), tokens=tokens, files=files
    )
    real: Any = email.message_from_bytes(real_wire.build(row, date=b"now"), policy=email.policy.default)
    for name in LIKE_CAMPAIGNS:
        assert test[name] is not None or name == "Reply-To", name
        if name != "Content-Type":
            assert test[name] == real[name], name
    assert test.get_content_type() == real.get_content_type()
    # Nobody's token, and the same in the header as in the body.
    token = tokens.read(re.fullmatch(r"<.*/u/(.*)>", test["List-Unsubscribe"])[1])  # type: ignore[index]
    assert token is not None
    assert (token.workspace, token.send, token.n, token.contact) == (workspace, 0, 0, 0)
    assert test["List-Unsubscribe"][1:-1] in body


async def test_a_test_counts_for_nothing(api: Client, app: App, workspace: WorkspaceId, world: World) -> None:
    await queued(api, app, workspace, world, contact_id=world.other, variables={"plan": "free"}, subject_prefix="? ")
    counts = (await api("GET", f"/campaigns/{world.campaign}/analytics")).json["counts"]
    assert not any(counts.values())
    assert (await api("GET", f"/campaigns/{world.campaign}")).json["status"] == "draft"
    (message,) = (await api("GET", "/messages")).json["items"]
    assert message["subject"] == "? June for"
    (done,) = [one for one in await _audited(app, workspace) if one.startswith("campaign.tested")]
    assert done == f"campaign.tested {world.campaign}"


async def test_what_is_wrong_is_named_and_nothing_is_queued(api: Client, world: World, stranger: Client) -> None:
    path = f"/campaigns/{world.campaign}/test"
    wrong = await api("POST", path, {"to": ["me@example.com", "nobody", "x@"]})
    assert (wrong.status, set(wrong.fields)) == (422, {"to[1]", "to[2]"})
    assert (await api("POST", path, {"to": []})).status == 422
    wrong = await api("POST", path, {"to": ["me@example.com"], "subject_prefix": "Test:\n"})
    assert (wrong.status, wrong.fields) == (422, ["subject_prefix"])
    assert (await api("POST", path, {"to": ["me@example.com"], "contact_id": "contact_99999"})).status == 404
    assert (await stranger("POST", path, {"to": ["me@example.com"]})).status == 404
    assert (await api("GET", "/messages")).json["total"] == 0


async def test_what_was_launched_is_shown_as_it_was_launched(api: Client, world: World) -> None:
    assert (await api("POST", f"/campaigns/{world.campaign}/send")).status == 200
    template = (await api("GET", f"/campaigns/{world.campaign}")).json["template_id"]
    await api("PATCH", f"/templates/{template}", {"html_content": "<p>other</p>"})
    shown = (await api("GET", f"/campaigns/{world.campaign}/preview")).json
    assert "Hi &lt;Ada&gt;" in shown["html"]


async def test_what_is_missing_is_told_where_it_was_written_also_once_it_is_launched(api: Client, world: World) -> None:
    template = (await api("GET", f"/campaigns/{world.campaign}")).json["template_id"]
    await api("PATCH", f"/templates/{template}", {"source_type": "markdown", "source": "# Hi\n\nYour {{ gone }}"})
    await api("PATCH", f"/campaigns/{world.campaign}", {"preheader": "{{ first_name }}, {{ gone }}"})
    path = f"/campaigns/{world.campaign}/preview"
    told = [("preheader", 1, 22), ("source", 3, 9)]

    async def missing() -> list[tuple[str, int, int]]:
        shown = (await api("GET", path)).json
        return [(one["field"], one["line"], one["column"]) for one in shown["missing"]]

    assert await missing() == told
    checked = (await api("GET", f"/campaigns/{world.campaign}/checks")).json
    places = [one["place"] for one in checked["findings"] if one["code"] == "variable_missing"]
    assert [(one["part"], one["line"], one["column"]) for one in places] == told
    assert (await api("POST", f"/campaigns/{world.campaign}/send")).status == 200
    await api("PATCH", f"/templates/{template}", {"source": "# Other\n\n{{ x }}\n\n{{ gone }} {{ y }}"})
    assert await missing() == told


async def _audited(app: App, workspace: WorkspaceId) -> list[str]:
    async with app.db.connection() as tx:
        rows = await tx.fetch("SELECT action || ' ' || subject FROM audit_entries WHERE workspace_id = $1", workspace)
    return [row[0] for row in rows]
