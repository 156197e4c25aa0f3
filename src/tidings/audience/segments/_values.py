"""Reading the values of conditions: numbers, days, moments, durations. Raises Wrong with how to mend it."""

import math
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tidings.audience.segments import _limits
from tidings.audience.segments._problems import Wrong
from tidings.core.errors import Invalid
from tidings.core.ids import parse_id

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_DURATION = re.compile(r"\s*([0-9]{1,6})\s*(minute|hour|day|week|month|year)s?\s*", re.ASCII)
_UNITS = ("minutes", "hours", "days", "weeks", "months", "years")
_MOST_DAYS = 36_600
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` (included) to `end` (not included)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Duration:
    """So many of a unit of `_UNITS`. Months and years go by the calendar."""

    amount: int
    unit: str

    @property
    def in_days(self) -> bool:
        """Whether it is made of whole days."""
        return self.unit not in {"minutes", "hours"}

    def before(self, moment: datetime) -> datetime:
        """This long before; the last day of a month stands for one that the month does not have."""
        return self._moved(moment, -1)

    def after(self, moment: datetime) -> datetime:
        """This long after."""
        return self._moved(moment, 1)

    def _moved(self, moment: datetime, sign: int) -> datetime:
        if self.unit in {"months", "years"}:
            months = moment.year * 12 + moment.month - 1 + sign * self.amount * (12 if self.unit == "years" else 1)
            year, month = divmod(months, 12)
            if not 1 < year < 9999:
                return _FIRST if sign < 0 else _LAST
            return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
        try:
            return max(_FIRST, min(_LAST, moment + sign * timedelta(**{self.unit: self.amount})))
        except OverflowError:
            return _FIRST if sign < 0 else _LAST


def text(value: Any, part: str = "value") -> str:
    """Text, or a number or a truth value as its JSON text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return str(value)
    if not isinstance(value, str):
        raise Wrong(part, "must be text")
    if len(value) > _limits.TEXT:
        raise Wrong(part, f"must have at most {_limits.TEXT} characters")
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise Wrong(part, "must be text without NUL and halves of surrogate pairs")
    return value


def some_text(value: Any, part: str = "value") -> str:
    """Text that is not empty."""
    found = text(value, part)
    if not found.strip():
        raise Wrong(part, "must not be empty; use is_set or is_not_set to ask for that")
    return found


def number(value: Any, part: str = "value") -> Decimal:
    """A finite JSON number, or text that is one."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,30}(\.[0-9]{1,30})?\s*", value):
        return Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Wrong(part, "must be a number, such as 7 or -1234.5")
    if isinstance(value, int) and abs(value) > 10**30:
        raise Wrong(part, "must be a number of at most 30 digits")
    return Decimal(str(value))


def whole(value: Any, part: str = "value", *, least: int = 0, most: int = _limits.TIMES) -> int:
    """A whole number within limits."""
    found = number(value, part)
    if found != found.to_integral_value() or not least <= found <= most:
        raise Wrong(part, f"must be a whole number from {least} to {most}")
    return int(found)


def boolean(value: Any, part: str = "value") -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise Wrong(part, "must be true or false")


def day(value: Any, part: str = "value") -> date:
    """A day, as YYYY-MM-DD."""
    if isinstance(value, str) and (found := _DAY.fullmatch(value)):
        try:
            told = date(*map(int, found.groups()))
        except ValueError:
            raise Wrong(part, f"there is no day {value}") from None
        if 1 < told.year < 9999:
            return told
    raise Wrong(part, "must be a day, such as 2026-11-25")


def span(value: Any, part: str = "value") -> Span:
    """A day (UTC, all of it) or a moment (RFC 3339; UTC if it says no offset). A moment spans the microsecond."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        start = datetime.combine(day(value, part), time(), UTC)
        return Span(start, start + timedelta(days=1))
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Wrong(part, f"there is no moment {value}") from None
        if 1 < moment.year < 9999:
            return Span(moment, moment + timedelta(microseconds=1))
    raise Wrong(part, "must be a day such as 2026-11-25, or a moment such as 2026-11-25T09:00:00Z")


def duration(value: Any, part: str = "value") -> Duration:
    """`30` (days), `"30 days"`, or `{"days": 30}`; minutes, hours, days, weeks, months, years."""
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.lower())):
        amount, unit = int(found[1]), f"{found[2]}s"
    elif isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _UNITS:
        unit, told = next(iter(value.items()))
        amount = whole(told, f"{part}.{unit}", least=1)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        amount, unit = whole(value, part, least=1), "days"
    else:
        raise Wrong(part, 'must be a time span: 30 (days), "30 days", "12 hours", or {"months": 3}')
    days = amount * {"minutes": 1 / 1440, "hours": 1 / 24, "days": 1, "weeks": 7, "months": 31, "years": 366}[unit]
    if amount < 1 or days > _MOST_DAYS:
        raise Wrong(part, "must be from one minute to one hundred years")
    return Duration(amount, unit)


def items(value: Any, part: str = "value", *, most: int = _limits.LIST_ITEMS) -> list[Any]:
    """A list of at least one thing; one thing alone stands for itself."""
    if not isinstance(value, list):
        if value is None or isinstance(value, dict):
            raise Wrong(part, "must be a list of values")
        return [value]
    if not 1 <= len(value) <= most:
        raise Wrong(part, f"must be a list of 1 to {most} values")
    return value


def pair(value: Any, part: str = "value") -> tuple[Any, Any]:
    """A list of two."""
    if not isinstance(value, list) or len(value) != 2:
        raise Wrong(part, "must be a list of two: [from, to]")
    return value[0], value[1]


def ids(kind: str, value: Any, part: str = "value", *, most: int = _limits.REFERENCES) -> list[int]:
    """Public ids of a kind, `list_123`; one alone stands for itself."""
    told = items(value, part, most=most)
    found: list[int] = []
    for position, one in enumerate(told):
        where = f"{part}[{position}]" if isinstance(value, list) else part
        if not isinstance(one, str):
            raise Wrong(where, f"must be an id such as {kind}_123")
        try:
            found.append(parse_id(kind, one, field=where))
        except Invalid as error:
            raise Wrong(where, error.fields[0].message) from None
    return sorted(set(found))
