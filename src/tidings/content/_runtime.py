"""What a generated function calls while it runs, by the names it has for it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from liquid.ast import Node
from liquid.builtin.drops import IterableDrop
from liquid.builtin.tags.for_tag import ForLoop
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidTypeError, LoopIterationLimitError
from liquid.limits import to_int
from markupsafe import Markup

from tidings.content._limits import CLOCK, MAX_TURNS, check_range, check_value
from tidings.content._missing import marked, note_blank
from tidings.content._own_tags import BoundedContext, signed_link


def _fallback(node: Node, context: BoundedContext) -> str:
    """One node by python-liquid."""
    buffer = context.get_buffer()
    try:
        node.render(context, buffer)
    except LiquidInterrupt as error:
        raise LiquidError(f"unexpected '{error}'", token=node.token) from error
    return buffer.getvalue()


_UNSAID = object()
"""A limit or offset that the loop does not name; one that is nil is a mistake."""


def _items_of(value: object, limit: object, offset: object, backwards: bool, token: Any) -> list[Any]:
    """The items a loop goes over: LoopExpression.evaluate without its account of where loops stopped."""
    looped: Sequence[Any] = ()
    if isinstance(value, Mapping):
        looped = list(cast("Mapping[Any, Any]", value).items())
    elif isinstance(value, str):
        looped = [value] if value else []
    elif isinstance(value, Sequence):
        looped = cast("Sequence[Any]", check_range(value))
    length = len(looped)
    start = 0 if offset is _UNSAID else _whole_number(offset, token)
    stop = None if limit is _UNSAID else _whole_number(limit, token) + start
    first, last = min(max(start, 0), length), min(stop or length, length)
    if last < 0:
        raise LiquidTypeError("a loop's limit must not be negative", token=token)
    if last - first > MAX_TURNS:
        raise LoopIterationLimitError(f"more than {MAX_TURNS:,} loop iterations", token=token)
    items = list(looped[first:last])
    return items[::-1] if backwards else items


def _whole_number(value: object, token: Any) -> int:
    try:
        return to_int(value)
    except (ValueError, TypeError, OverflowError):
        raise LiquidTypeError(f"expected an integer, found {type(value).__name__}", token=token) from None


def _is_array(value: object) -> bool:
    """What `render … for` goes over one by one."""
    return isinstance(value, list | tuple | IterableDrop)


RUNTIME: Mapping[str, Any] = {
    "ForLoop": ForLoop,
    "Markup": Markup,
    "check_value": check_value,
    "tick": CLOCK.check,
    "fallback": _fallback,
    "items_of": _items_of,
    "UNSAID": _UNSAID,
    "NO_ITEMS": MappingProxyType[str, Any]({}),
    "is_array": _is_array,
    "signed_link": signed_link,
    "note_blank": note_blank,
    "marked": marked,
}
"""Globals of every generated function."""
