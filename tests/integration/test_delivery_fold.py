"""Who received what: exact at every moment, while sends run, are folded, and have stragglers."""

from collections import Counter
from pathlib import Path

import pytest

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx

_TOLD = """
SELECT contact_id, sum(n)::integer AS n FROM (
    SELECT contact_id, cardinality(received) AS n FROM contact_activity WHERE workspace_id = $1
    UNION ALL SELECT contact_id, count(*) FROM unfolded_received WHERE workspace_id = $1 GROUP BY contact_id
) AS both_parts GROUP BY contact_id HAVING sum(n) > 0
"""
_TRUE = """
SELECT contact_id, count(*)::integer AS n FROM deliveries
WHERE workspace_id = $1 AND state IN ('sent', 'delivered') GROUP BY contact_id
"""


async def _same(w: World) -> Counter[int]:
    async with w.app.db.connection() as tx:
        told = Counter({row["contact_id"]: row["n"] for row in await tx.fetch(_TOLD, w.workspace)})
        assert told == Counter({row["contact_id"]: row["n"] for row in await tx.fetch(_TRUE, w.workspace)})
    return told


async def _fold(db: Database) -> bool:
    async with db.transaction() as tx:
        return await delivery.fold_some(tx, now=utc_now())


async def test_what_people_received_is_exact_before_during_and_after(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.delivery._fold.STEP", 4)
    async with world(db, tmp_path, retry_first_seconds=1) as w:
        later = {"a3@x.test"}
        w.server.verdict = lambda who: (
            "451 4.2.1 later" if who in later else "550 5.1.1 no" if who == "a5@x.test" else "ok"
        )
        ids = await w.contacts(*(f"a{n}@x.test" for n in range(10)))
        first, second = await w.campaign(), await w.campaign(name="More")
        await w.launch(first)
        await w.until(first, CampaignStatus.SENT)
        assert len(await _same(w)) == 8
        while await _fold(db):
            await _same(w)
        async with db.connection() as tx:
            assert await tx.fetchval("SELECT count(*) FROM contact_activity") == 8
            assert await tx.fetchval("SELECT count(*) FROM unfolded_deliveries") == 1
            assert await tx.fetchval("SELECT count(*) FROM sends WHERE folded_at IS NULL") == 0
        later.clear()
        await eventually(lambda: _same(w), lambda told: told[ids[3]] == 1)
        async with db.transaction() as tx:
            await delivery.fold_open(tx)
        await _same(w)
        async with db.connection() as tx:
            assert await tx.fetchval("SELECT count(*) FROM unfolded_deliveries") == 0
            assert await tx.fetchval("SELECT count(*) FROM contact_activity") == 9
        await w.launch(second)
        await w.until(second, CampaignStatus.SENT)
        told = await _same(w)
        assert told[ids[0]] == 2
        while await _fold(db):
            pass
        assert await _same(w) == told


async def _arrays(tx: Tx, before: list[int], more: list[int]) -> list[int]:
    return await tx.fetchval("SELECT activity_joined($1::integer[], $2::integer[])", before, more)


async def test_activity_is_kept_in_order_and_its_latest_thousand(db: Database) -> None:
    async with db.connection() as tx:
        assert await _arrays(tx, [], []) == []
        assert await _arrays(tx, [1, 5], []) == [1, 5]
        assert await _arrays(tx, [], [2]) == [2]
        assert await _arrays(tx, [1, 5], [5, 9]) == [1, 5, 5, 9]
        assert await _arrays(tx, [1, 5], [3, 4]) == [1, 3, 4, 5]
        assert await _arrays(tx, list(range(1000)), [1000, 1001]) == list(range(2, 1002))
        assert await _arrays(tx, list(range(10, 1010)), [1, 2]) == list(range(10, 1010))
