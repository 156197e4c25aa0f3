"""Shared blocks and their history over real HTTP."""

from typing import Any

import pytest

from api_client import Client


async def made(api: Client, name: str = "footer", html: str = "<p>one</p>") -> str:
    """A block's path."""
    answer = await api("POST", "/blocks", {"name": name, "html_content": html})
    assert answer.status == 201, answer.json
    return f"/blocks/{answer.json['id']}"


async def test_every_save_is_a_version(api: Client, stranger: Client) -> None:
    path = await made(api)
    changed = (await api("PATCH", path, {"html_content": "<p>two</p>", "text_content": "two"})).json
    renamed = (await api("PATCH", path, {"name": "end"})).json
    same = (await api("PATCH", path, {"html_content": "<p>two</p>"})).json
    assert [one["version"] for one in (changed, renamed, same)] == [2, 2, 2]
    versions = (await api("GET", f"{path}/versions")).json["items"]
    assert [(one["version"], one["current"]) for one in versions] == [(2, True), (1, False)]
    first = (await api("GET", f"{path}/versions/1")).json
    assert (first["html_content"], first["text_content"], first["current"]) == ("<p>one</p>", "", False)
    assert {one["created_by"] for one in versions} == {changed["updated_by"]}
    assert versions[0]["created_at"] == changed["updated_at"]
    diff = (await api("GET", f"{path}/versions/1/diff/2")).json
    assert diff["html_content"].splitlines()[-2:] == ["-<p>one</p>", "+<p>two</p>"]
    assert diff["text_content"].startswith("--- text_content of version 1\n+++ text_content of version 2")
    restored = (await api("POST", f"{path}/versions/1/restore")).json
    assert (restored["version"], restored["name"], restored["html_content"], restored["text_content"]) == (
        3, "end", "<p>one</p>", "",
    )  # fmt: skip
    assert [one["version"] for one in (await api("GET", f"{path}/versions")).json["items"]] == [3, 2, 1]
    assert (await api("GET", f"{path}/versions/1/diff/3")).json["html_content"] == ""
    for method, tail in (
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("GET", "/versions/1/diff/2"),
        ("POST", "/versions/1/restore"),
    ):
        assert (await stranger(method, path + tail)).status == 404
    assert (await api("POST", f"{path}/versions/9/restore")).status == 404
    assert (await api("GET", f"{path}/versions/1/diff/9")).status == 404
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", f"{path}/versions")).status == 404


async def test_a_version_that_cannot_be_any_more_is_not_restored(api: Client) -> None:
    inner = await made(api, "inner")
    path = await made(api, "outer", "{% render 'inner' %}")
    await api("PATCH", path, {"html_content": "<p>x</p>"})
    assert (await api("DELETE", inner)).status == 204
    refused = await api("POST", f"{path}/versions/1/restore")
    assert (refused.status, refused.fields[0]) == (422, "html_content")
    assert (await api("GET", path)).json["version"] == 2


@pytest.mark.parametrize("field", ["subject", "preheader"])
async def test_what_a_campaign_itself_renders_is_not_deleted(api: Client, field: str) -> None:
    path = await made(api, "greeting", "Hi")
    template = await api("POST", "/templates", {"name": "T", "subject": "S", "html_content": "<p>x</p>"})
    listed = (await api("POST", "/lists", {"name": "L"})).json["id"]
    await api("POST", "/providers", {"name": "Sandbox", "kind": "sandbox", "is_default": True})
    body: dict[str, Any] = {
        "name": "C",
        "template_id": template.json["id"],
        "sender_email": "a@acme.example",
        "contact_list_ids": [listed],
    }
    talks = await api("POST", "/campaigns", body | {field: "A greeting"})  # the word alone renders nothing
    assert talks.status == 201
    campaign = (await api("POST", "/campaigns", body | {field: "{% render 'greeting' %} all"})).json["id"]
    for method, change in (("DELETE", None), ("PATCH", {"name": "hello"})):
        refused = await api(method, path, change)
        assert (refused.status, refused.problem["code"]) == (409, "block_in_use")
        assert refused.problem["detail"].endswith(f"is used by {campaign}")
    assert (await api("PATCH", path, {"html_content": "Hello"})).status == 200
    assert (await api("PATCH", f"/campaigns/{campaign}", {field: "all"})).status == 200
    assert (await api("DELETE", path)).status == 204
