"""What a template says, before it is kept: its source compiled, its Liquid in order, its variables found."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tidings.content._aside import apart
from tidings.content._media_library import MediaLibrary
from tidings.content._media_shown import NO_IMAGES, load_images
from tidings.content._parse import TemplateInvalid, parse, wanted_variables
from tidings.content._parts import Parts
from tidings.content._plaintext import plain_text
from tidings.content._preheader import MAX_PREHEADER, with_preheader
from tidings.content._shared import Shared, load_shared, names_in, with_shared
from tidings.content._sources import SourceType, compile_source
from tidings.core.db import Tx
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import WorkspaceId

MAX_CONTENT = 1_000_000
"""Characters of HTML or text."""
MAX_SUBJECT = 998
_VARIABLE = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+|\[[^\[\]]+\])*")


class Written(Protocol):
    """What a template said before."""

    @property
    def html_content(self) -> str: ...
    @property
    def source_type(self) -> SourceType: ...
    @property
    def source(self) -> str: ...
    @property
    def inline_css(self) -> bool: ...


async def check_overrides(tx: Tx, *, workspace: WorkspaceId, subject: str, preheader: str) -> list[FieldProblem]:
    """What is wrong with a subject and a preheader that are to stand in place of a template's."""
    shared = await load_shared(tx, workspace=workspace, names=names_in(subject, preheader))
    problems = [
        *_line_problems("subject", subject, MAX_SUBJECT),
        *_line_problems("preheader", preheader, MAX_PREHEADER),
    ]
    if not problems:
        for field, source in (("subject", subject), ("preheader", preheader)):
            problems += _read(source, shared, html=field == "preheader", field=field)[1]
    return problems


async def compiled(
    tx: Tx,
    workspace: WorkspaceId,
    changes: Mapping[str, Any],
    before: Written | None,
    library: MediaLibrary | None,
) -> dict[str, Any]:
    """Source, its type and the HTML of it, after a change. Raises TemplateInvalid and Invalid."""
    if "html_content" in changes and "source" in changes:
        raise Invalid.at("source", "give html_content, or a source, not both")
    kind = SourceType(changes.get("source_type", before.source_type if before else SourceType.HTML))
    inline = bool(changes.get("inline_css", before.inline_css if before else False))
    if "html_content" in changes:
        if changes.get("source_type", SourceType.HTML) != SourceType.HTML:
            raise Invalid.at("html_content", f"is made from the source: give a source of type {kind}")
        kind, source = SourceType.HTML, changes["html_content"]
    elif "source" in changes:
        source = changes["source"]
    elif before is None or kind != before.source_type:
        raise Invalid.at("source", f"is required for the source_type {kind}")
    else:
        source = before.source or before.html_content
        if inline == before.inline_css:
            # As it was compiled when it was saved, whatever compilers do today.
            return {field: getattr(before, field) for field in ("html_content", "source_type", "source", "inline_css")}
    if kind == SourceType.HTML and not inline:
        return {"html_content": source, "source_type": kind, "source": "", "inline_css": False}
    images = NO_IMAGES
    if kind == SourceType.BLOCKS:
        images = await load_images(tx, workspace=workspace, source=source, library=library)
    html = await apart(compile_source, kind, source, inline=inline, images=dict(images))
    return {"html_content": html, "source_type": kind, "source": source, "inline_css": inline}


def check_content(
    subject: str, html: str, text: str, preheader: str, variables: Sequence[str], shared: Mapping[str, Shared]
) -> list[str]:
    """The variables of content that is in order. Raises TemplateInvalid with every field that is not."""
    problems: list[FieldProblem] = []
    if not html.strip():
        problems.append(FieldProblem("html_content", "must not be empty"))
    problems += [
        FieldProblem(field, f"must have at most {MAX_CONTENT:,} characters")
        for field, value in (("html_content", html), ("text_content", text))
        if len(value) > MAX_CONTENT
    ]
    problems += [
        *_line_problems("subject", subject, MAX_SUBJECT),
        *_line_problems("preheader", preheader, MAX_PREHEADER),
    ]
    problems += [
        FieldProblem(
            f"variables[{index}]", f"{name[:60]!r} is no name of a variable, such as first_name or contact.plan"
        )
        for index, name in enumerate(variables)
        if not _VARIABLE.fullmatch(name)
    ]
    if not problems:
        found: dict[str, None] = dict.fromkeys(variables)
        for field, source, is_html in (
            ("subject", subject, False),
            ("html_content", html, True),
            ("text_content", text, False),
            ("preheader", preheader, True),
        ):
            wanted, wrong = _read(source, shared, html=is_html, field=field)
            found |= dict.fromkeys(wanted)
            problems += wrong
        if not problems:
            if not text:
                _check_derived(with_preheader(html, preheader))
            return list(found)
    raise TemplateInvalid("; ".join(f"{one.field}: {one.message}" for one in problems), fields=tuple(problems))


def _line_problems(field: str, value: str, longest: int) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if len(value) > longest:
        problems.append(FieldProblem(field, f"must have at most {longest:,} characters"))
    if re.search(r"[\x00-\x1f\x7f]", value):
        problems.append(FieldProblem(field, "must be one line without control characters"))
    return problems


def _read(
    source: str, shared: Mapping[str, Shared], *, html: bool, field: str
) -> tuple[list[str], tuple[FieldProblem, ...]]:
    """The variables that a source wants, or what is wrong with it."""
    try:
        parts = with_shared(source, shared, html=html, strict=False, field=field)
        return wanted_variables(parse(parts, html=html, field=field)), ()
    except TemplateInvalid as error:
        return [], error.fields


def _check_derived(html: str) -> None:
    try:
        parse(Parts(plain_text(html)), html=False)
    except TemplateInvalid:
        problem = FieldProblem("text_content", "cannot be derived from this HTML: write it")
        raise TemplateInvalid(f"{problem.field}: {problem.message}", fields=(problem,)) from None
