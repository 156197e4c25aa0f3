"""Templates, images and files from the shell: processes of their own against a database without any role running."""

from pathlib import Path

import orjson
import pytest

from cli_shell import Shell
from small_images import small_png
from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.audience import contacts, lists
from tidings.audience.fields import ContactFields
from tidings.bootstrap import open_app
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId


@pytest.fixture
def shell(db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path) -> Shell:
    del db, workspace
    return Shell(database_url, tmp_path / "data")


async def test_a_template_from_the_first_save_to_the_last(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "Spring sale.html"
    file.write_text("<p>Hello {{ first_name }}</p>", encoding="utf-8")
    assert "--subject: is required: there is no template 'Spring sale' yet" in await shell.refused(
        "template", "save", str(file)
    )
    status, out, _ = await shell("template", "save", str(file), "--subject", "Hi {{ first_name }} [now]")
    assert (status, out) == (0, "template_1 Spring sale: version 1 (new)\n")
    assert (await shell("template", "save", str(file)))[1] == "template_1 Spring sale: version 1 (nothing changed)\n"
    file.write_text("<p>Hello {{ first_name }}</p>\n<p>\tMore</p>\n", encoding="utf-8")
    saved = await shell.json("template", "save", str(file), "--preheader", "Soon", "--strict")
    assert (saved["id"], saved["version"], saved["strict"]) == ("template_1", 2, True)
    assert (saved["subject"], saved["preheader"]) == ("Hi {{ first_name }} [now]", "Soon")

    other = tmp_path / "any.md"
    other.write_text("# News for {{ plan }}", encoding="utf-8")
    saved = await shell.json("template", "save", str(other), "--template", "template_1", "--name", "Summer")
    assert (saved["version"], saved["name"], saved["source_type"]) == (3, "Summer", "markdown")

    listed = (await shell.json("template", "list"))["items"]
    assert [(one["id"], one["name"], one["version"]) for one in listed] == [("template_1", "Summer", 3)]
    assert (await shell.json("template", "list", "--search", "winter"))["items"] == []
    assert len((await shell.json("template", "list", "--search", "hi {{"))["items"]) == 1  # of the subject
    _, table, _ = await shell("template", "list", "--search", "SUMM")
    assert "Summer" in table
    assert "Hi {{ first_name }} [now]" in table  # brackets are text

    assert (await shell("template", "show", "Summer", "--version", "2", "--part", "html"))[1] == (
        "<p>Hello {{ first_name }}</p>\n<p>\tMore</p>\n"
    )
    assert (await shell.json("template", "show", "Summer"))["source"] == "# News for {{ plan }}"
    _, shown, _ = await shell("template", "show", "template_1")
    assert "version 3" in shown
    assert shown.endswith("\n# News for {{ plan }}\n")

    versions = (await shell.json("template", "versions", "Summer"))["items"]
    assert [(one["version"], one["current"]) for one in versions] == [(3, True), (2, False), (1, False)]
    assert "3 (current)" in (await shell("template", "versions", "Summer"))[1]
    diff = await shell.json("template", "diff", "Summer", "1", "2")
    assert "+<p>\tMore</p>" in diff["html_content"]
    _, told, _ = await shell("template", "diff", "Summer", "1")
    assert "+# News for {{ plan }}" in told
    status, out, _ = await shell("template", "restore", "Summer", "1")
    assert (status, out) == (0, "template_1 Summer: version 4, as version 1 had it\n")
    assert (await shell("template", "delete", "Summer"))[1] == "template_1 Summer: deleted\n"
    assert "there is no template_1" in await shell.refused("template", "show", "template_1")
    assert "there is no template 'Summer'; `tidings template list`" in await shell.refused("template", "show", "Summer")


async def test_a_text_of_its_own_and_inlined_styles(shell: Shell, tmp_path: Path) -> None:
    file, text = tmp_path / "a.html", tmp_path / "a.txt"
    file.write_text("<style>p{color:red}</style><p>Hi</p>", encoding="utf-8")
    text.write_text("Written", encoding="utf-8")
    saved = await shell.json("template", "save", str(file), "--subject", "S", "--inline-css", "--text", str(text))
    assert (saved["inline_css"], saved["text_content"]) == (True, "Written")
    assert '<p style="color: red' in saved["html_content"].replace("color:red", "color: red")
    assert (await shell.json("template", "save", str(file), "--no-inline-css"))["inline_css"] is False
    assert (await shell("template", "show", "a", "--part", "text"))[1] == "Written\n"
    words = ("template", "preview", "a", "--version", "1", "--part", "html")
    assert "style=" in (await shell(*words))[1]


async def test_what_is_broken_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("<p>{{ x | nofilter }}</p>", encoding="utf-8")
    said = await shell.refused("template", "save", str(file), "--subject", "S")
    assert "line 1" in said
    assert "nofilter" in said
    file.write_bytes(b"\xff")
    assert "is not UTF-8 at byte 0" in await shell.refused("template", "save", str(file), "--subject", "S")
    assert "must end in .html" in await shell.refused("template", "save", str(tmp_path / "a.txt"), "--subject", "S")
    assert "cannot be read: No such file" in await shell.refused("template", "save", str(tmp_path / "b.html"))
    file.write_text("<p>Hi</p>", encoding="utf-8")
    assert "there is no attachment_7" in await shell.refused(
        "template", "save", str(file), "--subject", "S", "--attachment", "attachment_7"
    )
    assert (await shell.json("template", "list"))["items"] == []
    for name in ("Twin", "Other"):
        await shell.json("template", "save", str(file), "--template", name, "--subject", "S")
    await shell.json("template", "save", str(file), "--template", "Other", "--name", "Twin")
    said = await shell.refused("template", "save", str(file), "--template", "Twin", "--subject", "T")
    assert "several are called 'Twin': template_2, template_1; give an id" in said


async def test_images_and_files(shell: Shell, tmp_path: Path) -> None:
    image, page = tmp_path / "logo.png", tmp_path / "a.html"
    image.write_bytes(small_png())
    added = await shell.json("media", "add", str(image), "--alt", "Our logo")
    assert (added["id"], added["name"], added["alt_text"]) == ("media_1", "logo.png", "Our logo")
    assert (shell.folder / "media" / added["url"].partition("/m/")[2]).read_bytes() == small_png()
    _, out, _ = await shell("media", "add", str(image), "--name", "again")
    assert out == f"media_1 logo.png (was there): {added['url']}\n"
    assert (await shell.json("media", "list", "--search", "LOGO"))["items"] == [added]
    assert added["url"] in (await shell("media", "list"))[1]
    page.write_bytes(b"no image")
    assert "file: " in await shell.refused("media", "add", str(page))
    page.write_text(f'<img src="{added["url"]}" alt="Logo">', encoding="utf-8")

    terms = await shell.json("attachment", "add", str(image), "--name", "terms.png")
    assert (terms["id"], terms["filename"], terms["content_type"]) == ("attachment_1", "terms.png", "image/png")
    await shell.json("template", "save", str(page), "--subject", "S", "--attachment", "attachment_1")
    assert "terms.png" in (await shell("attachment", "list"))[1]
    assert "media_1 is shown by template_1" in await shell.refused("media", "delete", "media_1", "--erase")
    assert "attachment_1 goes along with template_1" in await shell.refused("attachment", "delete", "attachment_1")
    page.write_text("<p>Hi</p>", encoding="utf-8")
    saved = await shell.json("template", "save", str(page), "--no-attachments")
    assert saved["attachment_ids"] == []
    assert (await shell("attachment", "delete", "attachment_1"))[1] == "attachment_1: deleted for ever\n"
    assert (await shell.json("attachment", "list"))["items"] == []
    said = await shell.refused("template", "restore", "a", "1")
    assert "attachment_1: deleted since" in said
    await shell.json("template", "restore", "a", "1", "--without-deleted-attachments")
    await shell.json("template", "save", str(page))
    assert (await shell("media", "delete", "media_1"))[1] == "media_1: deleted; mails show it still\n"
    assert [one["id"] for one in (await shell.json("media", "list", "--deleted"))["items"]] == ["media_1"]
    assert "media: must be an id such as media_123" in await shell.refused("media", "delete", "logo.png")


async def test_a_message_before_it_goes_out(shell: Shell, db: Database, workspace: WorkspaceId, tmp_path: Path) -> None:
    now, by = utc_now(), SYSTEM(workspace)
    async with open_app(shell.settings, pool_size=2) as app, app.db.transaction() as tx:
        news = await lists.create_list(tx, workspace=workspace, name="News", by=by, now=now)
        fields = ContactFields(email="ann@example.com", first_name="Ann")
        await contacts.create_contact(
            tx, workspace=workspace, fields=fields, lists=[news.id], keys=app.keys, by=by, now=now
        )
        await accounts.update_workspace(tx, workspace=workspace, sender_email="shop@example.org", by=by, now=now)
        await delivery.add_provider(
            tx,
            workspace=workspace,
            name="S",
            kind="sandbox",
            config={},
            secret={},
            is_default=True,
            keys=app.keys,
            by=by,
            now=now,
        )
    page = tmp_path / "a.html"
    page.write_text('<p>Hi {{ first_name }}, {{ plan }} {{ gone }}</p><a href="/x">go</a>', encoding="utf-8")
    await shell.json("template", "save", str(page), "--subject", "For {{ first_name }}")
    words = ("template", "preview", "a", "--contact", "ann@example.com", "--set", "plan=pro")
    shown = await shell.json(*words)
    assert (shown["subject"], {one["name"] for one in shown["missing"]}) == ("For Ann", {"gone"})
    _, out, _ = await shell(*words)
    assert "Hi Ann, pro" in out
    assert "missing: gone (html_content, line 1, column" in out
    assert "<p>Hi Ann, pro </p>" in (await shell(*words, "--part", "html"))[1]
    assert "--part: must be one of html, text" in await shell.refused(*words, "--part", "all")
    assert "there is no contact with the address eve@" in await shell.refused(*words[:4], "eve@example.com")
    assert "--set: 'plan' must be NAME=VALUE" in await shell.refused(*words[:3], "--set", "plan")

    status, out, _ = await shell("template", "check", "a", "--no-network", "--json")
    report = orjson.loads(out)
    assert (status, report["ok"]) == (0, True)
    assert "link_relative" in {one["code"] for one in report["findings"]}
    await shell.json("template", "save", str(page), "--template", "strict", "--subject", "S", "--strict")
    status, out, _ = await shell("template", "check", "strict", "--no-network")
    assert (status, "render_fails_for_all" in out) == (1, True)
    assert "is undefined" in await shell.refused("template", "preview", "strict")

    told = await shell.json("template", "test", "a", "--to", "me@example.com", "--contact", "contact_1")
    assert len(told["message_ids"]) == 1
    async with db.connection() as connection:
        row = await connection.fetchrow("SELECT to_email, subject FROM messages")
        assert row is not None
        assert tuple(row) == ("me@example.com", "[Test] For Ann")
        await connection.execute(
            """INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, list_ids, created_at,
                   updated_at)
               SELECT $1, name, '', id, 'shop@example.org', '', $2, now(), now() FROM templates ORDER BY id""",
            workspace,
            [news.id],
        )
    assert (await shell.json("campaign", "preview", "campaign_1"))["subject"] == "For Ann"
    assert (await shell("campaign", "check", "campaign_1", "--no-network"))[0] == 0
    status, out, _ = await shell("campaign", "check", "campaign_2", "--no-network")
    assert (status, "render_fails_for_all" in out) == (1, True)
    _, out, _ = await shell("campaign", "test", "campaign_1", "--to", "me@example.com", "--to", "you@example.com")
    assert [line.partition(": ")[2] for line in out.splitlines()] == [
        "queued to me@example.com",
        "queued to you@example.com",
    ]
    assert "there is no campaign" in await shell.refused("campaign", "preview", "campaign_9")
