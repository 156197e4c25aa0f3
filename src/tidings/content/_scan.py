"""Where the Liquid is: by the rules of python-liquid's lexer, but in linear time whatever the input.

python-liquid's own regular expressions look for the end of each `{{` anew, up to the end of the text, and try every way to
share out white space: a megabyte of either would keep them busy for hours. So templates are scanned here first, and
those are refused that they would take long over.
"""

import re
from collections.abc import Iterator

_OPEN = re.compile(r"\{[{%]")
_VERBATIM = re.compile(r"\{%-?\s*(raw|doc)\s*-?%\}")
_END = {name: re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}") for name in ("raw", "doc")}
_TAG = re.compile(r"\{%-?\s*(#|\w+)")
LONGEST_SPACE = 200
"""Of white space in one piece of Liquid."""
MOST_PIECES = 10_000
"""Of Liquid in one part: reading them takes a second."""
_MOST_LIQUID = 200_000
"""Characters of Liquid in one part: each dot and each line of `{% liquid %}` costs as much as a piece of its own."""
_LINES = re.compile(r"\{%-?\s*liquid\b")
_MOST_UNCLOSED = 5_000_000
"""Characters: a quarter of a second."""
TOO_SPACIOUS = re.compile(rf"\s{{{LONGEST_SPACE + 1}}}")


def liquid_spans(source: str) -> Iterator[tuple[int, int | None]]:
    """(start, end) of each `{{ … }}`, `{% … %}`, raw and doc section; None for the end of one that is not closed.

    What is not closed within a comment is part of the comment.
    """
    return _Scan(source).spans()


def trouble(source: str) -> tuple[int, str] | None:
    """Where python-liquid should not be let near this source, and why."""
    scan = _Scan(source)
    number = size = 0
    for start, end in scan.spans():
        number += 1
        if end is not None and _LINES.match(source, start):
            number += source.count("\n", start, end)
        if number > MOST_PIECES:
            return start, f"more than {MOST_PIECES:,} pieces of Liquid"
        if end is None:
            opening = source[start : start + 2]
            wanted = "}}" if opening == "{{" else "%}"
            if source.find(wanted, start) >= 0:
                return start, "this section is never closed"
            return start, f"expected '{wanted}', found the end"
        if scan.unclosed > _MOST_UNCLOSED:
            return start, "too much Liquid that is never closed in comments"
        if source.startswith("{%", start) and "raw" in source[start : start + 20]:
            continue  # not read as Liquid
        size += end - start
        if size > _MOST_LIQUID:
            return start, f"more than {_MOST_LIQUID:,} characters of Liquid"
        if TOO_SPACIOUS.search(source, start, end):
            return start, f"more than {LONGEST_SPACE} spaces in one piece of Liquid"
    return None


class _Scan:
    """One pass over a source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._ends: set[str] = set()
        """What is known to end nowhere any more, so that it is looked for once."""
        self._comments = 0
        self.unclosed = 0
        """Characters that python-liquid will go over in vain."""

    def spans(self) -> Iterator[tuple[int, int | None]]:
        """See `liquid_spans`."""
        source, position = self._source, 0
        while found := _OPEN.search(source, position):
            start = found.start()
            end = self._end(start)
            if end is None:
                self.unclosed += len(source) - start
                if self._comments or source[start + 1 : start + 3] in {"{{", "{%"}:
                    # `{{% if x %}`: with no `}}` to come, a brace before a tag.
                    position = start + 1
                    continue
            yield start, end
            if end is None:
                return
            position = end

    def _end(self, start: int) -> int | None:
        source = self._source
        if source[start + 1] == "{":
            return self._after("}}", start)
        verbatim = _VERBATIM.match(source, start)
        if verbatim:
            known = verbatim[1] in self._ends
            if not known and (ended := _END[verbatim[1]].search(source, verbatim.end())):
                return ended.end()
            self._ends.add(verbatim[1])
            self.unclosed += len(source) - start
            if not self._comments:
                return None
        tag = _TAG.match(source, start)
        if not tag:
            # Refused by python-liquid, but for a comment's words.
            return None if self._comments else self._after("%}", start)
        end = self._after("%}", start)
        if end is not None:
            self._comments += (tag[1] == "comment") - (tag[1] == "endcomment" and self._comments > 0)
        return end

    def _after(self, close: str, start: int) -> int | None:
        if close in self._ends:
            return None
        at = self._source.find(close, start + 2)
        if at >= 0:
            return at + 2
        self._ends.add(close)
        return None
