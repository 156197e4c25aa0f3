"""Attachments go when nothing needs them any more: never a send without its file, never bytes that are nobody's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from delivery_sql import delivery_sql
from delivery_world import World, eventually, world
from tidings import campaigns, content, delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.compliance import NotReady
from tidings.content import AttachmentDeleted, AttachmentInUse, AttachmentInvalid, AttachmentNotFound, MediaInUse
from tidings.core.clock import utc_now
from tidings.core.db import LOST, Database
from tidings.core.ids import AttachmentId, MediaId, TemplateId
from tidings.delivery import Message


async def _attach(w: World, filename: str, data: bytes) -> AttachmentId:
    async with w.app.db.transaction() as tx:
        made = await content.add_attachment(
            tx, workspace=w.workspace, filename=filename, content=data, by=SYSTEM(w.workspace), now=utc_now()
        )
    return made.id


def _by(w: World) -> dict[str, Any]:
    return {"workspace": w.workspace, "by": SYSTEM(w.workspace), "now": utc_now()}


async def _delete(w: World, attachment: AttachmentId) -> None:
    async with w.app.db.transaction() as tx:
        await campaigns.delete_attachment(tx, attachment=attachment, **_by(w))


async def _name(w: World, *ids: AttachmentId) -> None:
    async with w.app.db.transaction() as tx:
        await content.update_template(
            tx, template=TemplateId(w.template), changes={"attachment_ids": list(ids)}, **_by(w)
        )


async def _kept(w: World) -> list[bytes]:
    """All bytes that are kept; each has its row, and each row its bytes."""
    async with w.app.db.connection() as connection:
        nobodys = await connection.fetchval(
            "SELECT count(*) FROM attachment_files AS f WHERE NOT EXISTS (SELECT FROM attachments AS a WHERE a.hash = f.hash)"
        )
        assert nobodys == 0
        return [row[0] for row in await connection.fetch("SELECT content FROM attachment_files ORDER BY content")]


async def test_what_is_still_to_go_out_keeps_its_files(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        own, templates = await _attach(w, "own.pdf", b"own"), await _attach(w, "terms.pdf", b"terms")
        other = await _attach(w, "other.pdf", b"own")  # the same bytes under another name
        await _name(w, templates)
        draft = await w.campaign(attachment_ids=[own])
        with pytest.raises(AttachmentInUse, match=f"attachment_{templates} goes along with template_{w.template}"):
            await _delete(w, templates)
        with pytest.raises(AttachmentInUse, match=f"attachment_{own} goes along with campaign_{draft.id}"):
            await _delete(w, own)
        await w.launch(draft)
        await _name(w)  # the template has it no more; the launched campaign has
        for one in (own, templates):
            with pytest.raises(AttachmentInUse, match=rf"goes along with campaign_{draft.id}\b"):
                await _delete(w, one)
        await _delete(w, other)
        assert await _kept(w) == [b"own", b"terms"]
        await w.act(campaigns.pause, draft)
        with pytest.raises(AttachmentInUse):
            await _delete(w, own)
        await w.act(campaigns.cancel, draft)
        with pytest.raises(AttachmentInUse):  # a worker may have it in its hands until it is wound up
            await _delete(w, own)
        async with db.connection() as connection:
            await connection.execute("UPDATE sends SET finished_at = now()")
        await _delete(w, own)
        await _delete(w, templates)
        assert await _kept(w) == []
        async with db.connection() as connection:
            told = await connection.fetch(
                "SELECT subject, detail FROM audit_entries WHERE action = 'attachment.deleted' ORDER BY id"
            )
        assert [(row["subject"], row["detail"]["name"]) for row in told] == [
            (f"attachment_{other}", "other.pdf"),
            (f"attachment_{own}", "own.pdf"),
            (f"attachment_{templates}", "terms.pdf"),
        ]
        with pytest.raises(AttachmentNotFound):
            await _delete(w, own)


async def test_the_deferred_and_messages_keep_them_and_the_failed_do_not(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w:
        w.server.verdict = lambda email: (
            "ok" if email[0] == "a" else "550 5.7.1 you" if email[0] == "b" else "451 4.7.0 later"
        )
        await w.contacts("a@example.com", "b@example.com", "c@example.com")
        terms, logo = await _attach(w, "terms.pdf", b"terms"), await _attach(w, "logo.pdf", b"logo")
        campaign = await w.campaign(attachment_ids=[terms])
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)  # one is deferred
        with pytest.raises(AttachmentInUse, match=f"campaign_{campaign.id}"):
            await _delete(w, terms)
        await _name(w, logo)
        async with db.transaction() as tx:
            message = await delivery.queue_message(
                tx,
                workspace=w.workspace,
                message=Message(
                    to_email="d@example.com",
                    subject="",
                    sender_email="shop@example.org",
                    template=TemplateId(w.template),
                ),
                keys=w.app.keys,
                public_url=w.app.public_url,
                now=utc_now(),
            )
        await _name(w)
        with pytest.raises(AttachmentInUse, match=f"goes along with message_{message}:"):
            await _delete(w, logo)
        async with db.connection() as connection:
            deferred = "SELECT count(*) FROM deliveries WHERE state = 'deferred'"
            await eventually(lambda: connection.fetchval(deferred), lambda many: many == 2)
            with pytest.raises(AttachmentInUse, match=f"goes along with message_{message}:"):
                await _delete(w, logo)
            w.server.verdict = lambda email: "550 5.7.1 you" if email[0] == "b" else "ok"
            await connection.execute("UPDATE retries SET due_at = now() WHERE due_at < 'infinity'")
            await eventually(lambda: connection.fetchval("SELECT count(*) FROM retries"), lambda many: many == 0)
        await _delete(w, logo)
        await _delete(w, terms)
        assert await _kept(w) == []
        # Who failed cannot get it as it was, and hears why; nothing changes.
        async with db.transaction() as tx:
            with pytest.raises(AttachmentDeleted, match=r"terms\.pdf"):
                async with tx.transaction():
                    await campaigns.retry_failed(tx, campaign=campaign.id, **_by(w))
        assert (await w.seen(campaign.id)).status == CampaignStatus.SENT
        assert sorted(w.server.recipients) == ["a@example.com", "c@example.com", "d@example.com"]
        await w.check_counters()


async def test_a_version_whose_files_are_gone(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        gone, kept = await _attach(w, "gone.pdf", b"gone"), await _attach(w, "kept.pdf", b"kept")
        await _name(w, gone, kept)
        await _name(w)
        await _delete(w, gone)
        async with db.transaction() as tx:
            told: dict[str, Any] = {"template": TemplateId(w.template), "version": 2, **_by(w)}
            with pytest.raises(AttachmentInvalid, match=f"attachment_{gone}: deleted since"):
                await content.restore_version(tx, **told)
            restored = await content.restore_version(tx, without_deleted=True, **told)
            assert restored.attachment_ids == [kept]
            then = await content.get_template(tx, workspace=w.workspace, template=TemplateId(w.template), version=2)
            assert then.attachment_ids == [gone, kept]  # what it was stays on record


async def _waits(db: Database, work: asyncio.Future[Any]) -> bool:
    """Whether it waits for a lock that somebody else holds."""
    async with db.connection() as connection:
        for _ in range(200):
            if work.done():
                return False
            if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                return True
            await asyncio.sleep(0.01)
    return False


async def test_a_launch_under_way_keeps_them(db: Database, tmp_path: Path) -> None:
    """The template loses the file while a launch that froze it is not committed yet: whoever deletes it waits, and sees it."""
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        terms = await _attach(w, "terms.pdf", b"terms")
        await _name(w, terms)
        campaign = await w.campaign()
        async with db.transaction() as tx:
            await campaigns.launch(tx, campaign=campaign.id, public_url=w.app.public_url, **_by(w))
            await _name(w)
            deleting = asyncio.ensure_future(_delete(w, terms))
            assert await _waits(db, deleting)
        with pytest.raises(AttachmentInUse, match=f"campaign_{campaign.id}"):
            await deleting
        assert await _kept(w) == [b"terms"]


async def test_a_save_that_comes_second_sees_it_gone(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        terms = await _attach(w, "terms.pdf", b"terms")
        async with db.transaction() as tx:
            await campaigns.delete_attachment(tx, attachment=terms, **_by(w))
            saving = asyncio.ensure_future(_name(w, terms))
            assert await _waits(db, saving)
        with pytest.raises(AttachmentInvalid, match=f"there is no attachment_{terms}"):
            await saving


async def test_the_same_bytes_come_while_they_go(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        terms = await _attach(w, "terms.pdf", b"terms")
        async with db.transaction() as tx:
            await content.lock_attachment(tx, workspace=w.workspace, attachment=terms)
            adding = asyncio.ensure_future(_attach(w, "again.pdf", b"terms"))
            assert await _waits(db, adding)
            await campaigns.delete_attachment(tx, attachment=terms, **_by(w))
        again = await adding
        assert await _kept(w) == [b"terms"]
        async with db.transaction() as tx:  # and the other way round
            await content.add_attachment(tx, filename="third.pdf", content=b"terms", **_by(w))
            deleting = asyncio.ensure_future(_delete(w, again))
            assert await _waits(db, deleting)
        await deleting
        assert await _kept(w) == [b"terms"]
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT filename FROM attachments") == "third.pdf"


async def test_a_process_that_dies_in_the_middle_deletes_both_or_neither(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        terms = await _attach(w, "terms.pdf", b"terms")
        own = await db.connect()
        within = own.transaction()
        await within.start()
        await campaigns.delete_attachment(own, attachment=terms, **_by(w))
        async with db.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend($1)", own.get_server_pid())
        with pytest.raises(LOST):
            await own.fetchval("SELECT 1")
        await _name(w, terms)
        assert await _kept(w) == [b"terms"]


async def test_an_image_is_erased_when_nothing_is_to_go_out_that_shows_it(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        path = f"{w.workspace}/{'x' * 33}.png"
        async with db.transaction() as tx:
            number = await tx.fetchval(
                """INSERT INTO media (workspace_id, hash, path, name, alt_text, content_type, size, width, height, frames,
                       created_by, created_at, updated_at)
                   VALUES ($1, 'x', $2, 'x.png', '', 'image/png', 1, 1, 1, 1, '', now(), now()) RETURNING id""",
                w.workspace,
                path,
            )
        media = MediaId(number)

        async def say(html: str) -> None:
            async with db.transaction() as tx:
                changes = {"html_content": html}
                await content.update_template(tx, template=TemplateId(w.template), changes=changes, **_by(w))

        async def delete(*, erase: bool) -> None:
            async with db.transaction() as tx:
                await campaigns.delete_media(tx, media=media, erase=erase, **_by(w))

        await say(f'<img src="http://127.0.0.1:9/m/{path}" alt="">')
        campaign = await w.campaign()
        await w.launch(campaign)
        await say("<p>No image</p>")
        with pytest.raises(MediaInUse, match=f"shown by campaign_{campaign.id}, still to go out"):
            await delete(erase=True)
        await delete(erase=False)  # its file stays: nobody sees a difference
        async with db.connection() as connection:
            await connection.execute("UPDATE sends SET status = 'done', finished_at = now()")
        await delete(erase=True)
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM media") == 0


async def _image(w: World) -> tuple[MediaId, str]:
    """An image's row, and its address."""
    path = f"{w.workspace}/{'x' * 33}.png"
    async with w.app.db.transaction() as tx:
        number = await tx.fetchval(
            """INSERT INTO media (workspace_id, hash, path, name, alt_text, content_type, size, width, height, frames,
                   created_by, created_at, updated_at)
               VALUES ($1, 'x', $2, 'x.png', '', 'image/png', 1, 1, 1, 1, '', now(), now()) RETURNING id""",
            w.workspace,
            path,
        )
    return MediaId(number), f"{w.app.public_url}/m/{path}"


