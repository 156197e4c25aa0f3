"""Filters that mail needs and Liquid lacks: dates and money as a reader's language has them, names in good form.

`date` is python-liquid's own as long as it is told neither time zone nor language. What languages know of dates, numbers
and currencies comes from CLDR, through Babel.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, get_currency_precision, is_currency
from liquid import Environment
from liquid.builtin.filters.misc import _to_date
from liquid.builtin.filters.misc import date as plain_date
from liquid.exceptions import FilterArgumentError
from liquid.filter import liquid_filter, string_filter, with_environment
from liquid.undefined import is_undefined

_ENGLISH = Locale("en")
_NAMED = frozenset({"short", "medium", "long", "full"})
_DIRECTIVE = re.compile(r"%(?:-?[a-zA-Z]|%)")
_DAY = re.compile(r"%(?:-?[de])")
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]+(?:['’][^\W\d_]+)*")
"""Not what follows a digit: `1st`."""
_DOTTED = frozenset({"tr", "az"})
"""Languages whose i has a capital İ, and whose I is a capital ı."""
_PREFIXED = re.compile(r"([^\W\d_]['’])([^\W\d_]{2,})")
"""O'Brien, D'Angelo; but not don't."""


@with_environment
@liquid_filter
def date(value: Any, fmt: Any, *, environment: Environment, time_zone: object = None, language: object = None) -> str:
    """A moment as text: `fmt` is strftime's, or short, medium, long or full where a language is given.

    `time_zone` is an IANA name, and UTC where it is empty; names of days and months are in `language`, a BCP 47 tag.
    """
    if time_zone is None and language is None:
        return cast("str", plain_date(value, fmt, environment=environment))
    if _is_nothing(value):
        return ""
    moment = _moment(value, _zone(time_zone))
    locale = _locale(language)
    if str(fmt) in _NAMED and language is not None:
        has_time = isinstance(value, datetime) or time_zone is not None
        form = str(fmt)
        return (
            format_datetime(moment, form, locale=locale)
            if has_time
            else format_date(moment, form, locale=locale)
        )  # fmt: skip
    names = _names(moment, locale, standing_alone=_DAY.search(str(fmt)) is None)
    return moment.strftime(_DIRECTIVE.sub(lambda found: names(found[0]), str(fmt)))


@liquid_filter
def money(value: Any, currency: object = "USD", *, language: object = None) -> str:
    """An amount with its currency (ISO 4217), as `language` writes it: `1.234,50 €`."""
    if _is_nothing(value):
        return ""
    code = str(currency).upper()
    if not is_currency(code):
        raise FilterArgumentError(f"money: {str(currency)[:20]!r} is no currency, such as EUR or USD", token=None)
    amount = _rounded(_decimal("money", value), get_currency_precision(code))
    with localcontext(prec=_PRECISE):
        return format_currency(amount, code, locale=_locale(language))


@liquid_filter
def number(value: Any, digits: object = None, *, language: object = None) -> str:
    """A number with its thousands grouped, as `language` writes it; `digits` after the point, if given."""
    if _is_nothing(value):
        return ""
    if digits is None:
        return _formatted(_rounded(_decimal("number", value), 3), None, language)
    if not isinstance(digits, int) or not 0 <= digits <= _MOST_DIGITS:
        raise FilterArgumentError(f"number: digits must be between 0 and {_MOST_DIGITS}", token=None)
    form = "#,##0" + ("." + "0" * digits if digits else "")
    return _formatted(_rounded(_decimal("number", value), digits), form, language)


@string_filter
def titlecase(value: str, language: object = "en") -> str:
    """Each word with a capital: `ada o'brien` is Ada O'Brien, and McDonald stays as it is; Turkish: `ilkay` is İlkay."""
    dotted = _locale(language).language in _DOTTED
    return _WORD.sub(lambda found: _capital(found[0], dotted=dotted), value)


@string_filter
def possessive(value: str, language: object = "en") -> str:
    """A name as an owner: `Ada's`, `James'`; German: `Adas`, `Max'`. Nothing of nothing."""
    name = value.rstrip()
    if not name:
        return ""
    if _locale(language).language == "de":
        return name + ("'" if name[-1] in "sßxzSXZ" else "s")
    return name + ("'" if name[-1] in "sS" else "'s")


