"""`extends` and `block`, `macro`: python-liquid's own, looking at the clock, and telling what is wrong with its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from liquid import RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import Parameter
from liquid.exceptions import StopRender, TemplateInheritanceError
from liquid.extra import BlockTag as PlainBlockTag
from liquid.extra import ExtendsTag as PlainExtendsTag
from liquid.extra import MacroTag as PlainMacroTag
from liquid.extra.tags.extends_tag import BlockNode as PlainSlotNode
from liquid.extra.tags.extends_tag import ExtendsNode as PlainExtendsNode
from liquid.extra.tags.extends_tag import _BlockStackItem, _build_block_stacks
from liquid.extra.tags.macro_tag import MacroNode as PlainMacroNode
from liquid.template import BoundTemplate
from liquid.token import Token

from tidings.content._own_tags import TickNode
from tidings.content._parts import MAX_DEPTH

WHOLE = "whole"
"""What a template that was cut for analysis tells of itself as it was."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A template that extends others, and what stands in their slots."""

    templates: list[BoundTemplate]
    """The template itself, what it extends, and so on."""
    slots: dict[str, list[_BlockStackItem]]
    """By name, what is written first; each knows what it took the place of."""


class ExtendsNode(PlainExtendsNode):
    """`{% extends 'layout' %}`: what a shared block says, with this template's slots in place of its own."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write it. Raises StopRender, and TemplateInheritanceError for what cannot be."""
        self.base(context).render_with_context(context, buffer)
        context.tag_namespace["extends"].clear()
        raise StopRender

    def base(self, context: RenderContext) -> BoundTemplate:
        """The block at the end of the chain; the context knows its slots then. Raises TemplateInheritanceError."""
        template = getattr(context.template, WHOLE, context.template)
        try:
            return _build_block_stacks(context, template, self.tag)
        except AssertionError:
            message = "a template that is included within a tag cannot extend"
            raise TemplateInheritanceError(message, token=self.token) from None

    def chain(self, template: BoundTemplate) -> "Chain":
        """All of which a template that has this node is made. Raises TemplateInheritanceError, TemplateNotFoundError."""
        templates, node = [template], self
        while node is not None:
            if len(templates) > MAX_DEPTH:
                raise TemplateInheritanceError("too many templates that extend each other", token=self.token)
            templates.append(template.env.get_template(str(node.name)))
            node = next((one for one in templates[-1].nodes if isinstance(one, ExtendsNode)), None)
        context = template.context_class(template)
        self.base(context)
        return Chain(templates, dict(context.tag_namespace["extends"]))

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """The nodes of the base; its slots tell what stands in them."""
        if include_partials and self in static_context.template.nodes:
            template = static_context.template
            context = template.context_class(template)
            base = self.base(context)
            static_context.tag_namespace["extends"] = context.tag_namespace["extends"]
            return base.nodes
        return super().children(static_context, include_partials=include_partials)


class SlotNode(PlainSlotNode):
    """`{% block content %}…{% endblock %}`: what a template that extends may put something else in place of."""

    def __init__(self, token: Token, name: str, block: BlockNode, *, required: bool) -> None:
        block.nodes.insert(0, TickNode(token))  # `block.super`, written twice in each of many, doubles each time
        super().__init__(token, name, block, required=required)

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """What is in it, or, where it is looked at from the base, what stands in its place."""
        stack = static_context.tag_namespace["extends"].get(self.name) if include_partials else None
        if not stack:
            yield self.block
        for item in stack or ():
            yield item.block.block
            if "super" not in str(item.block.block):
                break


class MacroNode(PlainMacroNode):
    """`{% macro price product %}…{% endmacro %}`."""

    def __init__(self, token: Token, name: str, args: dict[str, Parameter], block: BlockNode) -> None:
        block.nodes.insert(0, TickNode(token))
        super().__init__(token, name, args, block)


class ExtendsTag(PlainExtendsTag):
    """Parses `extends`."""

    node_class = ExtendsNode


class BlockTag(PlainBlockTag):
    """Parses `block`."""

    node_class = SlotNode


class MacroTag(PlainMacroTag):
    """Parses `macro`."""

    node_class = MacroNode
