"""Reading a template: syntax errors with field, line and column; which variables it wants."""

from collections.abc import Iterator
from functools import cache

from liquid import RenderContext
from liquid.ast import Node
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from tidings.content._environment import ContentEnvironment
from tidings.content._scan import LONGEST_SPACE, MOST_PIECES, TOO_SPACIOUS, liquid_spans
from tidings.core.errors import FieldProblem, Invalid


class TemplateInvalid(Invalid):
    """A template has a mistake in it; the message says where."""

    code = "invalid_template"


class RenderError(Invalid):
    """A template cannot be rendered with the values of one recipient."""

    code = "render_failed"


@cache
def environment(*, html: bool, wire: bool) -> ContentEnvironment:
    """python-liquid for HTML or for text, with or without our own tags."""
    return ContentEnvironment(html=html, wire=wire)


def parse(source: str, *, html: bool, wire: bool = False, field: str = "template") -> BoundTemplate:
    """Parse a template and check that its filters exist. Raises TemplateInvalid, naming field, line and column."""
    liquid = environment(html=html, wire=wire)
    _check_spans(source, field)
    try:
        template = liquid.from_string(source)
        filters = template.analyze(include_partials=False).filters
    except LiquidError as error:
        index = error.token.start_index if error.token else -1
        raise _invalid(field, source, len(source) if index < 0 else index, str(error.message)) from None
    except RecursionError:
        raise _invalid(field, source, -1, "is nested too deeply") from None
    for name, spans in filters.items():
        if name not in liquid.filters:
            raise _invalid(field, source, spans[0].index, f"there is no filter named '{name}'")
    return template


def walk(template: BoundTemplate) -> Iterator[Node]:
    """All nodes of a template, outer ones first."""
    context = RenderContext(template)
    waiting = list(reversed(template.nodes))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(node.children(context, include_partials=False))))


def wanted_variables(template: BoundTemplate) -> list[str]:
    """The variables a template takes from outside, as paths (`contact.first_name`), in order of appearance."""
    found = [
        variable for variables in template.analyze(include_partials=False).globals.values() for variable in variables
    ]
    found.sort(key=lambda variable: variable.span.index)
    return list(dict.fromkeys(str(variable) for variable in found))


def uses_variable(source: str, path: str, *, html: bool, field: str = "template") -> bool:
    """Does a template take this variable from outside? Raises TemplateInvalid."""
    return path in wanted_variables(parse(source, html=html, field=field))


def compiles_alone(source: str, *, html: bool, wire: bool = False) -> bool:
    """Is this stretch of a template one by itself, that writes something?"""
    try:
        template = parse(source, html=html, wire=wire)
    except TemplateInvalid:
        return False
    return not all(node.blank for node in template.nodes)


def describe(error: LiquidError) -> str:
    """A rendering error in one line."""
    place = ""
    if error.token is not None and error.token.start_index >= 0:
        place = f"{position(error.token.source, error.token.start_index)}: "
    return f"{place}{error.message}"


def position(source: str, index: int) -> str:
    """`line 3, column 14`, both from 1."""
    before = source[:index]
    return f"line {before.count(chr(10)) + 1}, column {index - (before.rfind(chr(10)) + 1) + 1}"


def _check_spans(source: str, field: str) -> None:
    for number, (start, end) in enumerate(liquid_spans(source)):
        if number == MOST_PIECES:
            raise _invalid(field, source, start, f"more than {MOST_PIECES:,} pieces of Liquid")
        if end is None:
            opening = source[start : start + 2]
            wanted = "}}" if opening == "{{" else "%}"
            if source.find(wanted, start) >= 0:
                raise _invalid(field, source, start, "this section is never closed")
            raise _invalid(field, source, start, f"expected '{wanted}', found the end")
        if source.startswith("{%", start) and "raw" in source[start : start + 20]:
            continue  # not read as Liquid
        if TOO_SPACIOUS.search(source, start, end):
            raise _invalid(field, source, start, f"more than {LONGEST_SPACE} spaces in one piece of Liquid")


def _invalid(field: str, source: str, index: int, message: str) -> TemplateInvalid:
    if 0 <= index <= len(source):
        message = f"{position(source, index)}: {message}"
    return TemplateInvalid(f"{field}: {message}", fields=(FieldProblem(field, message),))
