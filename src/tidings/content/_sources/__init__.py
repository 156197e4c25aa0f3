"""What a template is written in, and the HTML that it is compiled to when it is saved; sending knows the HTML only."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

from tidings.content._media_shown import NO_IMAGES, Shown
from tidings.content._parse import parse
from tidings.content._sources._blocks import document_to_mjml
from tidings.content._sources._document import document_schemas, read_document
from tidings.content._sources._held import as_liquid, refused
from tidings.content._sources._inline import inline_css
from tidings.content._sources._markdown import markdown_to_html
from tidings.content._sources._mjml import mjml_to_html
from tidings.core.errors import Invalid

__all__ = ["SourceType", "as_liquid", "compile_source", "document_schemas"]

_LONGEST = 1_000_000
_LONGEST_OF = {"mjml": 200_000, "markdown": 200_000}
"""Of these every character costs ten times as much; mrml keeps the whole process waiting meanwhile."""


class SourceType(StrEnum):
    """What a template may be written in."""

    HTML = "html"
    MJML = "mjml"
    MARKDOWN = "markdown"
    BLOCKS = "blocks"


def compile_source(
    source_type: SourceType, source: str, *, inline: bool, images: Mapping[str, Shown] = NO_IMAGES
) -> str:
    """The HTML of a source; a block document is given as JSON. HTML comes back as it is, but for styles if `inline`.

    `images` are uploaded ones by id (`load_images`), which block documents may show.
    Raises TemplateInvalid with line and column, or the path in a block document.
    """
    if len(source) > (longest := _LONGEST_OF.get(source_type, _LONGEST)):
        raise Invalid.at("source", f"must have at most {longest:,} characters")
    if not source.strip():
        raise Invalid.at("source", "must not be empty")
    if source_type != SourceType.BLOCKS:
        # Mistakes in the Liquid where its author sees them; compiling would move them.
        parse(source, html=True, field="source")
    match source_type:
        case SourceType.HTML:
            html = source
        case SourceType.MJML:
            html = mjml_to_html(source, field="source")
        case SourceType.MARKDOWN:
            # Our theme is written as rules, for people; mail wants them inline.
            return inline_css(markdown_to_html(source), field="source")
        case SourceType.BLOCKS:
            document = read_document(_json(source), field="source")
            html = mjml_to_html(document_to_mjml(document, images=images, field="source"), field="source")
    return inline_css(html, field="source") if inline else html


def _json(source: str) -> Any:
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise refused("source", source, error.pos, f"not JSON: {error.msg}") from None
