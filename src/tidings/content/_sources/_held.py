"""Liquid held back while something else reads a template: words stand for its pieces, and are exchanged again after."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import product
from string import ascii_lowercase

from tidings.content._markup import Masked, mask
from tidings.content._parse import TemplateInvalid, line_and_column
from tidings.core.errors import FieldProblem


def as_liquid(text: str) -> str:
    """Liquid that says just this."""
    return re.sub(r"\{(?=[{%])", "{{ '{' }}", text)


def refused(field: str, source: str, at: int, message: str) -> TemplateInvalid:
    """What is wrong at a place of `source`, in the manner of Liquid's own mistakes."""
    line, column = line_and_column(source, min(at, len(source)))
    told = f"line {line}, column {column}: {message}"
    return TemplateInvalid(f"{field}: {told}", fields=(FieldProblem(field, told),))


@dataclass(frozen=True, slots=True)
class Held:
    """A source and its Liquid, by number."""

    source: str
    masked: Masked
    starts: list[int]
    """Where each atom stands in the masked text."""
    stem: str
    """What the words begin with; the source has it nowhere."""

    def word(self, number: int) -> str:
        """Stands for a piece."""
        return f"{self.stem}{number}q"

    def words(self, text: str, first: int) -> str:
        """A stretch of the masked text with words in it: `first` atoms precede it."""
        runs = text.split(self.masked.atom)
        return runs[0] + "".join(self.word(first + index) + run for index, run in enumerate(runs[1:]))

    def before(self, position: int) -> int:
        """How many atoms precede a position of the masked text."""
        return bisect_right(self.starts, position - 1)

    def position(self, position: int) -> int:
        """A position of the masked text as one of the source."""
        count = self.before(position)
        return position - count + sum(len(piece) for piece in self.masked.liquid[:count])

    def restore(self, text: str) -> str:
        """The Liquid in place of its words."""
        pieces = self.masked.liquid
        return re.sub(rf"{self.stem}(\d+)q", lambda found: pieces[int(found[1])], text)

    def lost(self, text: str) -> int | None:
        """The first piece whose word is not in the text."""
        found = {int(number) for number in re.findall(rf"{self.stem}(\d+)q", text)}
        return next((number for number in range(len(self.masked.liquid)) if number not in found), None)


def hold(source: str) -> Held:
    """Find the Liquid of a source."""
    masked = mask(source)
    starts = [found.start() for found in re.finditer(masked.atom, masked.text)]
    return Held(source, masked, starts, _stem(source.lower()))


def _stem(text: str) -> str:
    """Letters that the text does not contain: few, since they are written once for each piece of Liquid."""
    if "lq" not in text:
        return "lq"
    # Six characters each: a text of a million has not all of the 450,000.
    taken = set(re.findall("(?=lq([a-z]{4}))", text))
    return next("lq" + word for word in map("".join, product(ascii_lowercase, repeat=4)) if word not in taken)
