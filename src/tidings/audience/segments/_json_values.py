"""Comparing values inside JSON: custom fields and attributes of contacts, properties of custom events."""

from typing import Any

import orjson

from tidings.audience.fields import FieldType
from tidings.audience.segments import _compare, _values
from tidings.audience.segments._condition import Context
from tidings.audience.segments._operators import Operator, refuse
from tidings.audience.segments._problems import Wrong

O = Operator  # noqa: E741
_ORDER = frozenset({O.MORE, O.AT_LEAST, O.LESS, O.AT_MOST, O.BETWEEN})
_DAYS = frozenset({O.BEFORE, O.AFTER, O.IN_THE_LAST, O.IN_THE_NEXT, O.ANNIVERSARY})

DECLARED = {
    FieldType.TEXT: _compare.TEXT,
    FieldType.CHOICE: _compare.TEXT,
    FieldType.NUMBER: _compare.NUMBER,
    FieldType.BOOLEAN: _compare.BOOLEAN,
    FieldType.DATE: _compare.DAY,
}
UNDECLARED = _compare.TEXT | _compare.NUMBER | _compare.DAY


def compare(
    json: str, key: str, told: Operator, value: Any, context: Context, *, name: str, type_: FieldType | None
) -> str:
    """SQL that is true where the value under `key` of `json` (a jsonb) is as the positive operator says, and else false or
    null. Where no type was declared, what the condition says decides how to compare; a value of another type does not match."""
    if told is O.IS_SET:
        return f"({json} ->> {context.values.put(key, 'text')}) <> ''"
    allowed = UNDECLARED if type_ is None else DECLARED[type_]
    if told not in allowed:
        declared = name if type_ is None else f"{name} is declared as {type_}, which"
        raise refuse(told, declared, _compare.with_negatives(allowed))
    type_ = _type(told, value) if type_ is None else type_
    if type_ is FieldType.BOOLEAN:
        return f"{json} @> {context.values.put({key: _values.boolean(value)}, 'jsonb')}"
    if type_ is FieldType.NUMBER and told is not O.IN:
        return f"{json} @@ {context.values.put(_path(key, told, value), 'text')}::jsonpath"
    key_sql = context.values.put(key, "text")
    inner, as_text = f"({json} -> {key_sql})", f"({json} ->> {key_sql})"
    if type_ is FieldType.NUMBER:
        # Any order of evaluation is allowed but within CASE: a cast of text would fail.
        as_number = f"CASE jsonb_typeof({inner}) WHEN 'number' THEN {inner}::numeric END"
        return _compare.number(f"({as_number})", told, value, context, name=name)
    if type_ is FieldType.DATE:
        as_day = f'({as_text} COLLATE "C")'
        return f"({_compare.day(as_day, told, value, context, name=name)} AND {as_text} LIKE '____-__-__%')"
    return _compare.text(as_text, told, value, context, name=name)


def _path(key: str, told: Operator, value: Any) -> str:
    """A path that is true of a JSON number as compared. In half the time that taking the number out takes.

    `strict`: a list of numbers is none. Of another type, or missing, it is unknown, which is not true.
    """
    at = f"$.{orjson.dumps(key).decode()}"
    if told is O.BETWEEN:
        low, high = (_values.number(one, f"value[{n}]") for n, one in enumerate(_values.pair(value)))
        return f"strict {at} >= ({low:f}) && {at} <= ({high:f})"
    return f"strict {at} {'==' if told is O.IS else told} ({_values.number(value):f})"


def _type(told: Operator, value: Any) -> FieldType:
    if told in _DAYS:
        return FieldType.DATE
    one = value[0] if isinstance(value, list) and value else value
    if told in _ORDER:
        if isinstance(one, (int, float)) and not isinstance(one, bool):
            return FieldType.NUMBER
        if isinstance(one, str):
            return FieldType.DATE
        raise Wrong("value", "must be a number, or a day such as 2026-11-25")
    if told in {O.IS, O.IN}:
        if isinstance(one, bool) and told is O.IS:
            return FieldType.BOOLEAN
        if isinstance(one, (int, float)) and not isinstance(one, bool):
            return FieldType.NUMBER
    return FieldType.TEXT
