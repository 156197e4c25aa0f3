"""Liquid compiled to a Python function that fills a recipient's values into text that is already encoded.

    source → python-liquid's syntax tree → Python → function(row, token …) → pieces of output

A node that the compiler does not know is rendered by python-liquid, in a context that the generated function shares
with it; a template that keeps counters in the same namespace as its variables is left to python-liquid as a whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from types import CodeType
from typing import Any, cast

from liquid import RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.decrement_tag import DecrementNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForLoop, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.increment_tag import IncrementNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError, LiquidInterrupt, LoopIterationLimitError
from liquid.limits import to_int
from liquid.template import BoundTemplate
from markupsafe import Markup

from tidings.content._context import NOWHERE, Occasion, Row, full_context
from tidings.content._emitter import PLAIN, Emitter, Encoding
from tidings.content._environment import BoundedContext, ContentEnvironment, LinkNode, TickNode, UrlNode, signed_link
from tidings.content._expressions import Code, Expressions, Names, Unsupported
from tidings.content._limits import CLOCK, MAX_TURNS, Budget, check_value
from tidings.content._parse import parse, walk

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
    python: str
    """The generated source, for people."""


def compile_liquid(
    source: str,
    *,
    html: bool = False,
    encoding: Encoding = PLAIN,
    occasion: Occasion = NOWHERE,
    wire: bool = False,
    field: str = "template",
) -> Compiled:
    """Compile a template. `html`: values are escaped; `wire`: our own tags for URLs are known.

    Raises TemplateInvalid, naming `field`, line and column.
    """
    template = parse(source, html=html, wire=wire, field=field)
    try:
        return _Compiler(template, html=html, encoding=encoding, occasion=occasion).compile()
    except Unsupported:
        return _whole(template, encoding, occasion)


def _whole(template: BoundTemplate, encoding: Encoding, occasion: Occasion) -> Compiled:
    """The whole template by python-liquid."""

    def render(row: Row, _piece: Any, token: str, attributes: dict[str, Any], subject: str) -> list[Any]:
        with CLOCK.running():
            context = _context(template, full_context(row, token, attributes, subject, occasion), token, occasion)
            buffer = template._get_buffer()
            template.render_with_context(context, buffer)
        return [encoding.slot(buffer.getvalue())]

    return Compiled(render, needs_attributes=True, constant=False, python="")


def _shared_context(template: BoundTemplate, full: dict[str, object], token: str, occasion: Occasion) -> BoundedContext:
    """The context of single nodes, as it is inside of BoundTemplate.render_with_context."""
    context = _context(template, full, token, occasion)
    context.scope.push({"partial": False})
    return context


def _context(template: BoundTemplate, full: dict[str, object], token: str, occasion: Occasion) -> BoundedContext:
    context = BoundedContext(template, globals=template.make_globals(full))
    context.token, context.urls = token, occasion.urls
    return context


class _Compiler:
    def __init__(self, template: BoundTemplate, *, html: bool, encoding: Encoding, occasion: Occasion) -> None:
        environment = cast("ContentEnvironment", template.env)
        analysis = template.analyze(include_partials=False)
        nodes = list(walk(template))
        if any(isinstance(node, IncrementNode | DecrementNode) for node in nodes):
            raise Unsupported("counters")
        self._template = template
        self._html = html
        self._occasion = occasion
        self._names = Names(environment, RenderContext(template), occasion, frozenset(analysis.locals))
        self._expressions = Expressions(self._names, html=html)
        # `offset: continue` goes on where another loop stopped, which only python-liquid keeps account of.
        self._native_loops = not any(
            isinstance(one, LoopExpression) and isinstance(one.offset, StringLiteral)
            for node in nodes
            for one in node.expressions()
        )
        self._forloop = "forloop" in analysis.variables
        loops = any(isinstance(node, ForNode) for node in nodes)
        self._metered = loops or bool(analysis.locals) or not _FREE.issuperset(analysis.filters)
        self._emitter = Emitter(self._names, encoding, html=html, metered=self._metered)
        self._needs_context = False
        self._breakable: list[bool] = []

    def compile(self) -> Compiled:
        for node in self._template.nodes:
            self._node(node)
        self._emitter.flush()
        names, body = self._names, self._emitter.lines
        head = ["def render(row, piece, token, attributes, subject):"]
        if names.needs_full or self._needs_context:
            names.needs_attributes = True
            head.append("    full = full_context(row, token, attributes, subject)")
        if self._needs_context:
            head.append("    context = new_context(full, token)")
        if names.assigned:
            head.append("    loc = context.locals" if self._needs_context else "    loc = {}")
        if self._metered:
            head += ["    budget = Budget()", "    spend = budget.spend"]
        head.append("    out = []")
        tail = "    return budget.total(out)" if self._metered else "    return out"
        source = "\n".join([*head, *body, tail])
        render = cast("Render", self._define(source))
        if self._metered or self._needs_context:
            render = _timed(render)
        return Compiled(render, names.needs_attributes, not self._emitter.dynamic, source)

    def _define(self, source: str) -> object:
        template, occasion = self._template, self._occasion
        scope: dict[str, object] = self._names.globals | {
            "Budget": Budget, "ForLoop": ForLoop, "Markup": Markup, "check_value": check_value, "tick": CLOCK.check,
            "fallback": _fallback, "items_of": _items_of, "urls": occasion.urls, "signed_link": signed_link,
            "full_context": lambda row, token, attributes, subject: full_context(row, token, attributes, subject, occasion),
            "new_context": lambda full, token: _shared_context(template, full, token, occasion),
        }  # fmt: skip
        code: CodeType = compile(source, "<template>", "exec")
        exec(code, scope)  # noqa: S102 - our own text: whatever comes from the template is in constants, or passed through repr
        return scope["render"]

    # nodes ------------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        saved, loops, breakable = self._emitter.snapshot(), len(self._names.loops), len(self._breakable)
        try:
            self._known(node)
        except Unsupported:
            del self._names.loops[loops:], self._breakable[breakable:]
            if loops:
                raise  # python-liquid cannot see our loop's variables: the loop as a whole is its affair
            self._emitter.restore(saved)
            self._needs_context = True
            constant = self._names.constant(node)
            if self._emitter.silent:
                self._emitter.line(f"fallback({constant}, context)")
            else:
                self._emitter.text(f"fallback({constant}, context)")

    def _known(self, node: Node) -> None:
        kind = type(node)
        if kind is ContentNode:
            self._emitter.static(cast("ContentNode", node).text)
        elif kind is OutputNode or kind is EchoNode:
            self._output(self._expressions.code(cast("OutputNode", node).expression))
        elif kind is IfNode or kind is UnlessNode:
            self._if(cast("IfNode | UnlessNode", node))
        elif isinstance(node, ForNode):
            self._for(node)
        elif kind is CaseNode:
            self._case(cast("CaseNode", node))
        elif kind is AssignNode:
            self._assign(cast("AssignNode", node))
        elif kind is CaptureNode:
            self._capture(cast("CaptureNode", node))
        elif kind is LiquidNode:
            self._block(cast("LiquidNode", node).block)
        elif kind is BreakNode or kind is ContinueNode:
            self._interrupt(node)
        elif kind is UrlNode:
            self._url(cast("UrlNode", node))
        elif kind is LinkNode:
            self._link(cast("LinkNode", node))
        elif kind not in {CommentNode, InlineCommentNode, DocNode, TickNode}:
            raise Unsupported(kind.__name__)

    def _block(self, block: BlockNode) -> None:
        # A block with nothing but white space in it writes nothing, but what it assigns counts.
        with self._emitter.silence() if block.blank else nullcontext():
            for node in block.nodes:
                self._node(node)

    def _if(self, node: IfNode | UnlessNode) -> None:
        condition = self._expressions.truth(node.condition)
        if isinstance(node, UnlessNode):
            condition = {"True": "False", "False": "True"}.get(condition, f"not {condition}")
        branches = [(condition, node.consequence)]
        branches += [(self._expressions.truth(one.expression), one.block) for one in node.alternatives]
        if node.default:
            branches.append(("True", node.default))
        # What is known now is decided now: `{% if workspace.postal_address %}` costs no recipient anything.
        branches = [branch for branch in branches if branch[0] != "False"]
        keyword = "if"
        for condition, block in branches:
            if condition == "True":
                with self._emitter.block("else:") if keyword == "elif" else nullcontext():
                    self._block(block)
                return
            with self._emitter.block(f"{keyword} {condition}:"):
                self._block(block)
            keyword = "elif"

    def _case(self, node: CaseNode) -> None:
        missed = self._names.fresh("m")
        self._emitter.line(f"{missed} = True")
        for block in node.blocks:
            if isinstance(block, MultiExpressionBlockNode):
                self._when(node, block, missed)
            else:
                with self._emitter.block(f"if {missed}:"):
                    self._block(block)

    def _when(self, node: CaseNode, when: MultiExpressionBlockNode, missed: str) -> None:
        tests = [self._expressions.equal(node.expression, one) for one in when.expression.expressions]
        if len(tests) == 1:
            with self._emitter.block(f"if {tests[0]}:"):
                self._emitter.line(f"{missed} = False")
                self._block(when.block)
            return
        # python-liquid renders the block once for each value that equals.
        self._breakable.append(False)
        with self._emitter.block(f"for _ in range({' + '.join(tests)}):"):
            self._emitter.line(f"{missed} = False")
            self._block(when.block)
        self._breakable.pop()

    def _for(self, node: ForNode) -> None:
        loop = node.expression
        if not self._native_loops:
            raise Unsupported("offset: continue")
        value, names = self._expressions.value, self._names
        items, item, forloop = names.fresh("i"), names.fresh("v"), names.fresh("f")
        limit, offset = (value(one) if one else "None" for one in (loop.limit, loop.offset))
        self._emitter.line(f"{items} = items_of({value(loop.iterable)}, {limit}, {offset}, {loop.reversed})")
        with self._emitter.block(f"if {items}:"):
            self._emitter.line(f"budget.loop(len({items}))")
            if self._forloop:
                name = f"{loop.identifier}-{loop.iterable}"
                parents = [frame["forloop"] for frame in names.loops]
                parent = (
                    parents[-1] if parents else names.constant(self._template.env.undefined("parentloop", token=None))
                )
                self._emitter.line(f"{forloop} = ForLoop({name!r}, iter({items}), len({items}), {parent})")
            names.loops.append({"forloop": forloop, loop.identifier: item})
            self._breakable.append(True)
            with self._emitter.block(f"for {item} in {forloop if self._forloop else items}:"):
                self._emitter.line("tick()")
                self._block(node.block)
            self._breakable.pop()
            names.loops.pop()
        if node.default:
            with self._emitter.block("else:"):
                self._block(node.default)

    def _interrupt(self, node: Node) -> None:
        if not self._breakable or not self._breakable[-1]:
            raise Unsupported("an interrupt that is not directly in a loop")
        self._emitter.line("break" if isinstance(node, BreakNode) else "continue")

    def _assign(self, node: AssignNode) -> None:
        self._emitter.line(f"loc[{str(node.name)!r}] = check_value({self._expressions.value(node.expression)})")

    def _capture(self, node: CaptureNode) -> None:
        with self._emitter.capturing() as name:
            self._block(node.block)
        value = f"Markup({name})" if self._html else name
        self._emitter.line(f"loc[{str(node.name)!r}] = check_value({value})")

    def _output(self, code: Code) -> None:
        if code.kind == "unsubscribe":
            self._own_url("u", "")
        else:
            self._emitter.slot(code)

    def _url(self, node: UrlNode) -> None:
        self._own_url(node.kind, node.tail)

    def _own_url(self, kind: str, tail: str) -> None:
        self._emitter.static(f"{self._occasion.urls.base}/{kind}/")
        self._emitter.token()
        self._emitter.static(tail)

    def _link(self, node: LinkNode) -> None:
        with self._emitter.capturing() as name:
            self._block(node.block)
        self._emitter.text(f"signed_link(urls, token, {name}, html={self._html})")


def _timed(render: Render) -> Render:
    def timed(row: Row, piece: Any, token: str, attributes: dict[str, Any], subject: str) -> list[Any]:
        with CLOCK.running():
            return render(row, piece, token, attributes, subject)

    return timed


def _fallback(node: Node, context: BoundedContext) -> str:
    """One node by python-liquid."""
    buffer = context.get_buffer()
    try:
        node.render(context, buffer)
    except LiquidInterrupt as error:
        raise LiquidError(f"unexpected '{error}'", token=node.token) from error
    return buffer.getvalue()


def _items_of(value: object, limit: object, offset: object, backwards: bool) -> list[Any]:
    """The items a loop goes over: LoopExpression.evaluate without its account of where loops stopped."""
    iterator: Iterator[Any] = iter(())
    length = 0
    if isinstance(value, Mapping):
        iterator, length = iter(cast("Mapping[Any, Any]", value).items()), len(value)
    elif isinstance(value, str):
        iterator, length = iter([value] if value else []), bool(value)
    elif isinstance(value, Sequence):
        iterator, length = iter(cast("Sequence[Any]", value)), len(value)
    start = 0 if offset is None else to_int(offset)
    stop = None if limit is None else to_int(limit) + start
    first, last = min(max(start, 0), length), min(stop or length, length)
    if last - first > MAX_TURNS:
        raise LoopIterationLimitError(f"more than {MAX_TURNS:,} loop iterations", token=None)
    items = list(islice(iterator, first, last))
    return items[::-1] if backwards else items
