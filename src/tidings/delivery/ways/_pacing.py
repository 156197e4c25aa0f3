"""How a provider is tried again: settings that every kind of provider shares."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tidings.core.errors import FieldProblem, Invalid
from tidings.delivery.limits import SETTINGS, limits_of
from tidings.delivery.providers import check_config


@dataclass(frozen=True, slots=True)
class Pacing:
    """The worker's part of a provider's settings. Of RFC 5321 §4.5.4.1: at least 30 minutes between attempts is advice
    for a server that gave no reply; greylisting ones expect us back within minutes, so the first wait is short, and doubles.
    """

    retry_first_seconds: float = 300.0
    """The wait before the first retry of a deferred recipient; it doubles from there, up to four hours."""
    give_up_seconds: float = 72 * 3600.0
    """After this long a deferred recipient has failed. RFC 5321 §4.5.4.1 says 4 to 5 days at least, of a server that relays for
    others; a campaign that is three days late is news no more, and the server behind us goes on trying by itself."""

    def __post_init__(self) -> None:
        problems = [
            FieldProblem(name, f"give a number above 0, at most {most:,.0f}")
            for name, most in (
                ("retry_first_seconds", 14_400.0),
                ("give_up_seconds", 30 * 86400.0),
            )
            if not _fits(getattr(self, name), most)
        ]
        if problems:
            raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))


def split(config: Mapping[str, Any]) -> tuple[Pacing, dict[str, Any]]:
    """The pacing in a provider's settings, and the rest, which is the provider's own: without limits (see `limits_of`).

    Raises Invalid naming the field.
    """
    names = {field.name for field in fields(Pacing)}
    pacing = Pacing(**{name: value for name, value in config.items() if name in names})
    return pacing, {name: value for name, value in config.items() if name not in names and name not in SETTINGS}


def check_settings(kind: str, config: Mapping[str, Any], secret: Mapping[str, Any]) -> None:
    """Raise Invalid, naming the field, unless a provider can be opened with these settings."""
    _, own = split(config)
    limits_of(config)
    check_config(kind, own, secret)


def _fits(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most
