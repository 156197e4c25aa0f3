"""The real worker sends signed messages: what a server received is what was signed."""

from pathlib import Path

import dkim

from delivery_world import World, eventually, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.delivery import DkimAlgorithm, Message, SendingDomain


async def _domain(w: World) -> SendingDomain:
    made = await delivery.new_keys(list(DkimAlgorithm))
    told = {"workspace": w.workspace, "by": SYSTEM(w.workspace), "now": utc_now()}
    async with w.app.db.transaction() as tx:
        added = await delivery.add_domain(tx, domain="example.org", made=made, keys=w.app.keys, **told)
        await delivery.set_return_path(tx, domain=added.id, return_path="bounces.example.org", **told)
        return await delivery.activate_keys(tx, domain=added.id, **told)


def _check(wire: bytes, domain: SendingDomain, *, good: bool = True) -> None:
    """`wire` as it came, with its line with the dot (RFC 5321 §4.5.2)."""
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    received = b"\r\n".join(line.removeprefix(b".") for line in lines)
    records = {f"{key.name}.": key.record.encode() for key in domain.keys}
    verifier = dkim.DKIM(received)
    assert received.count(b"DKIM-Signature: ") == 2
    for index in range(2):
        assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode())) is good


async def test_campaigns_and_messages_arrive_signed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        domain = await _domain(w)
        await w.contacts(*(f"reader{n}@example.com" for n in range(5)))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        assert len(w.server.accepted) == 5
        async with w.app.db.transaction() as tx:
            await delivery.queue_message(
                tx,
                workspace=w.workspace,
                message=Message(
                    to_email="ada@example.com",
                    subject="Receipt",
                    text=".dots\n\n.\n  more   \n\n\n",
                    sender_email="shop@mail.example.org",
                ),
                provider=None,
                keys=w.app.keys,
                public_url=w.app.public_url,
                now=utc_now(),
            )
        await eventually(_count(w), lambda count: count == 6)
        for one in w.server.accepted:
            _check(one.message, domain)
        # RFC 8058 §4: the signature covers both ways to leave.
        for one in w.server.accepted[:5]:
            elsewhere = one.message.replace(
                b">, <mailto:b+unsubscribe@bounces.example.org?", b">, <mailto:b@evil.example?"
            )
            assert elsewhere != one.message
            _check(elsewhere, domain, good=False)


def _count(w: World):
    async def count() -> int:
        return len(w.server.accepted)

    return count
