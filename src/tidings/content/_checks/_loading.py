"""What is to be checked, from a template or from content that is not saved yet."""

from collections.abc import Mapping

from tidings.content._aside import apart, aside
from tidings.content._checks._run import Checkable
from tidings.content._media_library import MediaLibrary
from tidings.content._media_shown import NO_IMAGES, Shown, load_images
from tidings.content._parse import TemplateInvalid
from tidings.content._plaintext import plain_text
from tidings.content._shared import Shared, load_shared, names_in, with_shared
from tidings.content._sources import SourceType, compile_source
from tidings.content._templates import freeze, get_template
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import TemplateId, WorkspaceId


async def load_template(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    template: TemplateId,
    version: int | None = None,
    subject: str = "",
    preheader: str = "",
) -> Checkable:
    """A template's content, with another subject and preheader if there are. Raises TemplateNotFound, TemplateInvalid."""
    written = await get_template(tx, workspace=workspace, template=template, version=version)
    frozen = await freeze(
        tx, workspace=workspace, template=template, version=version, subject=subject, preheader=preheader
    )
    return Checkable(
        subject=frozen.subject,
        html=frozen.html,
        text=frozen.text,
        text_written=bool(written.text_content),
        source_type=written.source_type,
        source=written.source,
        attached=frozen.attached,
        written=written.html_content,
        inline_css=written.inline_css,
        preheader=frozen.written.preheader,
    )


async def load_unsaved(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    subject: str,
    html_content: str = "",
    text_content: str = "",
    strict: bool = False,
    source_type: SourceType = SourceType.HTML,
    source: str = "",
    inline_css: bool = False,
    library: MediaLibrary | None = None,
) -> Checkable:
    """Content as the editor has it: fields of `create_template`. Raises TemplateInvalid for what cannot be read, and Invalid."""
    if bool(html_content) == bool(source):
        raise Invalid.at("html_content", "give html_content, or a source, one of them")
    images = NO_IMAGES
    if source_type is SourceType.BLOCKS:
        images = await load_images(tx, workspace=workspace, source=source, library=library)
    html = await _html(html_content, source, source_type, inline=inline_css, images=images)
    text = text_content or await aside(plain_text, html)
    shared = await load_shared(tx, workspace=workspace, names=await aside(names_in, subject, html, text))
    kept = source if source_type is not SourceType.HTML or inline_css else ""
    return await aside(
        _packed,
        subject,
        html,
        text_content,
        shared,
        strict=strict,
        source_type=source_type,
        source=kept,
        inline_css=inline_css,
    )


async def read_unsaved(
    *, subject: str, source: str, source_type: SourceType, shared: Mapping[str, Shared]
) -> Checkable:
    """Content of a file: no database is asked, `shared` are all blocks there are. Raises as load_unsaved."""
    html = await _html("", source, source_type, inline=False, images=NO_IMAGES)
    kept = source if source_type is not SourceType.HTML else ""
    return await aside(_packed, subject, html, "", shared, strict=False, source_type=source_type, source=kept)


async def _html(
    html_content: str, source: str, source_type: SourceType, *, inline: bool, images: Mapping[str, Shown]
) -> str:
    if not source:
        return html_content
    return await apart(compile_source, source_type, source, inline=inline, images=dict(images))


def _packed(
    subject: str,
    html: str,
    text_content: str,
    shared: Mapping[str, Shared],
    *,
    strict: bool,
    source_type: SourceType,
    source: str,
    inline_css: bool = False,
) -> Checkable:
    text = text_content or plain_text(html)
    problems: list[TemplateInvalid] = []
    packed: list[str] = []
    for field, part, is_html in (
        ("subject", subject, False),
        ("html_content", html, True),
        ("text_content", text, False),
    ):
        try:
            packed.append(with_shared(part, shared, html=is_html, strict=strict, field=field).pack())
        except TemplateInvalid as error:
            if field != "text_content" or text_content or not problems:
                problems.append(error)
    if problems:
        fields = tuple(one for problem in problems for one in problem.fields)
        raise TemplateInvalid("; ".join(problem.message for problem in problems), fields=fields)
    return Checkable(packed[0], packed[1], packed[2], bool(text_content), source_type, source, inline_css=inline_css)
