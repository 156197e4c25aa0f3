"""Messages to single recipients, through the real pipeline: what arrives, who gets none, what a crash leaves."""

import asyncio
import email
import email.policy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.audience import leaving, states
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import MessageId
from tidings.delivery import Attachment, DeliveryState, Message, MessageView


async def queue(w: World, to: str = "ada@example.com", **values: Any) -> MessageId:
    """Queue one."""
    given: dict[str, Any] = {
        "subject": "Order {{ order.number }}",
        "html": "<p>Dear {{ first_name }}, {{ order.total }}</p>",
        "variables": {"first_name": "Ada", "order": {"number": 7, "total": "5 €"}},
        "sender_email": "shop@example.org",
        "sender_name": "Shop",
    }
    async with w.app.db.transaction() as tx:
        return await delivery.queue_message(
            tx,
            workspace=w.workspace,
            message=Message(to_email=to, **(given | values)),
            keys=w.app.keys,
            public_url=w.app.public_url,
            now=utc_now(),
        )


async def seen(w: World, message: MessageId) -> MessageView:
    """As it is now."""
    async with w.app.db.connection() as connection:
        return await delivery.get_message(connection, workspace=w.workspace, message=message)


async def ends(w: World, message: MessageId, state: DeliveryState, seconds: float = 20) -> MessageView:
    """Wait for a state."""
    return await eventually(lambda: seen(w, message), lambda one: one.state == state, seconds)


