"""Templates over HTTP."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from tidings import campaigns, content
from tidings.api._deps import Call, needs
from tidings.api._fields import AttachmentRef, Body, ContactRef, Flag, Name, TemplateRef
from tidings.api._paging import Page, Paged
from tidings.api._previews import PreviewOut
from tidings.api._route import Route
from tidings.api._versions import DifferenceOut, InPath, Number, VersionOut, Versions
from tidings.api.template_tests import reader
from tidings.content import SourceType, Summary, Template
from tidings.core.ids import AttachmentId, TemplateId, public_id

router = APIRouter(prefix="/templates", tags=["templates"], route_class=Route)

Reading = Annotated[Call, needs("templates:read")]
Writing = Annotated[Call, needs("templates:write")]
Subject = Annotated[str, Field(max_length=998, description="Liquid, one line")]
Html = Annotated[str, Field(max_length=1_000_000, description="Liquid; values are escaped unless `| safe`")]
Text = Annotated[str, Field(max_length=1_000_000, description="Liquid; empty: derived from the HTML")]
Variables = Annotated[
    list[Annotated[str, Field(max_length=255)]],
    Field(max_length=1000, description="that its author means to use; those that the Liquid uses are added"),
]


def _text_or_object(told: Any) -> Any:
    if told is not None and not isinstance(told, str | dict):
        raise ValueError("must be text, or a block document as a JSON object")
    return told


Source = Annotated[
    str | dict[str, Any],
    BeforeValidator(_text_or_object),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 1_000_000}, {"x-schema": "Document"}]}),
]
SOURCE = "in place of html_content, which is made of it: text, or a block document"
INLINE = "give elements the styles that the HTML's <style> has for them; nothing else of it is changed"
Strict = Annotated[Flag, Field(description="a message that would write what is undefined is not sent")]
Attachments = Annotated[list[AttachmentRef], Field(max_length=20)]
ATTACHMENTS = "files that go with every message"


Preheader = Annotated[
    str,
    Field(
        max_length=500,
        description="Liquid, one line: what inboxes show beside the subject; nobody sees it in the message",
    ),
]


class NewTemplate(Body):
    """What a template says."""

    name: Name
    subject: Subject
    html_content: Html = ""
    text_content: Text = ""
    variables: Variables = Field(default_factory=list)
    strict: Strict = False
    source_type: SourceType = SourceType.HTML
    source: Annotated[Source | None, Field(description=SOURCE)] = None
    inline_css: Annotated[Flag, Field(description=INLINE)] = False
    attachment_ids: Annotated[Attachments, Field(description=ATTACHMENTS)] = Field(default_factory=list)
    preheader: Preheader = ""


class TemplateChanges(Body):
    """What to change; what is left out stays."""

    name: Name | None = None
    subject: Subject | None = None
    html_content: Html | None = None
    text_content: Text | None = None
    variables: Variables | None = None
    strict: Strict | None = None
    source_type: SourceType | None = None
    source: Annotated[Source | None, Field(description=SOURCE)] = None
    inline_css: Annotated[Flag | None, Field(description=INLINE)] = None
    attachment_ids: Annotated[Attachments | None, Field(description=ATTACHMENTS)] = None
    preheader: Preheader | None = None


class Samples(Body):
    """What to fill a template in with."""

    variables: dict[str, Any] = Field(
        default_factory=dict,
        description="a contact's fields and attributes by name, or under `contact`; also `campaign` and `workspace`",
        examples=[{"first_name": "Ada", "plan": "pro", "tags": ["vip"]}],
    )
    contact_id: Annotated[
        ContactRef | None, Field(description="a contact whose values it is filled in with; `variables` go over them")
    ] = None
    version: Annotated[Number | None, Field(description="null: the current one")] = None
    strict: Annotated[
        Flag | None, Field(description="refuse what is undefined; null: as the template says, or false if `marked`")
    ] = None
    marked: Annotated[Flag, Field(description="write the name of what is undefined or empty where it is missing")] = (
        False
    )


class SummaryOut(BaseModel):
    """A template without its texts."""

    id: str
    template_id: str
    name: str
    version: int
    subject: str
    variables: list[str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, template: Summary) -> "SummaryOut":
        """As JSON shows it."""
        return cls(**_summary(template))


class TemplateOut(SummaryOut):
    """A template at one of its versions."""

    html_content: str
    text_content: str
    strict: bool
    source_type: SourceType
    source: Source
    inline_css: bool
    attachment_ids: list[str]
    preheader: str

    @classmethod
    def of(cls, template: Summary) -> "TemplateOut":
        """As JSON shows it."""
        assert isinstance(template, Template)
        return cls(
            **_summary(template),
            html_content=template.html_content,
            text_content=template.text_content,
            strict=template.strict,
            source_type=template.source_type,
            source=_shown(template),
            inline_css=template.inline_css,
            attachment_ids=[public_id("attachment", id_) for id_ in template.attachment_ids],
            preheader=template.preheader,
        )


class TemplateVersionOut(VersionOut):
    """One version in a template's history."""

    subject: str
    variables: list[str]


class TemplateDifferenceOut(DifferenceOut):
    """Unified diffs, '' where nothing changed."""

    subject: str
    preheader: str
    source: Annotated[str, Field(description="MJML, Markdown, or a block document with a line for each value")]


