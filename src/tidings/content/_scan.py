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
LONGEST_SPACE = 200
"""Of white space in one piece of Liquid."""
MOST_PIECES = 10_000
"""Of Liquid in one part: reading them takes a second."""
TOO_SPACIOUS = re.compile(rf"\s{{{LONGEST_SPACE + 1}}}")


def liquid_spans(source: str) -> Iterator[tuple[int, int | None]]:
    """(start, end) of each `{{ … }}`, `{% … %}`, raw and doc section; None for the end of one that is not closed."""
    position = 0
    outputs_close = True
    while found := _OPEN.search(source, position):
        start = found.start()
        verbatim = _VERBATIM.match(source, start)
        if verbatim:
            ended = _END[verbatim[1]].search(source, verbatim.end())
            end = ended.end() if ended else None
        elif source[start + 1] == "%":
            end = _after(source, "%}", start)
        else:
            end = _after(source, "}}", start) if outputs_close else None
            if end is None and source[start + 2 : start + 3] in {"{", "%"}:
                # `{{% if x %}`: with no `}}` to come, a brace before a tag.
                outputs_close, position = False, start + 1
                continue
        yield start, end
        if end is None:
            return
        position = end


def _after(source: str, close: str, start: int) -> int | None:
    at = source.find(close, start + 2)
    return None if at < 0 else at + 2
