"""What may go through a provider in a period: altogether, and to each mailbox provider. Settings, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tidings.core.errors import FieldProblem, Invalid
from tidings.delivery.limits._mailbox_providers import NAMES, OTHER

MINUTE, HOUR, DAY = 60, 3600, 86400
PERIODS: dict[str, int] = {"per_minute": MINUTE, "per_hour": HOUR, "per_day": DAY}
"""Limits that count, and the seconds in which. `per_second` is a pace instead: it spreads evenly."""
_MOST = 1e9  # a second: 1e6


@dataclass(frozen=True, slots=True)
class Limit:
    """Messages at most in any second, minute, hour and day, each sliding; None: no such limit."""

    per_second: float | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None

    @property
    def some(self) -> bool:
        """It limits something."""
        return any(most is not None for most in (self.per_second, self.per_minute, self.per_hour, self.per_day))

    @property
    def smallest(self) -> float:
        """Of its numbers; infinity without any."""
        mosts = (self.per_second, self.per_minute, self.per_hour, self.per_day)
        return min((most for most in mosts if most is not None), default=float("inf"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one provider: `whole`, and by mailbox provider. `OTHER` is for each domain that belongs to none of them, by itself."""

    whole: Limit = field(default_factory=Limit)
    groups: Mapping[str, Limit] = field(default_factory=dict[str, Limit])

    @property
    def some(self) -> bool:
        """It limits something."""
        return self.whole.some or bool(self.groups)

    def of(self, group: str, domain: str) -> tuple[str, Limit] | None:
        """The scope and limit for mail to a domain that belongs to a group ('' : none); None when nothing limits it."""
        for name, scope in ((domain, domain), (group, group), (OTHER, group or domain)):
            if name and (limit := self.groups.get(name)) is not None:
                return scope, limit
        return None


def limits_of(config: Mapping[str, Any]) -> Limits:
    """The limits in a provider's settings (`rate_per_…`, `limits`). Raises Invalid naming the field."""
    problems: list[FieldProblem] = []
    whole = _limit({name.removeprefix("rate_"): config.get(name) for name in RATES}, "rate_", problems)
    groups: dict[str, Limit] = {}
    told = CAREFUL if config.get("limits") == "careful" else config.get("limits")
    if isinstance(told, Mapping):
        for name, limit in cast("Mapping[object, object]", told).items():
            at = f"limits.{name}"
            if not isinstance(name, str) or not (name in {*NAMES, OTHER} or "." in name) or name != name.lower():
                known = ", ".join((*NAMES, OTHER))
                problems.append(FieldProblem(at, f"name a mailbox provider ({known}) or a domain in lower case"))
            elif not isinstance(limit, Mapping) or not limit:
                problems.append(FieldProblem(at, "give an object with one or more of " + ", ".join(_NAMES)))
            else:
                groups[name] = _limit(cast("Mapping[str, object]", limit), f"{at}.", problems)
    elif told is not None:
        problems.append(FieldProblem("limits", 'give "careful", or an object: a mailbox provider, and what it may get'))
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))
    return Limits(whole, groups)


CAREFUL: Mapping[str, Mapping[str, int]] = {
    "google": {"per_second": 20, "per_hour": 20_000},
    "microsoft": {"per_second": 10, "per_hour": 10_000},
    "yahoo": {"per_second": 10, "per_hour": 10_000},
    "apple": {"per_second": 5, "per_hour": 5_000},
    "comcast": {"per_second": 5, "per_hour": 5_000},
    "orange": {"per_second": 1, "per_hour": 1_000},
    OTHER: {"per_second": 5, "per_hour": 5_000},
}
"""`limits: "careful"`. No mailbox provider publishes a rate. These are ours, in the proportions of the connections and messages a
connection that operators of large senders use (KumoMTA's policy-extras, shaping.toml: Google and Microsoft 5 with 50 messages,
Yahoo 20 messages, Apple 10 with 5, Comcast 25 with 1000, Orange 2 with 100), for an address with a fair reputation."""

_NAMES = ("per_second", *PERIODS)
RATES = tuple(f"rate_{name}" for name in _NAMES)
"""The settings that limit the whole provider."""
SETTINGS = (*RATES, "limits")
"""All settings that are read here."""


def _limit(told: Mapping[str, object], prefix: str, problems: list[FieldProblem]) -> Limit:
    kept: dict[str, Any] = {}
    for name, most in told.items():
        if name not in _NAMES:
            problems.append(FieldProblem(prefix + str(name), "is none of " + ", ".join(_NAMES)))
        elif most is None:
            continue
        elif isinstance(most, bool) or not isinstance(most, int | float) or not 0 < most <= _MOST:
            problems.append(FieldProblem(prefix + name, f"give a number above 0, at most {_MOST:,.0f}"))
        elif name in PERIODS and most != int(most):
            problems.append(FieldProblem(prefix + name, "give a whole number"))
        else:
            kept[name] = float(most) if name == "per_second" else int(most)
    return Limit(**kept)
