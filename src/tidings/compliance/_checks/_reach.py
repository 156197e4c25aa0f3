"""Do the links of a message lead somewhere? Asked of the web itself: politely, in bounds, and only of the public one."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from tidings.compliance._checks._public_hosts import NotPublic, PublicResolver, is_public

MOST_LINKS = 100
"""Addresses that one check tries."""
_AT_ONCE = 8
_A_HOST = 2
_REDIRECTS = 5
_SECONDS = 8.0
_KEPT_SECONDS = 300.0
_KEPT = 5000
_PORTS = frozenset({80, 443, 8080, 8443})
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Tidings link check; +https://github.com/tidings/tidings)",
    "Accept": "*/*",
}


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of asking for an address. `status` 0: there was no answer, `why` says what happened."""

    status: int
    why: str = ""
    final: str = ""
    """Where redirects led in the end."""
    media_type: str = ""
    size: int | None = None
    """Bytes, if the server says so."""
    tried: bool = True
    """False: it was not asked for, `why` says the reason."""


class LinkProbe:
    """Asks for addresses, and remembers the answers for five minutes. Keeps no connection open between checks."""

    def __init__(
        self, *, resolver: AbstractResolver | None = None, public_only: bool = True, ports: frozenset[int] = _PORTS
    ) -> None:
        """`resolver`, `public_only` and `ports` are for tests, whose servers are at home."""
        self._resolver = resolver
        self._public_only = public_only
        self._ports = ports
        self._kept: OrderedDict[str, tuple[float, Reached]] = OrderedDict()

    async def reach(self, urls: Sequence[str], *, budget_seconds: float) -> dict[str, Reached]:
        """Each address and what became of it; what is not done when the time is up was not tried."""
        found = {url: kept for url in urls if (kept := self._remembered(url)) is not None}
        missing = [url for url in dict.fromkeys(urls) if url not in found]
        for url in missing[MOST_LINKS:]:
            found[url] = Reached(0, f"only {MOST_LINKS} links are tried at a time", tried=False)
        missing = missing[:MOST_LINKS]
        if not missing:
            return found
        inner = self._resolver
        connector = aiohttp.TCPConnector(
            resolver=PublicResolver(inner) if self._public_only else inner,
            limit=_AT_ONCE,
            limit_per_host=_A_HOST,
            force_close=True,
            use_dns_cache=False,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            headers=_HEADERS,
            auto_decompress=False,
            trust_env=False,
        ) as session:
            room = asyncio.Semaphore(_AT_ONCE)
            tasks = {url: asyncio.create_task(self._one(session, url, room)) for url in missing}
            done, late = await asyncio.wait(tasks.values(), timeout=budget_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for url, task in tasks.items():
            if task in done:
                found[url] = task.result()
                self._remember(url, found[url])
            else:
                found[url] = Reached(0, "there was no time left to try it", tried=False)
        return found

    async def _one(self, session: aiohttp.ClientSession, url: str, room: asyncio.Semaphore) -> Reached:
        async with room:
            try:
                answer = await self._follow(session, "HEAD", url)
                # Many servers know no HEAD, or turn it away.
                return (
                    answer
                    if 200 <= answer.status < 400 or not answer.tried
                    else await self._follow(session, "GET", url)
                )
            except NotPublic as error:
                return Reached(0, str(error), tried=False)
            except TimeoutError:
                return Reached(0, f"no answer within {_SECONDS:g} seconds")
            except aiohttp.ClientConnectorDNSError as error:
                if isinstance(error.__cause__, NotPublic):
                    return Reached(0, str(error.__cause__), tried=False)
                return Reached(0, "there is no such host")
            except aiohttp.ClientConnectorCertificateError:
                return Reached(0, "its certificate is not valid for this name")
            except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:
                return Reached(0, f"{type(error).__name__}: {error}"[:200])

    async def _follow(self, session: aiohttp.ClientSession, method: str, url: str) -> Reached:
        at = url
        for _ in range(_REDIRECTS + 1):
            target = URL(at)
            if refused := self._refused(target):
                return Reached(0, refused, tried=False)
            async with session.request(method, target, allow_redirects=False) as answer:
                if answer.status not in {301, 302, 303, 307, 308} or "location" not in answer.headers:
                    return Reached(answer.status, "", at, answer.content_type, _length(answer))
                at = urljoin(at, answer.headers["location"])
        return Reached(0, f"it redirects more than {_REDIRECTS} times", at)

    def _refused(self, target: URL) -> str:
        """Why this address, of a link or of a redirect, is not asked for; '' if it is."""
        if target.scheme not in {"http", "https"} or not target.host:
            return f"it leads to {str(target)[:100]}"
        if target.user is not None or target.password is not None:
            return "it has a user name in it"
        if target.port not in self._ports:
            return f"port {target.port} is not tried"
        # The resolver is not asked about numbers.
        if self._public_only and _is_number(target.host) and not is_public(target.host):
            return f"{target.host} is no public address"
        return ""

    def _remembered(self, url: str) -> Reached | None:
        kept = self._kept.get(url)
        return kept[1] if kept is not None and kept[0] > time.monotonic() else None

    def _remember(self, url: str, reached: Reached) -> None:
        self._kept[url] = (time.monotonic() + _KEPT_SECONDS, reached)
        self._kept.move_to_end(url)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _length(answer: aiohttp.ClientResponse) -> int | None:
    told = answer.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 13 else None


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
