"""Templates over real HTTP."""

import re
from typing import Any

import pytest

from api_client import Client

TEMPLATE: dict[str, Any] = {
    "name": "Welcome",
    "subject": "Hi {{ first_name }}",
    "html_content": "<p>Hi {{ first_name }}, {{ contact.plan | default: 'free' }}</p>",
}


async def made(api: Client, **changes: Any) -> dict[str, Any]:
    """A template."""
    answer = await api("POST", "/templates", {**TEMPLATE, **changes})
    assert answer.status == 201, answer.json
    return answer.json


async def test_create_get_list_update_delete(api: Client, stranger: Client) -> None:
    template = await made(api)
    assert template["variables"] == ["first_name", "contact.plan"]
    assert template["id"] == template["template_id"]
    path = f"/templates/{template['id']}"
    assert (await api("GET", path)).json == template
    listed = (await api("GET", "/templates")).json
    assert [one["id"] for one in listed["items"]] == [template["id"]]
    assert listed["total"] == 1
    assert "html_content" not in listed["items"][0]
    changed = (await api("PUT", path, {"html_content": "<p>new</p>"})).json
    assert (changed["version"], changed["html_content"], changed["name"]) == (2, "<p>new</p>", "Welcome")
    assert (await api("GET", f"{path}?version=1")).json["html_content"] == TEMPLATE["html_content"]
    versions = (await api("GET", f"{path}/versions")).json["items"]
    assert [(one["version"], one["current"]) for one in versions] == [(2, True), (1, False)]
    restored = (await api("POST", f"{path}/versions/1/restore", {})).json
    assert (restored["version"], restored["html_content"]) == (3, TEMPLATE["html_content"])
    assert (await stranger("GET", path)).status == 404
    assert (await stranger("DELETE", path)).status == 404
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).status == 404
    assert (await api("GET", "/templates")).json["items"] == []


async def test_preview(api: Client) -> None:
    template = await made(api)
    answer = await api(
        "POST", f"/templates/{template['id']}/preview", {"variables": {"first_name": "<Ada>", "plan": "pro"}}
    )
    seen = answer.json
    assert seen["subject"] == "Hi <Ada>"
    assert seen["html"].startswith("<p>Hi &lt;Ada&gt;, pro</p><div")
    assert re.fullmatch(r"Hi <Ada>, pro\n\n-- \n[^\n]+(\n[^\n]+)*\nUnsubscribe: http\S+/u/preview\n", seen["text"])


async def test_a_used_template_is_not_deleted(api: Client) -> None:
    template = await made(api)
    listed = await api("POST", "/lists", {"name": "All"})
    campaign = await api(
        "POST",
        "/campaigns",
        {
            "name": "June",
            "template_id": template["id"],
            "sender_email": "a@acme.example",
            "contact_list_ids": [listed.json["id"]],
        },
    )
    assert campaign.status == 201, campaign.json
    refused = await api("DELETE", f"/templates/{template['id']}")
    assert (refused.status, refused.json["code"]) == (409, "template_in_use")
    assert campaign.json["id"] in refused.json["detail"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"html_content": "a\n{{ x | nope }}"}, "html_content", "line 2, column 8: there is no filter named 'nope'"),
        ({"subject": "{% if %}"}, "subject", "line 1, column 4: missing expression"),
        (
            {"text_content": "{% if x %}"},
            "text_content",
            "line 1, column 11: expected tag endif, found end of expression",
        ),
        ({"subject": "a\r\nBcc: x@y.example"}, "subject", "must be one line without control characters"),
        ({"html_content": ""}, "html_content", "must not be empty"),
        ({"name": ""}, "name", None),
        ({"html_content": 3}, "html_content", None),
        ({"html": "x"}, "html", None),
        ({"variables": ["no name"]}, "variables[0]", None),
    ],
)
async def test_broken_input_is_refused_and_nothing_is_kept(
    api: Client, changes: dict[str, Any], field: str, message: str | None
) -> None:
    template = await made(api)
    for answer in (
        await api("POST", "/templates", {**TEMPLATE, **changes}),
        await api("PUT", f"/templates/{template['id']}", changes),
    ):
        assert 400 <= answer.status < 500
        problems = {one["field"]: one["message"] for one in answer.json["errors"]}
        assert list(problems) == [field]
        assert message is None or problems[field] == message
    assert (await api("GET", f"/templates/{template['id']}")).json == template
    assert (await api("GET", "/templates")).json["total"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"variables": {"first_name": 1}}, "variables.first_name"),
        ({"variables": {"today": "x"}}, "variables.today"),
        ({"variables": []}, "variables"),
        ({"version": 0}, "version"),
    ],
)
async def test_broken_samples(api: Client, body: dict[str, Any], field: str) -> None:
    template = await made(api)
    answer = await api("POST", f"/templates/{template['id']}/preview", body)
    assert answer.status == 422, answer.json
    assert [one["field"] for one in answer.json["errors"]] == [field]
    assert (await api("POST", f"/templates/{template['id']}/preview", {"version": 7})).status == 404
