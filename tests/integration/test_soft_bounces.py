"""Soft bounces add up to a suppression by the workspace's policy, unless something was delivered in between."""

from datetime import timedelta

import pytest
from tests.feedback_world import NOW, sent

from tidings.core.db import Database
from tidings.delivery import DeliveryState
from tidings.delivery.providers import FailureClass, Happening
from tidings.delivery.recording._record import Told, record_others

H, C = Happening, FailureClass


@pytest.mark.parametrize(
    ("days", "limit", "span", "kinds", "status"),
    [
        ([0, 2, 4, 6, 8], 5, 7, [C.SOFT, C.MAILBOX_FULL], "bounced"),
        ([0, 2, 4, 6], 5, 7, [C.SOFT], "active"),
        ([0, 1, 2, 3, 4, 5, 6], 5, 7, [C.SOFT], "active"),
        ([0, 0, 0, 0, 7], 5, 7, [C.MAILBOX_FULL], "bounced"),
        ([0, 20, 40, 60, 80], 0, 7, [C.SOFT], "active"),
        ([0, 0], 2, 0, [C.SOFT], "bounced"),
        ([0, 2, 4, 6, 8, 10], 5, 7, [C.BLOCK, C.POLICY, C.UNKNOWN], "active"),
    ],
)
async def test_they_add_up(
    db: Database, workspace: int, days: list[int], limit: int, span: int, kinds: list[FailureClass], status: str
) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET soft_bounce_limit = $1, soft_bounce_days = $2", limit, span)
    here = await sent(db, workspace, ["sent"])
    for number, day in enumerate(days):
        here = await sent(db, workspace, ["sent"])
        at = NOW + timedelta(days=day)
        report = here.report(1, H.BOUNCED, kinds[number % len(kinds)], at=at, event_id=str(number), reason="452 full")
        assert (await here.statuses())[1] == "active"
        for _ in range(2):
            await here.apply(report, now=at)
    assert (await here.statuses())[1] == status
    suppressed = await here.fetch("SELECT * FROM suppressions WHERE workspace_id = $1")
    assert [row["reason"] for row in suppressed] == (["bounced"] if status == "bounced" else [])
    if suppressed:
        assert suppressed[0]["detail"] == f"{len(days)} soft bounces since 2026-11-01; the last: 452 full"


async def test_a_delivery_in_between_forgives(db: Database, workspace: int) -> None:
    for day in range(12):
        here = await sent(db, workspace, ["sent"])
        at = NOW + timedelta(days=day)
        happening = H.DELIVERED if day == 5 else H.BOUNCED
        await here.apply(here.report(1, happening, C.SOFT, at=at, event_id=str(day)), now=at)
        assert (await here.statuses())[1] == "active"
    # Day 6 to 13 are seven days without a delivery.
    for day, status in ((12, "active"), (13, "bounced")):
        here = await sent(db, workspace, ["sent"])
        at = NOW + timedelta(days=day)
        await here.apply(here.report(1, H.BOUNCED, C.SOFT, at=at, event_id=str(day)), now=at)
        assert (await here.statuses())[1] == status


@pytest.mark.parametrize(("reply", "status"), [("452 4.2.2 full", "bounced"), ("451 4.7.1 bad reputation", "active")])
async def test_giving_up_is_one_of_them(db: Database, workspace: int, reply: str, status: str) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET soft_bounce_limit = 2, soft_bounce_days = 1")
    for day in (0, 4):
        here = await sent(db, workspace, ["pending"], attempts={1: 5})
        told = Told()
        told.add(here.workspace, here.send, 1, DeliveryState.DEFERRED, reply, give_up_seconds=0)
        async with db.transaction() as tx:
            await record_others(tx, told=told, writer=1, now=NOW + timedelta(days=day))
        assert await here.states() == ["failed"]
    assert (await here.statuses())[1] == status


async def test_those_of_an_address_that_is_no_contact_add_up_too(db: Database, workspace: int) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET soft_bounce_limit = 3, soft_bounce_days = 4")
    for day, happening in (
        (0, H.BOUNCED),
        (1, H.BOUNCED),
        (2, H.DELIVERED),
        (3, H.BOUNCED),
        (5, H.BOUNCED),
        (7, H.BOUNCED),
    ):
        assert await _suppressed(db, workspace) == []
        here = await sent(db, workspace, ["sent"])
        await _to_nobody_known(db, workspace, here.send)
        at = NOW + timedelta(days=day)
        report = here.report(1, happening, C.MAILBOX_FULL, at=at, event_id=str(day), reason="452 full")
        for _ in range(2):
            await here.apply(report, now=at)
    assert await _suppressed(db, workspace) == [(b"nobody", "3 soft bounces since 2026-11-04; the last: 452 full")]
    assert await here.fetch("SELECT FROM address_soft_bounces WHERE workspace_id = $1") == []
    assert (await here.statuses())[1] == "active"


async def test_giving_up_on_such_an_address_is_one_of_them(db: Database, workspace: int) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET soft_bounce_limit = 2, soft_bounce_days = 1")
    for day in (0, 4):
        here = await sent(db, workspace, ["pending"], attempts={1: 5})
        await _to_nobody_known(db, workspace, here.send)
        told = Told()
        told.add(here.workspace, here.send, 1, DeliveryState.DEFERRED, "452 4.2.2 full", give_up_seconds=0)
        async with db.transaction() as tx:
            await record_others(tx, told=told, writer=1, now=NOW + timedelta(days=day))
    assert len(await _suppressed(db, workspace)) == 1


async def _to_nobody_known(db: Database, workspace: int, send: int) -> None:
    """Make a send's delivery that of a message to an address which no contact has."""
    async with db.transaction() as tx:
        await tx.execute("UPDATE sends SET campaign_id = NULL WHERE id = $1", send)
        await tx.execute("UPDATE deliveries SET contact_id = NULL WHERE send_id = $1", send)
        await tx.execute(
            """INSERT INTO messages (workspace_id, id, send_id, n, kind, to_email, address_hash, to_name, first_name, last_name,
                   phone, language, time_zone, tags, variables, known_at, content_hash, subject, headers, attached, created_at)
               VALUES ($1, $2, $2, 1, 'transactional', 'nobody@example.com', 'nobody', '', '', '', '', '', '', '{}', '{}',
                       now(), '', '', '[]', '[]', now())""",
            workspace,
            send,
        )


async def _suppressed(db: Database, workspace: int) -> list[tuple[bytes, str]]:
    async with db.connection() as connection:
        rows = await connection.fetch(
            "SELECT address_hash, detail FROM suppressions WHERE workspace_id = $1 ORDER BY 1", workspace
        )
    return [tuple(row) for row in rows]
