"""What the outside reports of messages: where deliveries go, whatever the order, and what else follows."""

from datetime import timedelta
from typing import Any

import pytest
from tests.feedback_world import NOW, sent

from tidings.core.db import Database
from tidings.delivery import DeliveryState
from tidings.delivery.providers import FailureClass, Happening

H, C = Happening, FailureClass


@pytest.mark.parametrize(
    ("before", "told", "after"),
    [
        *(
            (before, (H.DELIVERED, None), "delivered")
            for before in ("pending", "sent", "deferred", "unknown", "failed")
        ),
        *((before, (H.DELIVERED, None), before) for before in ("delivered", "bounced")),
        *(
            (before, (H.BOUNCED, kind), "bounced")
            for before in DeliveryState
            for kind in (C.HARD, C.SOFT, C.MAILBOX_FULL, C.UNKNOWN, None)
        ),
        *((before, (H.BOUNCED, C.BLOCK), "failed") for before in DeliveryState if before != "bounced"),
        ("sent", (H.BOUNCED, C.POLICY), "failed"),
        ("sent", (H.REJECTED, None), "failed"),
        ("delivered", (H.REJECTED, None), "failed"),
        ("bounced", (H.REJECTED, None), "bounced"),
        *(
            (before, (happening, None), before)
            for before in ("sent", "unknown", "delivered")
            for happening in (H.DEFERRED, H.COMPLAINED, H.UNSUBSCRIBED, H.OPENED, H.CLICKED, H.UNKNOWN)
        ),
    ],
)
async def test_where_a_delivery_goes(
    db: Database, workspace: int, before: str, told: tuple[Happening, FailureClass | None], after: str
) -> None:
    here = await sent(db, workspace, [before, "sent"])
    for _ in range(2):
        await here.apply(here.report(1, *told))
        assert await here.states() == [after, "sent"]
        await here.counts()


async def test_who_was_never_tried_stays_out(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["skipped", "cancelled"], attempts={1: 0, 2: 0})
    await here.apply(here.report(1, H.BOUNCED, C.SOFT), here.report(2, H.DELIVERED))
    assert await here.states() == ["skipped", "cancelled"]
    await here.counts()


async def test_what_was_told_outlasts_what_comes_after_it(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["failed", "sent", "sent"])
    await here.apply(here.report(1, H.REJECTED), here.report(2, H.REJECTED), here.report(3, H.BOUNCED, C.SOFT))
    await here.apply(*(here.report(n, H.DELIVERED) for n in (1, 2, 3)))
    assert await here.states() == ["failed", "failed", "bounced"]
    await here.counts()


async def test_unknown_ones_are_settled_and_not_sent_again(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["unknown", "deferred", "sent"])
    async with db.connection() as connection:
        await connection.execute(
            "INSERT INTO retries SELECT workspace_id, send_id, n, now(), now() FROM deliveries WHERE n < 3"
        )
    await here.apply(here.report(1, H.DELIVERED), here.report(2, H.DELIVERED))
    counts = await here.counts()
    assert (counts.delivered, counts.accepted, counts.possible_duplicates) == (2, 2, 0)
    assert await here.fetch("SELECT FROM retries WHERE workspace_id = $1") == []


async def test_a_second_copy_is_a_possible_duplicate(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["unknown", "pending", "pending"], attempts={1: 2, 2: 1, 3: 1})
    async with db.connection() as connection:
        await connection.execute("UPDATE deliveries SET unknowns = CASE n WHEN 1 THEN 2 ELSE 1 END")
        await connection.execute(
            """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, state, priority, position, first_n, last_n, ns)
               VALUES ($1, $2, 1, $3, 'leased', 5, 1, 2, 2, '{2}')""",
            workspace,
            here.send,
            here.provider,
        )
    await here.apply(*(here.report(n, H.DELIVERED) for n in (1, 2, 3)))
    assert [row["possible_duplicate"] for _, row in sorted((await here.rows()).items())] == [True, True, False]
    assert (await here.counts()).possible_duplicates == 2


async def test_a_late_bounce_suppresses_and_is_told(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["delivered", "delivered"])
    at = NOW - timedelta(hours=3)
    report = here.report(1, H.BOUNCED, C.HARD, reason="550 5.1.1 gone", status="5.1.1", at=at)
    await here.apply(report)
    again = await here.apply(report)
    assert (again.repeated, again.moved) == (1, 0)
    assert (await here.rows())[1]["detail"] == "550 5.1.1 gone"
    (event,) = await here.events()
    assert (event["type"], event["at"], event["n"]) == ("bounced", at, 1)
    assert event["data"] == {"reply": "550 5.1.1 gone", "source": "ses", "class": "hard", "late": True}
    assert await here.statuses() == {1: "bounced", 2: "active"}
    (row,) = await here.fetch("SELECT * FROM suppressions WHERE workspace_id = $1")
    assert (row["reason"], row["source"], row["detail"]) == ("bounced", "ses", "550 5.1.1 gone")


