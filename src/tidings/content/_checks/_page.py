"""The HTML of a part, read once for all checks: its elements, styles and texts, each with its place in the source.

Read by the same tokens as link wrapping and CSS inlining, Liquid masked; in linear time whatever the input, since people
may paste anything.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from itertools import accumulate

from tidings.content._checks._findings import Part, Place, excerpt
from tidings.content._markup import TOKENS, attribute_pattern, mask

_OUTLOOK = re.compile(
    r"<!--\[if\b(?P<not>\s*+!)?[^\]>]{0,200}+\]>(?P<shown>\s{0,9}+<!--(?:\s{0,3}+--)?>|-->)?|<!\[endif\]", re.IGNORECASE
)
_DECLARED = re.compile(
    r"<!--\[if\b[^\]>]{0,200}+\]>(?:\s{0,9}+<!--(?:\s{0,3}+--)?>|-->)?|<!--\s{0,9}+<!\[endif\]-->|<!(?!--)[^<>]{0,300}+>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"\{%-?\s*comment\b")
_END_COMMENT = re.compile(r"\{%-?\s*endcomment\b")
_MOST_RUNS = 40
MOST_ELEMENTS = 30_000
"""That are read of a page: ten times those of a long newsletter. A page of nothing but tags would take seconds."""
_ALONE = """
area base basefont br col embed frame hr img input keygen link meta param source track wbr v:fill v:stroke
"""
VOID = frozenset(_ALONE.split())


@dataclass(frozen=True, slots=True)
class Attribute:
    """`value` with an atom for each piece of Liquid, entities decoded; `start` and `end` are those of the value."""

    value: str
    start: int
    end: int
    dynamic: bool


@dataclass(slots=True)
class Element:
    """One element. Positions are of the masked text; `parent` is an index in `Page.elements`, -1 for none."""

    name: str
    start: int
    end: int
    attributes: dict[str, Attribute]
    parent: int
    close: int
    """Where its content ends."""
    outlook: bool
    """Only Outlook shows it."""

    def get(self, name: str) -> str:
        """An attribute's value, '' if it is not there."""
        found = self.attributes.get(name)
        return found.value if found else ""


@dataclass(frozen=True, slots=True)
class Style:
    """The content of a `<style>`."""

    start: int
    end: int
    in_body: bool


@dataclass(slots=True)
class Page:
    """A part of a message, or a shared block of it."""

    part: Part
    block: str
    source: str
    text: str
    """The source with an atom for each piece of Liquid."""
    atom: str
    elements: list[Element] = field(default_factory=list)
    styles: list[Style] = field(default_factory=list)
    title: str | None = None
    runs: list[tuple[int, int, int]] = field(default_factory=list)
    """Stretches of text that are shown: (start, end, index of the element they stand in)."""
    scripts: list[int] = field(default_factory=list)
    cut: bool = False
    """It has more than MOST_ELEMENTS: what follows was not read."""
    _atoms: list[int] = field(default_factory=list)
    _shifts: list[int] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)

    def place(self, start: int, end: int) -> Place:
        """A stretch of the masked text as a place in the source."""
        at, to = self.position(start), self.position(end)
        line = bisect_right(self._lines, at)
        column = at - (self._lines[line - 1] if line else 0) + 1
        return Place(self.part, line + 1, column, excerpt(self.source[at : min(to, at + 500)]), self.block)

    def position(self, position: int) -> int:
        """A position of the masked text as one of the source."""
        count = bisect_right(self._atoms, position - 1)
        return position + (self._shifts[count - 1] if count else 0)

    def written(self, start: int, end: int) -> str:
        """A stretch of the masked text as it is in the source."""
        return self.source[self.position(start) : self.position(end)]

    def tag(self, element: Element) -> Place:
        """Where an element begins."""
        return self.place(element.start, element.end)

    def has_liquid(self, start: int, end: int) -> bool:
        """Does Liquid stand between two positions of the masked text?"""
        index = bisect_left(self._atoms, start)
        return index < len(self._atoms) and self._atoms[index] < end

    def words(self, start: int, end: int) -> str:
        """The text that is shown between two positions, the beginning of it, without Liquid, white space as one space."""
        first = bisect_right(self.runs, (start, -1, -1))
        found: list[str] = []
        for at, to, _ in self.runs[first : first + _MOST_RUNS]:
            if at >= end:
                break
            found.append(self.text[at : min(to, at + 300)].replace(self.atom, " "))
        return " ".join(unescape(" ".join(found)).split())

    def shown(self) -> Iterator[tuple[int, Element]]:
        """The elements that every client reads, with their indexes."""
        return ((index, one) for index, one in enumerate(self.elements) if not one.outlook)


