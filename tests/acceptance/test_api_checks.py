"""Checks before a send over real HTTP, and what they keep from being launched."""

from typing import Any

from api_client import Client
from tidings.bootstrap import App

QUIET = {"links": False, "spam": False, "domain": False}
HTML = """<html lang="en"><head><title>T</title></head><body><h1>Hi {{ first_name }}</h1>
<p>Your plan: {{ plan }}</p><a href="http://bit.ly/1">Our shop</a></body></html>"""


async def campaign(api: Client, html: str = HTML, **template: Any) -> str:
    """A campaign to a list of four, two of whom have a plan."""
    listed = (await api("POST", "/lists", {"name": "News"})).json["id"]
    for number in range(4):
        contact = {
            "email": f"c{number}@shop.de",
            "first_name": "Ann",
            "list_ids": [listed],
            "attributes": {"plan": "pro"} if number < 2 else {},
        }
        assert (await api("POST", "/contacts", contact)).status == 201
    await api("POST", "/providers", {"name": "Sandbox", "kind": "sandbox", "is_default": True})
    made = await api("POST", "/templates", {"name": "T", "subject": "News", "html_content": html, **template})
    assert made.status == 201, made.json
    answer = await api(
        "POST",
        "/campaigns",
        {
            "name": "C",
            "template_id": made.json["id"],
            "sender_email": "news@shop.de",
            "contact_list_ids": [listed],
        },
    )
    assert answer.status == 201, answer.json
    return answer.json["id"]


def by_code(report: Any) -> dict[str, Any]:
    """Its findings by code."""
    return {one["code"]: one for one in report["findings"]}


async def test_a_campaign(api: Client, stranger: Client) -> None:
    id_ = await campaign(api)
    answer = await api("GET", f"/campaigns/{id_}/checks")
    assert answer.status == 200, answer.json
    report = answer.json
    assert (report["ok"], report["errors"], report["sampled_contacts"]) == (True, 0, 4)
    assert report["html_bytes"] > len(HTML)
    assert {one["what"] for one in report["not_run"]} == {"links", "spam", "domain"}
    found = by_code(report)
    assert found["link_shortener"]["place"] == {
        "part": "html", "line": 2, "column": 38, "excerpt": "http://bit.ly/1", "block": "", "path": "",
    }  # fmt: skip
    assert found["variable_missing"]["share"] == 0.5
    missing = (await api("GET", f"/contacts/{found['variable_missing']['contact_id']}")).json
    assert "plan" not in missing["attributes"]
    posted = (await api("POST", f"/campaigns/{id_}/checks", QUIET)).json
    assert by_code(posted) == found
    assert (await api("GET", f"/campaigns/{id_}/checks?sample=1")).json["sampled_contacts"] == 1
    assert (await stranger("GET", f"/campaigns/{id_}/checks")).status == 404
    assert (await stranger("POST", f"/campaigns/{id_}/checks", QUIET)).status == 404


async def test_a_preheader_moves_no_place_and_is_none_of_the_authors_html(api: Client) -> None:
    id_ = await campaign(api, preheader="Short")
    found = by_code((await api("GET", f"/campaigns/{id_}/checks")).json)
    place = found["link_shortener"]["place"]
    assert (place["line"], place["column"]) == (2, 38)
    assert "client_max_width" not in found
    assert found["preheader_short"]["place"]["excerpt"] == "Short"
    own = {"preheader": "What is new this week in the shop round the corner"}
    assert (await api("PATCH", f"/campaigns/{id_}", own)).status == 200
    found = by_code((await api("GET", f"/campaigns/{id_}/checks")).json)
    assert not found.keys() & {"preheader_short", "preheader_missing"}


async def test_what_checks_call_an_error_is_not_launched(api: Client) -> None:
    hidden = '<p>x</p><a style="display:none" href="{{ unsubscribe_url }}">Leave</a>'
    id_ = await campaign(api, hidden)
    report = (await api("GET", f"/campaigns/{id_}/checks")).json
    assert not report["ok"]
    assert [one["code"] for one in report["findings"] if one["severity"] == "error"] == ["unsubscribe_missing"]
    refused = await api("POST", f"/campaigns/{id_}/send")
    assert (refused.status, refused.problem["code"], refused.fields) == (409, "not_ready", ["template_id"])
    assert (await api("GET", f"/campaigns/{id_}")).json["status"] == "draft"


async def test_a_strict_template_that_nobody_could_get(api: Client) -> None:
    id_ = await campaign(api, "<p>{{ nickname }}</p>", strict=True)
    report = (await api("GET", f"/campaigns/{id_}/checks")).json
    assert by_code(report)["render_fails_for_all"]["severity"] == "error"
    refused = await api("POST", f"/campaigns/{id_}/send")
    assert (refused.status, refused.problem["code"]) == (409, "not_ready")


