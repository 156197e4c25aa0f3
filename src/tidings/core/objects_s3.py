"""S3 and what speaks like it (MinIO, R2, Ceph …): https://docs.aws.amazon.com/AmazonS3/latest/API/

Signed by ourselves (`sigv4`), over connections that are kept. What may be repeated is, a few times, before it is given up.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import quote, urlsplit

import aiohttp

from tidings.core.errors import Unavailable
from tidings.core.sigv4 import authorization

_NOTHING = hashlib.sha256(b"").hexdigest()
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.2
_TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10, sock_read=30)
_PIECE = 1 << 18
_LARGEST = 256 << 20
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_CACHE = "public, max-age=31536000, immutable"
"""What a bucket that is served directly tells browsers: a key never changes its content."""


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """Where, and with which key. `endpoint` '' is Amazon's own; another one is asked in path style."""

    name: str
    prefix: str
    region: str
    endpoint: str
    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


class S3Objects:
    """An `Objects` in a bucket."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket
        # A name with dots has no certificate of its own below amazonaws.com: it is asked in path style, too.
        virtual = not bucket.endpoint and "." not in bucket.name
        base = bucket.endpoint or f"https://{bucket.name + '.' if virtual else ''}s3.{bucket.region}.amazonaws.com"
        self._base, self._host = base, urlsplit(base).netloc
        self._path = f"/{bucket.prefix}" if virtual else f"/{bucket.name}/{bucket.prefix}"
        self._session: aiohttp.ClientSession | None = None

    async def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, content_type: str) -> None:
        """As Objects says."""
        headers = {"content-type": content_type, "cache-control": _CACHE, "content-length": str(size)}
        await self._ask("PUT", key, headers, sha256, lambda: _pieces(file, size))

    async def get(self, key: str) -> bytes | None:
        """As Objects says."""
        return await self._ask("GET", key, {}, _NOTHING, None)

    async def delete(self, key: str) -> None:
        """As Objects says."""
        await self._ask("DELETE", key, {}, _NOTHING, None)

    async def tidy(self) -> None:
        """A bucket keeps no halves."""

    async def close(self) -> None:
        """As Objects says."""
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self,
        method: str,
        key: str,
        headers: dict[str, str],
        payload_hash: str,
        body: Callable[[], AsyncIterator[bytes]] | None,
    ) -> bytes | None:
        """One request, repeated while that may help. None for what is not there. Raises Unavailable."""
        path = self._path + quote(key, safe="/-_.~")
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
            signed = self._signed(method, path, headers, payload_hash)
            try:
                async with self._opened().request(
                    method,
                    self._base + path,
                    headers=signed,
                    data=None if body is None else body(),
                    allow_redirects=False,
                ) as answer:
                    if answer.status in {200, 204}:
                        if method != "GET":
                            return None
                        return await _whole(answer)
                    found = _CODE.search(await answer.content.read(4096))
                    told = found[1].decode() if found else ""
                    if method != "PUT" and answer.status == 404 and told in {"", "NoSuchKey"}:
                        return None
                    problem = f"HTTP {answer.status} {told}".strip()
                    if answer.status < 500 and answer.status not in {408, 429}:
                        break
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                # Not its text: it may quote the request.
                away = isinstance(error, aiohttp.ClientConnectorError)
                problem = "it cannot be reached" if away else type(error).__name__
        raise Unavailable(f"the bucket {self._bucket.name} did not do what was asked ({method}): {problem}")

    def _signed(self, method: str, path: str, headers: dict[str, str], payload_hash: str) -> dict[str, str]:
        now = datetime.now(UTC)
        headers = {
            **headers,
            "host": self._host,
            "x-amz-content-sha256": payload_hash,
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        }
        if self._bucket.session_token:
            headers["x-amz-security-token"] = self._bucket.session_token
        headers["authorization"] = authorization(
            method=method,
            path=path,
            query="",
            headers=headers,
            payload_hash=payload_hash,
            key_id=self._bucket.key_id,
            secret=self._bucket.secret,
            region=self._bucket.region,
            service="s3",
            now=now,
        )
        return headers

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=15.0),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
            )
        return self._session


async def _pieces(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    left = size
    while left and (piece := await asyncio.to_thread(file.read, min(left, _PIECE))):
        left -= len(piece)
        yield piece


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > _LARGEST:
            raise Unavailable("an object in the bucket is larger than anything that was put there")
    return bytes(body)
