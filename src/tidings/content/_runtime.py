"""What a generated function calls while it runs, by the names it has for it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from liquid.ast import Node
from liquid.builtin.drops import IterableDrop
from liquid.builtin.tags.for_tag import ForLoop
from liquid.exceptions import LiquidError, LiquidInterrupt, LoopIterationLimitError
from liquid.limits import to_int
from markupsafe import Markup

from tidings.content._environment import BoundedContext, signed_link
from tidings.content._limits import CLOCK, MAX_TURNS, check_value
from tidings.content._missing import marked, note_blank


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
    "is_array": _is_array,
    "signed_link": signed_link,
    "note_blank": note_blank,
    "marked": marked,
}
"""Globals of every generated function."""
