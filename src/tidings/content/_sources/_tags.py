"""The attributes of one tag with the Liquid between them and in them: which are certain, and where a `style` goes.

`<b {% if a %}class="x"{% else %}class="y"{% endif %}>` has one class of two, and nobody knows which before it is sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tidings.content._markup import attribute_pattern
from tidings.content._sources._held import Held

_TAG = re.compile(r"\{%-?\s*(\w+)")
_BLOCKS = frozenset({"if", "unless", "case", "for", "tablerow", "capture", "comment", "ifchanged", "macro", "with"})
_WITH_ELSE = frozenset({"if", "unless", "case"})
_BRANCHES = frozenset({"else", "elsif", "when"})
_MOST_NESTED = 20
_MOST_PIECES = 200
"""Of Liquid in one tag; what has more keeps its attributes as they are."""

Edit = tuple[int, int, str]
"""(start, end, what to write there instead), in the masked text."""


@dataclass(slots=True)
class _Attribute:
    """One with a value."""

    name: str
    start: int
    end: int
    """Of the value, with its quotes."""


@dataclass(slots=True)
class _Branch:
    start: int
    end: int = -1
    items: "list[_Attribute | _Block]" = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    name: str
    branches: list[_Branch]
    end: int = -1
    """Where its end tag stands."""
    has_else: bool = False

    def has(self, name: str) -> bool:
        """Is there such an attribute in it?"""
        return any(
            one.name == name if isinstance(one, _Attribute) else one.has(name)
            for branch in self.branches
            for one in branch.items
        )


class Tag:
    """The attributes of a tag, from `start` to `end` of the masked text."""

    def __init__(self, held: Held, start: int, end: int) -> None:
        self._held = held
        self._text = held.masked.text
        self._start, self._end = start, end
        self._top = self._read()

    def certain(self) -> Iterator[str]:
        """The attributes but `style` that it has whatever the values, as `name="value"`; what only Liquid knows is a word."""
        if self._top is None:
            return
        doubtful: set[str] = set()
        for one in self._top.items:
            if isinstance(one, _Block):
                doubtful |= set(_names(one))
            elif one.name != "style" and one.name not in doubtful:
                yield f"{one.name}={self._certain_value(one)}"

    def styled(self, rules: str) -> list[Edit]:
        """What to change so that these declarations hold, below the tag's own style, whichever branch is taken."""
        return [] if self._top is None else self._ensure(self._top, rules, first=True)

    def _read(self) -> _Branch | None:
        """None if it cannot be told what belongs to what."""
        top = _Branch(self._start, self._end)
        stack: list[tuple[_Block, _Branch]] = []
        branch = top
        if self._held.before(self._end) - self._held.before(self._start) > _MOST_PIECES:
            return None
        for at, number, attribute in self._events():
            if attribute is not None:
                branch.items.append(attribute)
                continue
            name = self._tag_name(number)
            if name in _BLOCKS:
                branch_of = _Branch(at + 1)
                block = _Block(name, [branch_of])
                branch.items.append(block)
                stack.append((block, branch))
                branch = branch_of
                if len(stack) > _MOST_NESTED:
                    return None
            elif name in _BRANCHES and stack:
                branch.end = at
                branch = _Branch(at + 1)
                stack[-1][0].branches.append(branch)
                stack[-1][0].has_else |= name == "else"
            elif name[:3] == "end":
                if not stack or stack[-1][0].name != name[3:]:
                    return None
                branch.end = at
                block, branch = stack.pop()
                block.end = at
                if block.name == "case":
                    del block.branches[0]  # what stands before the first `when` is never written
        return None if stack else top

    def _events(self) -> Iterator[tuple[int, int, _Attribute | None]]:
        """(position, number of the Liquid, or the attribute), in order."""
        atom, done = self._held.masked.atom, self._start
        number = self._held.before(self._start)

        def bare(until: int) -> Iterator[tuple[int, int, None]]:
            nonlocal number
            for at in range(done, until):
                if self._text[at] == atom:
                    yield at, number, None
                    number += 1

        pattern = attribute_pattern(atom)
        while found := pattern.search(self._text, done, self._end):
            yield from bare(found.start())
            if found[2] is None:
                done = found.end()
                continue
            start, end = found.span(2)
            if self._text[start] not in "\"'":
                end = self._unquoted_end(start, end, number)
            number += self._text.count(atom, start, end)
            yield found.start(), -1, _Attribute(found[1].lower(), start, end)
            done = end
        yield from bare(self._end)

    def _unquoted_end(self, start: int, end: int, number: int) -> int:
        """`{% if a %}class=b{% endif %}`: the value ends before a tag that closes what stands round it."""
        depth = 0
        for at in range(start, end):
            if self._text[at] == self._held.masked.atom:
                name = self._tag_name(number)
                number += 1
                depth += (name in _BLOCKS) - (name[:3] == "end")
                if depth < 0 or (depth == 0 and name in _BRANCHES):
                    return at
        return end

    def _tag_name(self, number: int) -> str:
        found = _TAG.match(self._held.masked.liquid[number])
        return found[1] if found else ""

    def _certain_value(self, one: _Attribute) -> str:
        """The value, a word in place of each piece of Liquid and of what stands under a condition."""
        text, stem, atom = self._text[one.start : one.end], self._held.stem, self._held.masked.atom
        number = self._held.before(one.start)
        out: list[str] = []
        depth = 0
        inside: list[str] = []
        for index, run in enumerate(text.split(atom)):
            name = self._tag_name(number + index - 1) if index else ""
            if index and not name and depth:
                inside.append(stem)
            elif index and not name:
                out.append(stem)
            if name[:3] == "end":
                depth -= 1
                if depth == 0:
                    told = [part for part in inside if part]
                    quoted = text[0] in "\"'"
                    before = " " if quoted and all(part[0].isspace() for part in told) else ""
                    after = " " if quoted and all(part[-1].isspace() for part in told) else ""
                    out.append(f"{before}{stem}{after}")
                    inside = []
            depth += name in _BLOCKS
            if depth > 0:
                inside.append(run)
            else:
                out.append(run)
        return "".join(out) if depth == 0 else f'"{stem}"'

    def _ensure(self, branch: _Branch, rules: str, *, first: bool = False) -> list[Edit]:
        edits: list[Edit] = []
        covered = False
        for one in branch.items:
            if isinstance(one, _Block):
                if not one.has("style"):
                    continue
                if covered or one.name not in _WITH_ELSE or any(self._own(branch)):
                    edits += self._merged(one, rules)
                    continue
                for inner in one.branches:
                    edits += self._ensure(inner, rules)
                if not one.has_else:
                    edits.append((one.end, one.end, f'{{% else %}} style="{rules}"'))
                covered = True
            elif one.name == "style" and not covered:
                edits.append(self._merge(one, rules))
                covered = True
        if covered:
            return edits
        if edits:
            # A loop may run or not: of two, clients read the one that stands first.
            return [*edits, (branch.end, branch.end, f' style="{rules}"')]
        follows = self._text[branch.start : branch.start + 1]
        space = "" if first or follows.isspace() or branch.start == branch.end else " "
        return [(branch.start, branch.start, f' style="{rules}"{space}')]

    def _own(self, branch: _Branch) -> Iterator[bool]:
        return (isinstance(one, _Attribute) and one.name == "style" for one in branch.items)

    def _merged(self, block: _Block, rules: str) -> Iterator[Edit]:
        for branch in block.branches:
            for one in branch.items:
                if isinstance(one, _Block):
                    yield from self._merged(one, rules)
                elif one.name == "style":
                    yield self._merge(one, rules)

    def _merge(self, one: _Attribute, rules: str) -> Edit:
        """Rules first, then the element's own, then what rules call important: the cascade of CSS."""
        own = self._text[one.start : one.end]
        own = own[1:-1] if own[:1] in {'"', "'"} else own
        declared = [part.strip() for part in re.split(r";(?![^(]*\))", rules) if part.strip()]
        plain = [part for part in declared if "!important" not in part.lower()]
        strong = [part for part in declared if "!important" in part.lower()]
        written = ";".join([*plain, own.strip().rstrip(";").replace('"', "&quot;"), *strong])
        return one.start, one.end, f'"{written}"'


def _names(block: _Block) -> Iterator[str]:
    for branch in block.branches:
        for one in branch.items:
            if isinstance(one, _Block):
                yield from _names(one)
            else:
                yield one.name
