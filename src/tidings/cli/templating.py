"""`tidings template`: templates and their versions from the shell, straight from the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from tidings import campaigns, content
from tidings.accounts import SYSTEM
from tidings.cli.checking import SOURCES, read_text
from tidings.cli.manage import Desk, at_desk
from tidings.content import SourceType, Summary, Template, Version
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import AttachmentId, TemplateId, parse_id, public_id
from tidings.core.settings import Settings

_PAGE = 500
PARTS = ("html", "text", "source", "subject", "preheader")
"""What of a template can be written alone."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A file to be saved as a template. None: as it was, or, of a new one, as the API has it."""

    file: Path
    template: str = ""
    """Its name or id; '' : the file's name without its ending."""
    name: str | None = None
    subject: str | None = None
    preheader: str | None = None
    text: Path | None = None
    inline_css: bool | None = None
    strict: bool | None = None
    attachments: Sequence[str] | None = None
    """Ids; none at all: an empty list."""


async def list_templates(settings: Settings, *, workspace: str, search: str) -> list[Summary]:
    """All templates, newest first, whose name or subject has `search` in it."""
    found: list[Summary] = []
    async with at_desk(settings, workspace) as desk:
        while page := await content.list_templates(
            desk.tx, workspace=desk.workspace, before=found[-1].id if found else None, limit=_PAGE
        ):
            found += page
    wanted = search.lower()
    return [one for one in found if wanted in one.name.lower() or wanted in one.subject.lower()]


async def get_template(settings: Settings, *, workspace: str, template: str, version: int | None) -> Template:
    """One template, by name or id, at a version; None: the current one."""
    async with at_desk(settings, workspace) as desk:
        found = await find_template(desk, template)
        return await content.get_template(desk.tx, workspace=desk.workspace, template=found, version=version)


async def save_template(settings: Settings, saving: Saving, *, workspace: str) -> tuple[Template, int]:
    """Save a file as a template: as its next version, or as a new one. Also the version that it had before, 0: none."""
    kind = SOURCES.get(saving.file.suffix.lower())
    if kind is None:
        raise Invalid.at("FILE", f"must end in {', '.join(SOURCES)}")
    source = await asyncio.to_thread(read_text, saving.file)
    told: dict[str, Any] = {
        "name": saving.name,
        "subject": saving.subject,
        "preheader": saving.preheader,
        "text_content": None if saving.text is None else await asyncio.to_thread(read_text, saving.text),
        "inline_css": saving.inline_css,
        "strict": saving.strict,
        "attachment_ids": None
        if saving.attachments is None
        else [AttachmentId(parse_id("attachment", one, field="--attachment")) for one in saving.attachments],
    }
    changes = {name: value for name, value in told.items() if value is not None}
    changes |= {"source_type": kind, "html_content" if kind is SourceType.HTML else "source": source}
    async with at_desk(settings, workspace) as desk:
        named = saving.template or saving.file.stem
        known = await _known(desk, named)
        by: dict[str, Any] = {"library": desk.app.media, "by": SYSTEM(desk.workspace), "now": utc_now()}
        if known is not None:
            before = await content.get_template(desk.tx, workspace=desk.workspace, template=known)
            after = await content.update_template(
                desk.tx, workspace=desk.workspace, template=known, changes=changes, **by
            )
            return after, before.version
        if named.startswith("template_"):
            raise Invalid.at("--template", f"there is no {named}; `tidings template list` shows them")
        if saving.subject is None:
            raise Invalid.at("--subject", f"is required: there is no template {named!r} yet, and this makes it")
        return await content.create_template(desk.tx, workspace=desk.workspace, **{"name": named, **changes}, **by), 0


async def list_versions(settings: Settings, *, workspace: str, template: str) -> list[Version]:
    """A template's history, newest first."""
    async with at_desk(settings, workspace) as desk:
        found = await find_template(desk, template)
        return await content.list_versions(desk.tx, workspace=desk.workspace, template=found)


async def diff_versions(
    settings: Settings, *, workspace: str, template: str, older: int, newer: int | None
) -> content.Difference:
    """What changed from one version to another; None: to the current one."""
    async with at_desk(settings, workspace) as desk:
        found = await find_template(desk, template)
        current = await content.get_template(desk.tx, workspace=desk.workspace, template=found)
        return await content.diff_versions(
            desk.tx, workspace=desk.workspace, template=found, older=older, newer=newer or current.version
        )


