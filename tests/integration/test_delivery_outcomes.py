"""What becomes of each recipient, with a real server that answers everything a server can."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from delivery_world import eventually, world
from tidings import delivery
from tidings.campaigns import CampaignStatus
from tidings.core.db import Database

VERDICTS = {
    "fine": "ok",
    "nobody": "550 5.1.1 no such user",
    "blocked": "550 5.7.1 your reputation is poor",
    "large": "dot 552 5.3.4 message too big",
    "full": "452 4.2.2 mailbox full",
    "refused": "dot 554 5.6.0 content refused",
    "dying": "dot 550 5.1.1 user unknown after all",
}


def _by_name(address: str) -> str:
    return VERDICTS["".join(c for c in address.partition("@")[0] if c.isalpha())]


async def test_each_recipient_gets_their_own_outcome(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.pause_above()  # never
        w.server.verdict = _by_name
        # Interleaved, so that a reply credited to a neighbour shows.
        emails = [f"{name}{number}@example.com" for number in range(40) for name in VERDICTS]
        await w.contacts(*emails)
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        states = await w.states()
        expected = {
            "fine": "delivered",
            "nobody": "bounced",
            "blocked": "failed",
            "large": "failed",
            "full": "deferred",
            "refused": "failed",
            "dying": "bounced",
        }
        for email, (state, detail) in states.items():
            verdict = _by_name(email)
            name = next(name for name, text in VERDICTS.items() if text == verdict)
            assert state == expected[name], (email, state, detail)
            if verdict != "ok":
                assert verdict.removeprefix("dot ")[:9] in detail, (email, detail)
        assert Counter(w.server.recipients) == Counter(email for email in emails if email.startswith("fine"))
        await w.check_counters()
        async with db.connection() as connection:
            suppressed = await connection.fetch(
                """
                SELECT c.email, s.reason::text AS reason, c.status::text AS status FROM suppressions AS s
                JOIN contacts AS c ON c.workspace_id = s.workspace_id AND c.address_hash = s.address_hash
                """
            )
            bounces = await connection.fetchval("SELECT count(*) FROM events WHERE type = 'bounced'")
        # A fault of the message or of ours says nothing about the recipient (T1).
        assert {row["email"] for row in suppressed} == {e for e in emails if e.startswith(("nobody", "dying"))}
        assert {(row["reason"], row["status"]) for row in suppressed} == {("bounced", "bounced")}
        assert bounces == 80

        # Whoever bounced is not mailed again, and the next send says why.
        again = await w.campaign()
        await w.launch(again)
        await w.until(again, CampaignStatus.SENT)
        async with db.connection() as connection:
            skipped = await connection.fetch(
                "SELECT DISTINCT detail FROM deliveries WHERE state = 'skipped' AND send_id = (SELECT max(id) FROM sends)"
            )
        assert [row["detail"] for row in skipped] == ["suppressed:bounced"]
        await w.check_counters()


async def test_deferred_are_tried_again_from_the_table(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, retry_first_seconds=0.2) as w:
        asked: Counter[str] = Counter()

        def twice_later(address: str) -> str:
            asked[address] += 1
            return "451 4.3.0 try later" if asked[address] < 3 else "ok"

        w.server.verdict = twice_later
        await w.contacts(*(f"a{n}@example.com" for n in range(30)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(w.states, lambda states: {s for s, _ in states.values()} == {"delivered"})
        assert set(asked.values()) == {3}
        assert len(w.server.recipients) == len(set(w.server.recipients)) == 30
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM retries") == 0
            assert await connection.fetchval("SELECT min(attempts) FROM deliveries") == 3
        await w.check_counters()


async def test_deferred_for_too_long_have_failed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, retry_first_seconds=0.1, give_up_seconds=0.3) as w:
        w.server.verdict = lambda _: "452 4.2.2 mailbox full"
        await w.contacts("a@example.com", "b@example.com")
        await w.launch(await w.campaign())
        states = await eventually(w.states, lambda states: {s for s, _ in states.values()} == {"failed"})
        for _, detail in states.values():
            assert detail.startswith("gave up after ")
            assert "mailbox full" in detail
        await w.check_counters()


async def test_a_reply_that_was_never_read_is_unknown_and_sent_once_more(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery.recording._record.UNKNOWN_WAIT_SECONDS", 0.3)
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda a: (
            "drop" if a.startswith("drop") and not any(one.recipient == a for one in w.server.dropped) else "ok"
        )
        await w.contacts(*(f"{'drop' if n % 10 == 0 else 'fine'}{n}@example.com" for n in range(100)))
        await w.launch(await w.campaign())
        await eventually(w.states, lambda states: {s for s, _ in states.values()} == {"delivered"})
        first = {one.recipient: one.message_id for one in w.server.dropped}
        second = {one.recipient: one.message_id for one in w.server.accepted}
        assert len(first) == 10
        assert all(second[recipient] == message_id for recipient, message_id in first.items())
        assert len(w.server.accepted) == 100
        async with db.connection() as connection:
            flagged = await connection.fetch(
                """
                SELECT c.email FROM deliveries AS d JOIN contacts AS c ON c.id = d.contact_id WHERE d.possible_duplicate
                """
            )
        assert {row["email"] for row in flagged} == set(first)
        await w.check_counters()


async def test_twice_unread_stays_unknown(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.delivery.recording._record.UNKNOWN_WAIT_SECONDS", 0.1)
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: "drop"
        await w.contacts("a@example.com")
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.dropped)), lambda n: n == 2)
        await asyncio.sleep(1.0)
        assert len(w.server.dropped) == 2, "never a third copy"
        assert (await w.states())["a@example.com"][0] == "unknown"
        await w.check_counters()


async def test_an_unreachable_server_burns_nothing_and_says_so(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        port = w.server.port
        await w.server.stop()
        await w.contacts(*(f"a{n}@example.com" for n in range(50)))
        campaign = await w.campaign()
        await w.launch(campaign)

        async def health() -> str:
            async with db.connection() as connection:
                return (await delivery.list_providers(connection, workspace=w.workspace))[0].health

        said = await eventually(health, bool)
        assert "unreachable" in said
        assert {state for state, _ in (await w.states()).values()} == {"pending"}
        await w.server.start(port)
        await w.until(campaign, CampaignStatus.SENT, 40)
        assert sorted(w.server.recipients) == sorted(f"a{n}@example.com" for n in range(50))
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT max(attempts) FROM deliveries") == 1
        await eventually(health, lambda words: words == "")
