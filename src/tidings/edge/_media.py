"""`/m/{path}`: images of templates. What is asked for a million times after a launch comes from memory."""

import asyncio
from collections import OrderedDict
from typing import Any

from tidings.content import MediaLibrary
from tidings.core.clock import steady
from tidings.core.errors import Unavailable
from tidings.edge._answers import TEXT, Headers, busy, not_allowed

_KEPT = 64 << 20
"""Bytes of images kept in memory."""
_LARGEST_KEPT = 8 << 20
_FRESH_SECONDS = 300.0
"""After which the store is asked again: an image that was erased must go."""
_AT_ONCE = 8
"""Images fetched at the same time: as many are in memory at most."""

_SEEN: Headers = [
    ("cache-control", "public, max-age=31536000, immutable"),
    ("x-content-type-options", "nosniff"),
    # Whatever a browser takes it for, opened by itself: it loads nothing and runs nothing.
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("access-control-allow-origin", "*"),
]
_GONE: Headers = [("cache-control", "public, max-age=60"), *TEXT]


class Pictures:
    """Serves the images of the library. The same address is the same image for ever, so no copy is ever too old."""

    def __init__(self, library: MediaLibrary) -> None:
        self._library = library
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._size = 0
        self._coming: dict[str, asyncio.Future[bytes | None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, scope: Any, proto: Any, path: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
            return
        # Addresses that are not of our making cost neither a look into the store nor a page.
        kind = self._library.kind_of(path)
        if kind is None:
            proto.response_str(404, _GONE, "not found\n")
            return
        tag = f'"{path.rpartition("/")[2].partition(".")[0]}"'
        headers = [("content-type", kind.value), ("etag", tag), *_SEEN]
        asked = scope.headers.get("if-none-match") or ""
        if any(one.strip().removeprefix("W/") in {tag, "*"} for one in asked.split(",")):
            proto.response_empty(304, headers)
            return
        try:
            image = await self._image(path)
        except Unavailable:
            busy(proto)
            return
        if image is None:
            proto.response_str(404, _GONE, "not found\n")
            return
        proto.response_bytes(200, headers, image)

    async def _image(self, path: str) -> bytes | None:
        kept = self._kept.get(path)
        if kept is not None and steady() - kept[1] < _FRESH_SECONDS:
            self._kept.move_to_end(path)
            return kept[0]
        coming = self._coming.get(path)
        if coming is None:
            coming = self._coming[path] = asyncio.ensure_future(self._fetch(path))
            coming.add_done_callback(lambda done: self._came(path, done))
        # Whoever began to wait may go away: the others still want it.
        return await asyncio.shield(coming)

    async def _fetch(self, path: str) -> bytes | None:
        async with self._room:
            image = await self._library.objects.get(path)
        self._forget(path)
        if image is not None and len(image) <= _LARGEST_KEPT:
            self._kept[path] = (image, steady())
            self._size += len(image)
            while self._size > _KEPT:
                self._forget(next(iter(self._kept)))
        return image

    def _came(self, path: str, done: "asyncio.Future[bytes | None]") -> None:
        del self._coming[path]
        if not done.cancelled():
            done.exception()  # looked at: all who waited may have gone away

    def _forget(self, path: str) -> None:
        gone = self._kept.pop(path, None)
        if gone is not None:
            self._size -= len(gone[0])
