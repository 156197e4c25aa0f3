"""What must be known of a template before it is compiled: what it sets, counts and loops over, blocks it includes too."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from liquid.ast import Node
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.tags.decrement_tag import DecrementNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.builtin.tags.include_tag import IncludeNode
from liquid.builtin.tags.increment_tag import IncrementNode
from liquid.builtin.tags.render_tag import RenderNode
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from tidings.content._environment import InlineNode
from tidings.content._inheritance import ExtendsNode
from tidings.content._parse import walk


@dataclass(slots=True)
class Survey:
    """Of one scope of variables: a template and what it includes, without what it renders."""

    assigned: set[str] = field(default_factory=set)
    """Names that `assign` and `capture` set."""
    filters: set[str] = field(default_factory=set)
    counts: bool = False
    """It keeps counters, which share a namespace with its variables."""
    continues: bool = False
    """A loop goes on where another stopped (`offset: continue`), which only python-liquid keeps account of."""
    loops: bool = False
    renders: set[str] = field(default_factory=set)
    """Blocks that it renders by name."""
    unknown: bool = False
    """It includes what is known only when it is rendered, or has blocks within."""
    forloop: bool = False
    """`forloop` is looked at."""


def survey(template: BoundTemplate) -> Survey:
    """Look a template over."""
    found = Survey()
    _look(template, found, set())
    return found


def survey_chain(chain: Sequence[BoundTemplate]) -> Survey:
    """Of a template that extends others, which share its variables."""
    found = Survey()
    for template in chain:
        _look(template, found, set(), inherits=template is not chain[-1])
    return found


def surveys(template: BoundTemplate, first: Survey | None = None) -> list[Survey]:
    """Of a template and every block that it renders, at whatever depth. `first`: of itself, if it is known."""
    found = [first or survey(template)]
    seen: set[str] = set()
    for one in found:
        for name in one.renders - seen:
            seen.add(name)
            try:
                found.append(survey(template.env.get_template(name)))
            except (LiquidError, RecursionError):
                continue
    return found


def _look(template: BoundTemplate, found: Survey, seen: set[str], *, inherits: bool = False) -> None:
    analysis = template.analyze(include_partials=False)
    found.assigned |= set(analysis.locals)
    found.filters |= set(analysis.filters)
    found.forloop |= "forloop" in analysis.variables
    for node in walk(template):
        found.counts |= isinstance(node, IncrementNode | DecrementNode)
        found.loops |= isinstance(node, ForNode)
        found.continues |= _continues(node)
        found.unknown |= isinstance(node, InlineNode) or (isinstance(node, ExtendsNode) and not inherits)
        if isinstance(node, RenderNode):
            found.loops |= node.loop
            if isinstance(node.name, StringLiteral):
                found.renders.add(node.name.value)
        elif isinstance(node, IncludeNode):
            _look_into(template, node, found, seen)


def _look_into(template: BoundTemplate, node: IncludeNode, found: Survey, seen: set[str]) -> None:
    if not isinstance(node.name, StringLiteral):
        found.unknown = True
        return
    name = node.name.value
    if name not in seen:
        seen.add(name)
        try:
            included = template.env.get_template(name)
        except (LiquidError, RecursionError):
            return  # python-liquid says so when it comes to it
        _look(included, found, seen)


def _continues(node: Node) -> bool:
    return any(isinstance(one, LoopExpression) and isinstance(one.offset, StringLiteral) for one in node.expressions())
