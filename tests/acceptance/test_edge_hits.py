"""Opens and clicks over the wire: what is answered with 200 or 302 is in the database, exactly once, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from edge_world import (
    CHROME,
    LINKS,
    SECRET,
    Campaign,
    ask,
    asked,
    campaign,
    events,
    raw,
    running_edge,
)
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.events import send_engagement

GIF = b"GIF89a\x01\x00\x01\x00"
# RFC 3986 by hand: what is not ASCII, and the space, is percent-encoded; what is encoded stays as it is.
LOCATIONS = [LINKS[0], "https://shop.example.com/%C3%BC/na%C3%AFve%20page?q=%C3%A4%20b#part", LINKS[2]]


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    return await campaign(db, workspace, Keyring(SECRET), recipients=200)


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


async def test_an_open(base: str, db: Database, sent: Campaign) -> None:
    answer = await ask(base, f"/o/{sent.token(7)}.gif")
    assert (answer.status, answer.headers["Content-Type"], answer.body[:10]) == (200, "image/gif", GIF)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    (hit,) = await events(db)
    assert (hit["workspace_id"], hit["send_id"], hit["n"], hit["contact_id"]) == (
        sent.workspace,
        sent.send,
        7,
        sent.contacts[6],
    )
    assert (hit["type"], hit["agent"], hit["data"]) == ("opened", "human", {"ua": CHROME})
    await ask(base, f"/o/{sent.token(7)}.gif", "HEAD")
    await ask(base, f"/o/{sent.token(7)}.gif", headers={"Sec-Purpose": "prefetch"})
    assert [(hit["agent"], hit["data"].get("why")) for hit in await events(db)][1:] == [
        ("machine", "HEAD request"),
        ("machine", "prefetch"),
    ]
    async with db.connection() as connection:
        found = await send_engagement(connection, workspace=sent.workspace, send=sent.send)
    assert (found.opened, found.human_opened, found.opens, found.human_opens) == (1, 1, 3, 1)


async def test_clicks_lead_to_what_was_stored(base: str, db: Database, sent: Campaign) -> None:
    for index, location in enumerate(LOCATIONS):
        answer = await ask(base, f"/c/{sent.token(3)}/{index}")
        assert (answer.status, answer.headers["Location"], answer.body) == (302, location, b"")
    assert [(hit["type"], hit["n"], hit["data"]["link"]) for hit in await events(db)] == [
        ("clicked", 3, i) for i in range(3)
    ]


async def test_a_destination_of_ones_own_is_signed(base: str, db: Database, sent: Campaign) -> None:
    url = "https://example.com/für/dich?a=1&b=%20\r\nSet-Cookie: x=y"
    tail = sent.tokens.dynamic(sent.token(1), url)
    expected = "https://example.com/f%C3%BCr/dich?a=1&b=%20%0D%0ASet-Cookie:%20x=y"
    tagged = "".join(f"&utm_{number}=x" for number in range(30))  # as programs on the way add
    for more in ("", tagged, "&u=evil&s=evil"):
        answer = await ask(base, f"/c/{sent.token(1)}/{tail}{more}")
        assert (answer.status, answer.headers["Location"]) == (302, expected)
        assert "Set-Cookie" not in answer.headers
    assert {hit["data"]["url"] for hit in await events(db)} == {url}


async def test_nobody_is_led_elsewhere(base: str, db: Database, sent: Campaign) -> None:
    token, other = sent.token(1), sent.token(2)
    tail = sent.tokens.dynamic(token, "https://example.com/")
    u, s = tail[4:].split("&s=")
    evil = sent.tokens.dynamic(other, "https://evil.example/")
    forged = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(0, 40, 3)]
    paths = [f"{text}/0" for text in [*forged, "", "x", "%00", "\u20ac" * 40]]
    indexes = [
        "3",
        "99",
        "0000009999",
        "1" * 5000,
        "-1",
        "+1",
        "1.0",
        "\u0663",
        "\u00b2",
        "%00",
        "",
        "0/",
        "0/0",
        "//evil.example",
    ]
    paths += [f"{token}/{index}" for index in indexes]
    paths += [
        f"{token}/{evil}",
        f"{token}/x",
        f"{token}/x?u={u}",
        f"{token}/x?u={u}&s={s[:-1]}",
        f"{token}/x?u={u}A&s={s}",
    ]
    paths += [
        f"{token}/x?u=https://evil.example&s={s}",
        f"{token}/x?url=https://evil.example",
        f"{token}/0?u=https://evil.example",
    ]
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(asked(session, base, f"/c/{path}") for path in paths))
        image = await asyncio.gather(*(asked(session, base, f"/o/{text}.gif") for text in forged))
    assert [answer.status for answer in answers[:-1]] == [404] * (len(paths) - 1)
    assert answers[-1].headers["Location"] == LOCATIONS[0]
    # An image all the same: proxies remember errors.
    assert {(answer.status, answer.body[:10]) for answer in image} == {(200, GIF)}
    assert len(await events(db)) == 1


async def test_a_send_that_is_unknown_here_leads_nowhere(base: str, sent: Campaign) -> None:
    other = sent.tokens.for_send(sent.workspace, type(sent.send)(sent.send + 1))(1, 1)
    assert (await ask(base, f"/c/{other}/0")).status == 404


async def test_whatever_bytes_strangers_send(base: str, db: Database, sent: Campaign) -> None:
    agents = [bytes([byte]) * 3 for byte in range(256) if byte not in b"\r\n"]
    agents += ["Ünïcödé \u202e \U0001f4e7".encode(), b"\xed\xa0\x80", b"x" * 5000, b"\\u0000", b'"}{', b""]
    for number, agent in enumerate(agents):
        request = b"GET /o/%b.gif HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: %b\r\nSec-Purpose: %b\r\n\r\n"
        answer = await raw(base, request % (sent.token(1 + number % 200).encode(), agent, agent))
        # What HTTP forbids (RFC 9110 §5.5) is refused by the server, and everything else is kept.
        assert answer[:12] in {b"HTTP/1.1 200", b"HTTP/1.1 400"}
        assert (answer[:12] == b"HTTP/1.1 400") == any((byte < 32 and byte != 9) or byte == 127 for byte in agent)
    refused = 32 - 3 + 1
    assert len(await events(db)) == len(agents) - refused


async def test_other_paths(base: str) -> None:
    robots = await ask(base, "/robots.txt")
    assert (robots.status, robots.body) == (200, b"User-agent: *\nAllow: /a/\nDisallow: /\n")
    assert (await ask(base, "/healthz")).status == 200
    for path in ("/", "/o", "/c/", "/admin", "/u", "/%ff%00", "//evil.example/%2e%2e"):
        assert (await ask(base, path)).status == 404
