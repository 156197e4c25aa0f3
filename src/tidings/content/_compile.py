"""Liquid compiled to a Python function that fills a recipient's values into text that is already encoded.

    source → python-liquid's syntax tree → Python → function(row, token …) → pieces of output

A node that the compiler does not know is rendered by python-liquid, in a context that the generated function shares
with it; a template that keeps counters in the same namespace as its variables is left to python-liquid as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from liquid import RenderContext, Undefined
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.template import BoundTemplate

from tidings.content._bytecode import python_code
from tidings.content._context import NOWHERE, Occasion, Row, full_context
from tidings.content._emitter import PLAIN, Emitter, Encoding
from tidings.content._environment import ContentEnvironment
from tidings.content._expressions import Names, Unsupported
from tidings.content._inheritance import Chain, ExtendsNode
from tidings.content._limits import CLOCK, Budget, overflow
from tidings.content._nodes import Nodes
from tidings.content._own_tags import BoundedContext
from tidings.content._parse import parse
from tidings.content._parts import Parts
from tidings.content._survey import survey_chain, surveys

_FREE = frozenset(
    {
        *("abs", "at_least", "at_most", "capitalize", "ceil", "date", "default", "divided_by", "downcase", "escape"),
        *(
            "escape_once",
            "first",
            "floor",
            "last",
            "lstrip",
            "minus",
            "modulo",
            "plus",
            "round",
            "rstrip",
            "safe",
            "size",
        ),
        *("strip", "strip_html", "times", "truncate", "truncatewords", "upcase", "url_encode"),
    }
)
"""Filters whose result is never much longer than the field they are given: no need to watch over them."""

Render = Callable[[Row, Any, str, dict[str, Any], str], list[Any]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to be filled in."""

    render: Render
    """(row, token as a piece, token, attributes, subject) to pieces of output. Raises whatever goes wrong."""
    needs_attributes: bool
    """If False, `attributes` is not looked at."""
    constant: bool
    """It comes out the same for everyone."""
    of_campaign: bool
    """It may say something of the campaign; if not, it is the same for all campaigns with this source."""
    python: str
    """The generated source, for people."""


def compile_liquid(
    source: str | Parts,
    *,
    html: bool = False,
    encoding: Encoding = PLAIN,
    occasion: Occasion = NOWHERE,
    wire: bool = False,
    field: str = "template",
    undefined: type[Undefined] | None = None,
) -> Compiled:
    """Compile a template. `html`: values are escaped; `wire`: our own tags for URLs are known; `undefined`: as for `parse`.

    Raises TemplateInvalid, naming `field`, line and column.
    """
    template = parse(source, html=html, wire=wire, field=field, undefined=undefined)
    try:
        return _Compiler(template, html=html, encoding=encoding, occasion=occasion).compile()
    except (Unsupported, SyntaxError, RecursionError, MemoryError):
        # Python takes neither 200 filters in a row nor what is nested a hundred deep: python-liquid walks it.
        return _whole(template, encoding, occasion)


def _whole(template: BoundTemplate, encoding: Encoding, occasion: Occasion) -> Compiled:
    """The whole template by python-liquid."""

    def render(row: Row, _piece: Any, token: str, attributes: dict[str, Any], subject: str) -> list[Any]:
        context = _context(template, full_context(row, token, attributes, subject, occasion), token, occasion)
        buffer = template._get_buffer()
        template.render_with_context(context, buffer)
        return [encoding.slot(buffer.getvalue())]

    return Compiled(_timed(render), needs_attributes=True, constant=False, of_campaign=True, python="")


def _shared_context(template: BoundTemplate, full: dict[str, object], token: str, occasion: Occasion) -> BoundedContext:
    """The context of single nodes, as it is inside of BoundTemplate.render_with_context."""
    context = _context(template, full, token, occasion)
    context.scope.push({"partial": False})
    return context


def _context(template: BoundTemplate, full: dict[str, object], token: str, occasion: Occasion) -> BoundedContext:
    context = BoundedContext(template, globals=template.make_globals(full))
    context.token, context.urls = token, occasion.urls
    return context


