"""Templates, versions, deletion and freezing, on a real database."""

from datetime import UTC, datetime

import pytest

from tidings import content
from tidings.accounts import SYSTEM
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import TemplateId, WorkspaceId

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 26, 12, tzinfo=UTC)
HTML = "<p>Hi {{ first_name }}, your plan is {{ contact.plan | default: 'free' }}</p>"


async def _create(db: Database, workspace: int, **changes: object) -> content.Template:
    fields: dict[str, object] = {"name": "Welcome", "subject": "Hi {{ first_name }}", "html_content": HTML, **changes}
    async with db.transaction() as tx:
        ws = WorkspaceId(workspace)
        return await content.create_template(tx, workspace=ws, by=SYSTEM(ws), now=NOW, **fields)  # type: ignore[arg-type]


async def test_create_extracts_the_variables_of_all_parts(db: Database, workspace: int) -> None:
    template = await _create(
        db, workspace, text_content="{{ contact.city }}{% assign x = 1 %}{{ x }}", variables=["coupon"]
    )
    assert template.variables == ["coupon", "first_name", "contact.plan", "contact.city"]
    assert (template.version, template.name, template.created_at) == (1, "Welcome", NOW)


async def test_a_mistake_is_named_with_field_line_and_column(db: Database, workspace: int) -> None:
    with pytest.raises(content.TemplateInvalid) as caught:
        await _create(db, workspace, html_content="<p>\n  {{ first_name | uppcase }}</p>", subject="{% if %}")
    problems = {one.field: one.message for one in caught.value.fields}
    assert problems["html_content"] == "line 2, column 19: there is no filter named 'uppcase'"
    assert problems["subject"].startswith("line 1, column 4:")
    async with db.connection() as tx:
        assert await content.list_templates(tx, workspace=WorkspaceId(workspace)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"html_content": " \n"}, "html_content"),
        ({"subject": "a\r\nBcc: x@y.example"}, "subject"),
        ({"subject": "x" * 999}, "subject"),
        ({"html_content": "x" * 1_000_001}, "html_content"),
        ({"variables": ["first name"]}, "variables[0]"),
        ({"html_content": "{% include 'x' %}"}, "html_content"),
        ({"html_content": "{% tidings_url c /1 %}"}, "html_content"),
        ({"html_content": "{% if a %}"}, "html_content"),
        ({"html_content": "<p>{{ x"}, "html_content"),
        ({"html_content": "{% if a %}" * 400}, "html_content"),
    ],
)
async def test_refused(db: Database, workspace: int, changes: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await _create(db, workspace, **changes)
    assert [one.field for one in caught.value.fields] == [field]


async def test_update_makes_a_version_and_restore_another(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    first = await _create(db, workspace, variables=["coupon"])
    async with db.transaction() as tx:
        second = await content.update_template(
            tx,
            workspace=ws,
            template=first.id,
            changes={"html_content": "<p>{{ phone }}</p>"},
            by=SYSTEM(ws),
            now=LATER,
        )
        assert (second.version, second.variables, second.updated_at) == (2, ["coupon", "first_name", "phone"], LATER)
        renamed = await content.update_template(
            tx, workspace=ws, template=first.id, changes={"name": "Bye"}, by=SYSTEM(ws), now=LATER
        )
        assert (renamed.version, renamed.name) == (2, "Bye")
        restored = await content.restore_version(
            tx, workspace=ws, template=first.id, version=1, by=SYSTEM(ws), now=LATER
        )
        assert (restored.version, restored.html_content, restored.variables) == (3, HTML, first.variables)
        versions = await content.list_versions(tx, workspace=ws, template=first.id)
        assert [(one.version, one.current, one.created_by) for one in versions] == [
            (3, True, "system"),
            (2, False, "system"),
            (1, False, "system"),
        ]
        old = await content.get_template(tx, workspace=ws, template=first.id, version=2)
        assert old.html_content == "<p>{{ phone }}</p>"
        with pytest.raises(content.TemplateNotFound, match="version 9"):
            await content.restore_version(tx, workspace=ws, template=first.id, version=9, by=SYSTEM(ws), now=LATER)


async def test_a_broken_update_leaves_everything_as_it_was(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    first = await _create(db, workspace)
    with pytest.raises(content.TemplateInvalid):
        async with db.transaction() as tx:
            await content.update_template(
                tx, workspace=ws, template=first.id, changes={"subject": "{{"}, by=SYSTEM(ws), now=LATER
            )
    async with db.connection() as tx:
        assert await content.get_template(tx, workspace=ws, template=first.id) == first


async def test_delete_is_refused_while_in_use_and_hides_the_template(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    first = await _create(db, workspace)
    async with db.transaction() as tx:
        with pytest.raises(content.TemplateInUse, match="campaign_4"):
            await content.delete_template(
                tx, workspace=ws, template=first.id, used_by=["campaign_4"], by=SYSTEM(ws), now=LATER
            )
        await content.delete_template(tx, workspace=ws, template=first.id, used_by=[], by=SYSTEM(ws), now=LATER)
        with pytest.raises(content.TemplateNotFound):
            await content.get_template(tx, workspace=ws, template=first.id)
        assert await content.count_templates(tx, workspace=ws) == 0
        # What was sent with it refers to its versions.
        assert await tx.fetchval("SELECT count(*) FROM template_versions") == 1


async def test_list_is_newest_first_in_pages_and_of_this_workspace_alone(db: Database, workspace: int) -> None:
    ws = WorkspaceId(workspace)
    made = [(await _create(db, workspace, name=f"T{number}")).id for number in range(5)]
    async with db.transaction() as tx:
        page = await content.list_templates(tx, workspace=ws, offset=1, limit=2)
        assert [one.name for one in page] == ["T3", "T2"]
        rest = await content.list_templates(tx, workspace=ws, before=page[-1].id, limit=10)
        assert [one.id for one in rest] == made[1::-1]
        other = await tx.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('Other', now()) RETURNING id")
        assert await content.list_templates(tx, workspace=other) == []
        with pytest.raises(content.TemplateNotFound):
            await content.get_template(tx, workspace=other, template=TemplateId(made[0]))


async def test_freeze_derives_the_text(db: Database, workspace: int) -> None:
    first = await _create(db, workspace)
    written = await _create(db, workspace, text_content="Hi {{ first_name }}")
    async with db.connection() as tx:
        frozen = await content.freeze(tx, workspace=WorkspaceId(workspace), template=first.id)
        assert frozen == content.FrozenTemplate(
            first.id,
            1,
            first.subject,
            HTML,
            "Hi {{ first_name }}, your plan is {{ contact.plan | default: 'free' }}\n",
            written=content.Written(html=HTML),
        )
        assert (
            await content.freeze(tx, workspace=WorkspaceId(workspace), template=written.id)
        ).text == "Hi {{ first_name }}"
