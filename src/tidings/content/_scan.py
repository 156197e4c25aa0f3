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


def trouble(source: str) -> tuple[int, str] | None:
    """Where python-liquid should not be let near this source, and why."""
    for number, (start, end) in enumerate(liquid_spans(source)):
        if number == MOST_PIECES:
            return start, f"more than {MOST_PIECES:,} pieces of Liquid"
        if end is None:
            opening = source[start : start + 2]
            wanted = "}}" if opening == "{{" else "%}"
            if source.find(wanted, start) >= 0:
                return start, "this section is never closed"
            return start, f"expected '{wanted}', found the end"
        if source.startswith("{%", start) and "raw" in source[start : start + 20]:
            continue  # not read as Liquid
        if TOO_SPACIOUS.search(source, start, end):
            return start, f"more than {LONGEST_SPACE} spaces in one piece of Liquid"
    return None


def _after(source: str, close: str, start: int) -> int | None:
    at = source.find(close, start + 2)
    return None if at < 0 else at + 2
