"""Reading a template: syntax errors with field, line and column; which variables it wants."""

from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Any, cast

from liquid import Environment, FalsyStrictUndefined, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.expressions import Identifier
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.tags.include_tag import IncludeNode
from liquid.builtin.tags.render_tag import RenderNode
from liquid.exceptions import BlockNestingError, ContextDepthError, LiquidError, TemplateNotFoundError
from liquid.template import BoundTemplate

from tidings.content._environment import ContentEnvironment, InlineNode
from tidings.content._inheritance import WHOLE, ExtendsNode
from tidings.content._parts import Parts, unpack
from tidings.content._scan import trouble
from tidings.core.errors import FieldProblem, Invalid

_TOO_DEEP = "is nested too deeply"


class TemplateInvalid(Invalid):
    """A template has a mistake in it; the message says where."""

    code = "invalid_template"


class RenderError(Invalid):
    """A template cannot be rendered with the values of one recipient."""

    code = "render_failed"


@cache
def _environment(*, html: bool, wire: bool, undefined: type[Undefined]) -> ContentEnvironment:
    """python-liquid for HTML or for text, with or without our own tags."""
    return ContentEnvironment(html=html, wire=wire, undefined=undefined)


def parse(
    source: str | Parts,
    *,
    html: bool,
    wire: bool = False,
    field: str = "template",
    undefined: type[Undefined] | None = None,
) -> BoundTemplate:
    """Parse a template, and check that its filters exist. Its blocks are read when they are rendered.

    `undefined` stands for what is not there, in place of what the template says of itself. Raises TemplateInvalid,
    naming `field`, line and column.
    """
    parts = unpack(source) if isinstance(source, str) else source
    kind = undefined or (FalsyStrictUndefined if parts.strict else Undefined)
    if parts.blocks:
        liquid = ContentEnvironment(html=html, wire=wire, undefined=kind, blocks=parts.blocks)
    else:
        liquid = _environment(html=html, wire=wire, undefined=kind)
    return _parse_one(liquid, parts.main, field)


def _parse_one(liquid: ContentEnvironment, source: str, field: str) -> BoundTemplate:
    if found := trouble(source):
        raise invalid_at(field, source, *found)
    try:
        template = liquid.from_string(source)
        filters = template.analyze(include_partials=False).filters
    except LiquidError as error:
        index = error.token.start_index if error.token else -1
        if isinstance(error.__cause__, RecursionError):
            raise invalid_at(field, source, index, _TOO_DEEP) from None
        message = _TOO_DEEP if isinstance(error, BlockNestingError) else str(error.message)
        raise invalid_at(field, source, len(source) if index < 0 else index, message) from None
    except RecursionError:
        raise invalid_at(field, source, -1, _TOO_DEEP) from None
    for name, spans in filters.items():
        if name not in liquid.filters:
            raise invalid_at(field, source, spans[0].index, f"there is no filter named '{name}'")
    return template


def walk(template: BoundTemplate) -> Iterator[Node]:
    """All nodes of a template, outer ones first, without those of blocks."""
    context = RenderContext(template)
    waiting = list(reversed(template.nodes))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, RenderNode | IncludeNode):
            waiting.extend(reversed(list(node.children(context, include_partials=False))))


def rendered_blocks(template: BoundTemplate, field: str) -> dict[str, int]:
    """The blocks that a template names itself, and where it first does.

    Raises TemplateInvalid for a name that is known only when it is rendered: what a send needs must be known before.
    """
    found: dict[str, int] = {}
    nodes = list(walk(template))
    inline = {str(node.name) for node in nodes if isinstance(node, InlineNode)}
    for node in nodes:
        if isinstance(node, ExtendsNode):
            found.setdefault(str(node.name), node.token.start_index)
        elif isinstance(node, RenderNode | IncludeNode):
            token = node.token
            if isinstance(node.name, Identifier) and str(node.name) in inline:
                continue
            if not isinstance(node.name, StringLiteral):
                message = "the block's name must be in quotes, so that it is known beforehand"
                raise invalid_at(field, token.source, token.start_index, message)
            found.setdefault(node.name.value, token.start_index)
    return found


def wanted_variables(template: BoundTemplate) -> list[str]:
    """The variables that a template and its blocks take from outside, as paths (`contact.first_name`), each once."""
    within = bool(cast("Any", template.env.loader).names) or any(
        isinstance(node, InlineNode) for node in walk(template)
    )
    analysis = _until_extends(template).analyze(include_partials=within)
    found = [variable for variables in analysis.globals.values() for variable in variables]
    found.sort(key=lambda variable: (variable.span.template_name, variable.span.index))
    return list(dict.fromkeys(str(variable) for variable in found))


def _until_extends(template: BoundTemplate) -> BoundTemplate:
    """The template without what stands after an `extends`, of which only what is in slots of the base is written."""
    for number, node in enumerate(template.nodes, 1):
        if isinstance(node, ExtendsNode):
            cut = copy(template)
            cut.nodes, cut.__dict__[WHOLE] = template.nodes[:number], template
            return cut
    return template


def uses_variable(source: str | Parts, path: str, *, html: bool, field: str = "template") -> bool:
    """Does a template take this variable from outside? Raises TemplateInvalid."""
    return path in wanted_variables(parse(source, html=html, field=field))


def compiles_alone(source: str | Parts, *, html: bool, wire: bool = False) -> bool:
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
    return f"{place}{in_words(error)}"


def in_words(error: LiquidError) -> str:
    """What went wrong, without its place."""
    if isinstance(error, TemplateNotFoundError):
        return f"there is no block named {str(error.message)!r}"
    if isinstance(error, ContextDepthError):
        return f"loops or blocks within each other more than {Environment.context_depth_limit} deep: does one render itself?"
    return str(error.message)


def position(source: str, index: int) -> str:
    """`line 3, column 14`, both from 1."""
    line, column = line_and_column(source, index)
    return f"line {line}, column {column}"


def line_and_column(source: str, index: int) -> tuple[int, int]:
    """Both from 1."""
    before = source[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def invalid_at(field: str, source: str, index: int, message: str) -> TemplateInvalid:
    """A mistake at a position of a source."""
    if 0 <= index <= len(source):
        message = f"{position(source, index)}: {message}"
    return TemplateInvalid(f"{field}: {message}", fields=(FieldProblem(field, message),))
