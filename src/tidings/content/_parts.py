"""A template together with the shared blocks that it renders, as one text: what a send keeps, and what is compiled.

    {% tidings_strict %}{% tidings_block "footer" 16 %}<p>Acme Ltd.</p>…the template's own text

A block is told by its length, so that nothing in it can be taken for its end. Nobody writes this by hand: a template
that uses our tags is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

_STRICT = "{% tidings_strict %}"
_BLOCK = re.compile(r'\{% tidings_block "([^"{}%]+)" (\d+) %\}')
NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
"""What a block may be called."""
MAX_DEPTH = 10
"""Blocks within blocks."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A template's own text, the blocks it renders by name, and whether it is strict about what is undefined."""

    main: str
    blocks: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    @classmethod
    def of(cls, source: str) -> "Parts":
        """Undo `pack`. A text without blocks is its own main part."""
        return unpack(source)

    def pack(self) -> str:
        """One text of it all."""
        blocks = "".join(f'{{% tidings_block "{name}" {len(text)} %}}{text}' for name, text in self.blocks.items())
        return _STRICT * self.strict + blocks + self.main

    def edited(self, edit: Callable[[str], str]) -> "Parts":
        """With every text changed, the blocks' first: each for itself, so that an open tag in one does not reach others."""
        blocks = {name: edit(text) for name, text in self.blocks.items()}
        return Parts(edit(self.main), blocks, self.strict)

    def with_main(self, main: str) -> "Parts":
        """With another text of the template's own."""
        return replace(self, main=main)


def unpack(source: str) -> Parts:
    """Undo `pack`. A text without blocks is its own main part."""
    strict = source.startswith(_STRICT)
    at = len(_STRICT) if strict else 0
    blocks: dict[str, str] = {}
    while found := _BLOCK.match(source, at):
        start = found.end()
        at = start + int(found[2])
        blocks[found[1]] = source[start:at]
    return Parts(source[at:], blocks, strict)
