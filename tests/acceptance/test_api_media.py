"""Images over the API: uploaded, found, described, deleted, erased; and files that are none."""

import asyncio
import io
import os
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from api_client import Answer, Client
from tidings import content
from tidings.accounts import SYSTEM
from tidings.bootstrap import App
from tidings.content import MediaBusy, MediaUpload
from tidings.core.clock import utc_now
from tidings.core.errors import Unavailable
from tidings.core.ids import WorkspaceId


def image(form: str = "PNG", size: tuple[int, int] = (40, 30), seed: int = 1) -> bytes:
    made = Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)) if seed else Image.new("RGB", size)
    out = io.BytesIO()
    made.save(out, form)
    return out.getvalue()


def form(*parts: tuple[str, str, bytes]) -> tuple[bytes, str]:
    body = b"".join(
        f'--frontier\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for name, more, data in parts
    )
    return body + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"


async def upload(api: Client, data: bytes, filename: str = "logo.png", **texts: str) -> Answer:
    more = [(part, "", text.encode()) for part, text in texts.items()]
    body, kind = form(("file", f'; filename="{filename}"', data), *more)
    return await api("POST", "/media", body, Content_Type=kind)


def files(app: App) -> set[str]:
    folder = app.data_dir / "media"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def doubts(app: App) -> list[Any]:
    async with app.db.connection() as connection:
        return [tuple(row) for row in await connection.fetch("SELECT path, since, sweeping_at FROM media_doubts")]


async def test_an_image_from_upload_to_erasure(api: Client, app: App) -> None:
    data = image("PNG", (40, 30))
    made = await upload(api, data, "C:\\photos\\Frühling.png", alt_text="Our shop")
    assert made.status == 201, made
    told = made.json
    assert (told["name"], told["alt_text"], told["content_type"]) == ("Frühling.png", "Our shop", "image/png")
    assert (told["size"], told["width"], told["height"], told["animated"]) == (len(data), 40, 30, False)
    path = told["url"].removeprefix("http://127.0.0.1:8081/m/")
    assert files(app) == {path}
    assert (app.data_dir / "media" / path).read_bytes() == data
    assert await doubts(app) == []
    assert (await api("GET", f"/media/{told['id']}")).json == told

    again = await api("POST", "/media", data, Content_Type="image/png", Content_Disposition='inline; filename="b.png"')
    assert (again.status, again.json) == (200, told)
    changed = await api("PATCH", f"/media/{told['id']}", {"name": "Spring", "alt_text": ""})
    assert (changed.json["name"], changed.json["alt_text"], changed.json["url"]) == ("Spring", "", told["url"])

    assert (await api("DELETE", f"/media/{told['id']}")).status == 204
    assert (await api("DELETE", f"/media/{told['id']}")).status == 204
    assert (await api("GET", "/media")).json["items"] == []
    (gone,) = (await api("GET", "/media?deleted=true")).json["items"]
    assert gone["deleted_at"] is not None
    assert files(app) == {path}  # mails show it still

    back = await upload(api, data, "back.png")
    assert (back.status, back.json["id"], back.json["name"]) == (201, told["id"], "back.png")
    assert back.json["deleted_at"] is None

    assert (await api("DELETE", f"/media/{told['id']}?erase=true")).status == 204
    assert (await api("GET", f"/media/{told['id']}")).status == 404
    assert await content.sweep_media(app.db, app.media, now=utc_now()) == 1
    assert await content.sweep_media(app.db, app.media, now=utc_now()) == 0
    assert (files(app), await doubts(app)) == (set(), [])
    anew = await upload(api, data)
    assert (anew.status, anew.json["url"]) == (201, told["url"])
    async with app.db.connection() as connection:
        acts = await connection.fetch("SELECT action FROM audit_entries WHERE action LIKE 'media.%' ORDER BY id")
    assert [row["action"].partition(".")[2] for row in acts] == [
        "added",
        "updated",
        "deleted",
        "added",
        "erased",
        "added",
    ]


async def test_raw_bodies_and_names(api: Client) -> None:
    sent = await api("POST", "/media", image("JPEG"), Content_Type="image/png")
    assert (sent.status, sent.json["content_type"], sent.json["name"]) == (201, "image/jpeg", "image.jpg")
    named = await api(
        "POST",
        "/media",
        image("GIF"),
        Content_Type="application/octet-stream",
        Content_Disposition="attachment; filename*=utf-8''%C3%BC.gif",
    )
    assert (named.json["name"], named.json["url"][-4:]) == ("ü.gif", ".gif")
    own = await upload(api, image("WEBP"), "x.webp", name="Mine")
    assert (own.json["name"], own.json["content_type"]) == ("Mine", "image/webp")


