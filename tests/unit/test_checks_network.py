"""Asking the web about links, within bounds; asking spam filters in their own words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from tidings.compliance import LinkProbe, SpamFilter, spam_filter
from tidings.compliance._checks._public_hosts import PublicResolver, is_public
from tidings.compliance._checks._reach import Reached
from tidings.compliance._checks._spam import SpamFilterUnavailable, read_rspamd, read_spamd
from tidings.core.errors import Invalid

MESSAGE = b"From: a@shop.de\r\nSubject: Hi\r\n\r\nHello\r\n.. dots\r\n"


class Names(AbstractResolver):
    """A DNS of one's own: names to addresses, and how often each was asked for."""

    def __init__(self, **names: str) -> None:
        self.names = {name.replace("_", "."): address for name, address in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such host")
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self.names[host].split(",")
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def site() -> AsyncIterator[tuple[str, list[str]]]:
    """A web site with pages good and bad; what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path}")
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers
        path = request.path
        if path.startswith("/hop"):
            number = int(path[4:])
            response = web.Response(status=302, headers={"location": f"/hop{number - 1}" if number else "/good"})
            response.set_cookie("a", "b")
            return response
        if path == "/inside":
            return web.Response(status=302, headers={"location": "http://inside.test/secret"})
        if path == "/number":
            return web.Response(status=302, headers={"location": "http://10.0.0.1/"})
        if path == "/nohead" and request.method == "HEAD":
            return web.Response(status=405)
        if path == "/slow":
            await asyncio.sleep(30)
        if path == "/big.png":
            return web.Response(body=b"x" * 600_000, content_type="image/png")
        return web.Response(status=404 if path == "/gone" else 200, text="hello")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://shop.test:{port}", asked
    finally:
        await runner.cleanup()


def probe(site: str, **names: str) -> LinkProbe:
    """A probe that may ask the site at home."""
    return LinkProbe(
        resolver=Names(shop_test="127.0.0.1", **names),
        public_only=False,
        ports=frozenset({int(site.rsplit(":", 1)[1])}),
    )


async def test_pages(site: tuple[str, list[str]]) -> None:
    base, asked = site
    paths = ["/good", "/gone", "/nohead", "/hop4", "/hop5", "/inside", "/big.png"]
    found = await probe(base).reach([base + path for path in paths], budget_seconds=10)
    seen = {path: found[base + path] for path in paths}
    assert {path: one.status for path, one in seen.items()} == {
        "/good": 200, "/gone": 404, "/nohead": 200, "/hop4": 200, "/hop5": 0, "/inside": 0, "/big.png": 200,
    }  # fmt: skip
    assert seen["/hop4"].final == f"{base}/good"
    assert "more than 5" in seen["/hop5"].why
    assert (seen["/inside"].tried, seen["/inside"].why) == (False, "port 80 is not tried")
    assert (seen["/big.png"].media_type, seen["/big.png"].size) == ("image/png", 600_000)
    assert "HEAD /good" in asked
    assert "GET /good" not in asked
    assert "GET /nohead" in asked


async def test_what_is_at_home_is_not_asked_for(site: tuple[str, list[str]]) -> None:
    base, asked = site
    port = int(base.rsplit(":", 1)[1])
    names = Names(shop_test="127.0.0.1", mixed_test="93.184.216.34,127.0.0.1", inside_test="10.0.0.1")
    careful = LinkProbe(resolver=names, ports=frozenset({port, 80}))
    urls = [
        f"{base}/good",
        f"http://mixed.test:{port}/",
        "http://inside.test/",
        f"http://127.0.0.1:{port}/good",
        f"http://[::1]:{port}/good",
        f"http://2130706433:{port}/good",
        f"http://0x7f.1:{port}/good",
        f"http://[::ffff:127.0.0.1]:{port}/good",
        f"http://user:secret@shop.test:{port}/good",
        "http://unknown.test/",
    ]
    found = await careful.reach(urls, budget_seconds=10)
    assert asked == []
    assert all(one.status == 0 for one in found.values())
    assert "no public address" in found[urls[0]].why
    assert "no public address" in found[urls[1]].why
    assert found[urls[-1]] == Reached(0, "there is no such host")


async def test_redirects_are_looked_at_again(site: tuple[str, list[str]]) -> None:
    base, _ = site
    careless = probe(base)
    found = await careless.reach([f"{base}/number"], budget_seconds=10)
    assert not found[f"{base}/number"].tried


async def test_the_name_is_asked_once_a_connection(site: tuple[str, list[str]]) -> None:
    """No second answer of the DNS counts: the connection goes to the address that was looked at."""
    inner = Names(shop_test="127.0.0.1")
    with pytest.raises(OSError, match="no public address"):
        await PublicResolver(inner).resolve("shop.test", 80)
    inner.names["shop.test"] = "93.184.216.34"
    assert [one["host"] for one in await PublicResolver(inner).resolve("shop.test", 80)] == ["93.184.216.34"]
    assert inner.asked == ["shop.test", "shop.test"]


async def test_answers_are_kept_and_time_is_bounded(site: tuple[str, list[str]]) -> None:
    base, asked = site
    asking = probe(base)
    urls = [f"{base}/good", f"{base}/slow"]
    started = asyncio.get_running_loop().time()
    found = await asking.reach(urls, budget_seconds=0.5)
    assert asyncio.get_running_loop().time() - started < 5
    assert found[urls[1]] == Reached(0, "there was no time left to try it", tried=False)
    await asking.reach(urls[:1], budget_seconds=5)
    assert asked.count("HEAD /good") == 1


async def test_no_more_than_a_hundred(site: tuple[str, list[str]]) -> None:
    base, _ = site
    found = await probe(base).reach([f"{base}/p{n}" for n in range(103)], budget_seconds=20)
    assert sum(one.tried for one in found.values()) == 100


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        *((one, False) for one in (
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104 - none is listened on
            "255.255.255.255", "192.0.0.192",
            "fec0::1", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::",
            "192.0.2.1", "ff02::1", "nonsense",
        )),
    ],
)  # fmt: skip
def test_public_addresses(address: str, expected: bool) -> None:
    assert is_public(address) is expected


RSPAMD = b"""{"is_skipped":false,"score":5.2,"required_score":15.0,"action":"%s","thresholds":{"reject":15.0,"add header":6.0},
"symbols":{"DATE_IN_PAST":{"name":"DATE_IN_PAST","score":0.1,"metric_score":0.1,"description":"Message date is in past"},
"FORGED_SENDER":{"name":"FORGED_SENDER","score":5,"options":["a"]}},"messages":{},"message-id":"x@y","time_real":0.03}"""


async def test_rspamd_in_its_own_words() -> None:
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update(path=request.path, body=await request.read(), headers=dict(request.headers))
        return web.Response(body=RSPAMD % b"add header", content_type="application/json")

    async with served_http(answer) as port:
        asked = filter_at(f"rspamd://:se%20cret@127.0.0.1:{port}")
        score = await asked.judge(MESSAGE, sender="a@shop.de\r\nX: y", recipient="b@shop.de")
    assert (seen["path"], seen["body"]) == ("/checkv2", MESSAGE)
    assert (seen["headers"]["From"], seen["headers"]["Rcpt"]) == ("a@shop.deX:y", "b@shop.de")
    assert seen["headers"]["Password"] == "se cret"
    assert (score.engine, score.score, score.threshold, score.action, score.is_spam) == (
        "rspamd", 5.2, 15.0, "add header", True,
    )  # fmt: skip
    assert [(one.name, one.score) for one in score.symbols] == [("FORGED_SENDER", 5.0), ("DATE_IN_PAST", 0.1)]
    assert read_rspamd(RSPAMD % b"no action").is_spam is False


SPAMD = b"""SPAMD/1.1 0 EX_OK\r
Content-length: 500\r
Spam: True ; 6.4 / 5.0\r
\r
Spam detection software, running on the system "mx", has
identified this incoming email as possible spam.

Content preview:  Hello

Content analysis details:   (6.4 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-0.0 NO_RELAYS              Informational: message was not relayed via SMTP
 1.6 ML_MARKETING           BODY: Multi Level Marketing mentioned
 4.2 BAYES_99               BODY: Bayes spam probability is 99 to 100%
                            [score: 1.0000]
"""


async def test_spamassassin_in_its_own_words() -> None:
    seen = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.read())  # to its end: the client shuts its side
        writer.write(SPAMD)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        score = await filter_at(f"spamd://news@127.0.0.1:{server.sockets[0].getsockname()[1]}").judge(
            MESSAGE, sender="a@shop.de", recipient="b@shop.de"
        )
    assert bytes(seen) == b"REPORT SPAMC/1.5\r\nContent-length: %d\r\nUser: news\r\n\r\n%b" % (len(MESSAGE), MESSAGE)
    assert (score.engine, score.score, score.threshold, score.is_spam) == ("spamassassin", 6.4, 5.0, True)
    assert [(one.name, one.score) for one in score.symbols] == [
        ("BAYES_99", 4.2), ("ML_MARKETING", 1.6), ("NO_RELAYS", 0.0),
    ]  # fmt: skip
    assert score.symbols[1].description == "BODY: Multi Level Marketing mentioned"


def test_what_rspamd_decides_at_first_sight_is_a_verdict() -> None:
    gtube = b"""{"is_skipped":true,"score":15.0,"required_score":15.0,"action":"reject",
"symbols":{"GTUBE":{"name":"GTUBE","score":0.0,"metric_score":0.0}},"messages":{"smtp_message":"Gtube pattern"}}"""
    score = read_rspamd(gtube)
    assert (score.score, score.is_spam, score.symbols[0].name) == (15.0, True, "GTUBE")
    with pytest.raises(SpamFilterUnavailable, match="skipped the message, by its settings"):
        read_rspamd(gtube.replace(b"reject", b"no action").replace(b"15.0", b"0.0"))


async def test_who_answers_there_is_no_filter() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for engine in ("rspamd", "spamd"):
            with pytest.raises(SpamFilterUnavailable) as caught:
                await filter_at(f"{engine}://127.0.0.1:{port}").judge(MESSAGE, sender="", recipient="")
            assert caught.value.message == (
                f"{engine} at 127.0.0.1:{port}: what answers there is no {engine}; see TIDINGS_SPAM_CHECK_URL"
            )


async def test_filters_that_do_not_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"rspamd://127.0.0.1:{port}", f"spamd://127.0.0.1:{port}"):
        with pytest.raises(SpamFilterUnavailable, match=f"at 127.0.0.1:{port}: .*; see TIDINGS_SPAM_CHECK_URL"):
            await filter_at(url).judge(MESSAGE, sender="", recipient="")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'{"score":"x","required_score":1,"action":"a"}', b'{"is_skipped":true}']
)
def test_rspamd_nonsense(body: bytes) -> None:
    with pytest.raises(SpamFilterUnavailable):
        read_rspamd(body)


@pytest.mark.parametrize(
    "body", [b"", b"SPAMD/1.1 76 Bad header line\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n"]
)
def test_spamd_nonsense(body: bytes) -> None:
    with pytest.raises(SpamFilterUnavailable):
        read_spamd(body)


def test_urls_of_filters() -> None:
    assert spam_filter("") is None
    for wrong in ("http://a", "rspamd://", "spamd:x", "rspamd://a:port", "rspamd://[::1"):
        with pytest.raises(Invalid, match="TIDINGS_SPAM_CHECK_URL"):
            spam_filter(wrong)


def filter_at(url: str) -> SpamFilter:
    found = spam_filter(url)
    assert found is not None
    return found


class served_http:  # noqa: N801 - used as a function
    """An HTTP server with one answer."""

    def __init__(self, answer: Callable[[web.Request], Awaitable[web.Response]]) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        self._runner = web.AppRunner(app)

    async def __aenter__(self) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self._runner.addresses[0][1]

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