OURS: Mapping[str, Callable[..., Any]] = {
    "date": date,
    "money": money,
    "number": number,
    "possessive": possessive,
    "titlecase": titlecase,
}
"""By the names that templates use."""

_MOST_DIGITS = 20
_LARGEST = Decimal(10) ** 30
_PRECISE = 80
"""Digits that are reckoned with: all of the largest number and the most digits after its point."""


def _is_nothing(value: object) -> bool:
    return value is None or is_undefined(value) or (isinstance(value, str) and not value.strip())


def _moment(value: object, zone: tzinfo) -> datetime:
    if isinstance(value, str) and value.strip() in {"now", "today"}:
        return datetime.now(zone)
    found = _to_date(cast("Any", value)) if isinstance(value, str | int | datetime) or hasattr(value, "year") else None
    if found is None:
        raise FilterArgumentError(f"date: {str(value)[:60]!r} is no date", token=None)
    day_only = not isinstance(value, datetime) and (found.hour, found.minute, found.second) == (0, 0, 0)
    if found.tzinfo is None:
        # A day is the same day everywhere; a moment without a zone is in UTC, as everything stored is.
        return found.replace(tzinfo=zone if day_only else UTC).astimezone(zone)
    return found.astimezone(zone)


@lru_cache(maxsize=256)
def _zone_named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise FilterArgumentError(
            f"date: there is no time zone {name[:60]!r}; one is called Europe/Berlin", token=None
        ) from None


def _zone(name: object) -> tzinfo:
    return UTC if _is_nothing(name) else _zone_named(str(name).strip())


@lru_cache(maxsize=256)
def _locale_named(tag: str) -> Locale:
    for attempt in (tag, tag.partition("_")[0]):
        try:
            return Locale.parse(attempt)
        except (UnknownLocaleError, ValueError):
            continue
    return _ENGLISH


def _locale(tag: object) -> Locale:
    """English for a language that is empty or that CLDR does not know: contacts have all kinds, and still get mail."""
    return _ENGLISH if _is_nothing(tag) else _locale_named(str(tag).strip().replace("-", "_")[:40])


def _decimal(name: str, value: object) -> Decimal:
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or abs(amount) > _LARGEST or isinstance(value, bool):
        raise FilterArgumentError(f"{name}: {str(value)[:60]!r} is no number", token=None)
    return amount


def _rounded(amount: Decimal, places: int) -> Decimal:
    """Half up, as people do, not to the even digit; nothing is no less than nothing: never -0.00."""
    with localcontext(prec=_PRECISE):
        return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP) + Decimal(0)


def _formatted(amount: Decimal, form: str | None, language: object) -> str:
    with localcontext(prec=_PRECISE):
        return format_decimal(amount, form, locale=_locale(language))


def _names(moment: datetime, locale: Locale, *, standing_alone: bool) -> Callable[[str], str]:
    """What a directive of strftime that has words in it becomes, ready to go through strftime once more."""
    month = "LLLL" if standing_alone else "MMMM"  # many languages inflect a month that follows a day
    patterns = {"%A": "EEEE", "%a": "EEE", "%B": month, "%b": month[:3], "%h": month[:3], "%p": "a"}

    def of(directive: str) -> str:
        if directive in patterns:
            text = format_datetime(moment, patterns[directive], locale=locale)
        elif directive == "%x":
            text = format_date(moment, "short", locale=locale)
        elif directive == "%X":
            text = format_time(moment, "medium", locale=locale)
        elif directive == "%c":
            text = format_datetime(moment, "medium", locale=locale)
        else:
            return directive
        return text.replace("%", "%%")

    return of


def _capital(word: str, *, dotted: bool) -> str:
    if not (word.islower() or (word.isupper() and len(word) > 1)):
        return word
    lower = word.replace("İ", "i").replace("I", "ı").lower() if dotted else word.lower()
    prefixed = None if dotted else _PREFIXED.fullmatch(lower)
    if prefixed:
        return prefixed[1].capitalize() + prefixed[2].capitalize()
    return ("İ" if dotted and lower[0] == "i" else lower[0].upper()) + lower[1:]
