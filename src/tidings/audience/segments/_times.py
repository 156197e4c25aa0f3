"""How often, and when: what engagement and custom events share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidings.audience.segments import _compare, _limits, _values
from tidings.audience.segments._condition import Condition
from tidings.audience.segments._operators import Operator, refuse
from tidings.audience.segments._problems import Wrong

O = Operator  # noqa: E741
COUNTS = frozenset({O.IS, O.IS_NOT, O.MORE, O.AT_LEAST, O.LESS, O.AT_MOST, O.BETWEEN, O.IS_SET, O.IS_NOT_SET})
_WHEN = frozenset({O.IN_THE_LAST, O.NOT_IN_THE_LAST, O.BEFORE, O.AFTER})
OPTIONS = ("last", "since", "until")


@dataclass(frozen=True, slots=True)
class Window:
    """From when (included) to when (not included); None is without end."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it is all of time."""
        return self.start is None and self.end is None


@dataclass(frozen=True, slots=True)
class Times:
    """So many times from `least` to `most` (None: any number). `but`: other than this number."""

    least: int
    most: int | None
    but: bool = False

    @property
    def holds_for_none(self) -> bool:
        """Whether those to whom it never happened meet it."""
        return (self.least <= 0 and (self.most is None or self.most >= 0)) != self.but

    @property
    def at_all(self) -> bool:
        """Whether it only asks if it ever happened: nothing need be counted."""
        return (self.least, self.most) in {(1, None), (0, 0)}

    def of_some(self, count: str) -> str:
        """SQL for those to whom it happened: that the number meets it; or, where none meets it too, that it does not."""
        inside = f"{count} >= {max(self.least, 1)}" + ("" if self.most is None else f" AND {count} <= {self.most}")
        if self.but != self.holds_for_none:
            return f"NOT ({inside})"
        return f"({inside})"


def times(told: Condition, *, most: int = _limits.TIMES) -> Times:
    """How often, from operator and value. Numbers within limits, so they may stand in SQL."""
    if told.operator in _WHEN or told.operator is O.IS_SET:
        return Times(1, None, but=told.operator is O.NOT_IN_THE_LAST)
    if told.operator is O.IS_NOT_SET:
        return Times(0, 0)
    if told.operator not in COUNTS:
        raise refuse(told.operator, told.field, COUNTS | _WHEN)
    if told.operator is O.BETWEEN:
        low, high = (_values.whole(one, f"value[{n}]", most=most) for n, one in enumerate(_values.pair(told.value)))
        return Times(low, high)
    n = _values.whole(told.value, most=most)
    return {
        O.IS: Times(n, n),
        O.IS_NOT: Times(n, n, but=True),
        O.MORE: Times(n + 1, None),
        O.AT_LEAST: Times(n, None),
        O.LESS: Times(0, n - 1),
        O.AT_MOST: Times(0, n),
    }[told.operator]


def window(told: Condition, now: datetime) -> Window:
    """When, from the options last, since and until, or from an operator that says when."""
    options = dict(told.options)
    if told.operator in _WHEN:
        if used := [name for name in OPTIONS if name in options]:
            raise Wrong(used[0], f"says when, and so does the operator {told.operator}: give one of them")
        wanted = O.IN_THE_LAST if told.operator is O.NOT_IN_THE_LAST else told.operator
        return Window(*_compare.moment_range(wanted, told.value, now))
    return _window(options, now)


def _window(options: Mapping[str, Any], now: datetime) -> Window:
    if "last" in options:
        if "since" in options or "until" in options:
            raise Wrong("last", "says when, and so do since and until: give one or the others")
        return Window(_values.duration(options["last"], "last").before(now), now + timedelta(microseconds=1))
    start = _values.span(options["since"], "since").start if "since" in options else None
    end = _values.span(options["until"], "until").end if "until" in options else None
    return Window(start, end)
