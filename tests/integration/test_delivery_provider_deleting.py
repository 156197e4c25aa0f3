"""Providers that are taken away: what needs them keeps them, what went through them goes on naming them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery_world import World, eventually, world
from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import Campaign, CampaignStatus
from tidings.compliance import NotReady
from tidings.core.clock import utc_now
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId
from tidings.delivery import (
    Message,
    ProviderDeleted,
    ProviderInUse,
    ProviderNotFound,
    RouteMember,
    Strategy,
    notification_receiver,
)


async def _add(
    tx: Tx, w: World, name: str, *, kind: str = "sandbox", default: bool = False, **secret: str
) -> ProviderId:
    config = {"domain": "mg.example.com", "region": "eu"} if kind == "mailgun" else {}
    made = await delivery.add_provider(
        tx,
        workspace=w.workspace,
        name=name,
        kind=kind,
        config=config,
        secret=secret,
        is_default=default,
        keys=w.app.keys,
        by=SYSTEM(w.workspace),
        now=utc_now(),
    )
    return made.id


async def _delete(tx: Tx, w: World, provider: int | None = None) -> None:
    await campaigns.delete_provider(
        tx,
        workspace=w.workspace,
        provider=ProviderId(provider or w.provider),
        keys=w.app.keys,
        by=SYSTEM(w.workspace),
        now=utc_now(),
    )


async def _launch(tx: Tx, w: World, campaign: Campaign) -> None:
    await campaigns.launch(
        tx,
        workspace=w.workspace,
        campaign=campaign.id,
        public_url=w.app.public_url,
        by=SYSTEM(w.workspace),
        now=utc_now(),
    )


async def _give(tx: Tx, w: World, campaign: Campaign) -> None:
    await campaigns.update_campaign(
        tx,
        workspace=w.workspace,
        campaign=campaign.id,
        changes={"provider_id": ProviderId(w.provider)},
        by=SYSTEM(w.workspace),
        now=utc_now(),
    )


async def _queue(tx: Tx, w: World, provider: int | None = None) -> None:
    await delivery.queue_message(
        tx,
        workspace=w.workspace,
        message=Message(
            to_email="a@example.com",
            subject="Hi",
            html="<p>Hi</p>",
            sender_email="shop@example.org",
            sender_name="Shop",
        ),
        provider=ProviderId(provider) if provider else None,
        keys=w.app.keys,
        public_url=w.app.public_url,
        now=utc_now(),
    )


async def _route(tx: Tx, w: World, *providers: int) -> delivery.Route:
    return await delivery.add_route(
        tx,
        workspace=w.workspace,
        name="Both",
        strategy=Strategy.ROUND_ROBIN,
        members=[RouteMember(ProviderId(one)) for one in providers],
        is_default=False,
        by=SYSTEM(w.workspace),
        now=utc_now(),
    )


async def test_one_that_was_used_goes_and_history_names_it(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await w.pause_above()
        w.server.verdict = lambda email: "554 5.6.0 refused" if email.startswith("bad") else "ok"
        await w.contacts("a@example.com", "bad@example.com")
        campaign = await w.campaign(provider_id=w.provider)
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        async with db.transaction() as tx:
            await _queue(tx, w)
        await eventually(w.states, lambda states: states["a@example.com"][0] == "delivered")
        await eventually(
            lambda: db_value(db, "SELECT count(*) FROM chunks WHERE state <> 'done'"), lambda many: many == 0
        )
        assert w.server.connected > 0
        async with db.transaction() as tx:
            await _delete(tx, w)
        # Its worker lets go of it; for being idle it would do so after a minute, and hang up after twenty seconds.
        await eventually(lambda: asyncio.sleep(0, w.server.connected), lambda many: many == 0, seconds=8)
        async with db.transaction() as tx:
            assert await delivery.list_providers(tx, workspace=w.workspace) == []
            assert await delivery.default_way(tx, workspace=w.workspace) is None
            assert await tx.fetchval("SELECT sealed_secret IS NULL FROM providers")
            shares = await delivery.provider_shares(tx, workspace=w.workspace, send=(await w.seen(campaign.id)).send_id)
            assert [(one.name, one.accepted, one.failed) for one in shares] == [("server", 1, 1)]
            with pytest.raises(ProviderNotFound):
                await _delete(tx, w)
            with pytest.raises(Invalid, match="the workspace has no provider yet"):
                await _queue(tx, w)
            with pytest.raises(Invalid, match="there is no provider provider_"):
                await _queue(tx, w, w.provider)
            with pytest.raises(ProviderDeleted, match="copy the campaign"):
                await campaigns.retry_failed(
                    tx, workspace=w.workspace, campaign=campaign.id, by=SYSTEM(w.workspace), now=utc_now()
                )
            # Its name is free, and the first of those that are there is the default.
            again = await _add(tx, w, "server")
            assert await delivery.default_way(tx, workspace=w.workspace) == delivery.Way(provider=again)
            with pytest.raises(Invalid, match="there is no provider"):
                await _route(tx, w, w.provider, again)


async def db_value(db: Database, statement: str) -> Any:
    async with db.connection() as connection:
        return await connection.fetchval(statement)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ("draft", "campaign_1: still to go"),
        ("paused", "campaign_1: still to go"),
        ("deferred", "campaign_1: still to go, or to be tried again"),
        ("message", "messages are still to go"),
        ("route", "'Both': routes that have this provider"),
        ("deleted route", "campaign_1: still to go"),
        ("default", "it is the workspace's default"),
    ],
)
async def test_what_needs_it_keeps_it(db: Database, tmp_path: Path, needs: str, told: str) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        async with db.transaction() as tx:
            other = await _add(tx, w, "other", default=needs != "default")
            through = await _route(tx, w, w.provider, other) if "route" in needs else None
            if needs == "message":
                await _queue(tx, w, w.provider)
        if needs in {"draft", "paused", "deferred"}:
            campaign = await w.campaign(provider_id=w.provider)
        elif through:
            campaign = await w.campaign(route_id=through.id)
        if needs in {"paused", "deferred", "deleted route"}:
            await w.launch(campaign)
            await w.act(campaigns.pause, campaign)
        async with db.transaction() as tx:
            if needs == "deferred":
                await tx.execute("UPDATE sends SET status = 'done', finished_at = now()")
                await tx.execute(
                    """
                    INSERT INTO retries (workspace_id, send_id, n, due_at, first_at)
                    SELECT workspace_id, id, 1, now() + interval '1 hour', now() FROM sends
                    """
                )
            if needs == "deleted route" and through:
                await delivery.delete_route(
                    tx, workspace=w.workspace, route=through.id, by=SYSTEM(w.workspace), now=utc_now()
                )
        async with db.transaction() as tx:
            before = await tx.fetchval("SELECT sealed_secret FROM providers WHERE id = $1", w.provider)
        with pytest.raises(ProviderInUse) as refused:
            async with db.transaction() as tx:
                await _delete(tx, w)
        assert told in str(refused.value)
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT sealed_secret FROM providers WHERE id = $1", w.provider) == before
            await delivery.get_provider(tx, workspace=w.workspace, provider=ProviderId(w.provider))


Deed = Callable[[Tx, World, Campaign], Awaitable[Any]]

RIVALS: dict[str, tuple[Deed, type[Exception]]] = {
    "launch": (_launch, NotReady),
    "draft": (_give, Invalid),
    "message": (lambda tx, w, _: _queue(tx, w, w.provider), Invalid),
    "default message": (lambda tx, w, _: _queue(tx, w), Invalid),
    "route": (lambda tx, w, _: _route(tx, w, w.provider), Invalid),
}


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("deletion_first", [True, False])
async def test_of_two_at_once_one_is_refused(db: Database, tmp_path: Path, rival: str, deletion_first: bool) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        campaign = await w.campaign()  # through the default
        deed, refusal = RIVALS[rival]

        async def delete() -> None:
            async with db.transaction() as tx:
                await _delete(tx, w)

        async def other() -> None:
            async with db.transaction() as tx:
                await deed(tx, w, campaign)

        async with db.transaction() as tx:
            await (_delete(tx, w) if deletion_first else deed(tx, w, campaign))
            second = asyncio.ensure_future(other() if deletion_first else delete())
            await asyncio.sleep(0.3)
            assert not second.done(), "it does not know yet"
        with pytest.raises((refusal, ProviderNotFound) if deletion_first else ProviderInUse):
            async with asyncio.timeout(10):
                await second
        assert await db_value(db, "SELECT deleted_at IS NOT NULL FROM providers") == deletion_first
        many = await db_value(
            db,
            """
            SELECT (SELECT count(*) FROM sends) + (SELECT count(*) FROM route_members)
                 + (SELECT count(*) FROM campaigns WHERE provider_id IS NOT NULL)
            """,
        )
        assert many == (0 if deletion_first else 1)


async def test_late_reports_are_verified_for_thirty_days(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        async with db.transaction() as tx:
            gun = await _add(tx, w, "gun", kind="mailgun", api_key="key-1", signing_key="sign-1")
            await _delete(tx, w, gun)

        async def receiver(tx: Tx) -> delivery.Receiver:
            return await notification_receiver(tx, workspace=w.workspace, provider=gun, keys=w.app.keys)

        async with db.transaction() as tx:
            assert (await receiver(tx)).signing_key == "sign-1"
            sealed = await tx.fetchval("SELECT sealed_secret FROM providers WHERE id = $1", gun)
            assert b"key-1" not in w.app.keys.unseal("provider credentials", sealed)
            await delivery.forget_credentials(tx, now=utc_now() + timedelta(days=29))
            assert (await receiver(tx)).signing_key == "sign-1"
            await delivery.forget_credentials(tx, now=utc_now() + timedelta(days=31))
            assert await tx.fetchval("SELECT sealed_secret IS NULL FROM providers WHERE id = $1", gun)
            with pytest.raises(ProviderNotFound, match="was deleted"):
                await receiver(tx)
            assert await tx.fetchval("SELECT sealed_secret IS NOT NULL FROM providers WHERE id = $1", w.provider)
