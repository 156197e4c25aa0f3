"""Files in a folder and in a bucket: whole or not at all, and the secrets stay secret."""

import asyncio
import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from s3_stub import ACCESS, SECRET, bucket
from tidings.core.errors import Invalid, Unavailable
from tidings.core.objects import Credentials, FolderObjects, Objects, open_objects
from tidings.core.objects_s3 import S3Bucket, S3Objects

KEYS = Credentials(ACCESS, SECRET)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.core.objects_s3._FIRST_PAUSE_SECONDS", 0.001)


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Objects]:
    if kind == "file":
        yield open_objects((folder / "ä b").as_uri(), Credentials())
        return
    async with bucket() as there:
        objects = open_objects(there.url, KEYS)
        try:
            yield objects
        finally:
            await objects.close()


async def put(objects: Objects, key: str, data: bytes, *, more: bytes = b"") -> None:
    file = io.BytesIO(data + more)
    file.read()
    digest = hashlib.sha256(data).hexdigest()
    await objects.put(key, file, size=len(data), sha256=digest, content_type="image/png")


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_what_is_put_is_there(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as objects:
        big = os.urandom(700_000)
        assert await objects.get("7/a-_A.png") is None
        await objects.delete("7/a-_A.png")
        await put(objects, "7/a-_A.png", b"one")
        await put(objects, "7/-b.png", big, more=b"what follows is not meant")
        await put(objects, "7/a-_A.png", b"")
        await put(objects, "7/a-_A.png", b"one")
        assert (await objects.get("7/a-_A.png"), await objects.get("7/-b.png")) == (b"one", big)
        await objects.delete("7/a-_A.png")
        assert (await objects.get("7/a-_A.png"), await objects.get("7")) == (None, None)
        await objects.tidy()
        assert await objects.get("7/-b.png") == big


async def test_many_at_once_over_few_connections() -> None:
    async with bucket() as there:
        objects = open_objects(there.url, KEYS)
        await asyncio.gather(*(put(objects, f"1/{n}.png", b"%d" % n) for n in range(100)))
        assert await asyncio.gather(*(objects.get(f"1/{n}.png") for n in range(100))) == [b"%d" % n for n in range(100)]
        await objects.close()
        assert sorted(there.objects) == sorted(f"some/where/1/{n}.png" for n in range(100))
        assert {kind for _, kind in there.objects.values()} == {"image/png"}
        assert len(there.connections) <= 32


@pytest.mark.parametrize("fault", [500, 503, 429, 408, "close"])
async def test_a_bucket_that_stumbles_is_asked_again(fault: int | str) -> None:
    async with bucket() as there:
        objects = open_objects(there.url, KEYS)
        there.faults = [fault, fault]
        await put(objects, "1/a.png", b"one")
        there.faults = [fault]
        assert await objects.get("1/a.png") == b"one"
        there.faults = [fault] * 9
        with pytest.raises(Unavailable):
            await objects.get("1/a.png")
        assert there.faults  # it gives up; aiohttp asks twice where a connection ends
        await objects.close()


async def test_a_forged_request_does_nothing_and_the_secret_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with bucket() as there:
        wrong = open_objects(there.url, Credentials(ACCESS, SECRET + "x"))
        right = open_objects(there.url, Credentials(ACCESS, SECRET, "session token"))
        for work in (put(wrong, "1/a.png", b"one"), wrong.get("1/a.png"), wrong.delete("1/a.png")):
            with pytest.raises(Unavailable, match="403 SignatureDoesNotMatch") as caught:
                await work
            assert SECRET not in str(caught.value)
        assert there.objects == {}
        assert len(there.requests) == 3  # nothing is gained by asking again
        await put(right, "1/a.png", b"one")
        assert there.tokens == ["session token"]
        elsewhere = open_objects(there.url.replace("pictures", "elsewhere"), KEYS)
        with pytest.raises(Unavailable, match="NoSuchBucket"):
            await elsewhere.get("1/a.png")
        for objects in (wrong, right, elsewhere):
            await objects.close()
    told = f"{KEYS!r} {caplog.text} {right!r} {vars(right)!r}"
    assert SECRET not in told
    assert "session token" not in told


async def test_what_is_no_bucket_keeps_nothing() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        objects = open_objects(f"s3://pictures/p?region=eu-west-1&endpoint={endpoint}", KEYS)
        with pytest.raises(Unavailable, match=r"pictures .*\(PUT\): HTTP 404"):
            await put(objects, "1/a.png", b"one")
        assert await objects.get("1/a.png") is None
    with pytest.raises(Unavailable, match=r"\(PUT\): it cannot be reached"):
        await put(objects, "1/a.png", b"one")
    await objects.close()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("pictures", "https://pictures.s3.eu-west-1.amazonaws.com/p/1/a.png"),
        ("my.pictures", "https://s3.eu-west-1.amazonaws.com/my.pictures/p/1/a.png"),
    ],
)
def test_amazons_own_addresses(name: str, address: str) -> None:
    objects = S3Objects(S3Bucket(name, "p/", "eu-west-1", "", "a", "b"))
    assert f"{objects._base}{objects._path}1/a.png" == address


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "file:// or s3://"),
        ("http://x", "file:// or s3://"),
        ("file://host/x", "such as file:///"),
        ("file:///x?y=1", "such as file:///"),
        ("s3://", "must name a bucket"),
        ("s3://UPPER", "must name a bucket"),
        ("s3://abc/../x", "prefix"),
        ("s3://abc?regoin=x", "'regoin'"),
        ("s3://abc?region=a.b", "region"),
        ("s3://abc?endpoint=ftp://x", "endpoint"),
        ("s3://abc?endpoint=https://a:b@x", "endpoint"),
    ],
)
def test_urls_that_cannot_be(url: str, told: str) -> None:
    with pytest.raises(Invalid, match=told.replace("?", r"\?")):
        open_objects(url, KEYS)


def test_a_bucket_needs_a_key() -> None:
    with pytest.raises(Invalid, match="access key"):
        open_objects("s3://abc", Credentials())


async def test_a_full_or_missing_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    objects = FolderObjects(tmp_path / "file")
    with pytest.raises(Unavailable, match="folder of files"):
        await put(objects, "1/a.png", b"one")
    assert await objects.get("1/a.png") is None


WRITER = """
import asyncio, hashlib, io, sys
from pathlib import Path
from tidings.core.objects import FolderObjects
async def main():
    objects, data = FolderObjects(Path(sys.argv[1])), bytes(range(256)) * 20_000
    print("ready", flush=True)
    n = 0
    while True:
        n += 1
        await objects.put(f"1/{n}.png", io.BytesIO(data), size=len(data), sha256="", content_type="")
        print(n, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.23])
async def test_kill_9_leaves_no_half_file(after: float, tmp_path: Path) -> None:
    process: Any = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    await asyncio.sleep(after)
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    whole = bytes(range(256)) * 20_000
    files = {int(path.stem): path for path in (tmp_path / "1").glob("*.png")}
    assert set(told) <= files.keys()
    assert all(path.read_bytes() == whole for path in files.values())
    drafts = list((tmp_path / ".incoming").iterdir())
    objects = FolderObjects(tmp_path)
    await objects.tidy()
    assert list((tmp_path / ".incoming").iterdir()) == drafts  # it may be somebody's work
    for draft in drafts:
        os.utime(draft, (0, 0))
    await objects.tidy()
    assert list((tmp_path / ".incoming").iterdir()) == []
    assert len(list((tmp_path / "1").iterdir())) == len(files)
