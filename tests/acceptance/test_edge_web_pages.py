"""Messages in the browser, through the real edge: as they were sent, for those who got them, changing nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_world import Answer, Campaign, ask, consent, events, running_edge
from signup_world import KEYS
from tidings.core.db import Database
from web_world import BASE, CONTENT, sent_campaign

SLOW = (
    "{% for a in (1..99) %}{% for b in (1..99) %}{{ 'x' | append: b | upcase | replace: 'X', 'yyyyyyyyyyyyyyyy' | split: '' "
    "| join: '-' | sort | upcase | escape | url_encode | url_decode }}{% endfor %}{% endfor %}"
)


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    return await sent_campaign(db, workspace, KEYS)


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


def stays_away_from_scripts(answer: Answer) -> None:
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert re.search(r"sandbox(?!.*allow-scripts)(?!.*allow-same-origin)", policy)
    assert "form-action 'none'" in policy


async def test_a_message_reads_as_its_recipient_got_it(db: Database, sent: Campaign, base: str) -> None:
    token = sent.token(2)
    before = await consent(db)
    answer = await ask(base, f"/v/{token}")
    page = answer.body.decode()
    assert answer.status == 200
    assert "<p>Hi Ada2 of &lt;pro&gt;</p>" in page
    assert "<head><title>News for Ada2 &amp; all</title>" in page
    # Links as in the mail: followed up, and the recipient's own; the pixel is not there.
    assert f"{BASE}/c/{token}/0" in page
    assert f"{BASE}/c/{token}/x?u=" in page
    assert f"<a href='{BASE}/u/{token}'>" in page
    assert f"<a href='{BASE}/v/{token}'>" in page
    assert "/o/" not in page
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "no-store" in answer.headers["cache-control"]
    stays_away_from_scripts(answer)
    assert (await ask(base, f"/v/{token}", "HEAD")).status == 200
    assert (await ask(base, f"/v/{token}", "POST")).status == 405
    assert await events(db) == []
    assert await consent(db) == before


async def test_the_words_are_those_of_the_launch_and_the_values_those_of_today(
    db: Database, sent: Campaign, base: str
) -> None:
    token = sent.token(1)
    await ask(base, f"/v/{token}")
    async with db.connection() as tx:
        await tx.execute("UPDATE contacts SET first_name = 'Grace' WHERE id = $1", sent.contacts[0])
    assert b"<p>Hi Grace of" in (await ask(base, f"/v/{token}")).body


async def test_who_was_erased_gets_what_everybody_got(db: Database, sent: Campaign, base: str) -> None:
    token = sent.token(3)
    assert b"Ada3" in (await ask(base, f"/v/{token}")).body
    async with db.connection() as tx:
        await tx.execute("DELETE FROM contacts WHERE id = $1", sent.contacts[2])
    answer = await ask(base, f"/v/{token}")
    page = answer.body.decode()
    assert answer.status == 200
    assert "<p>Hi friend of no plan</p>" in page
    assert "Ada3" not in page
    assert token not in page
    assert "href='https://shop.example/a?b=c&amp;d=e'" in page
    assert "<a href='#'>Leave</a>" in page


async def test_who_was_merged_is_who_they_are_now(db: Database, sent: Campaign, base: str) -> None:
    async with db.connection() as tx:
        await tx.execute("DELETE FROM contacts WHERE id = $1", sent.contacts[3])
        await tx.execute(
            "INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at) VALUES ($1, $2, $3, 'x', now())",
            sent.workspace,
            sent.contacts[3],
            sent.contacts[4],
        )
    assert b"<p>Hi Ada5 of" in (await ask(base, f"/v/{sent.token(4)}")).body


async def test_what_nobody_got_is_not_found(db: Database, sent: Campaign, base: str) -> None:
    of = sent.tokens.for_send(sent.workspace, sent.send)
    other = sent.tokens.for_send(sent.workspace, type(sent.send)(sent.send + 1))
    for token in ("x", sent.token(1)[:-1] + "A", sent.token(1) + "/x", other(1, sent.contacts[0])):
        answer = await ask(base, f"/v/{token}")
        assert answer.status == 404
        assert b"Link not found" in answer.body
    # One that only we could make: of a recipient who is none.
    assert b"Ada" not in (await ask(base, f"/v/{of(9, sent.contacts[0])}")).body
    async with db.connection() as tx:
        await tx.execute("DELETE FROM send_contents")
    assert (await ask(base, f"/v/{sent.token(2)}")).status == 404


async def test_a_hostile_template_holds_nobody_up(db: Database, workspace: int, base: str) -> None:
    sent = await sent_campaign(db, workspace, KEYS, html=CONTENT.html + SLOW)
    started = time.monotonic()
    pages = asyncio.gather(*(ask(base, f"/v/{sent.token(n)}") for n in (1, 2, 3, 4, 5)))
    await asyncio.sleep(0.05)
    opened = await ask(base, f"/o/{sent.token(1)}.gif")
    waited = time.monotonic() - started
    answers = await pages
    assert opened.status == 200
    assert waited < 5
    assert {answer.status for answer in answers} == {404}
    assert b"This message cannot be shown" in answers[0].body
    # It is known now: nobody spends a quarter of a second on it again.
    started = time.process_time()
    assert (await ask(base, f"/v/{sent.token(2)}")).status == 404
    assert time.process_time() - started < 0.2
