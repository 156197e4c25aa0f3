"""Templates and their versions. A version never changes; changing a template makes the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings.accounts import Principal, audit
from tidings.content._aside import aside
from tidings.content._attachments import Attached, AttachmentInvalid, attachments_of, missing_attachments
from tidings.content._media import hold_media
from tidings.content._media_library import MediaLibrary
from tidings.content._origins import Written
from tidings.content._plaintext import plain_text
from tidings.content._preheader import with_preheader, with_preheader_within
from tidings.content._shared import Shared, load_shared, names_in, with_shared
from tidings.content._sources import SourceType
from tidings.content._template_content import check_content, compiled
from tidings.core.db import Tx, sql
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import AttachmentId, TemplateId, WorkspaceId, public_id

_CONTENT_FIELDS = (
    "subject",
    "html_content",
    "text_content",
    "variables",
    "strict",
    "source_type",
    "source",
    "inline_css",
    "attachment_ids",
    "preheader",
)
_LIQUID_FIELDS = ("subject", "html_content", "text_content", "preheader")


class TemplateNotFound(NotFound):
    """There is no such template, or no such version of it, in this workspace."""

    code = "template_not_found"


class TemplateInUse(Conflict):
    """Campaigns that are still to go out need this template."""

    code = "template_in_use"


@dataclass(frozen=True, slots=True)
class Summary:
    """A template without its texts."""

    id: TemplateId
    name: str
    version: int
    subject: str
    variables: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Template(Summary):
    """A template at one of its versions. `text_content` is '' where the text is derived from the HTML."""

    html_content: str
    text_content: str
    strict: bool
    """Writing what is undefined is an error, and such a message is not sent."""
    source_type: SourceType
    source: str
    """What `html_content` was compiled from when it was saved; '' where that is the source itself."""
    inline_css: bool
    attachment_ids: list[AttachmentId]
    """Files that go with every message."""
    preheader: str
    """What inboxes show beside the subject: Liquid; '' for none, or what the HTML itself begins with."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a template's history."""

    version: int
    subject: str
    variables: list[str]
    created_by: str
    created_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class FrozenTemplate:
    """What a send takes along: Liquid sources with their blocks in them, the preheader in the HTML, the text never empty."""

    template: TemplateId
    version: int
    subject: str
    html: str
    text: str
    attached: Sequence[Attached] = ()
    """Files that go along."""
    preheader: str = ""
    """By itself, as text; '' where the HTML has what its author put there, or none."""
    written: Written = field(default_factory=Written)
    """What the HTML was made of."""


async def create_template(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    subject: str,
    html_content: str = "",
    text_content: str = "",
    variables: Sequence[str] = (),
    strict: bool = False,
    source_type: SourceType = SourceType.HTML,
    source: str = "",
    inline_css: bool = False,
    attachment_ids: Sequence[AttachmentId] = (),
    preheader: str = "",
    library: MediaLibrary | None = None,
    by: Principal,
    now: datetime,
) -> Template:
    """Create a template. `variables` are those its author means to use; what the Liquid uses is added.

    It has either `html_content`, or a `source`, of which the HTML is made here and now, with images of the `library`.
    Raises TemplateInvalid for broken Liquid, naming field, line and column, and Invalid for unusable fields.
    """
    _check_name(name)
    given = {"source_type": source_type, "inline_css": inline_css}
    given |= {"html_content": html_content} if html_content or (source_type == SourceType.HTML and not source) else {}
    written = await compiled(tx, workspace, given | ({"source": source} if source else {}), None, library)
    html_content = written["html_content"]
    preheader = preheader.strip()
    blocks = await aside(names_in, subject, html_content, text_content, preheader)
    shared = await load_shared(tx, workspace=workspace, names=blocks)
    used = await aside(check_content, subject, html_content, text_content, preheader, variables, shared)
    await attachments_of(tx, workspace=workspace, ids=attachment_ids, field="attachment_ids")
    number = await tx.fetchval(
        "INSERT INTO templates (workspace_id, name, version, created_at, updated_at) VALUES ($1, $2, 0, $3, $3) RETURNING id",
        workspace,
        name,
        now,
    )
    template = TemplateId(number)
    content = {"subject": subject, "html_content": html_content, "text_content": text_content, "variables": used}
    content |= written | {"strict": strict, "blocks": blocks, "preheader": preheader, "attachment_ids": attachment_ids}
    await _add_version(tx, workspace, template, content, by, now)
    await audit(tx, by=by, action="template.created", subject=public_id("template", template), now=now)
    return await get_template(tx, workspace=workspace, template=template)


