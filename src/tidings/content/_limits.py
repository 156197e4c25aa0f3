"""What a template may cost: a hostile one fails for its recipient instead of holding up a worker.

Between two looks at the clock a template can do no more than its own length allows, so there are looks in every turn
of a loop and in every filter; the sizes of values are bounded, since one filter can make a large one of two small ones.
"""

import gc
import threading
from collections.abc import Callable
from functools import wraps
from time import thread_time
from typing import Any, cast

from liquid.builtin.expressions import logical
from liquid.exceptions import (
    FilterError,
    FilterValueError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
)
from liquid.undefined import is_undefined

LimitExceeded = ResourceLimitError
"""Raised by a rendering that costs too much."""

MAX_TURNS = 10_000
"""Turns of all loops of one rendering together."""
MAX_CHARACTERS = 1_000_000
"""Of one value."""
MAX_OUTPUT = 5_000_000
"""Of one rendered part."""
MAX_KEPT = 20_000_000
"""Characters of all values that `assign` and `capture` of one rendering were given together."""
MAX_ITEMS = 10_000
"""Of an array that a filter is given or makes."""
MAX_RANGE = 1_000_000
"""Numbers of a range that a loop goes over a part of."""
MAX_BITS = 4096
"""Of a number."""
MAX_SECONDS = 0.25
"""Of this thread's time on a processor, for one part of one message, which takes microseconds."""

_ITEM = 50
"""What an item of an array counts in characters."""
_NEVER = float("inf")
_UNSEEN = 0.0


class Clock(threading.local):
    """The deadline of the rendering that goes on in this thread."""

    deadline: float = _NEVER
    collecting: float = 0.0

    def start(self) -> None:
        """Time one rendering, from its first look at the clock on: most are over before it, and a look is not cheap."""
        self.deadline = _UNSEEN

    def stop(self) -> None:
        """It has ended, one way or the other."""
        self.deadline = _NEVER

    def check(self) -> None:
        """Raise ResourceLimitError when the time is up."""
        deadline = self.deadline
        if deadline == _NEVER:
            return
        now = thread_time()
        if deadline == _UNSEEN:
            self.deadline = deadline = now + MAX_SECONDS
        if now > deadline:
            raise ResourceLimitError(f"rendering took longer than {MAX_SECONDS:g} seconds", token=None)

    def pause(self, phase: str, _: object) -> None:
        """Called around each collection of garbage: what it takes, in a large process a second, is not the template's."""
        if phase == "start":
            self.collecting = thread_time()
        elif self.deadline != _UNSEEN:
            self.deadline += thread_time() - self.collecting


CLOCK = Clock()
gc.callbacks.append(CLOCK.pause)


class Budget:
    """What one rendering may still use: turns of loops, and output."""

    __slots__ = ("memory", "room", "turns")

    def __init__(self) -> None:
        self.turns = MAX_TURNS
        self.room = MAX_OUTPUT
        self.memory = MAX_KEPT

    def loop(self, turns: int) -> None:
        """`turns` more are to come. Raises LoopIterationLimitError."""
        self.turns -= turns
        if self.turns < 0:
            raise LoopIterationLimitError(f"more than {MAX_TURNS:,} loop iterations", token=None)

    def keep(self, value: object) -> object:
        """The value of a variable itself. Raises FilterValueError if it is too large, LocalNamespaceLimitError for all of them."""
        if type(value) is range:
            return value  # two numbers, however far apart
        check_value(value)
        if isinstance(value, str | list | tuple):
            size = len(cast("str | list[object]", value))
            self.memory -= size if isinstance(value, str) else size * _ITEM
            if self.memory < 0:
                raise LocalNamespaceLimitError(f"variables of more than {MAX_KEPT:,} characters", token=None)
        return value

    def total(self, pieces: list[Any]) -> list[Any]:
        """The pieces themselves, static ones counted too."""
        return pieces if sum(map(len, pieces)) <= MAX_OUTPUT else overflow()


def overflow() -> Any:
    """Raise OutputStreamLimitError: there is too much output."""
    raise OutputStreamLimitError(f"more than {MAX_OUTPUT:,} characters of output", token=None)


def bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses to read or make anything too large, and says its name when it fails."""
    product = _PRODUCTS.get(name)

    @wraps(function)
    def limited(left: object, *args: object, **kwargs: object) -> object:
        CLOCK.check()
        for value in (left, *args, *kwargs.values()):
            check_value(value)
        if product is not None and product(left, args) > MAX_CHARACTERS:
            raise FilterValueError(f"{name}: the result would be longer than {MAX_CHARACTERS:,} characters", token=None)
        try:
            made = function(left, *args, **kwargs)
        except (ValueError, ArithmeticError) as error:
            raise FilterValueError(f"{name}: {error}", token=None) from error
        except FilterError as error:
            raise FilterValueError(f"{name}: {error.message}", token=None) from error
        return check_value(made)

    for told in ("with_context", "with_environment"):
        if getattr(function, told, False):
            setattr(limited, told, True)
    return limited


def check_value(value: object) -> object:
    """The value itself. Raises FilterValueError if it is too large."""
    kind = type(value)
    if kind is str:
        too_much = len(cast("str", value)) > MAX_CHARACTERS
    elif kind is int:
        too_much = cast("int", value).bit_length() > MAX_BITS
    elif isinstance(value, list | tuple | range):
        # `not value[limit:]` rather than len(): a range may be longer than len() can tell.
        too_much = bool(value[MAX_ITEMS : MAX_ITEMS + 1])
    elif isinstance(value, str):
        too_much = len(value) > MAX_CHARACTERS
    else:
        return value
    if too_much:
        raise FilterValueError("a value is too large", token=None)
    return value


def check_range(value: object) -> object:
    """What a loop is to go over, itself. Raises LoopIterationLimitError for a range that counting through takes long."""
    CLOCK.check()
    if type(value) is range and value[MAX_RANGE : MAX_RANGE + 1]:
        raise LoopIterationLimitError(f"a range of more than {MAX_RANGE:,} numbers", token=None)
    return value


def contains(token: Any, left: object, right: object) -> bool:
    """Liquid's `contains`. Python counts through a range to see that a text is not in it."""
    CLOCK.check()
    if type(left) is range and not isinstance(right, int):
        return isinstance(right, float) and right.is_integer() and int(right) in left
    return _contains(token, left, right)


# python-liquid offers no other way to have its own nodes do so; what comes out is the same.
_contains, logical._contains = logical._contains, contains


def _text(value: object) -> str:
    return "" if value is None or is_undefined(value) else str(value)


def _replaced(left: object, args: tuple[object, ...]) -> int:
    text, sought = _text(left), _text(args[0]) if args else ""
    return len(text) + text.count(sought) * len(_text(args[1]) if len(args) > 1 else "")


def _joined(left: object, args: tuple[object, ...]) -> int:
    items = cast("list[object]", left) if isinstance(left, list | tuple | range) else []
    return sum(len(_text(item)) for item in items) + len(items) * len(_text(args[0]) if args else " ")


_PRODUCTS: dict[str, Callable[[object, tuple[object, ...]], int]] = {"replace": _replaced, "join": _joined}