def read_page(source: str, *, part: Part = Part.HTML, block: str = "") -> Page:
    """Read a source."""
    masked = mask(source)
    text = _without_comments(masked.text, masked.atom, masked.liquid)
    atoms = [found.start() for found in re.finditer(masked.atom, masked.text)]
    shifts = list(accumulate(len(piece) - 1 for piece in masked.liquid))
    outlook = list(_outlook_ranges(text))
    # Doctypes and what stands round Outlook's comments are no text; spaces in their place keep every position.
    text = _DECLARED.sub(lambda found: " " * len(found[0]), text)
    lines = [found.end() for found in re.finditer("\n", source)]
    page = Page(part, block, source, text, masked.atom, _atoms=atoms, _shifts=shifts, _lines=lines)
    _Reader(page, outlook).read()
    return page


class _Reader:
    def __init__(self, page: Page, outlook: list[tuple[int, int]]) -> None:
        self._page = page
        self._open: list[int] = []
        self._named: Counter[str] = Counter()
        self._outlook = outlook
        self._starts = [start for start, _ in self._outlook]
        self._in_body = False

    def read(self) -> None:
        """Fill the page."""
        page, text = self._page, self._page.text
        done = 0
        for token in TOKENS.finditer(text):
            self._text(done, token.start())
            done = token.end()
            if token["hidden"] is not None:
                self._hidden(token)
            elif token["close"]:
                self._close(self._name(token), token.start())
            elif len(page.elements) < MOST_ELEMENTS:
                self._element(token)
            else:
                page.cut = True
                break
        self._text(done, len(text))
        for index in self._open:
            page.elements[index].close = len(text)

    def _name(self, token: re.Match[str]) -> str:
        # TOKENS ends a name at a hyphen.
        more = re.match(r"[\w-]*+", token["attributes"]) if token["attributes"][:1] == "-" else None
        return (token["name"] + (more[0] if more else "")).lower()

    def _element(self, token: re.Match[str]) -> None:
        page, name = self._page, self._name(token)
        start = token.start("attributes") + len(name) - len(token["name"])
        attributes: dict[str, Attribute] = {}
        for found in attribute_pattern(page.atom).finditer(page.text, start, token.end("attributes")):
            at, to = found.span(2) if found[2] is not None else (found.end(), found.end())
            quoted = found[2] is not None and found[2][0] in "\"'"
            value = found[2][quoted : len(found[2]) - quoted] if found[2] is not None else ""
            attributes.setdefault(
                found[1].lower(),
                Attribute(unescape(value), at + quoted, to - quoted, page.atom in value),
            )
        index = len(page.elements)
        parent = self._open[-1] if self._open else -1
        page.elements.append(
            Element(name, token.start(), token.end(), attributes, parent, token.end(), self._is_outlook(token.start()))
        )
        if name == "body":
            self._in_body = True
        if name not in VOID and not token["attributes"].endswith("/"):
            self._open.append(index)
            self._named[name] += 1

    def _close(self, name: str, at: int) -> None:
        if not self._named[name]:
            return
        elements = self._page.elements
        while True:
            element = elements[self._open.pop()]
            element.close = at
            self._named[element.name] -= 1
            if element.name == name:
                return

    def _hidden(self, token: re.Match[str]) -> None:
        page, verbatim = self._page, (token["verbatim"] or "").lower()
        if not verbatim or self._is_outlook(token.start()):
            return
        start = token[0].find(">") + 1
        end = token[0].rfind("</")
        start, end = token.start() + start, token.start() + (end if end > start else len(token[0]))
        if verbatim == "style":
            page.styles.append(Style(start, end, self._in_body))
        elif verbatim == "title":
            page.title = page.text[start:end]
        else:
            page.scripts.append(token.start())

    def _text(self, start: int, end: int) -> None:
        if start == end or self._is_outlook(start) or not self._page.text[start:end].strip():
            return
        self._page.runs.append((start, end, self._open[-1] if self._open else -1))

    def _is_outlook(self, at: int) -> bool:
        index = bisect_right(self._starts, at) - 1
        return index >= 0 and at < self._outlook[index][1]


def _outlook_ranges(text: str) -> Iterator[tuple[int, int]]:
    start = -1
    for found in _OUTLOOK.finditer(text):
        opens = found[0].startswith("<!--")
        if opens and found["not"] is None and found["shown"] is None and start < 0:
            start = found.start()
        elif not opens and start >= 0:
            yield start, found.end()
            start = -1
    if start >= 0:
        yield start, len(text)


def _without_comments(text: str, atom: str, liquid: list[str]) -> str:
    """What stands in `{% comment %}` is never written: spaces in its place keep every position."""
    if not any(_COMMENT.match(piece) for piece in liquid):
        return text
    pieces = text.split(atom)
    depth = 0
    for index, piece in enumerate(liquid):
        if _COMMENT.match(piece):
            depth += 1
        elif depth and _END_COMMENT.match(piece):
            depth -= 1
        if depth:
            pieces[index + 1] = re.sub(r"[^\n]", " ", pieces[index + 1])
    return atom.join(pieces)