@router.post("", status_code=201)
async def create_template(body: NewTemplate, call: Writing) -> TemplateOut:
    """Create a template. Its Liquid is checked, its variables are found; mistakes are named with line and column."""
    return TemplateOut.of(
        await content.create_template(
            call.tx,
            workspace=call.workspace,
            name=body.name,
            subject=body.subject,
            html_content=body.html_content,
            text_content=body.text_content,
            variables=body.variables,
            strict=body.strict,
            source_type=body.source_type,
            source="" if body.source is None else _told(body.source),
            inline_css=body.inline_css,
            attachment_ids=[AttachmentId(id_) for id_ in body.attachment_ids],
            library=call.app.media,
            preheader=body.preheader,
            by=call.principal,
            now=call.now,
        )
    )


@router.get("")
async def list_templates(call: Reading, paging: Paged) -> Page[SummaryOut]:
    """Templates, newest first."""
    found = await content.list_templates(
        call.tx, workspace=call.workspace, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    walking = paging.before is not None
    total = None if walking else await content.count_templates(call.tx, workspace=call.workspace)
    return paging.of([SummaryOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)


@router.get("/{template_id}")
async def get_template(
    template_id: TemplateRef,
    call: Reading,
    version: Annotated[Number | None, Query(description="left out: the current one")] = None,
) -> TemplateOut:
    """One template, at its current version or at an older one."""
    return TemplateOut.of(
        await content.get_template(call.tx, workspace=call.workspace, template=TemplateId(template_id), version=version)
    )


@router.put("/{template_id}", name="put_template")
@router.patch("/{template_id}")
async def update_template(template_id: TemplateRef, body: TemplateChanges, call: Writing) -> TemplateOut:
    """Change a template. New content makes a new version; campaigns that are going out keep the one they have."""
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if "source" in changes:
        changes["source"] = _told(changes["source"])
    return TemplateOut.of(
        await content.update_template(
            call.tx,
            workspace=call.workspace,
            template=TemplateId(template_id),
            changes=changes,
            library=call.app.media,
            by=call.principal,
            now=call.now,
        )
    )


@router.delete("/{template_id}", status_code=204)
async def delete_template(template_id: TemplateRef, call: Writing) -> None:
    """Delete a template. Refused while campaigns that are still to go out use it."""
    await campaigns.delete_template(
        call.tx, workspace=call.workspace, template=TemplateId(template_id), by=call.principal, now=call.now
    )


@router.post("/{template_id}/preview")
async def preview_template(template_id: TemplateRef, body: Samples, call: Reading) -> PreviewOut:
    """What a recipient with these values would read, footer included, by the code that fills in real ones."""
    shown = await campaigns.preview_template(
        call.tx,
        workspace=call.workspace,
        template=TemplateId(template_id),
        version=body.version,
        reader=reader(body.contact_id, body.variables),
        # What a strict template lacks can be marked as well, unless it is asked to refuse.
        strict=False if body.marked and body.strict is None else body.strict,
        marked=body.marked,
        public_url=call.app.public_url,
        now=call.now,
    )
    return PreviewOut.of(shown)


@router.get("/{template_id}/versions")
async def list_versions(template_id: TemplateRef, call: Reading) -> Versions[TemplateVersionOut]:
    """Every version a template has had."""
    found = await content.list_versions(call.tx, workspace=call.workspace, template=TemplateId(template_id))
    return Versions(items=[TemplateVersionOut(**asdict(one)) for one in found])


@router.get("/{template_id}/versions/{version}/diff/{other}")
async def diff_versions(
    template_id: TemplateRef, version: InPath, other: InPath, call: Reading
) -> TemplateDifferenceOut:
    """What changed from one version to another, as unified diffs of subject, preheader, source, HTML and text."""
    found = await content.diff_versions(
        call.tx, workspace=call.workspace, template=TemplateId(template_id), older=version, newer=other
    )
    return TemplateDifferenceOut(**asdict(found))


@router.post("/{template_id}/versions/{version}/restore")
async def restore_version(
    template_id: TemplateRef,
    version: InPath,
    call: Writing,
    without_deleted_attachments: Annotated[
        bool, Query(description="else a version whose attachments were deleted since is refused")
    ] = False,
) -> TemplateOut:
    """Make an older version's content the newest version."""
    return TemplateOut.of(
        await content.restore_version(
            call.tx,
            workspace=call.workspace,
            template=TemplateId(template_id),
            version=version,
            without_deleted=without_deleted_attachments,
            library=call.app.media,
            by=call.principal,
            now=call.now,
        )
    )


def _told(source: str | dict[str, Any]) -> str:
    return source if isinstance(source, str) else orjson.dumps(source).decode()


def _shown(template: Template) -> str | dict[str, Any]:
    if template.source_type == SourceType.BLOCKS:
        return orjson.loads(template.source)
    return template.source or template.html_content


def _summary(template: Summary) -> dict[str, Any]:
    id_ = public_id("template", template.id)
    return {
        "id": id_,
        "template_id": id_,
        "name": template.name,
        "version": template.version,
        "subject": template.subject,
        "variables": template.variables,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }
