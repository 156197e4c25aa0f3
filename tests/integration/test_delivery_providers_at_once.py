"""Two who change one provider at the same time."""

import asyncio
from pathlib import Path
from typing import Any

from delivery_world import World, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx
from tidings.core.ids import ProviderId
from tidings.delivery.ways import open_settings


async def _change(tx: Tx, w: World, **changes: Any) -> None:
    await delivery.update_provider(
        tx,
        workspace=w.workspace,
        provider=ProviderId(w.provider),
        keys=w.app.keys,
        by=SYSTEM(w.workspace),
        now=utc_now(),
        **changes,
    )


async def test_neither_takes_back_what_the_other_did(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        async with db.transaction() as tx:
            before = await delivery.get_provider(tx, workspace=w.workspace, provider=ProviderId(w.provider))
            config = before.config | {"username": "me"}
            await _change(tx, w, config=config, secret={"password": "old"})

        async def rename() -> None:
            async with db.transaction() as tx:
                await _change(tx, w, name="renamed")

        async with db.transaction() as tx:
            await _change(tx, w, secret={"password": "new"})
            second = asyncio.ensure_future(rename())
            await asyncio.sleep(0.3)
            assert not second.done(), "it reads what it keeps once the first is through"
        await second
        async with db.connection() as connection:
            opened = await open_settings(
                connection, workspace=w.workspace, provider=ProviderId(w.provider), keys=w.app.keys
            )
            seen = await delivery.get_provider(connection, workspace=w.workspace, provider=ProviderId(w.provider))
        assert (opened.secret, seen.name) == ({"password": "new"}, "renamed")