async def restore_version(
    settings: Settings, *, workspace: str, template: str, version: int, without_deleted: bool
) -> Template:
    """Make an older version's content the newest version."""
    async with at_desk(settings, workspace) as desk:
        return await content.restore_version(
            desk.tx,
            workspace=desk.workspace,
            template=await find_template(desk, template),
            version=version,
            without_deleted=without_deleted,
            library=desk.app.media,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )


async def delete_template(settings: Settings, *, workspace: str, template: str) -> str:
    """Delete it, unless campaigns that are still to go out need it; returns what to tell the person."""
    async with at_desk(settings, workspace) as desk:
        found = await find_template(desk, template)
        before = await content.get_template(desk.tx, workspace=desk.workspace, template=found)
        await campaigns.delete_template(
            desk.tx, workspace=desk.workspace, template=found, by=SYSTEM(desk.workspace), now=utc_now()
        )
    return f"{public_id('template', found)} {before.name}: deleted"


async def find_template(desk: Desk, wanted: str) -> TemplateId:
    """The template with this name or id. Raises Invalid; TemplateNotFound for an id that there is not."""
    found = await _known(desk, wanted)
    if found is None:
        raise Invalid.at("template", f"there is no template {wanted!r}; `tidings template list` shows them")
    return found


async def _known(desk: Desk, wanted: str) -> TemplateId | None:
    named = await content.find_templates(desk.tx, workspace=desk.workspace, name=wanted)
    if len(named) > 1:
        ids = ", ".join(public_id("template", one.id) for one in named)
        raise Invalid.at("template", f"several are called {wanted!r}: {ids}; give an id")
    if named:
        return named[0].id
    try:
        number = TemplateId(parse_id("template", wanted, field="template"))
    except Invalid:
        return None
    return (await content.get_template(desk.tx, workspace=desk.workspace, template=number)).id


def show_list(found: Sequence[Summary]) -> None:
    """A table of them."""
    table = Table("id", "name", "version", "subject", "changed (UTC)", box=None, header_style="bold")
    for one in found:
        table.add_row(
            public_id("template", one.id),
            plain(one.name),
            str(one.version),
            plain(one.subject),
            f"{one.updated_at:%Y-%m-%d %H:%M}",
        )
    Console().print(table if found else "no templates")


def show_versions(found: Sequence[Version]) -> None:
    """A table of a history."""
    table = Table("version", "saved (UTC)", "by", "subject", box=None, header_style="bold")
    for one in found:
        current = " (current)" if one.current else ""
        table.add_row(f"{one.version}{current}", f"{one.created_at:%Y-%m-%d %H:%M}", one.created_by, plain(one.subject))
    Console().print(table)


def show_template(one: Template) -> None:
    """What is to be known of it, and its source."""
    table = Table(box=None, show_header=False)
    files = ", ".join(public_id("attachment", id_) for id_ in one.attachment_ids)
    for label, value in (
        ("template", f"{public_id('template', one.id)} {one.name}, version {one.version}"),
        ("subject", one.subject),
        ("preheader", one.preheader or "none"),
        ("source", f"{one.source_type}{', CSS inlined' if one.inline_css else ''}{', strict' if one.strict else ''}"),
        ("variables", ", ".join(one.variables) or "none"),
        ("attachments", files or "none"),
        ("text", "written" if one.text_content else "derived from the HTML"),
        ("changed", f"{one.updated_at:%Y-%m-%d %H:%M} UTC"),
    ):
        table.add_row(label, plain(value))
    Console().print(table)
    print(f"\n{part_of(one, 'source')}")


def part_of(one: Template, part: str) -> str:
    """One part of it, as it was written; the HTML as it is sent. Raises Invalid."""
    parts = {
        "html": one.html_content,
        "text": one.text_content,
        "source": one.source or one.html_content,
        "subject": one.subject,
        "preheader": one.preheader,
    }
    if part not in parts:
        raise Invalid.at("--part", f"must be one of {', '.join(PARTS)}")
    return parts[part]


def show_difference(found: content.Difference) -> None:
    """Unified diffs of it. Of a template that is compiled, its author reads the source."""
    show_diffs(found.subject, found.preheader, found.source or found.html_content, found.text_content)


def show_diffs(*parts: str) -> None:
    """Unified diffs, coloured on a terminal."""
    console = Console()
    told = "\n".join(part for part in parts if part)
    if not told:
        console.print("the same")
    elif console.is_terminal:
        console.print(Syntax(told, "diff", background_color="default"))
    else:
        print(told)


def plain(text: str) -> str:
    """For a table: markup is text."""
    return text.replace("[", r"\[")
