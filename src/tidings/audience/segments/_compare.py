"""Comparing one value with what a condition says, by type: text, number, truth value, day, moment.

Each function gives SQL that is true where the positive operator holds; it may be null where there is no value, unless told
otherwise. Negatives are made by whoever calls, by NOT.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tidings.audience.segments import _values
from tidings.audience.segments._condition import Condition, Context
from tidings.audience.segments._operators import NEGATED, Operator, refuse
from tidings.audience.segments._problems import Wrong

O = Operator  # noqa: E741 - tables below read better
_ORDER = frozenset({O.MORE, O.AT_LEAST, O.LESS, O.AT_MOST})
_SYMBOLS = frozenset({O.IS, *_ORDER})

TEXT = frozenset({O.IS, O.CONTAINS, O.STARTS_WITH, O.ENDS_WITH, O.IN})
NUMBER = frozenset({O.IS, O.IN, O.BETWEEN, *_ORDER})
BOOLEAN = frozenset({O.IS})
DAY = frozenset({O.IS, O.IN, O.BETWEEN, O.BEFORE, O.AFTER, O.IN_THE_LAST, O.IN_THE_NEXT, O.ANNIVERSARY, *_ORDER})
MOMENT = DAY - {O.IN}


def with_negatives(positive: frozenset[Operator]) -> frozenset[Operator]:
    """These operators, their negatives, and is_set with its own."""
    found = positive | {O.IS_SET}
    return found | {negative for negative, of in NEGATED.items() if of in found}


def text(sql: str, told: Operator, value: Any, context: Context, *, name: str) -> str:
    """`sql` is text. Case never matters."""
    if told not in TEXT:
        raise refuse(told, name, with_negatives(TEXT))
    if told is O.IN:
        some = [_values.some_text(one, f"value[{n}]") for n, one in enumerate(_values.items(value))]
    else:
        some = [_values.some_text(value)]
    put = context.values.put
    if not all(one.isascii() for one in some):
        if told is O.IN:
            wanted = f"ARRAY(SELECT lower(v) FROM unnest({put(some, 'text[]')}) AS v)"  # noqa: S608 - our own words
        else:
            wanted = f"lower({put(some[0], 'text')})"
        return _TEXTS[told].format(text=f"lower({sql})", wanted=wanted)
    # lower() in the database's locale takes longer than reading the row; in the collation C, which knows the letters of ASCII
    # alone, a tenth of that. It is enough for ASCII, but that two letters beyond it are i and k in small: U+0130 and U+212A.
    lowered = [one.lower() for one in some]
    wanted = put(lowered, "text[]") if told is O.IN else put(lowered[0], "text")
    found = _TEXTS[told].format(text=f'lower({sql} COLLATE "C")', wanted=wanted)
    if not any(letter in one for one in lowered for letter in "ik"):
        return found
    return f"({found} OR octet_length({sql}) > length({sql}) AND {_TEXTS[told].format(text=f'lower({sql})', wanted=wanted)})"


_TEXTS = {
    O.IS: "{text} = {wanted}",
    O.IN: "{text} = ANY ({wanted})",
    O.CONTAINS: "strpos({text}, {wanted}) > 0",
    O.STARTS_WITH: "starts_with({text}, {wanted})",
    O.ENDS_WITH: "right({text}, length({wanted})) = {wanted}",
}


def number(sql: str, told: Operator, value: Any, context: Context, *, name: str) -> str:
    """`sql` is a numeric."""
    if told not in NUMBER:
        raise refuse(told, name, with_negatives(NUMBER))
    put = context.values.put
    if told is O.IN:
        some = [_values.number(one, f"value[{n}]") for n, one in enumerate(_values.items(value))]
        return f"{sql} = ANY ({put(some, 'numeric[]')})"
    if told is O.BETWEEN:
        low, high = (_values.number(one, f"value[{n}]") for n, one in enumerate(_values.pair(value)))
        return f"{sql} BETWEEN {put(low, 'numeric')} AND {put(high, 'numeric')}"
    return f"{sql} {told} {put(_values.number(value), 'numeric')}"


def day(sql: str, told: Operator, value: Any, context: Context, *, name: str) -> str:
    """`sql` is text, of the collation C, that is or begins with a day, YYYY-MM-DD: so days compare as their text does."""
    if told not in DAY:
        raise refuse(told, name, with_negatives(DAY))
    put = context.values.put
    today = context.now.date()
    if told is O.ANNIVERSARY:
        days = put(anniversaries(value, today), "text[]")
        return f"({sql} < {put(today.isoformat(), 'text')} AND substr({sql}, 6, 5) = ANY ({days}))"
    if told is O.IN:
        some = [_values.day(one, f"value[{n}]").isoformat() for n, one in enumerate(_values.items(value))]
        return f"left({sql}, 10) = ANY ({put(some, 'text[]')})"
    low, high = (one.isoformat() for one in _day_range(told, value, today))
    # Below the first text that begins with none of these days: what comes after the day need not be cut off.
    return f"({sql} >= {put(low, 'text')} AND {sql} < {put(high[:-1] + chr(ord(high[-1]) + 1), 'text')})"


def _day_range(told: Operator, value: Any, today: date) -> tuple[date, date]:
    """First and last day, both included."""
    one_day = timedelta(days=1)
    if told in {O.IN_THE_LAST, O.IN_THE_NEXT}:
        length = _values.duration(value)
        if not length.in_days:
            raise Wrong("value", "this field holds days: give days, weeks, months or years")
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
        if told is O.IN_THE_LAST:
            return length.before(midnight).date(), today
        return today, length.after(midnight).date()
    if told is O.BETWEEN:
        low, high = (_values.day(one, f"value[{n}]") for n, one in enumerate(_values.pair(value)))
        return low, high
    wanted = _values.day(value)
    first, last = date(1, 1, 1), date(9999, 12, 31)
    return {
        O.IS: (wanted, wanted),
        O.BEFORE: (first, wanted - one_day),
        O.LESS: (first, wanted - one_day),
        O.AT_MOST: (first, wanted),
        O.AFTER: (wanted + one_day, last),
        O.MORE: (wanted + one_day, last),
        O.AT_LEAST: (wanted, last),
    }[told]


def moment(sql: str, told: Operator, value: Any, context: Context, *, name: str) -> str:
    """`sql` is a timestamptz. A day that a condition says is all of that day in UTC."""
    if told not in MOMENT:
        raise refuse(told, name, with_negatives(MOMENT))
    put = context.values.put
    if told is O.ANNIVERSARY:
        days = put(anniversaries(value, context.now.date()), "text[]")
        midnight = context.now.replace(hour=0, minute=0, second=0, microsecond=0)
        past = f"{sql} < {put(midnight, 'timestamptz')}"
        return f"(to_char({sql} AT TIME ZONE 'UTC', 'MM-DD') = ANY ({days}) AND {past})"
    low, high = moment_range(told, value, context.now)
    bounds = ([f"{sql} >= {put(low, 'timestamptz')}"] if low else []) + (
        [f"{sql} < {put(high, 'timestamptz')}"] if high else []
    )
    return f"({' AND '.join(bounds)})"


def moment_range(told: Operator, value: Any, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when (included) to when (not included); None is without end."""
    tick = timedelta(microseconds=1)
    if told is O.IN_THE_LAST:
        return _values.duration(value).before(now), now + tick
    if told is O.IN_THE_NEXT:
        return now, _values.duration(value).after(now) + tick
    if told is O.BETWEEN:
        low, high = (_values.span(one, f"value[{n}]") for n, one in enumerate(_values.pair(value)))
        return low.start, high.end
    wanted = _values.span(value)
    return {
        O.IS: (wanted.start, wanted.end),
        O.BEFORE: (None, wanted.start),
        O.LESS: (None, wanted.start),
        O.AT_MOST: (None, wanted.end),
        O.AFTER: (wanted.end, None),
        O.MORE: (wanted.end, None),
        O.AT_LEAST: (wanted.start, None),
    }[told]


def anniversaries(value: Any, today: date) -> list[str]:
    """The days (MM-DD) that come round: today (null, "today", 0), in so many days, or [from, to] days from now.

    Whoever was born on 29 February celebrates on 28 February where there is no 29th.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() == "today"):
        value = 0
    if isinstance(value, list):
        first, last = (_values.whole(one, f"value[{n}]", most=365) for n, one in enumerate(_values.pair(value)))
    else:
        first = last = _values.whole(value, most=365)
    found: dict[str, None] = {}
    for ahead in range(first, last + 1):
        that = today + timedelta(days=ahead)
        found[f"{that:%m-%d}"] = None
        if (that.month, that.day) == (2, 28) and (that + timedelta(days=1)).day == 1:
            found["02-29"] = None
    return list(found)


Comparison = Callable[[str, Operator, Any, Context], str]


def positive(told: Condition) -> tuple[Operator, bool]:
    """The operator without its negation, and whether it was negated."""
    of = NEGATED.get(told.operator)
    return (told.operator, False) if of is None else (of, True)