async def test_a_template_that_broke_is_told_also_where_nobody_may_be_mailed(api: Client, app: App) -> None:
    id_ = await campaign(api, "<p>{{ first_name }}</p>")
    everybody = [one["email"] for one in (await api("GET", "/contacts")).json["items"]]
    assert (await api("POST", "/suppressions", {"emails": everybody, "reason": "manual"})).status in {200, 201}
    async with app.db.connection() as connection:  # as an older version of us might have left it
        await connection.execute("UPDATE template_versions SET html_content = '<p>{% if %}</p>'")
    refused = await api("POST", f"/campaigns/{id_}/send")
    assert (refused.status, refused.problem["code"], refused.fields) == (409, "not_ready", ["template_id"])


async def test_a_strict_template_that_half_of_them_get_is_sent(api: Client) -> None:
    id_ = await campaign(api, "<p>{{ plan }}</p>", strict=True)
    found = by_code((await api("GET", f"/campaigns/{id_}/checks")).json)
    assert (found["render_fails"]["severity"], found["render_fails"]["share"]) == ("warning", 0.5)
    assert (await api("POST", f"/campaigns/{id_}/send")).status == 200


async def test_what_preflight_says_is_said_here(api: Client) -> None:
    id_ = await campaign(api)
    changed = await api("PATCH", "/workspaces/current", {"postal_address": ""})
    assert changed.status == 200, changed.json
    report = (await api("GET", f"/campaigns/{id_}/checks")).json
    told = [one for one in report["findings"] if one["code"] == "campaign_not_ready"]
    refused = await api("POST", f"/campaigns/{id_}/send")
    assert [one["place"]["path"] for one in told] == refused.fields


async def test_templates(api: Client, stranger: Client) -> None:
    await campaign(api)
    template = (await api("GET", "/templates")).json["items"][0]["id"]
    report = (await api("POST", f"/templates/{template}/checks", QUIET)).json
    assert (report["sampled_contacts"], by_code(report)["variable_missing"]["share"]) == (4, 0.5)
    contacts = (await api("GET", "/contacts")).json["items"]
    rich = next(one for one in contacts if one["attributes"])
    report = (await api("POST", f"/templates/{template}/checks", {"contact_id": rich["id"], **QUIET})).json
    assert "variable_missing" not in by_code(report)
    assert (await stranger("POST", f"/templates/{template}/checks", QUIET)).status == 404
    foreign = {"contact_id": rich["id"], "html_content": "<p>x</p>", **QUIET}
    assert (await stranger("POST", "/checks", foreign)).fields == ["contact_id"]


async def test_content_that_is_not_saved(api: Client) -> None:
    report = (await api("POST", "/checks", {"subject": "Re: you", "html_content": HTML, **QUIET})).json
    assert {"subject_fake_reply", "link_shortener"} <= by_code(report).keys()
    assert report["sampled_contacts"] == 0
    broken = await api("POST", "/checks", {"html_content": "<p>\n{{ x | nofilter }}<a href=''>x</a>", **QUIET})
    assert broken.status == 200, broken.json
    found = by_code(broken.json)
    assert (found["liquid_invalid"]["place"]["line"], found["liquid_invalid"]["severity"]) == (2, "error")
    assert "link_empty" in found
    blocks = {"blocks": [{"type": "button", "text": "Go to it", "href": "http://shop.de/"}]}
    report = (await api("POST", "/checks", {"source_type": "blocks", "source": blocks, **QUIET})).json
    assert by_code(report)["link_insecure"]["place"]["path"] == "source.blocks[0].href"
    mjml = await api(
        "POST", "/checks", {"source_type": "mjml", "source": "<mjml><mj-body><mj-x/></mj-body></mjml>", **QUIET}
    )
    assert by_code(mjml.json)["liquid_invalid"]["place"]["part"] == "source"
    assert (await api("POST", "/checks", QUIET)).status == 422
    assert (await api("GET", "/templates")).json["items"] == []


async def test_gmails_clipping_size_is_that_of_the_sent_part(api: Client) -> None:
    for size, code in ((105_000, "gmail_clips"), (96_000, "gmail_clips_nearly")):
        html = f"<p>{'lorem ipsum ' * (size // 12)}</p>"
        report = (await api("POST", "/checks", {"html_content": html, **QUIET})).json
        assert code in by_code(report), report["html_bytes"]
        assert report["html_bytes"] > size - 12


async def test_the_spam_filter_is_asked_with_the_message(api: Client, app: App) -> None:
    from tidings.compliance import SpamScore

    asked: list[bytes] = []

    class Strict:
        async def judge(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
            asked.append(message)
            return SpamScore("rspamd", 20.0, 15.0, "reject", True, ())

    app.spam_filter = Strict()
    body = {"subject": "Hello", "html_content": HTML, "sender_email": "news@shop.de", **QUIET, "spam": True}
    report = (await api("POST", "/checks", body)).json
    assert report["spam"]["score"] == 20.0
    assert by_code(report)["spam_score"]["severity"] == "warning"
    assert b"Subject: Hello\r\n" in asked[0]
    assert b"From: news@shop.de\r\n" in asked[0] or b"From: <news@shop.de>\r\n" in asked[0]
    app.spam_filter = None
    report = (await api("POST", "/checks", body)).json
    assert report["spam"] is None
    assert "TIDINGS_SPAM_CHECK_URL" in next(one["why"] for one in report["not_run"] if one["what"] == "spam")
