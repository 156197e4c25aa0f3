"""Return paths on the wire: who sends what under which envelope sender."""

from pathlib import Path

import pytest

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.accounts import SYSTEM, create_workspace
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.delivery import DomainConflict, Message
from tidings.delivery.bounces import ReturnPaths


async def _domain(w: World, name: str, return_path: str) -> None:
    told = {"workspace": w.workspace, "by": SYSTEM(w.workspace), "now": utc_now()}
    async with w.app.db.transaction() as tx:
        added = await delivery.add_domain(tx, domain=name, made=[], keys=w.app.keys, **told)
        set_ = await delivery.set_return_path(tx, domain=added.id, return_path=return_path, **told)
    assert set_.return_path == (return_path if "@" in return_path else f"b@{return_path}")


async def test_each_recipient_has_a_return_path_of_its_own(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await _domain(w, "example.org", "bounces.example.org")
        people = await w.contacts("ada@example.com", "bob@example.com")
        campaign = await w.campaign(sender_email="news@mail.example.org")
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        paths = ReturnPaths(w.app.keys)
        told = {paths.read(sender, now=utc_now()) for sender in w.server.senders}
        assert {one.contact for one in told if one} == set(people)
        assert {one.n for one in told if one} == {1, 2}
        assert all(s.startswith("b+") and s.endswith("@bounces.example.org") for s in w.server.senders)
        assert b"From: News <news@mail.example.org>" in w.server.accepted[0].message


async def test_messages_too_and_other_domains_as_before(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await _domain(w, "example.org", "returns@example.org")
        for sender in ("shop@example.org", "shop@example.net"):
            async with w.app.db.transaction() as tx:
                await delivery.queue_message(
                    tx,
                    workspace=w.workspace,
                    message=Message(to_email="ada@example.com", subject="Receipt", text="Thanks", sender_email=sender),
                    provider=None,
                    keys=w.app.keys,
                    public_url=w.app.public_url,
                    now=utc_now(),
                )

        async def senders() -> list[str]:
            return sorted(w.server.senders)

        ours, usual = await eventually(senders, lambda some: len(some) == 2)
        assert ours.startswith("returns+")
        assert ours.endswith("@example.org")
        assert ReturnPaths(w.app.keys).read(ours, now=utc_now()) is not None
        assert usual == "shop@example.net"


async def test_a_bounce_domain_is_of_one_workspace(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await _domain(w, "example.org", "bounces.example.org")
        await _domain(w, "example.net", "bounces.example.org")
        now = utc_now()
        async with db.transaction() as tx:
            other = await create_workspace(tx, name="Other", postal_address="", now=now)
        told = {"workspace": other, "by": SYSTEM(other), "now": now}
        async with db.transaction() as tx:
            mine = await delivery.add_domain(tx, domain="example.org", made=[], keys=w.app.keys, **told)
        for taken in ("bounces.example.org", "x@BOUNCES.example.org"):
            with pytest.raises(DomainConflict, match="another workspace"):
                async with db.transaction() as tx:
                    await delivery.set_return_path(tx, domain=mine.id, return_path=taken, **told)
        for wrong in ("a b@example.org", "@example.org", "a" * 16 + "@example.org", "nothing", "a+b@example.org"):
            with pytest.raises(Invalid):
                async with db.transaction() as tx:
                    await delivery.set_return_path(tx, domain=mine.id, return_path=wrong, **told)
