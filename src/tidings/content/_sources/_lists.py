"""Lists of Markdown that Liquid alone on its lines stands in: one list, with the Liquid between its items.

    - first              <ul><li>first</li>
    {% for i in items %}     {% for i in items %}
    - {{ i }}                <li>{{ i }}</li>
    {% endfor %}             {% endfor %}</ul>

To CommonMark the Liquid is a paragraph, which ends a list. What comes after it goes on with the list if it is one of the
same kind, and if the tags between the two open and close there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

_NAME = re.compile(r"\{%-?\s*(\w+|#)")
_CHOOSING = frozenset({"for", "if", "unless", "case"})
_SILENT = frozenset({"assign", "#"})
"""Tags that write nothing and hold nothing."""
_MIDDLE = frozenset({"else", "elsif", "when", "break", "continue"})


@dataclass(slots=True)
class _Unit:
    """Siblings that belong together: a list; Liquid; a tag with all up to its end; anything else."""

    kind: str
    """`list`, `tag`, `group`, `other`."""
    tokens: list[Token] = field(default_factory=list)
    name: str = ""
    """Of a tag, and of the one that opens a group."""
    units: "list[_Unit]" = field(default_factory=list)
    """Of a group: all that is in it, its first and last tag too."""

    def lists(self) -> "list[_Unit]":
        """The lists in it, however deep."""
        return [self] if self.kind == "list" else [found for unit in self.units for found in unit.lists()]

    def merges(self) -> bool:
        """Is there nothing in it but items, and Liquid that chooses among them?"""
        if self.kind == "group":
            return self.name in _CHOOSING and all(unit.merges() for unit in self.units[1:-1]) and bool(self.lists())
        return self.kind == "list" or (self.kind == "tag" and self.name in _SILENT | _MIDDLE)


def join_lists(tokens: Sequence[Token], stem: str, liquid: Sequence[str]) -> list[Token]:
    """The tokens of a document in which `stem` and a number, `3`, and a q stand for the Liquid of that number."""
    return _joined(_units(tokens, re.compile(rf"{stem}(\d+)q"), liquid))


def _units(tokens: Sequence[Token], word: "re.Pattern[str]", liquid: Sequence[str]) -> list[_Unit]:
    units: list[_Unit] = []
    at = 0
    while at < len(tokens):
        end = _end(tokens, at)
        block, at = list(tokens[at:end]), end
        opening = block[0].type
        if opening in {"bullet_list_open", "ordered_list_open"}:
            units.append(_Unit("list", block))
        elif opening == "paragraph_open" and not block[0].hidden and (tags := _tags(block[1].content, word, liquid)):
            for text, name in tags:
                shown = Token("html_block", "", 0, content=text + "\n", block=True)
                units.append(_Unit("tag", [shown], name))
                if name.startswith("end"):
                    _close(units, name[3:])
        else:
            units.append(_Unit("other", block))
    return units


def _end(tokens: Sequence[Token], at: int) -> int:
    depth = 0
    for number in range(at, len(tokens)):
        depth += tokens[number].nesting
        if depth <= 0:
            return number + 1
    return len(tokens)


def _tags(text: str, word: "re.Pattern[str]", liquid: Sequence[str]) -> list[tuple[str, str]]:
    """(word, name) of each tag of a paragraph that has nothing else in it; none if it has."""
    if word.sub("", text).strip():
        return []
    found = [(one[0], liquid[int(one[1])]) for one in word.finditer(text)]
    names = [_NAME.match(piece) for _, piece in found]
    return [(text, name[1]) for (text, _), name in zip(found, names, strict=True) if name] if all(names) else []


def _close(units: list[_Unit], name: str) -> None:
    """Make a group of all since the tag that opened it, if it did here."""
    for number in range(len(units) - 1, -1, -1):
        unit = units[number]
        if unit.kind == "tag" and unit.name == name:
            units[number:] = [_Unit("group", name=name, units=units[number:])]
            return
        if unit.kind == "tag" and unit.name not in _SILENT | _MIDDLE and not unit.name.startswith("end"):
            return


def _joined(units: Sequence[_Unit]) -> list[Token]:
    out: list[Token] = []
    at = 0
    while at < len(units):
        run = _run(units[at:])
        # A choice among lists makes one by itself, and none if there is nothing to choose.
        if len(run) > 1 or (run and _loops(run[0])):
            out += _one_list(run)
            at += len(run)
        else:
            out += _joined(units[at].units) if units[at].kind == "group" else units[at].tokens
            at += 1
    return out


def _run(units: Sequence[_Unit]) -> list[_Unit]:
    """The units at the beginning that are items of one list."""
    run: list[_Unit] = []
    for unit in units:
        lists = unit.lists()
        first = run[0].lists()[0] if run else (lists or [None])[0]
        if not unit.merges() or (not run and not lists) or unit.name in _MIDDLE:
            break
        if first is None or any(_sort(one) != _sort(first) for one in lists):
            break
        run.append(unit)
    while run and not run[-1].lists():
        run.pop()
    # Two lists that follow one another are of different kinds, or CommonMark would have made one of them.
    return run


def _loops(unit: _Unit) -> bool:
    return unit.kind == "group" and unit.name == "for"


def _sort(unit: _Unit) -> tuple[str, str]:
    return unit.tokens[0].type, unit.tokens[0].markup


def _one_list(run: Sequence[_Unit]) -> list[Token]:
    lists = [one for unit in run for one in unit.lists()]
    return [lists[0].tokens[0], *(token for unit in run for token in _items(unit)), lists[0].tokens[-1]]


def _items(unit: _Unit) -> list[Token]:
    if unit.kind == "list":
        return unit.tokens[1:-1]
    return [token for inner in unit.units for token in _items(inner)] if unit.units else unit.tokens
