"""The web archive through the real edge: what is public, for nobody, with a feed; and nothing else."""

import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_world import Campaign, ask, events, running_edge
from signup_world import KEYS
from tidings.campaigns import Archive, ArchiveTokens
from tidings.core.db import Database
from tidings.core.ids import ListId
from web_world import archive_it, sent_campaign

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    return await sent_campaign(db, workspace, KEYS)


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


def address(sent: Campaign, list_id: int | None = None) -> str:
    archive = Archive(sent.workspace, None if list_id is None else ListId(list_id))
    return f"/a/{ArchiveTokens(KEYS).token(archive)}"


async def test_it_is_off_by_default(db: Database, sent: Campaign, base: str) -> None:
    (campaign,) = await archive_it(db, sent)
    async with db.connection() as tx:
        await tx.execute("UPDATE campaigns SET archive = DEFAULT")
    for path in ("", f"/{campaign}", "/feed.xml"):
        assert (await ask(base, address(sent) + path)).status == 404


async def test_a_campaign_is_shown_for_nobody(db: Database, sent: Campaign, base: str) -> None:
    (campaign,) = await archive_it(db, sent)
    answer = await ask(base, f"{address(sent)}/{campaign}")
    page = answer.body.decode()
    assert answer.status == 200
    assert "<p>Hi friend of no plan</p>" in page
    assert "<title>News for you &amp; all</title>" in page
    assert "href='https://shop.example/a?b=c&amp;d=e'" in page
    assert "<a href='#'>Browser</a><a href='#'>Leave</a>" in page
    assert "/c/" not in page
    assert "/o/" not in page
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "x-robots-tag" not in answer.headers
    assert answer.headers["cache-control"] == "public, max-age=60"
    again = await ask(base, f"{address(sent)}/{campaign}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert (await ask(base, f"{address(sent)}/{campaign}", "POST")).status == 405
    assert await events(db) == []


async def test_strict_templates_are_shown_too(db: Database, workspace: int, base: str) -> None:
    sent = await sent_campaign(db, workspace, KEYS, html="{% tidings_strict %}<p>[{{ plan }}]</p>")
    (campaign,) = await archive_it(db, sent)
    assert b"<p>[]</p>" in (await ask(base, f"{address(sent)}/{campaign}")).body


async def test_the_list_has_pages(db: Database, sent: Campaign, base: str) -> None:
    ids = await archive_it(db, sent, count=45)
    seen: list[int] = []
    path = address(sent)
    for number in (1, 2, 3):
        answer = await ask(base, f"{path}?page={number}", headers={"Accept-Language": "de"})
        page = answer.body.decode()
        seen += [int(one) for one in re.findall(r'href="[\w=-]{24}/(\d+)"', page)]
        assert ("Ältere" in page, "Neuere" in page) == (number < 3, number > 1)
        assert "News for you &amp; all" in page
        assert "<p>For everybody</p>" in page
        assert "script" not in page
    assert seen == ids[::-1]
    assert "20. November 2026" in page
    for number in ("0", "4", "x", "-1", "99999"):
        assert (await ask(base, f"{path}?page={number}")).status == 404


async def test_a_list_has_an_archive_of_its_own(db: Database, sent: Campaign, base: str) -> None:
    async with db.connection() as tx:
        news, offers = [row["id"] for row in await tx.fetch("SELECT id FROM lists ORDER BY name DESC")][::-1]
    (campaign,) = await archive_it(db, sent, lists=(news,))
    assert (await ask(base, address(sent, news))).status == 200
    assert (await ask(base, f"{address(sent, news)}/{campaign}")).status == 200
    assert (await ask(base, address(sent, offers))).status == 404
    assert (await ask(base, f"{address(sent, offers)}/{campaign}")).status == 404


@pytest.mark.parametrize("status", ["draft", "scheduled", "paused", "cancelled"])
async def test_what_is_not_going_out_is_not_there(db: Database, sent: Campaign, base: str, status: str) -> None:
    (campaign,) = await archive_it(db, sent)
    async with db.connection() as tx:
        await tx.execute("UPDATE campaigns SET status = $1::text::campaign_status", status)
    assert (await ask(base, f"{address(sent)}/{campaign}")).status == 404


async def test_the_feed_is_atom(db: Database, sent: Campaign, base: str) -> None:
    ids = await archive_it(db, sent, count=35)
    answer = await ask(base, f"{address(sent)}/feed.xml")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.body)  # noqa: S314 - our own
    assert feed.tag == f"{ATOM}feed"
    # RFC 4287 §4.1.1 and §4.1.2: what each must have.
    for one in (feed, *feed.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (found,) = one.findall(f"{ATOM}{name}")
            assert found.text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one.findtext(f"{ATOM}updated") or "")
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    entries = feed.findall(f"{ATOM}entry")
    assert [(one.findtext(f"{ATOM}id") or "").rpartition("/")[2] for one in entries] == [str(i) for i in ids[:-31:-1]]
    assert entries[0].findtext(f"{ATOM}title") == "News for you & all"
    assert entries[0].findtext(f"{ATOM}summary") == "For everybody"
    links = {one.get("rel"): one.get("href") or "" for one in feed.findall(f"{ATOM}link")}
    assert links["self"].endswith(f"{address(sent)}/feed.xml")


async def test_addresses_cannot_be_made_up(db: Database, sent: Campaign, base: str) -> None:
    await archive_it(db, sent)
    token = address(sent)[3:]
    for made_up in ("", "x", "é", token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], token + "A" * 8):
        assert (await ask(base, f"/a/{made_up}")).status == 404
    for path in ("/", "/x", "/1e3", "/" + "9" * 30, "/feed.xml/"):
        assert (await ask(base, f"/a/{token}{path}")).status in {404, 200} - ({200} if path != "/" else set())
    assert b"Allow: /a/" in (await ask(base, "/robots.txt")).body
