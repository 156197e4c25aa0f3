"""Files in a folder or in a bucket, chosen by a URL: written once, whole or not at all, read whole.

`file:///var/lib/tidings/media` and `s3://bucket/prefix?region=…&endpoint=…`. Keys are relative paths of letters, digits,
`-`, `_`, `.` and `/`.
"""

import asyncio
import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, ParamSpec, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from tidings.core.errors import Invalid, Unavailable
from tidings.core.objects_s3 import S3Bucket, S3Objects

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")
_STALE_SECONDS = 86_400.0
_INCOMING = ".incoming"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of whoever may write into a bucket."""

    key_id: str = ""
    secret: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


class Objects(Protocol):
    """Where files are kept."""

    async def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, content_type: str) -> None:
        """Keep `size` bytes from the start of a file; they are safe when this returns. Doing it twice is harmless.

        `sha256` is theirs, in hexadecimal. Raises Unavailable.
        """
        ...

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None when there are none under this key. Raises Unavailable."""
        ...

    async def delete(self, key: str) -> None:
        """Forget it; harmless when there is nothing. Raises Unavailable."""
        ...

    async def tidy(self) -> None:
        """Remove what killed processes left half written, once it is a day old."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def open_objects(url: str, credentials: Credentials) -> Objects:
    """The store with this URL; nothing is read or written yet. Raises Invalid, naming `url`."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = unquote(parts.path)
        if parts.netloc not in {"", "localhost"} or not path.startswith("/") or parts.query or parts.fragment:
            raise Invalid.at("url", "must be such as file:///var/lib/tidings/media")
        return FolderObjects(Path(path))
    if parts.scheme == "s3":
        return S3Objects(_bucket(url, credentials))
    raise Invalid.at("url", "must begin with file:// or s3://")


def _bucket(url: str, credentials: Credentials) -> S3Bucket:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - {"region", "endpoint"}):
        raise Invalid.at("url", f"s3:// has no option {unknown[0][:40]!r}; there are region and endpoint")
    if not _BUCKET.fullmatch(parts.netloc):
        raise Invalid.at("url", "must name a bucket, such as s3://my-bucket/media?region=eu-central-1")
    prefix = parts.path.strip("/")
    if prefix and not _KEY.fullmatch(prefix):
        raise Invalid.at("url", "may have a prefix of letters, digits, '-', '_', '.' and '/'")
    region, endpoint = options.get("region", "us-east-1"), options.get("endpoint", "").rstrip("/")
    if not _WORD.fullmatch(region):
        raise Invalid.at("url", "must have a region such as eu-central-1")
    if endpoint:
        there = urlsplit(endpoint)
        if there.scheme not in {"http", "https"} or not there.hostname or there.path or there.query or there.username:
            raise Invalid.at("url", "must have an endpoint such as https://minio.example.com, without a path")
    if not credentials.key_id or not credentials.secret:
        raise Invalid.at("url", "s3:// needs an access key")
    return S3Bucket(
        name=parts.netloc,
        prefix=f"{prefix}/" if prefix else "",
        region=region,
        endpoint=endpoint,
        key_id=credentials.key_id,
        secret=credentials.secret,
        session_token=credentials.session_token,
    )


class FolderObjects:
    """A folder on this host, or one that hosts share. Files appear by renaming: nobody ever sees a half of one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, content_type: str) -> None:  # noqa: ARG002
        """As Objects says."""
        await _done(self._put, key, file, size)

    async def get(self, key: str) -> bytes | None:
        """As Objects says."""
        return await _done(self._get, key)

    async def delete(self, key: str) -> None:
        """As Objects says."""
        await _done(self._delete, key)

    async def tidy(self) -> None:
        """As Objects says."""
        await _done(self._tidy)

    async def close(self) -> None:
        """Nothing is open."""

    def _path(self, key: str) -> Path:
        assert _KEY.fullmatch(key), key
        return self._folder / key

    def _put(self, key: str, file: BinaryIO, size: int) -> None:
        path, incoming = self._path(key), self._folder / _INCOMING
        for folder in (incoming, path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        draft = incoming / secrets.token_hex(16)
        try:
            file.seek(0)
            with draft.open("xb") as output:
                left = size
                while left and (piece := file.read(min(left, 1 << 20))):
                    output.write(piece)
                    left -= len(piece)
                output.flush()
                os.fsync(output.fileno())
            assert not left, "the file became shorter"
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        # Of the folders, too: each may be new.
        for folder in path.parent.relative_to(self._folder).parents:
            _sync(self._folder / folder)
        _sync(path.parent)

    def _get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            _sync(path.parent)

    def _tidy(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for draft in (self._folder / _INCOMING).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - draft.stat().st_mtime > _STALE_SECONDS:
                        draft.unlink()


def _sync(folder: Path) -> None:
    """The folder's own entry of a new file must reach the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _done(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """In a thread. Raises Unavailable when the disk does not do its part."""
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except OSError as error:
        raise Unavailable(f"the folder of files cannot be used: {error.strerror or error}") from error
