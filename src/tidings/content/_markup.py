"""Looking at the text of a template without seeing its Liquid.

`{{ … }}`, `{% … %}` and raw sections become *atoms*: a single character standing for each, so that the quotes, angle
brackets and spaces inside them cannot be taken for HTML.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

from tidings.content._scan import liquid_spans

# One pass, each alternative sure to end, so that no input makes it quadratic: a comment or a script that is never
# closed reaches to the end, as in browsers. Comments that Outlook reads (`<!--[if mso]>`) are looked into: they hold
# links.
TOKENS = re.compile(
    r"""
    (?P<hidden> <!--(?!\[if\b) (?: -?> | .*? (?: --> | \Z ) )
              | <(?P<verbatim>script|style|title)\b .*? (?: </(?P=verbatim)\s*> | \Z ) )
  | <(?P<close>/?)(?P<name>[a-z][a-z0-9:]*)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*+)>?
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)

_ATOMS = (range(0xE000, 0x110000), range(0x100, 0xD800))
"""Private-use characters first. Together they are more than the million that a source may have."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A template's text with an atom in place of each piece of Liquid."""

    text: str
    atom: str
    """The one character that stands for a piece of Liquid: one that the source does not contain."""
    liquid: list[str]
    """The pieces, in order."""

    def restore(self, text: str, first: int) -> str:
        """`text` is a stretch of `self.text` that `first` atoms precede: the same stretch of the source."""
        pieces = iter(self.liquid[first:])
        return re.sub(self.atom, lambda _: next(pieces), text)

    def split(self, text: str, first: int) -> Iterator[tuple[str, bool]]:
        """The stretch as runs of (text, is Liquid)."""
        plain = text.split(self.atom)
        yield plain[0], False
        for index, run in enumerate(plain[1:], first):
            yield self.liquid[index], True
            yield run, False


def mask(source: str) -> Masked:
    """Put an atom in place of each piece of Liquid. What is not well-formed stays, for the parser to complain of."""
    atom = _unused(source)
    text: list[str] = []
    liquid: list[str] = []
    done = 0
    for start, end in liquid_spans(source):
        if end is None:
            break
        text += [source[done:start], atom]
        liquid.append(source[start:end])
        done = end
    return Masked("".join([*text, source[done:]]), atom, liquid)


def _unused(source: str) -> str:
    """A character that the source does not contain, of private use if there is one left."""
    if (usual := chr(_ATOMS[0].start)) not in source:
        return usual
    # As a set: some 6,000 searches of a megabyte take seconds.
    taken = set(source)
    return next(char for some in _ATOMS for char in map(chr, some) if char not in taken)


def tag_attributes(text: str, atom: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
    """The attributes of a tag that have a value: group 1 the name, group 2 the value with its quotes.

    Liquid round a name, as in `{% if a %}href="x"{% endif %}`, is no part of it.
    """
    found = attribute_pattern(atom).finditer(text, start, len(text) if end is None else end)
    return (one for one in found if one[2] is not None)


@lru_cache(maxsize=32)
def attribute_pattern(atom: str) -> re.Pattern[str]:
    """An attribute: group 1 the name, group 2 the value, if it has one."""
    # A name without a value is a match as well: else each of its ends would be tried as a name of its own.
    return re.compile(rf"""([^\s=<>"'/{atom}]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>]++))?""")


def decode_entities(text: str) -> str:
    """Decode HTML's character references in static text that is going to be read as Liquid: braces stay text."""
    return re.sub(r"&#?\w+;?", lambda match: _as_liquid(unescape(match[0])), text)


def _as_liquid(decoded: str) -> str:
    return re.sub(r"[{}%]", lambda match: "{{ '" + match[0] + "' }}", decoded)
