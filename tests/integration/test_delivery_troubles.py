"""What workers say of providers: added up, believed for a while, and forgotten."""

from datetime import timedelta

from tidings import delivery
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.ways._troubles import Trouble, tell_trouble


async def test_the_worst_of_those_who_still_speak(db: Database, workspace: WorkspaceId) -> None:
    now = utc_now()

    async def tell(worker: str, state: str, seen: timedelta = timedelta()) -> None:
        async with db.transaction() as tx:
            told = Trouble(state, f"{worker} says", now, None)
            await tell_trouble(
                tx, workspace=workspace, provider=ProviderId(1), worker=worker, trouble=told, now=now - seen
            )

    async def seen() -> delivery.ProviderSettings:
        async with db.connection() as connection:
            return await delivery.get_provider(connection, workspace=workspace, provider=ProviderId(1))

    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO providers (workspace_id, id, name, kind, config, created_at, updated_at)
               VALUES ($1, 1, 's', 'sandbox', '{}', now(), now())""",
            workspace,
        )
    assert (await seen()).health == ""
    await tell("a", "throttled")
    await tell("b", "open")
    await tell("gone", "unusable", timedelta(minutes=2))
    provider = await seen()
    assert [one.state for one in provider.troubles] == ["open", "throttled"]
    assert provider.health == "stopped after errors: b says"
    async with db.transaction() as tx:
        await tell_trouble(tx, workspace=workspace, provider=ProviderId(1), worker="b", trouble=None, now=now)
    assert (await seen()).health == "throttled: a says"
    await tell("gone", "unusable", timedelta(days=2))
    async with db.transaction() as tx:
        await delivery.forget_troubles(tx, now=now)
        assert await tx.fetchval("SELECT count(*) FROM provider_troubles") == 1
