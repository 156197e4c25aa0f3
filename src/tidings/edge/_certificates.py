"""What Amazon SNS has to be asked for: its certificates, and that a subscription is wanted. From hosts of SNS alone."""

import asyncio
import time
from collections import OrderedDict

import aiohttp

from tidings.core.errors import Unavailable

_TIMEOUT = aiohttp.ClientTimeout(total=8, connect=5)
_LARGEST = 64 * 1024
_REMEMBERED = 32
_AGAIN_SECONDS = 3600.0
_FAILED_SECONDS = 5.0


class SnsClient:
    """Fetches over pooled TLS connections; whoever calls has made sure that a URL is of an SNS host (`parse_sns`)."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._known: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._failed: dict[str, float] = {}
        self._fetching: dict[str, asyncio.Task[bytes]] = {}

    async def certificate(self, url: str) -> bytes:
        """The certificates in PEM, remembered for an hour; of many that ask at once one fetches. Raises Unavailable."""
        at, known = self._known.get(url, (float("-inf"), b""))
        if time.monotonic() - at < _AGAIN_SECONDS:
            return known
        if time.monotonic() - self._failed.get(url, float("-inf")) < _FAILED_SECONDS:
            raise Unavailable("the certificate of Amazon SNS cannot be fetched just now")
        task = self._fetching.get(url)
        if task is None:
            task = asyncio.ensure_future(self._fetch(url))
            self._fetching[url] = task
            task.add_done_callback(lambda done: self._fetched(url, done))
        return await asyncio.shield(task)

    async def confirm(self, url: str) -> None:
        """Say that a subscription is wanted. Raises Unavailable."""
        await self._fetch(url)

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    def _fetched(self, url: str, done: "asyncio.Task[bytes]") -> None:
        del self._fetching[url]
        if done.cancelled():
            return
        if done.exception() is not None:
            self._failed = {url: time.monotonic()} if len(self._failed) >= _REMEMBERED else self._failed
            self._failed[url] = time.monotonic()
            return
        self._known[url] = (time.monotonic(), done.result())
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _fetch(self, url: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=connector(), timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                body = await response.content.read(_LARGEST)
                while len(body) < _LARGEST and (more := await response.content.read(_LARGEST - len(body))):
                    body += more
                if response.status == 200:
                    return body
                problem = f"answered {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = f"could not be asked: {type(error).__name__}"
        raise Unavailable(f"Amazon SNS {problem}")


def connector() -> aiohttp.TCPConnector:
    """How SNS is reached: the system's resolver, and the authorities that this machine trusts."""
    return aiohttp.TCPConnector(limit=8)