def _chain(template: BoundTemplate) -> Chain | None:
    """What a template extends, if it does. Raises Unsupported for what cannot be."""
    node = next((one for one in template.nodes if isinstance(one, ExtendsNode)), None)
    if node is None:
        return None
    try:
        return node.chain(template)
    except (LiquidError, RecursionError):
        raise Unsupported("blocks that cannot be extended") from None


class _Compiler:
    def __init__(self, template: BoundTemplate, *, html: bool, encoding: Encoding, occasion: Occasion) -> None:
        environment = cast("ContentEnvironment", template.env)
        chain = _chain(template)
        surveyed, *others = surveys(template, survey_chain(chain.templates) if chain else None)
        if surveyed.counts or surveyed.unknown:
            raise Unsupported("counters, or blocks that nobody knows yet")
        self._template = template
        self._occasion, self._encoding = occasion, encoding
        self._names = Names(environment, RenderContext(template), occasion, frozenset(surveyed.assigned))
        self._filtered = any(one.filters for one in (surveyed, *others))
        self._metered = any(
            one.loops or one.assigned or not _FREE.issuperset(one.filters) for one in (surveyed, *others)
        )
        self._emitter = Emitter(self._names, encoding, html=html, metered=self._metered)
        self._nodes = Nodes(template, surveyed, self._names, self._emitter, html=html, chain=chain)

    def compile(self) -> Compiled:
        self._nodes.all()
        names, body, needs_context = self._names, self._emitter.lines, self._nodes.needs_context
        head = ["def render(row, piece, token, attributes, subject):"]
        if names.needs_full or needs_context:
            names.needs_attributes = True
            head.append("    full = full_context(row, token, attributes, subject)")
        if needs_context:
            head.append("    context = new_context(full, token)")
        if names.assigned:
            head.append("    loc = context.locals" if needs_context else "    loc = {}")
        if self._metered:
            head.append("    budget = context.budget" if needs_context else "    budget = Budget()")
            head += ["    room = budget.room", "    keep = budget.keep", "    turns = 0"]
        head.append("    out = []")
        tail = "    return out"
        if self._metered:  # mostly even the longest pieces would not be too much: then they need not be measured
            tail = f"    return out if len(out) * {self._emitter.longest} <= room else budget.total(out)"
        source = "\n".join([*head, *body, tail])
        render = cast("Render", self._define(source))
        if self._metered or needs_context:
            render = _timed(render, lambda: _whole(self._template, self._encoding, self._occasion))
        elif self._filtered:
            render = _placed(render, lambda: _whole(self._template, self._encoding, self._occasion))
        # Whoever looks things up by itself may look up anything.
        of_campaign = names.needs_campaign or names.needs_full or needs_context
        return Compiled(render, names.needs_attributes, not self._emitter.dynamic, of_campaign, source)

    def _define(self, source: str) -> object:
        template, occasion = self._template, self._occasion
        scope: dict[str, object] = self._names.globals | {
            "Budget": Budget,
            "overflow": overflow,
            "full_context": lambda row, token, attributes, subject: full_context(row, token, attributes, subject, occasion),
            "new_context": lambda full, token: _shared_context(template, full, token, occasion),
        }  # fmt: skip
        exec(python_code(source), scope)  # noqa: S102 - our own text: whatever comes from the template is in constants, or passed through repr
        return scope["render"]


def _placed(render: Render, whole: Callable[[], Compiled]) -> Render:
    """What fails is told with its place, which python-liquid knows."""

    def placed(row: Row, piece: Any, token: str, attributes: dict[str, Any], subject: str) -> list[Any]:
        try:
            return render(row, piece, token, attributes, subject)
        except LiquidError as error:
            if _without_place(error):
                whole().render(row, piece, token, attributes, subject)
            raise

    return placed


def _timed(render: Render, whole: Callable[[], Compiled] | None = None) -> Render:
    """The same, against the clock. All in one, for a function round a function is time as well."""

    def timed(row: Row, piece: Any, token: str, attributes: dict[str, Any], subject: str) -> list[Any]:
        CLOCK.start()
        try:
            return render(row, piece, token, attributes, subject)
        except LiquidError as error:
            if whole is not None and _without_place(error):
                whole().render(row, piece, token, attributes, subject)
            raise
        finally:
            CLOCK.stop()

    return timed


def _without_place(error: LiquidError) -> bool:
    # Not what took too long: it would take as long again.
    return error.token is None and type(error) is not ResourceLimitError