async def test_a_message_arrives_as_it_was_written(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        pdf = bytes(range(256)) * 400
        number = await queue(
            w,
            to_name="Ada Lovelace",
            headers={"X-Order": "7", "References": "<1@example.org>"},
            attachments=[Attachment("Rechnung für Ada – März.pdf", pdf)],
        )
        one = await ends(w, number, DeliveryState.DELIVERED)
        assert (one.attempts, one.possible_duplicate, one.subject) == (1, False, "Order 7")
        raw = w.server.accepted[0].message.removesuffix(b".\r\n")
        read = email.message_from_bytes(raw, policy=email.policy.default)
        assert not read.defects
        assert read["To"].addresses[0].display_name == "Ada Lovelace"
        assert (read["Subject"], read["X-Order"], read["References"]) == ("Order 7", "7", "<1@example.org>")
        assert read["Auto-Submitted"] == "auto-generated"
        assert read["List-Unsubscribe"] is None
        assert read["List-Id"] is None
        assert read.get_body(("plain",)).get_content().strip() == "Dear Ada, 5 €"  # type: ignore[union-attr]
        assert "<p>Dear Ada, 5 €</p>" in read.get_body(("html",)).get_content()  # type: ignore[union-attr]
        (attached,) = read.iter_attachments()  # type: ignore[union-attr]
        assert attached.get_filename() == "Rechnung für Ada – März.pdf"
        assert attached.get_content() == pdf
        async with db.connection() as connection:
            events = await delivery.message_events(connection, message=one, workspace=w.workspace)
        assert [event.type for event in events] == ["queued", "delivered"]
        await w.check_counters()


async def test_plain_text_alone_is_no_multipart(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await ends(w, await queue(w, html="", text="Code: {{ order.number }}\n.\n.x\n"), DeliveryState.DELIVERED)
        raw = w.server.accepted[0].message.removesuffix(b".\r\n")
        read = email.message_from_bytes(raw, policy=email.policy.default)
        assert read.get_content_type() == "text/plain"
        assert read.get_content().replace("\r\n", "\n").rstrip() == "Code: 7\n.\n.x"  # type: ignore[attr-defined]


async def test_several_to_one_person_and_contents_are_kept_once(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        (contact,) = await w.contacts("ada@example.com")
        numbers = await asyncio.gather(*(queue(w, variables={"order": {"number": k}}) for k in range(30)))
        for number in numbers:
            one = await ends(w, number, DeliveryState.DELIVERED)
            assert one.contact == contact
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM message_contents") == 1
            assert await connection.fetchval("SELECT count(*) FROM sends WHERE campaign_id IS NULL") == 1
        subjects = sorted(email.message_from_bytes(one.message)["Subject"] for one in w.server.accepted)
        assert subjects == sorted(f"Order {k}" for k in range(30))
        assert len({one.message_id for one in w.server.accepted}) == 30
        await w.check_counters()


@pytest.mark.parametrize(
    ("reason", "kind", "arrives"),
    [
        ("unsubscribed", "transactional", True),
        ("unsubscribed", "marketing", False),
        ("bounced", "transactional", False),
        ("bounced", "confirmation", True),
        ("complained", "confirmation", False),
        ("complained", "transactional", False),
        ("manual", "transactional", False),
    ],
)
async def test_who_is_out(
    db: Database, tmp_path: Path, reason: states.SuppressionReason, kind: str, arrives: bool
) -> None:
    async with world(db, tmp_path) as w:
        contacts = await w.contacts("ada@example.com")
        async with db.transaction() as tx:
            await leaving.suppress(
                tx,
                workspace=w.workspace,
                contacts=[(contact, "") for contact in contacts],
                reason=reason,
                source="test",
                now=utc_now(),
            )
        number = await queue(w, kind=kind)
        one = await ends(w, number, DeliveryState.DELIVERED if arrives else DeliveryState.SKIPPED)
        assert bool(w.server.accepted) == arrives
        assert arrives or one.detail == f"suppressed:{reason}"


async def test_marketing_says_how_to_leave_and_needs_a_contact(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        with pytest.raises(Invalid, match="contact"):
            await queue(w, kind="marketing")
        await w.contacts("ada@example.com")
        await ends(w, await queue(w, kind="marketing"), DeliveryState.DELIVERED)
        read = email.message_from_bytes(w.server.accepted[0].message, policy=email.policy.default)
        assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert read["Auto-Submitted"] is None
        assert "1 Main Street" in read.get_body(("html",)).get_content()  # type: ignore[union-attr]


async def test_a_dead_address_is_remembered_without_a_contact(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: "550 5.1.1 no such user"
        one = await ends(w, await queue(w), DeliveryState.BOUNCED)
        assert "5.1.1" in one.detail
        again = await ends(w, await queue(w), DeliveryState.SKIPPED)
        assert again.detail == "suppressed:bounced"
        await w.check_counters()


async def test_deferred_ones_come_again_with_the_same_message_id(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, retry_first_seconds=0.5) as w:
        asked: list[str] = []

        def verdict(recipient: str) -> str:
            asked.append(recipient)
            return "dot 451 4.3.0 later" if asked.count(recipient) == 1 else "ok"

        w.server.verdict = verdict
        numbers = [await queue(w), await queue(w, to="bob@example.com", html="<p>other</p>")]
        for number in numbers:
            one = await ends(w, number, DeliveryState.DELIVERED)
            assert one.attempts == 2
        assert len({one.message_id for one in w.server.accepted}) == 2
        await w.check_counters()


async def test_dropped_after_the_dot_is_unknown_then_flagged(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery.recording._record.UNKNOWN_WAIT_SECONDS", 0.2)
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda _: "drop" if not w.server.dropped else "ok"
        one = await ends(w, await queue(w), DeliveryState.DELIVERED)
        assert one.possible_duplicate
        assert w.server.dropped[0].message_id == w.server.accepted[0].message_id


async def test_a_message_overtakes_a_campaign_that_is_under_way(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=1) as w:
        w.server.delay_seconds = 0.02
        await w.contacts(*(f"a{n}@example.com" for n in range(150)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 5)
        before = len(w.server.accepted)
        await ends(w, await queue(w, to="now@example.com"), DeliveryState.DELIVERED)
        assert w.server.recipients.index("now@example.com") - before < 40
        await w.until(campaign, CampaignStatus.SENT)
        assert len(w.server.recipients) == 151


async def test_broken_content_is_the_callers_to_hear_of(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        broken: list[tuple[str, dict[str, Any]]] = [
            ("to", {"to": "nobody"}),
            ("subject", {"subject": " "}),
            ("subject", {"subject": "{{ nothing }}"}),
            ("subject", {"subject": "{% if %}"}),
            ("subject", {"subject": "Order\r\n7"}),
            ("html_content", {"html": "{{ x"}),
            ("html_content", {"html": ""}),
            ("html_content", {"html": "{{ unsubscribe_url }}"}),
            ("sender_email", {"sender_email": ""}),
            ("kind", {"kind": "spam"}),
            ("variables.today", {"variables": {"today": 1}}),
            ("variables.first_name", {"variables": {"first_name": 1}}),
            ("variables.email", {"variables": {"email": "x@example.com"}}),
            ("headers.Bcc", {"headers": {"Bcc": "x@example.com"}}),
            ("headers.X-A", {"headers": {"X-A": "1\r\nBcc: x@example.com"}}),
            ("attachments[0].filename", {"attachments": [Attachment("a/b", b"")]}),
            ("attachments[0].content_type", {"attachments": [Attachment("a", b"", "message/rfc822")]}),
        ]
        for field, values in broken:
            with pytest.raises(Invalid) as caught:
                await queue(w, **values)
            assert field in [one.field for one in caught.value.fields], (field, caught.value.fields)
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM messages") == 0


async def test_a_backlog_becomes_chunks_and_nobody_is_lost(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        for k in range(12):
            await queue(w, to=f"a{k}@example.com")
        async with db.transaction() as tx:
            await tx.execute("UPDATE chunks SET state = 'leased', owner = 'x', lease_until = now() WHERE first_n = 3")
        from tidings.core.db import sql

        async with db.transaction() as tx:
            rows = await tx.fetch(sql("tidings.delivery.messages", "_gather_messages"), 10, 6)
            assert [row["gathered"] for row in rows] == [6]
        async with db.connection() as connection:
            waiting = await connection.fetch("SELECT unnest(ns) AS n FROM chunks ORDER BY n")
            assert [row["n"] for row in waiting] == list(range(1, 13))


async def test_old_rolling_sends_go_whole(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await ends(w, await queue(w), DeliveryState.DELIVERED)
        await eventually(lambda: _count(db, "chunks WHERE state <> 'done'"), lambda n: n == 0)
        for days in (3, 50):  # ended, then forgotten
            async with db.transaction() as tx:
                await tx.execute("DELETE FROM message_sends")
                while await delivery.tidy_messages(tx, now=utc_now() + timedelta(days=days)):
                    pass
        for table in ("chunks", "messages", "deliveries", "message_contents", "sends", "send_counters"):
            assert await _count(db, table) == 0, table
        await ends(w, await queue(w), DeliveryState.DELIVERED)


async def _count(db: Database, what: str) -> int:
    async with db.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {what}")  # noqa: S608
