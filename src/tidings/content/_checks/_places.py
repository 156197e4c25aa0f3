"""From places in compiled HTML to places in the MJML, Markdown or block document that its author wrote."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import orjson

from tidings.content._checks._findings import Finding, Part, Place, excerpt, rules
from tidings.content._sources import SourceType

_VALUE = re.compile(r"""=\s*["']([^"']{3,300})["']""")

_ADDRESS_GOES_ON = re.compile(r"[\w/%?&=#~+-]|[.:;,][\w/]")
_NOBODYS = frozenset({"language_missing", "title_missing"})
"""What an author in Markdown has no way to write."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of the source: the whole of it, or one of a block document's."""

    path: str
    text: str


def in_source(findings: Iterable[Finding], *, kind: SourceType, source: str) -> Iterator[Finding]:
    """The findings where their author can mend them. What only the compiler wrote is left out if it is a matter of
    writing (`Rule.written`), and else told without a line."""
    texts = list(_texts(kind, source))
    used: defaultdict[str, int] = defaultdict(int)
    for one in findings:
        if kind is SourceType.MARKDOWN and one.code in _NOBODYS:
            continue
        if one.place.part is not Part.HTML or one.place.block or one.place.line is None:
            yield one if one.place.part is not Part.HTML or one.place.block else one.moved(Place(Part.SOURCE))
            continue
        turn = used[one.code + one.place.excerpt]
        used[one.code + one.place.excerpt] += 1
        place = _found(one.place.excerpt, texts, turn)
        if place is not None:
            yield one.moved(place)
        elif not rules()[one.code].written:
            yield one.moved(Place(Part.SOURCE, excerpt=one.place.excerpt))


def _found(sought: str, texts: list[_Text], turn: int) -> Place | None:
    for needle in _needles(sought):
        places = [(text, at) for text in texts for at in _all(text.text, needle)]
        if places:
            # An address is not the beginning of a longer one, unless it was cut short.
            whole = [(text, at) for text, at in places if not _ADDRESS_GOES_ON.match(text.text, at + len(needle))]
            places = (whole if "://" in needle else places) or places
            text, at = places[min(turn, len(places) - 1)]
            return _place(text, at, len(needle))
    return None


def _needles(sought: str) -> Iterator[str]:
    """What of an excerpt may stand in the source: all of it, the values of its attributes, each as HTML and as text."""
    sought = sought.removesuffix("…")
    for candidate in (sought, *sorted(_VALUE.findall(sought), key=_telling, reverse=True)):
        if len(candidate.strip()) >= 3:
            yield candidate
            if unescape(candidate) != candidate:
                yield unescape(candidate)


def _telling(value: str) -> tuple[bool, int]:
    return "://" in value or "{{" in value, len(value)


def _all(text: str, needle: str) -> Iterator[int]:
    at = text.find(needle)
    for _ in range(1000):
        if at < 0:
            return
        yield at
        at = text.find(needle, at + len(needle))


def _place(text: _Text, at: int, length: int) -> Place:
    line = text.text.count("\n", 0, at) + 1
    column = at - (text.text.rfind("\n", 0, at) + 1) + 1
    return Place(Part.SOURCE, line, column, excerpt(text.text[at : at + length]), path=text.path)


def _texts(kind: SourceType, source: str) -> Iterator[_Text]:
    if kind is not SourceType.BLOCKS:
        yield _Text("", source)
        return
    try:
        document: Any = orjson.loads(source)
    except orjson.JSONDecodeError:
        return
    yield from _strings(document, "source", 0)


def _strings(value: Any, path: str, depth: int) -> Iterator[_Text]:
    if isinstance(value, str):
        yield _Text(path, value)
    elif depth < 40 and isinstance(value, dict):
        for name, one in value.items():
            yield from _strings(one, f"{path}.{name}", depth + 1)
    elif depth < 40 and isinstance(value, list):
        for index, one in enumerate(value):
            yield from _strings(one, f"{path}[{index}]", depth + 1)