@pytest.mark.parametrize("kind", [kind for kind in [*FailureClass, None] if kind is not C.HARD])
async def test_nothing_but_a_hard_bounce_suppresses(db: Database, workspace: int, kind: FailureClass | None) -> None:
    here = await sent(db, workspace, ["sent"])
    await here.apply(here.report(1, H.BOUNCED, kind), here.report(1, H.REJECTED))
    assert await here.statuses() == {1: "active"}
    assert await here.fetch("SELECT FROM suppressions WHERE workspace_id = $1") == []


async def test_complaints(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["delivered", "sent"])
    async with db.connection() as connection:
        news = await connection.fetchval(
            "INSERT INTO lists (workspace_id, name, created_at, updated_at) VALUES ($1, 'N', now(), now()) RETURNING id",
            workspace,
        )
        await connection.execute(
            "INSERT INTO subscriptions SELECT workspace_id, $1, id, 'subscribed', now() FROM contacts", news
        )
    await here.apply(here.report(1, H.COMPLAINED, reason="abuse"))
    await here.apply(here.report(1, H.COMPLAINED, event_id="another", source="arf"))
    (event,) = await here.events()
    assert (event["type"], event["n"], event["contact_id"]) == ("complained", 1, here.contacts[0])
    assert event["data"] == {"feedback": "abuse", "source": "ses"}
    assert await here.statuses() == {1: "complained", 2: "active"}
    assert await here.states() == ["delivered", "sent"]
    rows = await here.fetch("SELECT contact_id, status::text FROM subscriptions WHERE workspace_id = $1 ORDER BY 1")
    assert [row["status"] for row in rows] == ["unsubscribed", "subscribed"]
    (rollup,) = await here.fetch("SELECT sum(total) AS t, sum(uniques) AS u FROM rollups WHERE workspace_id = $1")
    assert tuple(rollup) == (1, 1)


async def test_leaving_through_the_provider(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["delivered"])
    for event_id in ("a", "a", "b"):
        await here.apply(here.report(1, H.UNSUBSCRIBED, source="mailgun", event_id=event_id))
    (event,) = await here.events()
    assert (event["type"], event["data"]) == ("unsubscribed", {"reason": "", "source": "mailgun"})
    assert await here.statuses() == {1: "unsubscribed"}


async def test_each_deferral_is_told_once(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent"])
    for event_id in ("a", "b", "a", "b"):
        await here.apply(here.report(1, H.DEFERRED, event_id=event_id, reason="421 busy"))
    assert [event["type"] for event in await here.events()] == ["deferred", "deferred"]


async def test_who_is_named_by_address(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "sent"])
    counts = await here.apply(
        here.report(2, H.DELIVERED, n=None, address="Reader2@Example.com"),
        here.report(1, H.DELIVERED, send=None, n=None),
        here.report(1, H.DELIVERED, n=None, address="nobody@example.com"),
    )
    assert await here.states() == ["sent", "delivered"]
    assert (counts.unmatched, counts.moved) == (2, 1)


async def test_other_workspaces_are_out_of_reach(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent"])
    async with db.connection() as connection:
        other = await connection.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('O', now()) RETURNING id")
    there = await sent(db, other, ["sent"])
    for happening in (H.BOUNCED, H.COMPLAINED):
        await there.apply(here.report(1, happening, C.HARD, address="reader7@example.com"))
    assert (await here.states(), await here.statuses()) == (["sent"], {1: "active"})
    assert await there.statuses() == {1: "active"}


async def test_reports_of_forgotten_messages_still_count_for_the_person(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent", "sent"])
    gone = here.send + 1000
    await here.apply(here.report(1, H.COMPLAINED, send=gone, n=5), here.report(2, H.BOUNCED, C.HARD, send=gone, n=6))
    assert await here.statuses() == {1: "complained", 2: "bounced"}
    assert await here.events() == []


async def test_hostile_words_are_kept(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent"])
    raw: dict[str, Any] = {"text": "\ud800 \0", "n": 2**80}
    await here.apply(here.report(1, H.BOUNCED, C.SOFT, reason="\0no\ud800\r\n" + "x" * 9999, raw=raw, source="dsn"))
    (row,) = await here.fetch("SELECT reason, raw FROM feedback WHERE workspace_id = $1")
    assert row["reason"].startswith("no? xxx")
    assert "unreadable" in row["raw"]
    await here.apply(here.report(1, H.UNKNOWN, raw={"text": "\0"}, provider=here.provider))
    rows = await here.fetch("SELECT raw FROM feedback WHERE workspace_id = $1 AND provider_id IS NOT NULL")
    assert rows[0]["raw"] == {"text": "\0"}
