"""Shared blocks from the shell."""

from pathlib import Path

import pytest

from cli_shell import Shell
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId


@pytest.fixture
def shell(db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path) -> Shell:
    del db, workspace
    return Shell(database_url, tmp_path / "data")


async def test_a_block_from_the_first_save_to_the_last(shell: Shell, tmp_path: Path) -> None:
    file, text = tmp_path / "footer.html", tmp_path / "footer.txt"
    assert (await shell("block", "list"))[1] == "no blocks\n"
    file.write_text("<p>Bye {{ first_name }}</p>\n", encoding="utf-8")
    status, out, _ = await shell("block", "save", str(file))
    assert (status, out) == (0, "block_1 footer: version 1 (new)\n")
    assert (await shell("block", "save", str(file)))[1] == "block_1 footer: version 1 (nothing changed)\n"
    file.write_text("<p>Goodbye [you]</p>\n", encoding="utf-8")
    text.write_text("Goodbye then", encoding="utf-8")
    assert (await shell("block", "save", str(file), "--text", str(text)))[1] == (
        "block_1 footer: version 2 (was version 1)\n"
    )
    other = tmp_path / "other.htm"
    other.write_text("<p>{% render 'footer' %}</p>", encoding="utf-8")
    saved = await shell.json("block", "save", str(other), "--block", "head")
    assert (saved["id"], saved["name"], saved["uses"], saved["version"]) == ("block_2", "head", ["footer"], 1)

    listed = (await shell.json("block", "list"))["items"]
    assert [(one["id"], one["name"], one["version"]) for one in listed] == [
        ("block_2", "head", 1),
        ("block_1", "footer", 2),
    ]
    assert [one["name"] for one in (await shell.json("block", "list", "--search", "FOOT"))["items"]] == ["footer"]
    _, table, _ = await shell("block", "list")
    assert "block_2" in table
    assert "footer" in table

    _, shown, _ = await shell("block", "show", "footer")
    assert "version 2" in shown
    assert "written" in shown
    assert shown.endswith("<p>Goodbye [you]</p>\n\n")
    _, shown, _ = await shell("block", "show", "footer", "--version", "1")
    assert "version 1" in shown
    assert "derived from the HTML" in shown
    assert (await shell("block", "show", "block_1", "--part", "text"))[1] == "Goodbye then\n"
    assert (await shell("block", "show", "footer", "--version", "1", "--part", "html"))[
        1
    ] == "<p>Bye {{ first_name }}</p>\n"
    assert (await shell.json("block", "show", "footer", "--version", "1"))[
        "html_content"
    ] == "<p>Bye {{ first_name }}</p>\n"
    assert (await shell.json("block", "show", "footer"))["text_content"] == "Goodbye then"
    assert "--part: must be one of html, text" in await shell.refused("block", "show", "footer", "--part", "source")

    versions = (await shell.json("block", "versions", "footer"))["items"]
    assert [(one["version"], one["current"], one["created_by"]) for one in versions] == [
        (2, True, "system"),
        (1, False, "system"),
    ]
    assert "2 (current)" in (await shell("block", "versions", "footer"))[1]
    diff = await shell.json("block", "diff", "footer", "1", "2")
    assert (diff["older"], diff["newer"]) == (1, 2)
    assert "+Goodbye then" in diff["text_content"]
    _, told, _ = await shell("block", "diff", "footer", "1")
    assert "-<p>Bye {{ first_name }}</p>" in told
    assert "+<p>Goodbye [you]</p>" in told
    assert (await shell("block", "diff", "footer", "2"))[1] == "the same\n"
    status, out, _ = await shell("block", "restore", "footer", "1")
    assert (status, out) == (0, "block_1 footer: version 3, as version 1 had it\n")
    assert (await shell.json("block", "restore", "footer", "2"))["html_content"] == "<p>Goodbye [you]</p>\n"

    page = tmp_path / "page.html"
    page.write_text("<p>Hi</p>{% render 'head' %}", encoding="utf-8")
    await shell.json("template", "save", str(page), "--subject", "S")
    assert "template_1" in await shell.refused("block", "delete", "head")
    assert "block_2" in await shell.refused("block", "delete", "footer")
    assert "template_1" in await shell.refused("block", "save", str(other), "--block", "head", "--name", "top")
    assert "Goodbye" in (await shell("template", "preview", "page"))[1]
    assert (await shell("template", "delete", "page"))[0] == 0
    saved = await shell.json("block", "save", str(other), "--block", "block_2", "--name", "top")
    assert (saved["name"], saved["version"]) == ("top", 1)
    assert (await shell("block", "delete", "top"))[1] == "block_2 top: deleted\n"
    assert (await shell("block", "delete", "block_1"))[1] == "block_1 footer: deleted\n"
    assert "there is no block 'footer'; `tidings block list` shows them" in await shell.refused(
        "block", "show", "footer"
    )


async def test_a_block_that_a_campaign_renders_itself_stays(
    shell: Shell, db: Database, workspace: WorkspaceId, tmp_path: Path
) -> None:
    file = tmp_path / "month.html"
    file.write_text("June", encoding="utf-8")
    await shell.json("block", "save", str(file))
    page = tmp_path / "page.html"
    page.write_text("<p>Hi</p>", encoding="utf-8")
    await shell.json("template", "save", str(page), "--subject", "S")
    async with db.connection() as connection:
        await connection.execute(
            """INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, list_ids, created_at,
                   updated_at)
               SELECT $1, name, '{% render ''month'' %}', id, 's@example.org', '', '{}', now(), now() FROM templates""",
            workspace,
        )
    assert "campaign_1" in await shell.refused("block", "delete", "month")
    assert "campaign_1" in await shell.refused("block", "save", str(file), "--name", "moon")
    assert [one["name"] for one in (await shell.json("block", "list"))["items"]] == ["month"]


async def test_what_is_broken_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("<p>{{ x | nofilter }}</p>", encoding="utf-8")
    said = await shell.refused("block", "save", str(file))
    assert "line 1" in said
    assert "nofilter" in said
    file.write_text("{% render 'a' %}", encoding="utf-8")
    assert "blocks would render each other for ever" in await shell.refused("block", "save", str(file))
    file.write_text("<p>Hi</p>", encoding="utf-8")
    assert "name" in await shell.refused("block", "save", str(file), "--block", "no spaces")
    assert "there is no block_9; `tidings block list`" in await shell.refused(
        "block", "save", str(file), "--block", "block_9"
    )
    assert "must end in .html" in await shell.refused("block", "save", str(tmp_path / "a.mjml"))
    assert "cannot be read: No such file" in await shell.refused("block", "save", str(tmp_path / "b.html"))
    assert (await shell.json("block", "list"))["items"] == []
    await shell.json("block", "save", str(file))
    assert "there is no block_1 with a version 7" in await shell.refused("block", "restore", "a", "7")
    assert "there is no block_1 with a version 7" in await shell.refused("block", "show", "a", "--version", "7")