async def _say(w: World, html: str) -> None:
    async with w.app.db.transaction() as tx:
        await content.update_template(tx, template=TemplateId(w.template), changes={"html_content": html}, **_by(w))


async def _erase(w: World, media: MediaId) -> None:
    async with w.app.db.transaction() as tx:
        await campaigns.delete_media(tx, media=media, erase=True, **_by(w))


async def test_a_launch_under_way_keeps_its_images(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        media, url = await _image(w)
        await _say(w, f'<img src="{url}" alt="x">')
        campaign = await w.campaign()
        async with db.transaction() as tx:
            await campaigns.launch(tx, campaign=campaign.id, public_url=w.app.public_url, **_by(w))
            await _say(w, "<p>No image</p>")
            erasing = asyncio.ensure_future(_erase(w, media))
            assert await _waits(db, erasing)
        with pytest.raises(MediaInUse, match=f"campaign_{campaign.id}"):
            await erasing
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM media") == 1


async def test_a_launch_that_comes_second_is_refused(db: Database, tmp_path: Path) -> None:
    """Also where images have addresses of their own, so that only the file in doubt tells it."""
    async with world(db, tmp_path, working=False) as w:
        await w.contacts("a@example.com")
        media, url = await _image(w)
        html = f'<img src="{url.replace(w.app.public_url, "https://cdn.example")}" alt="x">'
        await _say(w, html)
        await _say(w, "<p>No image</p>")
        campaign = await w.campaign()

        async def launch() -> None:
            async with db.transaction() as tx:
                await campaigns.launch(tx, campaign=campaign.id, public_url=w.app.public_url, **_by(w))

        async with db.transaction() as tx:
            await campaigns.delete_media(tx, media=media, erase=True, **_by(w))
            saving = asyncio.ensure_future(_say(w, html))
            assert await _waits(db, saving)
        await saving
        with pytest.raises(NotReady, match="shows an image that was erased"):
            await launch()
        async with db.connection() as connection:
            await connection.execute("DELETE FROM media_doubts")  # swept: an address elsewhere may be anybody's
        await _say(w, f'<img src="{url}" alt="x">')
        with pytest.raises(NotReady, match="shows an image that was erased"):
            await launch()
        await _say(w, html)
        await launch()


async def test_a_save_under_way_keeps_its_images(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w:
        media, url = await _image(w)
        async with db.transaction() as tx:
            changes = {"html_content": f'<img src="{url}" alt="x">'}
            await content.update_template(tx, template=TemplateId(w.template), changes=changes, **_by(w))
            erasing = asyncio.ensure_future(_erase(w, media))
            assert await _waits(db, erasing)
        with pytest.raises(MediaInUse, match=f"template_{w.template}"):
            await erasing
        await _say(w, "<p>No image</p>")
        async with db.transaction() as tx:
            html = f'<img src="{url}" alt="x">'
            block = await content.create_block(tx, name="logo", html_content=html, **_by(w))
            erasing = asyncio.ensure_future(_erase(w, media))
            assert await _waits(db, erasing)
        with pytest.raises(MediaInUse, match=f"block_{block.id}"):
            await erasing


async def test_only_what_is_on_its_way_is_read(db: Database, tmp_path: Path) -> None:
    """Of ten thousand sends that are over nobody reads the content, nor of as many messages that were sent."""
    async with world(db, tmp_path, working=False) as w, db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        for kind, first in (("7", 1), ("NULL", 20_001)):
            await tx.execute(
                f"""INSERT INTO sends (workspace_id, id, campaign_id, provider_id, list_ids, status, created_at)
                    SELECT $1, i, {kind}, 1, '{{1}}', 'done', now() FROM generate_series($2::integer, $2 + 9999) AS i""",  # noqa: S608
                w.workspace,
                first,
            )
        await tx.execute(
            """INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
               SELECT $1, i, 1, 1, jsonb_build_object('html', repeat(md5(i::text), 100), 'attached', '[]'::jsonb), '{}'
               FROM generate_series(1, 10000) AS i""",
            w.workspace,
        )
        await tx.execute(
            """INSERT INTO message_contents (workspace_id, send_id, hash, content)
               SELECT $1, 20001, decode(md5(i::text), 'hex'), '{"attached": []}' FROM generate_series(1, 10000) AS i""",
            w.workspace,
        )
        await tx.execute(
            """INSERT INTO messages (workspace_id, id, send_id, n, kind, to_email, address_hash, to_name, first_name,
                   last_name, phone, language, time_zone, tags, variables, known_at, content_hash, subject, headers,
                   attached, created_at)
               SELECT $1, i, 20001, i, 'transactional', '', '', '', '', '', '', '', '', '{}', '{}', now(),
                   decode(md5(i::text), 'hex'), '', '[]', '[{}]', now() FROM generate_series(1, 10000) AS i""",
            w.workspace,
        )
        await tx.execute(
            """INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, state, priority, position, first_n, last_n,
                   ns)
               SELECT $1, s, i, 1, CASE WHEN i = 1 THEN 'pending' ELSE 'done' END::chunk_state, 0, i, i, i,
                   ARRAY[i] FROM generate_series(1, 10000) AS i, (VALUES (5), (20001)) AS v (s)""",
            w.workspace,
        )
        for analysed in (False, True):
            if analysed:
                await tx.execute("ANALYZE sends, send_contents, message_contents, messages, chunks, retries")
            await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            statement = delivery_sql("_unsent_with")
            for file, image in (([{"hash": "0", "filename": "x"}], ""), (None, "1/x.png")):
                rows = await tx.fetch(
                    f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) {statement}", w.workspace, file, image
                )
                read: dict[str, float] = {}
                _count(rows[0][0][0]["Plan"], read)
                assert read["send_contents"] <= 1, read
                assert read["message_contents"] <= 1, read
                assert read["messages"] <= 1, read
                assert read["chunks"] <= 20_000, read


def _count(plan: dict[str, Any], read: dict[str, float]) -> None:
    """Rows that were looked at of each table, also those that a filter took out."""
    if table := plan.get("Relation Name"):
        many = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        read[table] = read.get(table, 0) + many
    for one in plan.get("Plans", []):
        _count(one, read)
