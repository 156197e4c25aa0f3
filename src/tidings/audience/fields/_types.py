"""Types of custom fields, and how a value becomes one of a type. `contact_field_value` in the database does the same."""

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tidings.core.ids import FieldId


class FieldType(StrEnum):
    """What the values of a custom field are."""

    TEXT = "text"
    """Any text."""
    NUMBER = "number"
    """A JSON number."""
    BOOLEAN = "boolean"
    """True or false."""
    DATE = "date"
    """A day, as YYYY-MM-DD."""
    CHOICE = "choice"
    """One of the field's choices."""


@dataclass(frozen=True, slots=True)
class ContactField:
    """A declared custom field. Its values lie under `name` among a contact's attributes; `choices` are those of a choice."""

    id: FieldId
    name: str
    label: str
    type: FieldType
    choices: tuple[str, ...] = ()


class Misfit(Exception):
    """A value is none of the type; `args[0]` says what it must be."""


# Fifteen digits are what every program that reads JSON keeps exactly.
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DATE = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?:[T ].*)?", re.DOTALL)
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


def coerce(value: Any, field: ContactField) -> Any:
    """The value as one of the field's type. None for empty text, where the type is not text: it says nothing.

    Raises Misfit.
    """
    if isinstance(value, str) and field.type is not FieldType.TEXT:
        value = value.strip(" \t\r\n")
        if not value:
            return None
    return _COERCE[field.type](value, field)


def _text(value: Any, _field: ContactField) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    raise Misfit("must be text")


def _number(value: Any, _field: ContactField) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        whole, _, fraction = value.partition(".")
        return float(value) if fraction.strip("0") else int(whole)  # 5.0 is written 5 wherever it came from
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise Misfit("must be a number, such as 7 or -1234.5 (a point, no thousands separators)")


def _boolean(value: Any, _field: ContactField) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Misfit("must be true or false")


def _date(value: Any, _field: ContactField) -> str:
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str) and (found := _DATE.fullmatch(value)):
        try:
            return dt.date(int(found[1]), int(found[3]), int(found[4])).isoformat()
        except ValueError:
            pass
    raise Misfit("must be a date, such as 2026-11-25")


def _choice(value: Any, field: ContactField) -> str:
    if isinstance(value, (str, int, float)):
        word = _text(value, field)
        if word in field.choices:
            return word
        for choice in field.choices:
            if choice.lower() == word.lower():
                return choice
    shown = ", ".join(field.choices[:10]) + (" …" if len(field.choices) > 10 else "")
    raise Misfit(f"must be one of {shown}")


_COERCE: dict[FieldType, Callable[[Any, ContactField], Any]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.CHOICE: _choice,
}
