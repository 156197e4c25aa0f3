"""Attachments by the real worker: frozen at the launch, whatever becomes of the template; signed; in every message alike."""

import email
import email.policy
from pathlib import Path
from typing import Any

import dkim

from delivery_world import World, eventually, world
from small_images import small_png
from tidings import campaigns, content, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import AttachmentId, TemplateId
from tidings.delivery import Attachment, DkimAlgorithm, Message

BIG = bytes(range(256)) * 400


async def _attachment(w: World, filename: str, data: bytes, content_id: str = "") -> AttachmentId:
    async with w.app.db.transaction() as tx:
        made = await content.add_attachment(
            tx,
            workspace=w.workspace,
            filename=filename,
            content=data,
            content_id=content_id,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )
    return made.id


async def _change_template(w: World, *ids: AttachmentId) -> None:
    async with w.app.db.transaction() as tx:
        await content.update_template(
            tx,
            workspace=w.workspace,
            template=TemplateId(w.template),
            changes={"attachment_ids": list(ids)},
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )


def _received(wire: bytes) -> bytes:
    """What a server has of `wire` (RFC 5321 §4.5.2)."""
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def _files(raw: bytes) -> dict[str, bytes]:
    read: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert not any(part.defects for part in read.walk())
    return {part.get_filename(): part.get_payload(decode=True) for part in read.walk() if part.get_filename()}


async def test_a_campaign_keeps_what_it_was_launched_with(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        made = await delivery.new_keys(list(DkimAlgorithm))
        by: dict[str, Any] = {"workspace": w.workspace, "by": SYSTEM(w.workspace), "now": utc_now()}
        async with w.app.db.transaction() as tx:
            added = await delivery.add_domain(tx, domain="example.org", made=made, keys=w.app.keys, **by)
            domain = await delivery.activate_keys(tx, domain=added.id, **by)
        records = {f"{key.name}.": key.record.encode() for key in domain.keys}
        await w.contacts(*(f"reader{n}@example.com" for n in range(5)))
        logo = await _attachment(w, "logo.png", small_png(), "logo@example.org")
        terms, other = await _attachment(w, "terms.pdf", BIG), await _attachment(w, "other.pdf", b"other")
        await _change_template(w, logo)
        campaign = await w.campaign(attachment_ids=[terms])
        async with w.app.db.transaction() as tx:
            await campaigns.launch(tx, campaign=campaign.id, public_url=w.app.public_url, **by)
            # In the transaction of the launch: nobody has sent anything yet.
            await content.update_template(
                tx, template=TemplateId(w.template), changes={"attachment_ids": [other]}, **by
            )
        await w.until(campaign, CampaignStatus.SENT)
        assert len(w.server.accepted) == 5
        for one in w.server.accepted:
            raw = _received(one.message)
            assert _files(raw) == {"logo.png": small_png(), "terms.pdf": BIG}
            for index in range(2):
                assert dkim.DKIM(raw).verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
        await w.check_counters()


async def test_messages_bring_their_templates_files_and_their_own(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        await _change_template(w, await _attachment(w, "terms.pdf", BIG))
        for n in range(3):
            async with w.app.db.transaction() as tx:
                await delivery.queue_message(
                    tx,
                    workspace=w.workspace,
                    message=Message(
                        to_email=f"eve{n}@example.com",
                        subject="",
                        sender_email="shop@example.org",
                        template=TemplateId(w.template),
                        attachments=[Attachment("own.txt", b"%d" % n)] if n else [],
                    ),
                    provider=None,
                    keys=w.app.keys,
                    public_url=w.app.public_url,
                    now=utc_now(),
                )

        async def count() -> int:
            return len(w.server.accepted)

        await eventually(count, lambda some: some == 3)
        found = {one.recipient: _files(_received(one.message)) for one in w.server.accepted}
        assert found == {
            f"eve{n}@example.com": {"terms.pdf": BIG} | ({"own.txt": b"%d" % n} if n else {}) for n in range(3)
        }
        async with w.app.db.connection() as connection:
            own = await connection.fetch("SELECT length(attachments) AS size FROM messages ORDER BY id")
        assert [row["size"] is None for row in own] == [True, False, False]
        assert all(row["size"] is None or row["size"] < 1000 for row in own)  # the template's are kept once