async def test_finding_and_leafing(api: Client) -> None:
    for n in range(5):
        await upload(api, image(), f"Logo {n}.png", alt_text="spring" if n == 3 else "")
    await upload(api, image(), "100%_done.png")
    page = (await api("GET", "/media?page_size=2&search=LOGO")).json
    assert ([one["name"] for one in page["items"]], page["total"]) == (["Logo 4.png", "Logo 3.png"], 5)
    names: list[str] = []
    cursor = page["next_cursor"]
    while cursor:
        page = (await api("GET", f"/media?page_size=2&search=logo&cursor={cursor}")).json
        names += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert names == ["Logo 2.png", "Logo 1.png", "Logo 0.png"]
    assert [one["name"] for one in (await api("GET", "/media?search=SPRING")).json["items"]] == ["Logo 3.png"]
    assert [one["name"] for one in (await api("GET", "/media?search=0%25_")).json["items"]] == ["100%_done.png"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<svg onload='alert(1)'/>", "SVG"),
        (b"GIF89a<script>", "broken"),
        (image()[:-20], "too early"),
        (image() + b"PK\x03\x04", "follow its end"),
        (b"%PDF-1.4", "PDF"),
    ],
)
async def test_what_is_no_image_changes_nothing(api: Client, app: App, data: bytes, told: str) -> None:
    for answer in (await upload(api, data, "logo.png"), await api("POST", "/media", data, Content_Type="image/png")):
        assert (answer.status, answer.problem["code"], answer.fields) == (422, "invalid_image", ["file"])
        assert told in answer.problem["detail"]
    assert (files(app), await doubts(app)) == (set(), [])
    assert (await api("GET", "/media")).json["total"] == 0


async def test_uploads_that_cannot_be(api: Client, app: App) -> None:
    large = b"\x89PNG\r\n\x1a\n" + b"x" * app.media.limit
    assert (await upload(api, large)).status == 413
    assert (await api("POST", "/media", b"{}")).status == 415
    good = image()
    for parts, field in (
        ([("image", "", good)], "image"),
        ([("file", "", good), ("file", "", good)], "file"),
        ([("name", "", b"x")], "file"),
        ([("file", "", good), ("name", "", b"\xff")], "name"),
        ([("file", "", good), ("name", "", b"a\nb")], "name"),
        ([("file", "", good), ("name", "", b"x" * 256)], "name"),
        ([("file", "", good), ("name", "", b"a"), ("name", "", b"b")], "name"),
        ([("file", "", good), ("alt_text", "", b"a\0b")], "alt_text"),
        ([("file", "", good), ("alt_text", "", b"x" * 1001)], "alt_text"),
    ):
        body, kind = form(*parts)
        answer = await api("POST", "/media", body, Content_Type=kind)
        assert (answer.status, answer.fields) == (422, [field]), answer
    body, kind = form(("file", "", good))
    assert (await api("POST", "/media", body[:-4], Content_Type=kind)).fields == ["file"]
    assert (files(app), await doubts(app)) == (set(), [])
    reader = (await api("POST", "/api-keys", {"name": "r", "scopes": ["media:read"]})).json["key"]
    assert (await upload(api.with_key(reader), good)).status == 403
    assert (await api.with_key(reader)("GET", "/media")).status == 200


async def test_an_image_in_use_stays(api: Client) -> None:
    made = (await upload(api, image())).json
    html = f'<p><img src="{made["url"]}" alt=""></p>'
    template = (await api("POST", "/templates", {"name": "T", "subject": "S", "html_content": html})).json["id"]
    block = (await api("POST", "/blocks", {"name": "b", "html_content": html})).json["id"]
    for query in ("", "?erase=true"):
        answer = await api("DELETE", f"/media/{made['id']}{query}")
        assert (answer.status, answer.problem["code"]) == (409, "media_in_use")
        assert template in answer.problem["detail"]
        assert block in answer.problem["detail"]
    await api("DELETE", f"/blocks/{block}")
    await api("PATCH", f"/templates/{template}", {"html_content": "<p>None</p>"})
    assert (await api("DELETE", f"/media/{made['id']}")).status == 204


async def test_the_same_image_of_two_workspaces(api: Client, stranger: Client, app: App) -> None:
    data = image()
    ours, theirs = (await upload(api, data)).json, (await upload(stranger, data)).json
    assert ours["url"] != theirs["url"]
    assert (await stranger("GET", f"/media/{ours['id']}")).status == 404
    assert (await api("DELETE", f"/media/{ours['id']}?erase=true")).status == 204
    await content.sweep_media(app.db, app.media, now=utc_now())
    assert files(app) == {theirs["url"].removeprefix("http://127.0.0.1:8081/m/")}


