"""Blocks, what uses them, what a send keeps of them; strictness; differences of versions. On a real database."""

from datetime import UTC, datetime

import pytest

from tidings import content
from tidings.accounts import SYSTEM
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FOOTER = "<p>Acme <b>Ltd</b> {{ who }}</p>"


async def _block(db: Database, workspace: int, name: str, html: str, text: str = "") -> content.Block:
    ws = WorkspaceId(workspace)
    async with db.transaction() as tx:
        return await content.create_block(
            tx, workspace=ws, name=name, html_content=html, text_content=text, by=SYSTEM(ws), now=NOW
        )


async def _template(db: Database, workspace: int, html: str, *, strict: bool = False) -> content.Template:
    ws = WorkspaceId(workspace)
    async with db.transaction() as tx:
        return await content.create_template(
            tx, workspace=ws, name="T", subject="Hi", html_content=html, strict=strict, by=SYSTEM(ws), now=NOW
        )


async def _preview(frozen: content.FrozenTemplate, variables: dict[str, object], **options: bool) -> content.Preview:
    return await content.preview(
        subject=frozen.subject,
        html_content=frozen.html,
        text_content=frozen.text,
        variables=variables,
        workspace_name="Acme",
        postal_address="1 Road",
        public_url="https://t.example",
        now=NOW,
        **options,
    )


async def test_what_is_frozen_does_not_change_with_its_blocks(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    inner = await _block(db, workspace, "inner", "[{{ who }}]")
    await _block(db, workspace, "footer", FOOTER + "{% render 'inner', who: who %}")
    template = await _template(db, workspace, "<h1>Hi</h1>{% render 'footer', who: first_name %}{{ plan }}")
    assert template.variables == ["first_name", "plan"]
    async with db.transaction() as tx:
        frozen = await content.freeze(tx, workspace=ws, template=template.id)
        changes = {"html_content": "changed"}
        await content.update_block(tx, workspace=ws, block=inner.id, changes=changes, by=SYSTEM(ws), now=NOW)
        later = await content.freeze(tx, workspace=ws, template=template.id)
    shown = await _preview(frozen, {"first_name": "Ada", "plan": "pro"})
    assert shown.html.startswith("<h1>Hi</h1><p>Acme <b>Ltd</b> Ada</p>[Ada]pro")
    assert shown.text.startswith("Hi\n\nAcme Ltd Ada")
    assert "[Ada]" in shown.text
    assert "changed" in (await _preview(later, {"first_name": "Ada"})).html


async def test_a_block_in_use_is_not_deleted_or_renamed(db: Database, workspace: int) -> None:
    ws, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    footer = await _block(db, workspace, "footer", FOOTER)
    template = await _template(db, workspace, "{% render 'footer' %}")
    async with db.transaction() as tx:
        with pytest.raises(content.BlockInUse, match=f"template_{template.id}"):
            await content.delete_block(tx, workspace=ws, block=footer.id, used_by=[], by=by, now=NOW)
        with pytest.raises(content.BlockInUse):
            await content.update_block(tx, workspace=ws, block=footer.id, changes={"name": "f"}, by=by, now=NOW)
        changes = {"html_content": "<p>none</p>"}
        await content.update_template(tx, workspace=ws, template=template.id, changes=changes, by=by, now=NOW)
        await content.delete_block(tx, workspace=ws, block=footer.id, used_by=[], by=by, now=NOW)
        with pytest.raises(content.TemplateInvalid, match="line 1, column 4: there is no block named 'footer'"):
            await content.restore_version(tx, workspace=ws, template=template.id, version=1, by=by, now=NOW)


LAYOUT = "<html><body>{% block main %}{% endblock %}{% block foot %}{{ unsubscribe_url }}{% endblock %}</body></html>"


async def test_a_layout_that_is_extended_is_kept_and_not_deleted(db: Database, workspace: int) -> None:
    ws, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    layout = await _block(db, workspace, "layout", LAYOUT)
    shop = await _block(db, workspace, "shop", "{% extends 'layout' %}{% block foot %}Shop{% endblock %}")
    template = await _template(
        db, workspace, "{% extends 'shop' %}{% block main %}<p>Hi {{ first_name }}</p>{% endblock %}"
    )
    assert template.variables == ["first_name"]
    async with db.transaction() as tx:
        frozen = await content.freeze(tx, workspace=ws, template=template.id, preheader="Now {{ plan }}")
        changes = {"html_content": LAYOUT.replace("<body>", "<body>changed")}
        await content.update_block(tx, workspace=ws, block=layout.id, changes=changes, by=by, now=NOW)
        later = await content.freeze(tx, workspace=ws, template=template.id)
    shown = await _preview(frozen, {"first_name": "Ada", "plan": "pro"})
    assert shown.html.startswith("<html><body><div style=")
    assert "Now pro" in shown.html
    assert "<p>Hi Ada</p>Shop" in shown.html
    assert shown.html.endswith("Unsubscribe</a></div></body></html>"), "the slot that said so is taken"
    assert shown.text.startswith("Hi Ada")
    assert "Unsubscribe: https://t.example/u/" in shown.text
    assert "changed" not in shown.html
    assert "changed" in (await _preview(later, {})).html
    async with db.transaction() as tx:
        with pytest.raises(content.BlockInUse, match=f"block_{shop.id}"):
            await content.delete_block(tx, workspace=ws, block=layout.id, used_by=[], by=by, now=NOW)
        with pytest.raises(content.BlockInUse, match=f"template_{template.id}"):
            await content.delete_block(tx, workspace=ws, block=shop.id, used_by=[], by=by, now=NOW)
        with pytest.raises(content.BlockInUse):
            await content.update_block(tx, workspace=ws, block=layout.id, changes={"name": "l"}, by=by, now=NOW)
        changes = {"html_content": "{% extends 'shop' %}"}
        with pytest.raises(content.TemplateInvalid, match="render each other for ever: layout → shop → layout"):
            await content.update_block(tx, workspace=ws, block=layout.id, changes=changes, by=by, now=NOW)


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("{% render 'b' %}", "blocks would render each other for ever: a → b → a"),
        ("{% render 'a' %}", "blocks would render each other for ever: a → a"),
        ("\n{% render 'nope' %}", "line 2, column 4: there is no block named 'nope'"),
        ("{% include plan %}", "line 1, column 4: the block's name must be in quotes, so that it is known beforehand"),
        ("{{ x | nope }}", "line 1, column 8: there is no filter named 'nope'"),
    ],
)
async def test_what_blocks_must_not_do(db: Database, workspace: int, html: str, message: str) -> None:
    ws = WorkspaceId(workspace)
    first = await _block(db, workspace, "a", "x")
    await _block(db, workspace, "b", "{% render 'a' %}")
    changes = {"html_content": html}
    async with db.transaction() as tx:
        with pytest.raises(content.TemplateInvalid) as caught:
            await content.update_block(tx, workspace=ws, block=first.id, changes=changes, by=SYSTEM(ws), now=NOW)
    assert caught.value.fields[0].message == message


