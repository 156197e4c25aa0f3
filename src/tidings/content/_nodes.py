"""Nodes of a syntax tree as statements of the generated function.

A node that is not known is rendered by python-liquid, in a context that the generated function shares with it. It
cannot see our variables, though: within a loop, or a block that `render` has called, the whole of that is its affair.
"""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.path import Path
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.render_tag import RenderNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.extra.tags._with import WithNode
from liquid.extra.tags.extends_tag import _BlockStackItem
from liquid.template import BoundTemplate

from tidings.content._emitter import Emitter
from tidings.content._expressions import Code, Expressions, Names, Unsupported
from tidings.content._inheritance import Chain, ExtendsNode, SlotNode
from tidings.content._limits import MAX_TURNS
from tidings.content._missing import Watched
from tidings.content._own_tags import LinkNode, TickNode, UrlNode
from tidings.content._parts import MAX_DEPTH
from tidings.content._runtime import RUNTIME
from tidings.content._survey import Survey, survey

_MOST_NODES = 20_000
"""Of blocks, compiled where they are rendered: blocks within blocks multiply."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """A slot whose inside is being compiled."""

    above: _BlockStackItem | None
    """What it took the place of."""
    apart: bool
    """It has variables of its own."""


_SIMPLE = frozenset({"constant", "field", "text", "own_url"})
"""Kinds of code that can be handed to a block as they are."""


_MOST_CHOICES = 8
"""Branches in one expression."""


def _text_of(block: BlockNode) -> str | None:
    """What a block writes if that is known now, else None."""
    texts: list[str] = []
    for node in block.nodes:
        if type(node) is ContentNode:
            texts.append(node.text)
        elif not isinstance(node, CommentNode | InlineCommentNode | DocNode):
            return None
    return "" if block.blank else "".join(texts)


class Nodes:
    """Translates the nodes of one template."""

    def __init__(
        self,
        template: BoundTemplate,
        surveyed: Survey,
        names: Names,
        emitter: Emitter,
        *,
        html: bool,
        chain: Chain | None = None,
    ) -> None:
        self._template = template
        self._html = html
        self._names = names
        self._emitter = emitter
        self._expressions = Expressions(names, html=html)
        self._survey = surveyed
        self._blocks: dict[str, tuple[BoundTemplate, Survey]] = {}
        self._rendering: list[str] = []
        self._spent = 0
        self._parents: list[str] = []
        self._breakable: list[bool] = []
        self._chain = chain
        self._slots: list[_Slot] = []
        self.needs_context = False
        names.globals |= {**RUNTIME, "urls": names.occasion.urls}

    def all(self) -> None:
        """The whole template."""
        for node in self._template.nodes:
            if isinstance(node, ExtendsNode) and self._chain:
                for inherited in self._chain.templates[-1].nodes:
                    self._node(inherited)
                break
            self._node(node)
        self._emitter.flush()

    def _node(self, node: Node) -> None:
        saved, loops = self._emitter.snapshot(), len(self._names.loops)
        parents, breakable = len(self._parents), len(self._breakable)
        try:
            self._known(node)
        except Unsupported:
            del self._names.loops[loops:], self._parents[parents:], self._breakable[breakable:]
            if loops or self._names.block or self._chain:
                raise  # python-liquid cannot see our variables, nor slots: the loop or block as a whole is its affair
            self._emitter.restore(saved)
            self.needs_context = True
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
            self._write(cast("OutputNode", node).expression)
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
        elif kind is RenderNode:
            self._render(cast("RenderNode", node))
        elif kind is WithNode:
            self._with(cast("WithNode", node))
        elif isinstance(node, SlotNode):
            self._slot(node)
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
        if self._choice(branches):
            return
        keyword = "if"
        for condition, block in branches:
            if condition == "True":
                with self._emitter.block("else:") if keyword == "elif" else nullcontext():
                    self._block(block)
                return
            with self._emitter.block(f"{keyword} {condition}:"):
                self._block(block)
            keyword = "elif"

    def _choice(self, branches: list[tuple[str, BlockNode]]) -> bool:
        """Branches with nothing but text in them are one piece of output, and need no statements."""
        conditions = [condition for condition, _ in branches]
        if "True" in conditions:
            branches = branches[: conditions.index("True") + 1]
        if self._emitter.silent or not conditions or conditions[0] == "True" or len(branches) > _MOST_CHOICES:
            return False
        texts = [_text_of(block) for _, block in branches]
        if None in texts:
            return False
        if branches[-1][0] != "True":
            texts.append("")
        self._emitter.choice(conditions[: len(texts) - 1], cast("list[str]", texts))
        return True

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
        if self._survey.continues:
            raise Unsupported("offset: continue")
        value, names = self._expressions.value, self._names
        items, item, forloop = names.fresh("i"), names.fresh("v"), names.fresh("f")
        limit, offset = (value(one) if one else "UNSAID" for one in (loop.limit, loop.offset))
        looped, token = value(loop.iterable), names.constant(node.token)
        made = f"items_of({{}}, {limit}, {offset}, {loop.reversed}, {token})"
        if loop.limit or loop.offset or loop.reversed:
            made = made.format(looped)
        else:  # as most loops are
            made = f"q if type(q := {looped}) is list and len(q) <= {MAX_TURNS} else {made.format('q')}"
        self._emitter.line(f"{items} = {made}")
        with self._emitter.block(f"if {items}:"):
            self._emitter.line(f"budget.loop(len({items}))")
            if self._survey.forloop:
                parent = self._parents[-1] if self._parents else self._no_parent(None)
                name = f"{loop.identifier}-{loop.iterable}"
                self._emitter.line(f"{forloop} = ForLoop({name!r}, iter({items}), len({items}), {parent})")
            names.loops.append({"forloop": forloop, loop.identifier: item})
            self._parents.append(forloop)
            self._breakable.append(True)
            with self._turns(item, forloop if self._survey.forloop else items):
                self._block(node.block)
            self._breakable.pop()
            self._parents.pop()
            names.loops.pop()
        if node.default:
            with self._emitter.block("else:"):
                self._block(node.default)

    @contextmanager
    def _turns(self, item: str, items: str) -> Generator[None]:
        """A loop, which looks at the clock in every sixteenth turn of whatever loop."""
        known, emitter = self._names.items, self._emitter
        with emitter.block(f"for {item} in {items}:"):
            emitter.line("turns += 1")
            with emitter.block("if not turns & 15:"):
                emitter.line("tick()")
            place, known[item] = emitter.here(), ""
            try:
                yield
            finally:
                asked = known.pop(item)
            if asked:
                emitter.insert(place, f"{asked} = {item} if type({item}) is dict else NO_ITEMS")

    def _no_parent(self, token: Any) -> str:
        return self._names.constant(self._template.env.undefined("parentloop", token=token))

    def _interrupt(self, node: Node) -> None:
        if not self._breakable or not self._breakable[-1]:
            raise Unsupported("an interrupt that is not directly in a loop")
        self._emitter.line("break" if isinstance(node, BreakNode) else "continue")

    def _assign(self, node: AssignNode) -> None:
        self._emitter.line(
            f"{self._names.local}[{str(node.name)!r}] = keep({self._expressions.value(node.expression)})"
        )

    def _capture(self, node: CaptureNode) -> None:
        with self._emitter.capturing() as name:
            self._block(node.block)
        value = f"Markup({name})" if self._html else name
        self._emitter.line(f"{self._names.local}[{str(node.name)!r}] = keep({value})")

    def _with(self, node: WithNode) -> None:
        frame: dict[str, str] = {}
        for one in node.args:
            frame[str(one.name)] = name = self._names.fresh("w")
            self._emitter.line(f"{name} = {self._expressions.value(one.value)}")
        self._names.loops.append(frame)
        self._block(node.block)
        self._names.loops.pop()

    # slots ------------------------------------------------------------------------------------------------------

    def _slot(self, node: SlotNode) -> None:
        """What stands in a slot, with variables of its own; of what nobody extends, what is there, with all others'."""
        stack = self._chain.slots.get(node.name) if self._chain and not self._rendering else None
        if stack[0].required if stack else node.required:
            raise Unsupported("a slot that must be filled")
        names, parents = self._names, self._parents
        if not stack:
            with self._within(_Slot(None, apart=False)):
                self._inner(node.block)
            return
        outer = names.scope
        names.outer.append(outer)
        names.scope = [], frozenset(self._survey.assigned), names.fresh("l"), {}
        self._parents = []
        if names.assigned:
            self._emitter.line(f"{names.local} = {{}}")
        with self._within(_Slot(stack[0].parent, apart=True)):
            self._inner(stack[0].block.block)
        self._parents, names.scope = parents, outer
        names.outer.pop()

    def _super(self) -> None:
        """What the slot had, with the variables of what is round it."""
        slot, names = self._slots[-1], self._names
        if slot.above is None:
            self._output(Code(names.constant(names.environment.undefined("super", token=None))))
            return
        inner, parents = names.scope, self._parents
        if slot.apart:
            names.scope = names.outer.pop()
        with self._within(_Slot(slot.above.parent, apart=False)):
            self._inner(slot.above.block.block)
        if slot.apart:
            names.outer.append(names.scope)
        names.scope, self._parents = inner, parents

    @contextmanager
    def _within(self, slot: "_Slot") -> Generator[None]:
        self._slots.append(slot)
        self._names.loops.append({"block": ""})
        yield
        self._names.loops.pop()
        self._slots.pop()

    def _inner(self, block: BlockNode) -> None:
        self._spent += len(block.nodes)
        if self._spent > _MOST_NODES:
            raise Unsupported("too much in slots")
        self._block(block)

    def _write(self, expression: Expression) -> None:
        if self._slots and str(expression) == "block.super" and "block" in self._names.loops[-1]:
            self._super()
            return
        path = self._watched(expression)
        if path is None:
            self._output(self._expressions.code(expression))
            return
        code = self._expressions.code(path)
        if code.kind == "field":
            token = self._names.constant(path.token)
            self._emitter.line(f"note_blank({code.source}, {str(path)!r}, {token})")
        with self._emitter.capturing() as name:
            self._output(self._expressions.code(expression))
        self._emitter.text(f"marked({name}, {str(path)!r})")

    def _watched(self, expression: Expression) -> Path | None:
        """What is looked at in a preview that shows what is missing: all that is written without a default."""
        if self._names.environment.undefined is not Watched or not isinstance(expression, FilteredExpression):
            return None
        path = expression.left
        if isinstance(path, Path) and all(one.name != "default" for one in expression.filters or ()):
            return path
        return None

    def _output(self, code: Code) -> None:
        if code.kind == "own_url":
            self._own_url(str(code.value), "")
        else:
            self._emitter.slot(code)

    def _url(self, node: UrlNode) -> None:
        self._own_url(node.kind, node.tail)

    def _own_url(self, kind: str, tail: str) -> None:
        self._emitter.static(f"{self._names.occasion.urls.base}/{kind}/")
        self._emitter.token()
        self._emitter.static(tail)

    def _link(self, node: LinkNode) -> None:
        with self._emitter.capturing() as name:
            self._block(node.block)
        self._emitter.text(f"signed_link(urls, token, {name}, html={self._html})")

    # blocks -----------------------------------------------------------------------------------------------------

    def _render(self, node: RenderNode) -> None:
        """The block's own nodes, where it is rendered: it sees its arguments and what is global, and nothing else."""
        template, surveyed = self._block_of(node)
        names = self._names
        given = {str(one.name): self._argument(self._expressions.code(one.value)) for one in node.args}
        key = str(node.alias or template.name.split(".")[0])
        value = self._expressions.value(node.var) if node.var else None
        arguments = {**names.arguments, **given}
        if value is None:
            with self._inside(node, surveyed, arguments):
                self._nodes(template)
        elif not node.loop:
            arguments[key] = self._argument(Code(value))
            with self._inside(node, surveyed, arguments):
                self._nodes(template)
        else:
            self._render_each(node, template, surveyed, arguments, key, value)

    def _render_each(
        self,
        node: RenderNode,
        template: BoundTemplate,
        surveyed: Survey,
        arguments: dict[str, Code],
        key: str,
        value: str,
    ) -> None:
        """`render … for`: once for each item of an array, or once with whatever else it is."""
        names, line = self._names, self._emitter.line
        items, item, forloop = names.fresh("i"), names.fresh("v"), names.fresh("f")
        line(f"{items} = {value}")
        handed = dict(arguments)
        told = surveyed.forloop or bool(surveyed.renders)  # a block within hands its arguments on
        if told:
            if "forloop" in arguments:
                raise Unsupported("a forloop handed to a loop")
            handed["forloop"] = Code(forloop, "absent")
            names.needs_attributes = True
        with self._emitter.block(f"if type({items}) is list or is_array({items}):"):
            line(f"budget.loop(len({items}))")
            if told:
                parent = self._no_parent(node.token)
                line(f"{forloop} = {items} = ForLoop({key!r}, iter({items}), len({items}), {parent})")
        with self._emitter.block("else:"):
            line(f"{items} = ({items},)")
            if told:
                line(f"{forloop} = attributes.get('forloop', ABSENT)")
        handed[key] = Code(item)
        with self._inside(node, surveyed, handed), self._turns(item, items):
            self._nodes(template)

    def _block_of(self, node: RenderNode) -> tuple[BoundTemplate, Survey]:
        if not isinstance(node.name, StringLiteral):
            raise Unsupported("a block that is a variable")
        name = node.name.value
        if name in self._rendering or len(self._rendering) > MAX_DEPTH:
            raise Unsupported("blocks too deep within blocks")
        if name not in self._blocks:
            try:
                template = self._template.env.get_template(name)
                self._blocks[name] = template, survey(template)
            except (LiquidError, RecursionError):
                raise Unsupported("a block that is not there, or broken") from None
        template, surveyed = self._blocks[name]
        if surveyed.counts or surveyed.unknown:
            raise Unsupported("counters")
        return template, surveyed

    def _argument(self, code: Code) -> Code:
        """A value, evaluated once, before the block."""
        if code.kind in _SIMPLE:
            return code
        name = self._names.fresh("a")
        source = f"({code.source} or BLANK)" if code.kind == "field" else code.source
        self._emitter.line(f"{name} = {source}")
        return Code(name, "texts" if code.kind == "texts" else "any")

    def _nodes(self, template: BoundTemplate) -> None:
        self._spent += len(template.nodes)
        if self._spent > _MOST_NODES:
            raise Unsupported("too much in blocks")
        for node in template.nodes:
            self._node(node)
        self._emitter.flush()

    @contextmanager
    def _inside(self, node: RenderNode, surveyed: Survey, arguments: dict[str, Code]) -> Generator[None]:
        """Variables of the block instead of ours."""
        names = self._names
        saved = names.assigned, names.loops, names.local, names.block, names.arguments
        outer, parents, breakable = self._survey, self._parents, self._breakable
        names.assigned, names.loops, names.block, names.arguments = frozenset(surveyed.assigned), [], True, arguments
        self._survey, self._parents, self._breakable = surveyed, [], []
        self._rendering.append(str(cast("StringLiteral", node.name).value))
        if surveyed.assigned:
            names.local = names.fresh("l")
            self._emitter.line(f"{names.local} = {{}}")
        try:
            yield
        finally:
            names.assigned, names.loops, names.local, names.block, names.arguments = saved
            self._survey, self._parents, self._breakable = outer, parents, breakable
            self._rendering.pop()
