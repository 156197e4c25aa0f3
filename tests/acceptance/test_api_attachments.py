"""Files of templates and campaigns over the API."""

import base64
import io
import zipfile
from typing import Any

import pytest

from api_client import Answer, Client
from small_images import small_png
from tidings.bootstrap import App


async def attach(api: Client, data: bytes, filename: str, /, **texts: str) -> Answer:
    parts = [("file", f'; filename="{filename}"', data), *((name, "", text.encode()) for name, text in texts.items())]
    body = b"".join(
        f'--frontier\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + raw + b"\r\n"
        for name, more, raw in parts
    )
    kind = "multipart/form-data; boundary=frontier"
    return await api("POST", "/attachments", body + b"--frontier--\r\n", Content_Type=kind)


def template(*ids: str, **more: Any) -> dict[str, Any]:
    return {"name": "T", "subject": "S", "html_content": "<p>Hi</p>", "attachment_ids": list(ids), **more}


async def test_upload_and_look(api: Client, app: App) -> None:
    made = await attach(api, b"%PDF", "Preise für März.pdf")
    assert made.status == 201, made
    told = made.json
    assert (told["filename"], told["content_type"], told["size"]) == ("Preise für März.pdf", "application/pdf", 4)
    assert (told["content_id"], told["warnings"]) == ("", [])
    assert (await api("GET", f"/attachments/{told['id']}")).json == told
    shown = await attach(api, small_png(), "a.png", content_id="logo@example.com", filename="logo.png")
    assert (shown.json["filename"], shown.json["content_id"]) == ("logo.png", "logo@example.com")
    named = await api(
        "POST", "/attachments", b"%PDF", Content_Type="text/csv", Content_Disposition="attachment; filename=a.csv"
    )
    assert (named.json["filename"], named.json["content_type"]) == ("a.csv", "text/csv")
    heavy = await attach(api, b"x" * (9 << 20), "film.bin")
    assert "13 MB" in heavy.json["warnings"][0]
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM attachment_files") == 3  # the same bytes are kept once