async def get_template(
    tx: Tx, *, workspace: WorkspaceId, template: TemplateId, version: int | None = None, lock: bool = False
) -> Template:
    """A template at its current version, or at an older one. `lock`: nobody changes it before the transaction ends.

    Raises TemplateNotFound.
    """
    row = await tx.fetchrow(
        sql(__package__, "_get") + (" FOR UPDATE OF t" if lock else ""), workspace, template, version
    )
    if row is None:
        of_it = f" with a version {version}" if version is not None else ""
        raise TemplateNotFound(f"there is no {public_id('template', template)}{of_it}")
    values: dict[str, Any] = dict(row.items())
    values["source_type"] = SourceType(row["source_type"])
    return Template(**values)


async def list_templates(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, offset: int = 0, limit: int = 50
) -> list[Summary]:
    """Templates, newest first: `limit` after `offset`, or of those with ids below `before`."""
    rows = await tx.fetch(sql(__package__, "_list"), workspace, before, offset, limit)
    return [Summary(**dict(row.items())) for row in rows]


async def find_templates(tx: Tx, *, workspace: WorkspaceId, name: str) -> list[Summary]:
    """Templates with just this name, newest first: several may have the same. At most twenty."""
    rows = await tx.fetch(
        f"SELECT * FROM ({sql(__package__, '_list')}) AS t WHERE t.name = $5",  # noqa: S608 - our own words
        workspace,
        None,
        0,
        None,
        name,
    )
    return [Summary(**dict(row.items())) for row in rows[:20]]