async def test_blocks_are_not_nested_without_end(db: Database, workspace: int) -> None:
    await _block(db, workspace, "n0", "x")
    for depth in range(1, 10):
        await _block(db, workspace, f"n{depth}", f"{{% render 'n{depth - 1}' %}}")
    with pytest.raises(content.TemplateInvalid, match="more than 10 blocks within blocks: n10 → n9 → "):
        await _block(db, workspace, "n10", "{% render 'n9' %}")
    template = await _template(db, workspace, "{% render 'n9' %}")
    async with db.connection() as tx:
        frozen = await content.freeze(tx, workspace=WorkspaceId(workspace), template=template.id)
    assert "fallback" not in content.compile_liquid(frozen.html, html=True).python


async def test_missing_variables_are_shown_where_they_are(db: Database, workspace: int) -> None:
    await _block(db, workspace, "footer", "\n {{ who.name }}")
    html = "<p>{{ first_name }}{{ plan }}\n{{ city | default: 'x' }}{% if nope %}{{ never }}{% endif %}</p>{% render 'footer' %}"
    lax, strict = await _template(db, workspace, html), await _template(db, workspace, html, strict=True)
    async with db.connection() as tx:
        ws = WorkspaceId(workspace)
        one, other = [await content.freeze(tx, workspace=ws, template=made.id) for made in (lax, strict)]
    shown = await _preview(one, {})
    assert [(m.field, m.block, m.line, m.column, m.name) for m in shown.missing if m.field == "html_content"] == [
        ("html_content", "", 1, 7, "first_name"),
        ("html_content", "", 1, 23, "plan"),
        ("html_content", "footer", 2, 5, "who.name"),
    ]
    with pytest.raises(content.RenderError, match="html_content: line 1, column 23: 'plan' is undefined"):
        await _preview(other, {})
    with pytest.raises(content.RenderError):
        await _preview(one, {}, strict=True)
    assert (await _preview(other, {}, strict=False)).missing == shown.missing
    assert (await _preview(other, {"plan": "p", "who": {"name": "n"}})).html.startswith("<p>p\nx</p>")


async def test_versions_are_compared(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    template = await _template(db, workspace, "<p>a</p>\n<p>b</p>\n")
    async with db.transaction() as tx:
        changes = {"html_content": "<p>a</p>\n<p>c</p>\n"}
        await content.update_template(tx, workspace=ws, template=template.id, changes=changes, by=SYSTEM(ws), now=NOW)
        found = await content.diff_versions(tx, workspace=ws, template=template.id, older=1, newer=2)
        with pytest.raises(content.TemplateNotFound):
            await content.diff_versions(tx, workspace=ws, template=template.id, older=1, newer=3)
    assert (found.subject, found.text_content) == ("", "")
    assert found.html_content.splitlines()[2:] == ["@@ -1,3 +1,3 @@", " <p>a</p>", "-<p>b</p>", "+<p>c</p>", " "]
