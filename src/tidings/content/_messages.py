"""python-liquid's filters and tag for translated messages: without catalogues, each says the message itself.

What stands in a message as `%(name)s` is a variable, and `%%` a percent sign. Everything else stands for itself, so that
`{{ 'Save 50% today' | t }}` says so; python-liquid gives the rest to printf, which fails of it, or fills memory with it.
"""

import re
from collections.abc import Callable
from gettext import NullTranslations
from typing import Any, TextIO, cast

from liquid import RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.exceptions import FilterValueError, LiquidTypeError
from liquid.extra import GetText, NGetText, NPGetText, PGetText, Translate
from liquid.extra.tags.translate_tag import MessageBlock, TranslateNode, TranslateTag
from liquid.limits import to_int
from liquid.stringify import to_liquid_string
from markupsafe import Markup

from tidings.content._limits import MAX_CHARACTERS
from tidings.content._own_tags import LinkNode, UrlNode

MARK = re.compile(r"%(?:%|\(([\w.]+)\)s)")
_NODE = "tidings."
"""Begins the name of what is a node of ours in a message, a link that is counted; no variable's name has a full stop."""
_NONE = NullTranslations()


def interpolated(message: str, value_of: Callable[[str], str], *, html: bool) -> str:
    """The message with its variables, each of which needs no escaping any more. Raises FilterValueError if it is too long."""
    pieces: list[str] = []
    done = size = 0
    for found in MARK.finditer(message):
        made = "%" if found[1] is None else value_of(found[1])
        pieces += [str.__str__(message[done : found.start()]), str.__str__(made)]
        done = found.end()
        size += len(made)
        if size > MAX_CHARACTERS:
            raise FilterValueError(f"a message may be {MAX_CHARACTERS:,} characters at most", token=None)
    text = "".join([*pieces, str.__str__(message[done:])])
    return Markup(text) if html else text  # noqa: S704 - the values are escaped, the message is to be written as it is


class CountError(LiquidTypeError, TypeError):
    """A count that is no number. A TypeError, too: python-liquid takes one within `block.super` for nothing."""


class _Own:
    """No catalogues, and messages filled in by our own hand."""

    def format_message(self, context: RenderContext, message_text: str, message_vars: dict[str, Any]) -> str:
        """The message with its variables."""
        with context.extend(namespace=message_vars):
            return interpolated(message_text, _values(context), html=context.env.autoescape)

    def _resolve_translations(self, context: RenderContext) -> Any:  # noqa: ARG002
        return _NONE


class _Translate(_Own, Translate): ...


class _GetText(_Own, GetText): ...


class _NGetText(_Own, NGetText): ...


class _PGetText(_Own, PGetText): ...


class _NPGetText(_Own, NPGetText): ...


def _values(context: RenderContext) -> Callable[[str], str]:
    return lambda name: to_liquid_string(context.resolve(name), autoescape=context.env.autoescape)


def message_filters(*, html: bool) -> dict[str, Callable[..., Any]]:
    """By the names that templates use."""
    kinds = (_Translate, _GetText, _NGetText, _PGetText, _NPGetText)
    return {kind.name: kind(autoescape_message=html) for kind in kinds}


class MessageNode(TranslateNode):
    """`{% translate %}…{% plural %}…{% endtranslate %}`: what is in it, with the white space round line breaks run together."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the message, or its plural, with its variables. Raises CountError for a count that is no number."""
        given = {name: one.value.evaluate(context) for name, one in self.args.items()}
        plural = is_plural(given.get(self.message_count_var, 1), self.token)
        chosen = (self.plural_block if plural else None) or self.singular_block
        given.pop(self.message_context_var, None)  # it is told to translators
        with context.extend(given):
            variable = _values(context)

            def value_of(name: str) -> str:
                return variable(name) if not name.startswith(_NODE) else self._written(chosen, name, context)

            return buffer.write(interpolated(chosen.text, value_of, html=context.env.autoescape))

    def _written(self, message: MessageBlock, name: str, context: RenderContext) -> str:
        buffer = context.get_buffer()
        node_named(message, name).render(context, buffer)
        return buffer.getvalue()


def node_named(message: MessageBlock, name: str) -> UrlNode | LinkNode:
    """The node of ours that a message's mark stands for."""
    return cast("UrlNode | LinkNode", message.block.nodes[int(name.removeprefix(_NODE))])


def is_plural(count: object, token: Any) -> bool:
    """Does a count take the plural? Of nothing python-liquid writes the singular. Raises CountError if it is no number."""
    try:
        number = to_int(count)
    except ValueError:
        return False
    except (TypeError, OverflowError):
        raise CountError(f"count: expected a number, found {type(count).__name__}", token=token) from None
    return number not in {0, 1}


class MessageTag(TranslateTag):
    """Takes our own tags in a message, too: its links are counted like all others."""

    node_class = MessageNode

    def validate_message_block(self, block: BlockNode | None) -> MessageBlock | None:
        """As python-liquid. Raises TranslationSyntaxError."""
        if not block:
            return None
        shown = [
            _stand_in(node, number) if isinstance(node, UrlNode | LinkNode) else node
            for number, node in enumerate(block.nodes)
        ]
        made = super().validate_message_block(BlockNode(block.token, shown))
        return made._replace(block=block) if made else None


def _stand_in(node: Node, number: int) -> Node:
    """An output of a variable, whose name tells which node it stands for."""
    path = Path(node.token, [f"{_NODE}{number}"])
    return OutputNode(node.token, FilteredExpression(node.token, path))