async def count_templates(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many there are."""
    return await tx.fetchval("SELECT count(*) FROM templates WHERE workspace_id = $1 AND deleted_at IS NULL", workspace)


async def update_template(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    changes: Mapping[str, Any],
    library: MediaLibrary | None = None,
    by: Principal,
    now: datetime,
) -> Template:
    """Change what is named (fields of `create_template`); the rest stays. With `html_content` HTML is the source.

    New content is a new version; a new name alone is not. Raises TemplateNotFound, TemplateInvalid, Invalid.
    """
    before = await get_template(tx, workspace=workspace, template=template, lock=True)
    name = changes.get("name", before.name)
    if name != before.name:
        _check_name(name)
    content: dict[str, Any] = {field: changes.get(field, getattr(before, field)) for field in _CONTENT_FIELDS}
    content |= await compiled(tx, workspace, changes, before, library)
    content["attachment_ids"] = list(content["attachment_ids"])
    if "attachment_ids" in changes:
        await attachments_of(tx, workspace=workspace, ids=changes["attachment_ids"], field="attachment_ids")
    content["preheader"] = content["preheader"].strip()
    subject, html, text, preheader = (content[field] for field in _LIQUID_FIELDS)
    blocks = await aside(names_in, subject, html, text, preheader)
    old_texts = before.subject, before.html_content, before.text_content, before.preheader
    old_blocks = await aside(names_in, *old_texts)
    shared = await load_shared(tx, workspace=workspace, names=[*blocks, *old_blocks])
    # Variables of the old Liquid go with it; those that only its author named stay until named anew.
    named = changes.get("variables")
    if named is None:
        old = await aside(check_content, *old_texts, (), shared)
        named = [variable for variable in before.variables if variable not in old]
    content["variables"] = await aside(check_content, subject, html, text, preheader, named, shared)
    changed = any(content[field] != getattr(before, field) for field in _CONTENT_FIELDS)
    if changed:
        await _add_version(tx, workspace, template, content | {"blocks": blocks}, by, now)
    if changed or name != before.name:
        await tx.execute(
            "UPDATE templates SET name = $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2",
            workspace,
            template,
            name,
            now,
        )
        await audit(tx, by=by, action="template.updated", subject=public_id("template", template), now=now)
    return await get_template(tx, workspace=workspace, template=template)


async def list_versions(tx: Tx, *, workspace: WorkspaceId, template: TemplateId) -> list[Version]:
    """A template's history, newest first. Raises TemplateNotFound."""
    current = await get_template(tx, workspace=workspace, template=template)
    rows = await tx.fetch(
        """
        SELECT version, subject, variables, created_by, created_at FROM template_versions
        WHERE workspace_id = $1 AND template_id = $2 ORDER BY version DESC
        """,
        workspace,
        template,
    )
    return [Version(**dict(row.items()), current=row["version"] == current.version) for row in rows]


async def restore_version(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    version: int,
    without_deleted: bool = False,
    library: MediaLibrary | None = None,
    by: Principal,
    now: datetime,
) -> Template:
    """Make an older version's content the newest version.

    `without_deleted`: without its files that were deleted since. Raises TemplateNotFound, AttachmentInvalid naming those.
    """
    await get_template(tx, workspace=workspace, template=template, lock=True)
    old = await get_template(tx, workspace=workspace, template=template, version=version)
    changes = {field: getattr(old, field) for field in _CONTENT_FIELDS}
    gone = await missing_attachments(tx, workspace=workspace, ids=old.attachment_ids)
    if gone and not without_deleted:
        told = ", ".join(public_id("attachment", id_) for id_ in sorted(gone))
        raise AttachmentInvalid.at(
            "attachment_ids", f"{told}: deleted since; restore it with without_deleted_attachments=true, without them"
        )
    changes["attachment_ids"] = [id_ for id_ in old.attachment_ids if id_ not in gone]
    del changes["html_content" if old.source else "source"]
    return await update_template(
        tx, workspace=workspace, template=template, changes=changes, library=library, by=by, now=now
    )


async def delete_template(
    tx: Tx, *, workspace: WorkspaceId, template: TemplateId, used_by: Sequence[str], by: Principal, now: datetime
) -> None:
    """Delete a template: it is not found any more, while what was sent with it stays on record.

    Raises TemplateInUse if `used_by`, the ids of campaigns that still need it, names any; TemplateNotFound.
    """
    await get_template(tx, workspace=workspace, template=template, lock=True)
    if used_by:
        raise TemplateInUse(f"{public_id('template', template)} is used by {', '.join(used_by)}")
    await tx.execute(
        "UPDATE templates SET deleted_at = $3, updated_at = $3 WHERE workspace_id = $1 AND id = $2",
        workspace,
        template,
        now,
    )
    await audit(tx, by=by, action="template.deleted", subject=public_id("template", template), now=now)


async def written_of(
    tx: Tx, *, workspace: WorkspaceId, template: TemplateId, version: int | None = None, preheader: str = ""
) -> Written:
    """What a template's HTML was made of, with another preheader if there is one. Raises TemplateNotFound."""
    now = await get_template(tx, workspace=workspace, template=template, version=version)
    return _written(now, preheader.strip() or now.preheader)


def _written(template: Template, preheader: str) -> Written:
    return Written(template.source, template.source_type, template.inline_css, template.html_content, preheader)


async def freeze(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    version: int | None = None,
    subject: str = "",
    preheader: str = "",
) -> FrozenTemplate:
    """The current version, or another, with its blocks, for a send to keep: nothing that is changed later changes it.

    `subject` and `preheader`, where they are given, are in place of the template's, and as strict as it is. Its text is
    derived if it has none. Raises TemplateNotFound, TemplateInvalid.
    """
    now = await get_template(tx, workspace=workspace, template=template, version=version)
    subject, preheader = subject or now.subject, preheader.strip() or now.preheader
    html = await aside(with_preheader, now.html_content, preheader)
    text = now.text_content or await aside(plain_text, html)
    shared = await load_shared(tx, workspace=workspace, names=await aside(names_in, subject, html, text, preheader))
    packed = await aside(_packed, subject, html, text, preheader, shared, now.strict)
    attached = await attachments_of(tx, workspace=workspace, ids=now.attachment_ids, field="attachment_ids")
    written = _written(now, preheader)
    subject, html, text, preheader = packed
    files = tuple(one.attached for one in attached)
    return FrozenTemplate(now.id, now.version, subject, html, text, files, preheader, written)


def _packed(
    subject: str, html: str, text: str, preheader: str, shared: Mapping[str, Shared], strict: bool
) -> list[str]:
    around = with_shared(html, shared, html=True, strict=strict, field="html_content", also=preheader)
    return [
        with_shared(subject, shared, html=False, strict=strict, field="subject").pack(),
        with_preheader_within(around, preheader).pack(),
        with_shared(text, shared, html=False, strict=strict, field="text_content").pack(),
        with_shared(preheader, shared, html=False, strict=strict, field="preheader").pack(),
    ]


async def _add_version(
    tx: Tx, workspace: WorkspaceId, template: TemplateId, content: Mapping[str, Any], by: Principal, now: datetime
) -> None:
    shown = content["html_content"], content["text_content"]
    await hold_media(tx, workspace=workspace, texts=shown)
    await tx.execute(
        sql(__package__, "_add_version"),
        workspace,
        template,
        *(content[field] for field in _CONTENT_FIELDS[:4]),
        by.actor,
        now,
        content["strict"],
        content["blocks"],
        content["source_type"],
        content["source"],
        content["inline_css"],
        list(content["attachment_ids"]),
        content["preheader"],
    )


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 255:
        raise Invalid.at("name", "must have between 1 and 255 characters")
