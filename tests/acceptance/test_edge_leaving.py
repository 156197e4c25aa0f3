"""Unsubscribing over the wire: RFC 8058, and that nothing but a POST of the real recipient changes anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge_world import CHROME, LINKS, SECRET, Campaign, Wire, ask, asked, campaign, consent, events, raw, running_edge
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    return await campaign(db, workspace, Keyring(SECRET))


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


def by_requests() -> tuple[dict[str, str], bytes]:
    """The bytes that `requests` and `curl -F` send."""
    boundary = "0123456789abcdef0123456789abcdef"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{boundary}--\r\n'
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body.encode()


def by_aiohttp() -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("List-Unsubscribe", "One-Click")
    return form


def bodies() -> list[Any]:
    headers, body = by_requests()
    return [
        pytest.param(lambda: {"data": ONE_CLICK, "headers": {"Content-Type": FORM}}, id="urlencoded"),
        pytest.param(lambda: {"data": body, "headers": headers}, id="multipart"),
        pytest.param(lambda: {"data": by_aiohttp()}, id="multipart by aiohttp"),
    ]


@pytest.mark.parametrize("body", bodies())
async def test_one_click(base: str, db: Database, sent: Campaign, body: Any) -> None:
    before = await consent(db)
    for _ in range(3):  # repeating it is harmless
        answer = await ask(base, f"/u/{sent.token(2)}", "POST", **body())
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert "Location" not in answer.headers
        contacts, subscriptions, suppressions, told = await consent(db)
        assert [status for _, _, status, _ in contacts] == ["active", "unsubscribed", "active", "active", "active"]
        gone = {row[2] for row in subscriptions if row[3] == "unsubscribed"}
        assert (gone, len(subscriptions)) == ({sent.contacts[1]}, 10)
        assert sum(row[3] == "unsubscribed" for row in subscriptions) == 2
        assert [(row[2], row[4]) for row in suppressions] == [("unsubscribed", "one_click")]
        (event,) = [row for row in await events(db) if row["type"] == "unsubscribed"]
        assert (event["send_id"], event["n"], event["contact_id"]) == (sent.send, 2, sent.contacts[1])
        assert len(told) == 1
    assert before != await consent(db)


async def test_nothing_of_a_browser_is_needed_or_minded(base: str, db: Database, sent: Campaign) -> None:
    token = sent.token(1)
    bare = f"POST /u/{token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM}\r\nContent-Length: 26\r\n\r\n"
    assert (await raw(base, bare.encode() + ONE_CLICK.encode())).startswith(b"HTTP/1.1 200")
    strange = {
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
        "Cookie": "a=b",
        "Content-Type": FORM,
    }
    assert (await ask(base, f"/u/{sent.token(2)}", "POST", data=ONE_CLICK, headers=strange)).status == 200
    # Without a body, and with one that is none: they clearly want to leave.
    assert (await ask(base, f"/u/{sent.token(3)}", "POST")).status == 200
    broken = {"Content-Type": "multipart/form-data"}
    assert (await ask(base, f"/u/{sent.token(4)}", "POST", data=b"\xff\0--", headers=broken)).status == 200
    contacts = (await consent(db))[0]
    assert [status for _, _, status, _ in contacts] == ["unsubscribed"] * 4 + ["active"]


async def test_the_page_and_its_form(base: str, db: Database, sent: Campaign) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET name = '<b>Tom & Jerry</b>'")
    before = await consent(db)
    page = await ask(base, f"/u/{sent.token(1)}")
    assert page.status == 200
    assert b"&lt;b&gt;Tom &amp; Jerry&lt;/b&gt;" in page.body
    assert b'<form method="post">' in page.body
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert (page.headers["Referrer-Policy"], page.headers["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert "no-store" in page.headers["Cache-Control"]
    head = await ask(base, f"/u/{sent.token(1)}", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert before == await consent(db)

    left = await ask(base, f"/u/{sent.token(1)}", "POST", data={"reason": "Zu viele <Mails> \0 \u20ac"})
    assert left.status == 200
    (suppression,) = (await consent(db))[2]
    assert (suppression[3], suppression[4]) == ("Zu viele <Mails>  \u20ac", "page")


async def test_a_hundred_scanners_on_every_link_change_nothing(base: str, db: Database, sent: Campaign) -> None:
    dynamic = sent.tokens.dynamic(sent.token(1), "https://example.com/for/you")
    before = await consent(db)
    token = sent.token(1)
    paths = [f"/o/{token}.gif", f"/u/{token}", f"/c/{token}/{dynamic}", *(f"/c/{token}/{i}" for i in range(len(LINKS)))]
    requests = [(path, method) for path in paths for method in ("GET", "HEAD")]
    async with aiohttp.ClientSession(
        headers={"User-Agent": CHROME}, connector=aiohttp.TCPConnector(limit=100)
    ) as session:
        for path, method in requests:
            answers = await asyncio.gather(*(asked(session, base, path, method) for _ in range(100)))
            assert {answer.status for answer in answers} == {302 if path.startswith("/c/") else 200}
            assert not any("Set-Cookie" in answer.headers for answer in answers)
    assert before == await consent(db)
    hits = await events(db)
    assert len(hits) == 200 * (len(paths) - 1)  # looking at the page is no event
    assert {hit["type"] for hit in hits} == {"opened", "clicked"}
    assert sum(hit["agent"] == "machine" for hit in hits) == len(hits) / 2


async def test_forged_tokens_take_nobody_out(base: str, db: Database, sent: Campaign) -> None:
    before = await consent(db)
    token = sent.token(1)
    forged = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    forged += ["", "x", token[:-1], token + "A", token.lower(), token + "/", "../" + token, "%00" * 40, "\u20ac" * 40]
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(asked(session, base, f"/u/{text}", "POST", data=ONE_CLICK) for text in forged))
    # `/u/../<token>` is `/<token>` to an HTTP client: a path that takes no POST.
    assert {answer.status for answer in answers} <= {404, 405}
    assert before == await consent(db)


async def test_a_body_larger_than_any_form_is_refused(base: str, db: Database, sent: Campaign) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"reason=" + b"x" * 10_000

    before = await consent(db)
    path = f"/u/{sent.token(1)}"
    announced = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n"
    assert (await raw(base, announced.encode())).startswith(b"HTTP/1.1 413")
    assert (await ask(base, path, "POST", data=b"reason=" + b"x" * 70_000)).status == 413
    assert (await ask(base, path, "POST", data=chunks())).status == 413
    assert before == await consent(db)
    assert (await ask(base, path, "POST", data=b"reason=" + b"x" * 60_000)).status == 200


async def test_a_body_that_breaks_off_harms_nobody_else(
    base: str, sent: Campaign, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = base.removeprefix("http://").partition(":")
    head = f"POST /u/{sent.token(1)} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 260\r\n\r\nreason="
    for _ in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
    assert (await ask(base, f"/u/{sent.token(2)}", "POST", data=ONE_CLICK)).status == 200
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"])
async def test_wrong_methods(base: str, db: Database, sent: Campaign, method: str) -> None:
    before = await consent(db)
    token = sent.token(1)
    for path, allowed in {
        f"/o/{token}.gif": "GET, HEAD",
        f"/c/{token}/0": "GET, HEAD",
        f"/u/{token}": "GET, HEAD, POST",
        "/robots.txt": "GET, HEAD",
    }.items():
        if method not in allowed:
            answer = await ask(base, path, method)
            assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert before == await consent(db)
    assert await events(db) == []


async def test_while_the_database_is_away_nobody_is_told_that_they_left(
    db: Database, database_url: str, tmp_path: Path, sent: Campaign
) -> None:
    before = await consent(db)
    wire = Wire(tmp_path / "wire", database_url)
    await wire.start()
    async with running_edge(wire.url, tmp_path) as base:
        wire.down()
        for method in ("GET", "POST"):
            answer = await ask(base, f"/u/{sent.token(1)}", method, data=ONE_CLICK if method == "POST" else None)
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert before == await consent(db)
        wire.up()
        assert (await ask(base, f"/u/{sent.token(1)}", "POST", data=ONE_CLICK)).status == 200
        # The name on the page is known by now; the database still has to take it.
        wire.down()
        assert (await ask(base, f"/u/{sent.token(2)}", "POST", data=ONE_CLICK)).status == 503
        assert (await ask(base, f"/u/{sent.token(2)}")).status == 200
    await wire.stop()
    assert [status for _, _, status, _ in (await consent(db))[0]] == ["unsubscribed"] + ["active"] * 4


async def test_who_was_erased_can_still_leave(base: str, db: Database, sent: Campaign) -> None:
    async with db.connection() as connection:
        await connection.execute("DELETE FROM subscriptions")
        await connection.execute("DELETE FROM contacts")
    assert (await ask(base, f"/u/{sent.token(1)}", "POST", data=ONE_CLICK)).status == 200
    assert await events(db) == []


async def test_the_token_of_a_test_is_of_nobody(base: str, db: Database, sent: Campaign) -> None:
    before = await consent(db)
    token = sent.tokens.for_send(sent.workspace, SendId(0))(0, 0)  # as campaigns.send_campaign_test makes it
    for path in ("u", "p"):
        assert (await ask(base, f"/{path}/{token}")).status == 200
    assert (await ask(base, f"/u/{token}", "POST", data=ONE_CLICK)).status == 200
    assert await consent(db) == before
    assert await events(db) == []
