"""A source compiled with a number in each piece of its Liquid: compilers carry the pieces along, wherever they put them.

The number is white space before the piece's end, so that it is the same Liquid: a return, a digit a space (0) or a tab (1),
a return.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from tidings.content._media_shown import Shown
from tidings.content._scan import liquid_spans
from tidings.content._sources import SourceType, compile_source
from tidings.content._sources._blocks import document_to_mjml, liquid_fields
from tidings.content._sources._document import Conditional, Products, read_document
from tidings.content._sources._inline import inline_css
from tidings.content._sources._mjml import mjml_to_html

_MARK = re.compile(r"\r([ \t]+)\r")
_ALL_DIGITS = str.maketrans("01", " \t")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an author wrote a piece of Liquid: in a field's text, from `start` on."""

    field: str
    """`source`, `source.blocks[2].text`, `html_content`, `preheader`."""
    block: str
    text: str
    start: int
    before: int = 0
    """Characters that the compiler wrote before it within its tag, as `{% if ` before a condition."""


@dataclass(slots=True)
class Marks:
    """Numbers, and what was marked with each."""

    spots: list[Spot] = field(default_factory=list)

    def marked(self, text: str, field: str, block: str = "") -> str:
        """A text whose pieces of Liquid have numbers."""
        out: list[str] = []
        done = 0
        for start, end in liquid_spans(text):
            if end is None:
                break
            close = end - 2 - text.startswith("-", end - 3)
            if close > start + 2:
                out += [text[done:close], self._mark(Spot(field, block, text, start))]
                done = close
        return "".join([*out, text[done:]])

    def within(self, text: str, field: str, before: str) -> str:
        """What stands within a tag that a compiler writes, with its number at its end."""
        return text + self._mark(Spot(field, "", text, 0, len(before)))

    def read(self, piece: str) -> tuple[str, Spot | None]:
        """A piece without its number, and where it is from; None for what a compiler wrote."""
        found = _MARK.search(piece)
        if found is None:
            return piece, None
        number = int(found[1].replace(" ", "0").replace("\t", "1"), 2)
        if number >= len(self.spots):
            return piece, None
        return piece[: found.start()] + piece[found.end() :], self.spots[number]

    def _mark(self, spot: Spot) -> str:
        self.spots.append(spot)
        return f"\r{f'{len(self.spots) - 1:b}'.translate(_ALL_DIGITS)}\r"


def compile_marked(source_type: SourceType, source: str, *, inline: bool, marks: Marks) -> str:
    """As `compile_source`, with a number in each piece of Liquid. Uploaded images are any. Raises Invalid."""
    if source_type != SourceType.BLOCKS:
        return compile_source(source_type, marks.marked(source, "source"), inline=inline)
    document = read_document(orjson.loads(source), field="source")
    for held, name, path in liquid_fields(document, "source"):
        setattr(held, name, _marked_field(held, name, path, marks))
    html = mjml_to_html(document_to_mjml(document, images=_AnyImage(), field="source"), field="source")
    return inline_css(html, field="source") if inline else html


class _AnyImage(dict[str, Shown]):
    """There is an image of every id."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Shown:
        return Shown("")


def _marked_field(held: Any, name: str, path: str, marks: Marks) -> str:
    text = str(getattr(held, name))
    if isinstance(held, Conditional):
        return marks.within(text, path, "{% if ")
    if isinstance(held, Products) and name == "each":
        return marks.within(text, path, f"{{% for {held.item} in ")
    return marks.marked(text, path)