@pytest.mark.parametrize(
    ("data", "filename", "texts", "field"),
    [
        (b"x", "run.exe", {}, "filename"),
        (b"x", "", {}, "filename"),
        (b"", "a.pdf", {}, "file"),
        (b"PK\x03\x04", "a.zip", {}, "file"),
        (b"MZ" + b"\0" * 50 + b"PE\0\0", "a.pdf", {}, "file"),
        (b"x", "a.pdf", {"content_type": "multipart/mixed"}, "content_type"),
        (b"x", "a.png", {"content_id": "logo"}, "content_id"),
        (b"x", "a.pdf", {"content_id": "a@b"}, "content_id"),
        (b"x", "a.png", {"content_id": "a@b"}, "file"),
        (small_png() + b"<script>", "a.png", {"content_id": "a@b"}, "file"),
        (small_png(), "a.gif", {"content_id": "a@b"}, "file"),
        (small_png(width=60_000, height=60_000), "a.png", {"content_id": "a@b"}, "file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "a.png", {"content_id": "a@b"}, "file"),
        (b"GIF89a/*<html><script>", "a.gif", {"content_id": "a@b"}, "file"),
    ],
)
async def test_what_cannot_be_attached(
    api: Client, app: App, data: bytes, filename: str, texts: dict[str, str], field: str
) -> None:
    answer = await attach(api, data, filename, **texts)
    assert (answer.status, answer.problem["code"], answer.fields) == (422, "invalid_attachment", [field])
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM attachment_files") == 0


async def test_too_much_is_refused_while_it_comes(api: Client) -> None:
    assert (await attach(api, b"x" * (10 << 20), "a.bin")).status == 201
    assert (await attach(api, b"x" * ((10 << 20) + 1), "a.bin")).status == 413
    assert (await api("POST", "/attachments", b"{}")).status == 415


async def test_a_template_has_them_by_version(api: Client, stranger: Client) -> None:
    one, two = [(await attach(api, name.encode(), f"{name}.txt")).json["id"] for name in ("one", "two")]
    made = await api("POST", "/templates", template(one))
    assert (made.status, made.json["attachment_ids"]) == (201, [one])
    path = f"/templates/{made.json['id']}"
    changed = (await api("PATCH", path, {"attachment_ids": [two, one]})).json
    assert (changed["version"], changed["attachment_ids"]) == (2, [two, one])
    same = (await api("PATCH", path, {"attachment_ids": [two, one], "subject": "S"})).json
    assert same["version"] == 2
    other = (await api("PATCH", path, {"subject": "Other"})).json
    assert (other["version"], other["attachment_ids"]) == (3, [two, one])
    assert (await api("GET", f"{path}?version=1")).json["attachment_ids"] == [one]
    assert (await api("POST", f"{path}/versions/1/restore")).json["attachment_ids"] == [one]
    assert (await api("PATCH", path, {"attachment_ids": []})).json["attachment_ids"] == []
    theirs = (await attach(stranger, b"x", "x.txt")).json["id"]
    for ids, field in (([one, theirs], "attachment_ids[1]"), ([one, one], "attachment_ids")):
        answer = await api("PATCH", path, {"attachment_ids": ids})
        assert (answer.status, answer.fields) == (422, [field]), answer
    assert (await stranger("GET", f"/attachments/{one}")).status == 404


async def test_a_file_is_deleted_once_nothing_brings_it_along(api: Client, stranger: Client, app: App) -> None:
    one, other = [(await attach(api, name.encode(), f"{name}.txt")).json["id"] for name in ("one", "other")]
    made = (await api("POST", "/templates", template(one))).json["id"]
    list_id = (await api("POST", "/lists", {"name": "News"})).json["id"]
    draft = {"name": "C", "template_id": made, "sender_email": "n@example.com", "contact_list_ids": [list_id]}
    campaign = (await api("POST", "/campaigns", draft | {"attachment_ids": [other]})).json["id"]
    for id_, user in ((one, made), (other, campaign)):
        refused = await api("DELETE", f"/attachments/{id_}")
        assert (refused.status, refused.problem["code"]) == (409, "attachment_in_use")
        assert refused.problem["detail"].startswith(f"{id_} goes along with {user}: take it out")
    assert (await stranger("DELETE", f"/attachments/{one}")).status == 404
    assert (await api("PATCH", f"/templates/{made}", {"attachment_ids": []})).status == 200
    assert (await api("PATCH", f"/campaigns/{campaign}", {"attachment_ids": []})).status == 200
    for id_ in (one, other):
        assert (await api("DELETE", f"/attachments/{id_}")).status == 204
        assert (await api("DELETE", f"/attachments/{id_}")).problem["code"] == "attachment_not_found"
        assert (await api("GET", f"/attachments/{id_}")).status == 404
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM attachment_files") == 0
    again = await api("POST", f"/templates/{made}/versions/1/restore")
    assert (again.status, again.fields) == (422, ["attachment_ids"])
    assert "without_deleted_attachments=true" in again.problem["detail"]
    restored = await api("POST", f"/templates/{made}/versions/1/restore?without_deleted_attachments=true")
    assert (restored.status, restored.json["attachment_ids"]) == (200, [])
    assert (await api("GET", f"/templates/{made}?version=1")).json["attachment_ids"] == [one]


async def test_files_are_listed(api: Client) -> None:
    names = ["Preise.pdf", "terms.txt", "Preise neu.pdf"]
    ids = [(await attach(api, name.encode(), name)).json["id"] for name in names]
    listed = (await api("GET", "/attachments")).json
    assert ([one["id"] for one in listed["items"]], listed["total"]) == (ids[::-1], 3)
    found = (await api("GET", "/attachments?search=PREISE&page_size=1")).json
    assert ([one["filename"] for one in found["items"]], found["total"]) == (["Preise neu.pdf"], 2)


async def test_a_campaign_brings_more(api: Client) -> None:
    half = [(await attach(api, b"x" * (4 << 20), f"{n}.bin")).json["id"] for n in range(3)]
    logo = (await attach(api, small_png(b"x"), "l.png", content_id="logo@a.example")).json["id"]
    again = (await attach(api, small_png(b"y"), "m.png", content_id="LOGO@a.example")).json["id"]
    list_id = (await api("POST", "/lists", {"name": "News"})).json["id"]
    made = (await api("POST", "/templates", template(half[0], logo))).json["id"]
    draft = {
        "name": "C",
        "template_id": made,
        "sender_email": "news@example.com",
        "contact_list_ids": [list_id],
        "attachment_ids": [half[1]],
    }
    campaign = await api("POST", "/campaigns", draft)
    assert (campaign.status, campaign.json["attachment_ids"]) == (201, [half[1]])
    path = f"/campaigns/{campaign.json['id']}"
    for ids, told in (([half[1], half[2]], "10485760 bytes together"), ([again], "same content_id")):
        answer = await api("PATCH", path, {"attachment_ids": ids})
        assert (answer.status, answer.fields) == (422, ["attachment_ids"])
        assert told in answer.problem["detail"]
        assert "template's" in answer.problem["detail"]
    assert (await api("GET", path)).json["attachment_ids"] == [half[1]]
    assert (await api("POST", f"{path}/duplicate")).json["attachment_ids"] == [half[1]]
    assert (await api("PATCH", path, {"attachment_ids": []})).json["attachment_ids"] == []


async def test_a_message_says_what_goes_along(api: Client) -> None:
    await api("POST", "/providers", {"name": "Sandbox", "kind": "sandbox", "is_default": True})
    terms = (await attach(api, b"terms", "terms.txt")).json["id"]
    made = (await api("POST", "/templates", template(terms))).json["id"]
    own = {"filename": "own.txt", "content": "SGVsbG8="}
    message = {"to": "eve@example.com", "template_id": made, "sender_email": "s@example.com", "attachments": [own]}
    sent = await api("POST", "/messages", message)
    assert sent.status == 202, sent
    seen = (await api("GET", f"/messages/{sent.json['id']}")).json
    assert [one["filename"] for one in seen["attachments"]] == ["terms.txt", "own.txt"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.bat", "x")
    packed = {"filename": "own.zip", "content": base64.b64encode(out.getvalue()).decode()}
    refused = await api("POST", "/messages", message | {"attachments": [packed]})
    assert (refused.status, refused.fields) == (422, ["attachments[0].content"])