async def test_an_upload_whose_process_died_is_swept_a_day_later(api: Client, app: App) -> None:
    data, now = image(), utc_now()

    async def dies(*_: Any, **__: Any) -> None:
        raise Unavailable("the process is gone")

    put, app.media.objects.put = app.media.objects.put, dies  # type: ignore[method-assign]
    assert (await upload(api, data)).status == 503
    app.media.objects.put = put  # type: ignore[method-assign]
    ((path, _, _),) = await doubts(app)
    stored = app.data_dir / "media" / path
    stored.parent.mkdir(parents=True)
    stored.write_bytes(data)  # the file was written, and then the process died
    other = app.data_dir / "media/9/not-ours.png"
    other.parent.mkdir()
    other.write_bytes(b"")
    assert await content.sweep_media(app.db, app.media, now=now + timedelta(hours=23)) == 0
    assert stored.exists()
    assert await content.sweep_media(app.db, app.media, now=now + timedelta(hours=25)) == 1
    assert not stored.exists()
    assert other.exists()  # whatever we know nothing of is not ours to delete
    assert await doubts(app) == []


async def test_sweeping_and_uploading_the_same_image_at_once(api: Client, app: App) -> None:
    """The file of a row that is there is there, whoever was faster."""
    data, workspace = image(), WorkspaceId(api.workspace)
    by = SYSTEM(workspace)
    made = (await upload(api, data)).json
    path = made["url"].removeprefix("http://127.0.0.1:8081/m/")

    async def add() -> None:
        received = MediaUpload(1 << 20)
        await received.write(data)
        try:
            await content.add_media(
                app.db,
                app.media,
                workspace=workspace,
                received=await received.end(),
                name="n",
                by=by,
                now=utc_now(),
            )
        except MediaBusy:
            pass
        finally:
            await received.close()

    async def erase() -> None:
        async with app.db.transaction() as tx:
            for one in await content.list_media(tx, workspace=workspace):
                with_busy = content.delete_media(
                    tx, workspace=workspace, media=one.id, erase=True, by=by, now=utc_now()
                )
                try:
                    await with_busy
                except (MediaBusy, content.MediaNotFound):
                    return

    seen = set[bool]()
    for turn in range(25):
        some = [add(), erase(), content.sweep_media(app.db, app.media, now=utc_now()), add()]
        await asyncio.gather(*some[turn % 3 :], *some[: turn % 3])
        rows = (await api("GET", "/media")).json["total"]
        assert not rows or files(app) == {path}
        seen.add(bool(rows))
        while await content.sweep_media(app.db, app.media, now=utc_now() + timedelta(days=2)):
            pass
        assert files(app) == ({path} if rows else set())
    assert seen


async def test_a_block_document_shows_an_uploaded_image(api: Client, stranger: Client) -> None:
    small = (await upload(api, image("PNG", (120, 40)), alt_text='Our "logo" {{ x')).json
    wide = (await upload(api, image("JPEG", (1800, 200)), alt_text='Our "shop"')).json
    theirs = (await upload(stranger, image())).json
    # An id of theirs is one of ours nowhere, whatever its number.
    await upload(stranger, image())

    def document(*ids: str, **more: Any) -> Any:
        one: Any = [{"type": "image", "media_id": media_id, **more} for media_id in ids]
        return {"blocks": [*one, {"type": "columns", "columns": [{"blocks": one}, {"blocks": one}]}]}

    body = {"name": "T", "subject": "S", "source_type": "blocks", "source": document(small["id"], wide["id"])}
    made = await api("POST", "/templates", body)
    assert made.status == 201, made
    html = made.json["html_content"]
    assert html.count(small["url"]) == html.count(wide["url"]) == 3
    assert html.count('alt="Our &quot;shop&quot;"') == 3
    assert "{{ x" not in html
    assert 'width="120"' in html  # not blown up
    assert 'width="536"' in html  # as wide as there is room
    given = await api("PATCH", f"/templates/{made.json['id']}", {"source": document(wide["id"], alt="A", width=300)})
    assert 'width="300"' in given.json["html_content"]
    assert 'alt="A"' in given.json["html_content"]
    restored = await api("POST", f"/templates/{made.json['id']}/versions/1/restore")
    assert restored.json["html_content"] == html
    assert (await api("DELETE", f"/media/{small['id']}")).status == 409

    unknown = await api("POST", "/templates", body | {"source": document(theirs["id"])})
    assert unknown.status == 422
    assert unknown.fields == [
        "source.blocks[0].media_id",
        "source.blocks[1].columns[0].blocks[0].media_id",
        "source.blocks[1].columns[1].blocks[0].media_id",
    ]
    for wrong in ({"type": "image"}, {"type": "image", "media_id": small["id"], "src": "https://a.example/b.png"}):
        answer = await api("POST", "/templates", body | {"source": {"blocks": [wrong]}})
        assert (answer.status, answer.fields) == (422, ["source.blocks[0].src"]), answer.json
        assert "either src" in answer.problem["detail"]
