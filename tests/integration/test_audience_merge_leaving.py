"""Merging contacts: who left, complained or bounced as either of the two."""

from pathlib import Path

import pytest

from delivery_world import world
from merge_world import fetch, leave, merge
from tidings.audience import leaving
from tidings.audience.merging import Side
from tidings.core.clock import utc_now
from tidings.core.db import Database


@pytest.mark.parametrize("leaver", [0, 1])
@pytest.mark.parametrize("how", ["left", "complained", "manual"])
async def test_who_left_as_either_has_left_as_both(db: Database, tmp_path: Path, leaver: int, how: str) -> None:
    async with world(db, tmp_path, working=False) as here:
        pair = await here.contacts("ann@x.test", "old@x.test")
        if how == "left":
            await leave(here, pair[leaver])
        else:
            async with here.app.db.transaction() as tx:
                await leaving.suppress(
                    tx,
                    workspace=here.workspace,
                    contacts=[(pair[leaver], "")],
                    reason="complained" if how == "complained" else "manual",
                    source="test",
                    now=utc_now(),
                )
        both = await merge(here, pair[0], pair[1])
        assert both.status == ("complained" if how == "complained" else "unsubscribed")
        assert both.list_ids == []
        reason = "unsubscribed" if how == "left" else how
        assert await fetch(here, "SELECT reason FROM suppressions") == [reason, reason]


async def test_a_bounce_stays_with_its_address(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        for address, bounced, expected in (
            (Side.INTO, 1, "active"),
            (Side.INTO, 0, "bounced"),
            (Side.FROM, 0, "active"),
            (Side.FROM, 1, "bounced"),
        ):
            pair = await here.contacts(f"new-{address}-{bounced}@x.test", f"old-{address}-{bounced}@x.test")
            async with here.app.db.transaction() as tx:
                await leaving.suppress(
                    tx,
                    workspace=here.workspace,
                    contacts=[(pair[bounced], "550")],
                    reason="bounced",
                    source="bounce",
                    now=utc_now(),
                )
            both = await merge(here, *pair, address=address)
            assert both.status == expected, (address, bounced)
            assert both.email.startswith("new" if address is Side.INTO else "old")
            assert both.list_ids == [here.newsletter]
        assert await fetch(here, "SELECT count(*) FROM suppressions") == [4]


async def test_what_is_said_of_a_suppression_belongs_to_its_reason(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        left, bounced = await here.contacts("left@x.test", "bounced@x.test")
        await leave(here, left)
        async with here.app.db.transaction() as tx:
            await leaving.suppress(
                tx,
                workspace=here.workspace,
                contacts=[(bounced, "550 no such user")],
                reason="bounced",
                source="smtp",
                now=utc_now(),
            )
        await merge(here, left, bounced)
        assert set(await fetch(here, "SELECT reason, detail, source FROM suppressions")) == {
            ("unsubscribed", "", "test"),
            ("unsubscribed", "left under another address of theirs", "merge"),
        }
