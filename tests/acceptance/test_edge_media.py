"""Images at the edge: the right headers, nothing for made-up addresses, from a folder and from a bucket."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from edge_world import SECRET, ask, running_edge
from s3_stub import ACCESS as BUCKET_ACCESS
from s3_stub import SECRET as BUCKET_SECRET
from s3_stub import bucket
from tidings.content import MediaLibrary
from tidings.content._pictures import Kind
from tidings.core.crypto import Keyring
from tidings.core.ids import WorkspaceId
from tidings.core.objects import Credentials, open_objects
from tidings.core.settings import Settings


def png() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((50, 40), 50).save(out, "PNG")
    return out.getvalue()


def library(url: str) -> MediaLibrary:
    objects = open_objects(url, Credentials(BUCKET_ACCESS, BUCKET_SECRET))
    return MediaLibrary(objects, keys=Keyring(SECRET), base_url="", limit=1 << 20)


async def kept(there: MediaLibrary, data: bytes, kind: Kind = Kind.PNG) -> str:
    digest = hashlib.sha256(data)
    path = there.path_of(WorkspaceId(7), digest.digest(), kind)
    await there.objects.put(path, io.BytesIO(data), size=len(data), sha256=digest.hexdigest(), content_type=kind)
    return path


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


async def test_an_image_with_its_headers(base: str, tmp_path: Path) -> None:
    there, data = library((tmp_path / "media").as_uri()), png()
    path = await kept(there, data)
    for _ in range(2):  # from the folder, and from memory
        answer = await ask(base, f"/m/{path}?utm=1")
        assert (answer.status, answer.body) == (200, data)
        headers = answer.headers
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Length"] == str(len(data))
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "Set-Cookie" not in headers
        assert "Vary" not in headers
    tag = answer.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await ask(base, f"/m/{path}", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert (await ask(base, f"/m/{path}", headers={"If-None-Match": '"x"'})).status == 200
    head = await ask(base, f"/m/{path}", "HEAD")
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", "image/png")
    assert (await ask(base, f"/m/{path}", "POST")).status == 405
    jpeg = await kept(there, b"\xff\xd8\xff", Kind.JPEG)
    assert (await ask(base, f"/m/{jpeg}")).headers["Content-Type"] == "image/jpeg"


async def test_addresses_of_nobodys_making_cost_nothing(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = library((tmp_path / "media").as_uri())
    path = await kept(there, png())
    asked: list[str] = []

    async def get(_self: object, key: str) -> bytes | None:
        asked.append(key)
        return None

    monkeypatch.setattr("tidings.core.objects.FolderObjects.get", get)
    other = "A" if path[5] != "A" else "B"
    for made_up in (
        "",
        "x",
        "7/../../secret",
        "7/%2e%2e/secret",
        path[:5] + other + path[6:],
        path.replace(".png", ".gif"),
        path.replace("7/", "8/"),
        path.replace("7/", "07/"),
        path + "/",
        f"{path}%00",
        f"x/{path}",
    ):
        answer = await ask(base, f"/m/{made_up}")
        assert answer.status == 404, made_up
    assert asked == []
    assert (await ask(base, f"/m/{path}")).status == 404
    assert asked == [path]


async def test_a_crowd_is_served_from_one_look(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = png(), list[str]()
    path = await kept(library((tmp_path / "media").as_uri()), data)

    async def get(_self: object, key: str) -> bytes | None:
        asked.append(key)
        await asyncio.sleep(0.05)
        return data

    monkeypatch.setattr("tidings.core.objects.FolderObjects.get", get)
    answers = await asyncio.gather(*(ask(base, f"/m/{path}") for _ in range(30)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, data)}
    assert asked == [path]


@asynccontextmanager
async def in_bucket(database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> AsyncIterator[str]:
    given = {"media_url": url, "media_access_key": BUCKET_ACCESS, "media_secret_key": BUCKET_SECRET}
    monkeypatch.setattr("edge_world.Settings", lambda **fields: Settings(**fields, **given))
    async with running_edge(database_url, folder) as base:
        yield base


async def test_from_a_bucket_and_while_it_is_away(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.core.objects_s3._FIRST_PAUSE_SECONDS", 0.001)
    async with bucket() as there, in_bucket(database_url, tmp_path, monkeypatch, there.url) as base:
        images, data = library(there.url), png()
        path = await kept(images, data)
        other = await kept(images, data + b"x")
        await images.objects.close()
        assert (await ask(base, f"/m/{path}")).body == data
        there.faults = [500] * 50
        assert (await ask(base, f"/m/{path}")).body == data  # from memory
        away = await ask(base, f"/m/{other}")
        assert (away.status, away.headers["Retry-After"]) == (503, "30")
        there.faults = []
        assert (await ask(base, f"/m/{other}")).body == data + b"x"
