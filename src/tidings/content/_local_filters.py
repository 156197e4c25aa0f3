"""python-liquid's filters for amounts, dates and units as a place has them; what they write comes from CLDR, through Babel.

They take the place from variables: `locale`, `timezone`, `currency_code` and others, which a template assigns or a contact
has as attributes. `{% assign locale = language %}` is a contact's own. A language or zone that is empty or that nobody
knows is what python-liquid takes where it is told none.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberFormatError, parse_decimal
from liquid import RenderContext
from liquid.exceptions import FilterValueError, LiquidError
from liquid.extra import Currency, DateTime, Number, Unit, script_tag, stylesheet_tag
from liquid.extra.filters.babel import _resolve_locale
from liquid.undefined import UNDEFINED

_LONGEST = 200
"""Characters of a date, of a form, of a setting."""
_MOST_DIGITS = 400
"""Of an amount before or after its point: of `1e999999999` everything would be written out."""
_ENGLISH = Locale("en", "US")
_LOCALES = frozenset({"locale", "input_locale"})
_FAILS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, OSError)
"""What Babel and dateutil raise of values that nobody thought of."""


class _Settings:
    """A render context of which only settings are asked."""

    def __init__(self, context: RenderContext) -> None:
        self._context = context

    def resolve(self, name: str, *, default: object = UNDEFINED) -> object:
        """The setting, or what stands for one that is not there."""
        value = self._context.resolve(name, default=default)
        if not isinstance(value, str):
            return value
        if len(value) > _LONGEST:
            raise FilterValueError(f"{name} may be {_LONGEST} characters at most", token=None)
        if not value.strip() or (name in _LOCALES and not (value := _known(value))):
            return self._context.env.undefined(name, token=None) if default is UNDEFINED else default
        return value


def _known(tag: str) -> str:
    """A language's name as Babel wants it: de_AT of de-AT; nothing of what is no name."""
    for name in (tag, tag.strip().replace("-", "_"), re.split(r"[-_]", tag.strip())[0]):
        try:
            Locale.parse(name)
        except UnknownLocaleError:
            if name is tag and "-" not in tag:
                return ""
        except ValueError:
            continue
        else:
            return name
    return ""


def _local(name: str, made: Callable[..., str], *, amounts: bool = True) -> Callable[..., str]:
    def local(left: object, *args: object, context: RenderContext, **kwargs: object) -> str:
        settings = _Settings(context)
        try:
            for value in (*args, *kwargs.values(), None if amounts else left):
                if isinstance(value, str) and len(value) > _LONGEST:
                    raise ValueError(f"'{value[:40]}…' has more than {_LONGEST} characters")
            left = _amount(left, settings) if amounts else left
            if "denominator" in kwargs:
                kwargs["denominator"] = _amount(kwargs["denominator"], settings)
            return made(left, *args, context=settings, **kwargs)
        except (*_FAILS, LiquidError) as error:
            message = error.message if isinstance(error, LiquidError) else error
            raise FilterValueError(f"{name}: {str(message)[:200]}", token=None) from error

    local.with_context = True  # type: ignore[attr-defined]
    local.__wrapped__ = made  # type: ignore[attr-defined]
    return local


def _amount(value: object, settings: _Settings) -> object:
    """A text as the number that it is, unless writing it out would take for ever. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        number = parse_decimal(value, _resolve_locale(cast("Any", settings), "input_locale", _ENGLISH))
    except NumberFormatError:
        return value
    if number.is_finite() and abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"'{value[:40]}' is too large or too small")
    return number


LOCAL: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "currency": _local("currency", Currency()),
        "money_with_currency": _local("money_with_currency", Currency(default_format="¤#,##0.00 ¤¤")),
        "money_without_currency": _local("money_without_currency", Currency(default_format="#,##0.00")),
        "money_without_trailing_zeros": _local(
            "money_without_trailing_zeros", Currency(default_format="¤#,###", currency_digits=False)
        ),
        "datetime": _local("datetime", DateTime(), amounts=False),
        "decimal": _local("decimal", Number()),
        "unit": _local("unit", Unit()),
        "script_tag": script_tag,
        "stylesheet_tag": stylesheet_tag,
    }
)
"""By the names that templates use."""
