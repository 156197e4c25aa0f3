"""How long a deferred recipient waits, attempt after attempt."""

from datetime import UTC, datetime

import pytest
from tests.feedback_world import sent

from tidings.core.db import Database
from tidings.delivery.recording._record import Told, record_others
from tidings.delivery.states import DeliveryState

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MANY = 200


@pytest.mark.parametrize(
    ("asked", "attempts", "least", "most"),
    [
        (None, 0, 240, 360),
        (None, 3, 1920, 2880),
        (None, 40, 11_520, 17_280),
        (900.0, 0, 900, 1260),
        (900.0, 2, 3600, 5040),
        (3600.0, 9, 14_400, 20_160),  # a full mailbox is not asked every hour for three days
        (30_000.0, 5, 30_000, 42_000),  # never sooner than asked for
    ],
)
async def test_it_doubles_up_to_four_hours(
    db: Database, workspace: int, asked: float | None, attempts: int, least: float, most: float
) -> None:
    here = await sent(db, workspace, ["pending"] * MANY, attempts=dict.fromkeys(range(1, MANY + 1), attempts))
    told = Told()
    for n in range(1, MANY + 1):
        told.add(here.workspace, here.send, n, DeliveryState.DEFERRED, "451 later", wait_seconds=asked)
    async with db.transaction() as tx:
        await record_others(tx, told=told, writer=1, now=NOW)
    waits = [
        (row["due_at"] - NOW).total_seconds()
        for row in await here.fetch("SELECT due_at FROM retries WHERE workspace_id = $1")
    ]
    assert len(waits) == MANY
    assert least <= min(waits)
    assert max(waits) <= most
    assert max(waits) - min(waits) > 0.8 * (most - least)  # spread


async def test_one_that_a_limit_holds_back_comes_when_it_was_told(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["pending"], attempts={1: 7})
    told = Told()
    told.add(here.workspace, here.send, 1, DeliveryState.DEFERRED, "limited", wait_seconds=100, held=True)
    async with db.transaction() as tx:
        await record_others(tx, told=told, writer=1, now=NOW)
    (row,) = await here.fetch("SELECT due_at FROM retries WHERE workspace_id = $1")
    assert 100 <= (row["due_at"] - NOW).total_seconds() <= 110
