"""The preference page through the real edge: single lists, everything, coming back; nothing goes out after the answer."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge_world import Campaign, ask, campaign, consent, events, running_edge
from signup_world import KEYS, hidden, people
from tidings.audience import addresses, leaving
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ContactId, WorkspaceId
from tidings.delivery import Withdrawals


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    """Five people, each on the public lists News and Offers and on the private one Staff."""
    made = await campaign(db, workspace, KEYS)
    async with db.connection() as connection:
        await connection.execute("UPDATE lists SET visibility = 'public', public_description = 'All of ' || name")
        await connection.execute("UPDATE lists SET public_name = 'Special <offers>' WHERE name = 'Offers'")
        await connection.execute(
            """WITH made AS (INSERT INTO lists (workspace_id, name, created_at, updated_at)
                             VALUES ($1, 'Staff', now(), now()) RETURNING id)
               INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
               SELECT $1, made.id, c.id, now() FROM made, contacts AS c""",
            workspace,
        )
        hashes = await connection.fetch("SELECT id, email FROM contacts")
        for row in hashes:
            await connection.execute(
                "UPDATE contacts SET address_hash = $2 WHERE id = $1",
                row["id"],
                addresses.address_hash(addresses.address_key(KEYS), row["email"]),
            )
    return made


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


async def lists(db: Database) -> dict[str, int]:
    async with db.connection() as connection:
        return {row["name"]: row["id"] for row in await connection.fetch("SELECT id, name FROM lists")}


def boxes(page: bytes) -> dict[int, bool]:
    found = re.findall(r'name="list" value="(\d+)"( checked)?>', page.decode())
    return {int(number): bool(checked) for number, checked in found}


def choice(ids: dict[str, int], *on: str, shown: tuple[str, ...] = ("News", "Offers")) -> list[tuple[str, str]]:
    return [
        ("act", "save"),
        *(("shown", str(ids[name])) for name in shown),
        *(("list", str(ids[name])) for name in on),
    ]


async def test_looking_changes_nothing(base: str, db: Database, sent: Campaign) -> None:
    ids, before = await lists(db), await consent(db)
    path = f"/p/{sent.token(1)}"
    page = await ask(base, path)
    assert boxes(page.body) == {ids["News"]: True, ids["Offers"]: True}
    assert b"Special &lt;offers&gt;" in page.body
    assert b"Staff" not in page.body
    assert b"reader1@example.com" in page.body
    for method, body in (("HEAD", None), ("POST", b""), ("POST", b"act=x"), ("POST", b"\xff\0")):
        assert (await ask(base, path, method, data=body)).status == 200
    assert (await ask(base, f"/p/{sent.token(1)[:-1]}A")).status == 404
    assert (await ask(base, path, "PUT")).status == 405
    assert await consent(db) == before
    # The page for leaving everything leads here.
    assert f'href="../p/{sent.token(1)}"'.encode() in (await ask(base, f"/u/{sent.token(1)}")).body


async def test_single_lists_off_and_on(base: str, db: Database, sent: Campaign) -> None:
    ids, path = await lists(db), f"/p/{sent.token(2)}"
    off = await ask(base, path, "POST", data=choice(ids, "News"))
    assert boxes(off.body) == {ids["News"]: True, ids["Offers"]: False}
    assert b"Saved" in off.body
    stands = await people(db)
    assert stands["reader2@example.com"] == (
        "active",
        {ids["News"]: "subscribed", ids["Offers"]: "unsubscribed", ids["Staff"]: "subscribed"},
    )
    assert [status for email, status in stands.items() if email != "reader2@example.com"] == [
        ("active", dict.fromkeys(ids.values(), "subscribed"))
    ] * 4
    (left,) = [event for event in await events(db) if event["type"] == "unsubscribed"]
    assert (left["send_id"], left["n"], left["contact_id"]) == (sent.send, 2, sent.contacts[1])
    await ask(base, path, "POST", data=choice(ids, "News"))  # repeating it is harmless
    assert len([event for event in await events(db) if event["type"] == "unsubscribed"]) == 1

    on = await ask(base, path, "POST", data=choice(ids, "News", "Offers"))
    assert boxes(on.body) == {ids["News"]: True, ids["Offers"]: True}
    assert (await people(db))["reader2@example.com"][1][ids["Offers"]] == "subscribed"
    (back,) = [event for event in await events(db) if event["type"] == "resubscribed"]
    assert back["data"] == {"lists": [f"list_{ids['Offers']}"], "source": "preferences"}
    async with db.connection() as connection:
        (proof,) = await connection.fetch("SELECT * FROM consents")
    assert (proof["contact_id"], proof["list_ids"], proof["ip"]) == (sent.contacts[1], [ids["Offers"]], "127.0.0.1")
    assert "[x] Special <offers>" in proof["wording"]


async def test_only_what_was_shown_is_switched(base: str, db: Database, sent: Campaign) -> None:
    ids = await lists(db)
    # Staff is private: neither put on it nor taken off it. Offers was made public after the page was drawn.
    data = choice(ids, shown=("News", "Staff"))
    await ask(base, f"/p/{sent.token(1)}", "POST", data=data)
    assert (await people(db))["reader1@example.com"][1] == {
        ids["News"]: "unsubscribed",
        ids["Offers"]: "subscribed",
        ids["Staff"]: "subscribed",
    }


async def test_everything_off_and_back(base: str, db: Database, sent: Campaign) -> None:
    ids, path = await lists(db), f"/p/{sent.token(3)}"
    page = await ask(base, path, "POST", data={"act": "leave"})
    assert b"You are unsubscribed from everything" in page.body
    assert (await people(db))["reader3@example.com"] == ("unsubscribed", dict.fromkeys(ids.values(), "unsubscribed"))
    await ask(base, path, "POST", data=choice(ids, "News"))
    assert (await people(db))["reader3@example.com"] == (
        "active",
        {ids["News"]: "subscribed", ids["Offers"]: "unsubscribed", ids["Staff"]: "unsubscribed"},
    )
    assert (await consent(db))[2] == []


@pytest.mark.parametrize("reason", ["complained", "manual"])
async def test_who_was_shut_out_stays_out(base: str, db: Database, sent: Campaign, reason: Any) -> None:
    ids = await lists(db)
    async with db.transaction() as tx:
        await leaving.suppress(
            tx,
            workspace=sent.workspace,
            contacts=[(ContactId(sent.contacts[0]), "")],
            reason=reason,
            source="x",
            now=utc_now(),
        )
    before = await consent(db)
    page = await ask(base, f"/p/{sent.token(1)}")
    assert boxes(page.body) == {}
    await ask(base, f"/p/{sent.token(1)}", "POST", data=choice(ids, "News"))
    assert await consent(db) == before


async def test_who_was_merged_is_whoever_they_are_now(base: str, db: Database, sent: Campaign) -> None:
    ids = await lists(db)
    async with db.connection() as connection:
        await connection.execute("DELETE FROM contacts WHERE id = $1", sent.contacts[0])
        await connection.execute(
            "INSERT INTO contact_merges (workspace_id, merged_id, into_id, email, at) VALUES ($1, $2, $3, 'a@b.example', now())",
            sent.workspace,
            sent.contacts[0],
            sent.contacts[1],
        )
    page = await ask(base, f"/p/{sent.token(1)}")
    assert b"reader2@example.com" in page.body
    await ask(base, f"/p/{sent.token(1)}", "POST", data=choice(ids))
    assert (await people(db))["reader2@example.com"][1][ids["News"]] == "unsubscribed"
    # Somebody who was erased has nothing to choose, and is not made anew.
    async with db.connection() as connection:
        await connection.execute("DELETE FROM contacts WHERE id = $1", sent.contacts[4])
    for data in (choice(ids, "News"), [("act", "leave")]):
        answer = await ask(base, f"/p/{sent.token(5)}", "POST", data=data)
        assert b"nobody with this address" in answer.body
    assert "reader5@example.com" not in await people(db)


async def test_without_public_lists_there_is_still_the_way_out(base: str, db: Database, sent: Campaign) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE lists SET visibility = 'private'")
    page = await ask(base, f"/p/{sent.token(1)}")
    assert hidden(page.body) == {}
    assert b'value="leave"' in page.body
    assert b"/p/" not in (await ask(base, f"/u/{sent.token(1)}")).body
    assert WorkspaceId(1) == sent.workspace


async def test_the_answer_waits_for_the_workers(
    base: str, db: Database, sent: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, path = await lists(db), f"/p/{sent.token(1)}"
    asked: list[Any] = []
    stands: list[Any] = []

    async def settled(_: Withdrawals, *, workspace: WorkspaceId, contacts: Any, **more: Any) -> bool:
        stands.append((await people(db))["reader1@example.com"][1][ids["News"]])  # after the commit
        asked.extend(contacts)
        return True

    monkeypatch.setattr(Withdrawals, "settled", settled)
    await ask(base, path, "POST", data=choice(ids, "News", "Offers"))
    assert asked == []
    await ask(base, path, "POST", data=choice(ids, "Offers"))
    assert (asked, stands) == ([sent.contacts[0]], ["unsubscribed"])
