"""How a warm-up grows: the ladder of caps a day, and what a day's signals make of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tidings.core.errors import FieldProblem, Invalid
from tidings.delivery.limits import OTHER

GROUPS: Final = ("google", "microsoft", "yahoo", "apple", OTHER)
"""Each has a cap of its own, for each makes up its own mind about a sender; `OTHER` are all the rest together."""
START, GROWTH, TARGET = 50, 1.4, 20_000
"""Of the plan that nobody changed: 19 days to 20,000 a day for each group."""
MOST_GROWTH: Final = 2.0
"""From one day to the next. Some published schedules go up by 2.5 in their first days (docs/how-to/warm-up.md); we stay below."""
_MOST_STEPS: Final = 120
_MOST_CAP: Final = 10_000_000
_USED: Final = 0.5
"""Of a cap, before it says anything: reputation grows by what was sent, not by what would have been allowed."""

# Google asks for less than 0.1 % of complaints and never 0.3 %; unknown users above 2 % look like a bought list to all of them.
_COMPLAINTS_WEAK, _COMPLAINTS_BAD, _COMPLAINTS_LEAST = 0.001, 0.003, 2
_BOUNCES_WEAK, _BOUNCES_BAD, _BOUNCES_LEAST = 0.02, 0.05, 3


class Move(StrEnum):
    """What becomes of a group's cap at the end of a day."""

    GROW = "grow"
    """The next step: the signals were good, and the cap was used."""
    HOLD = "hold"
    """The same again: weak signals, or too little was sent to tell."""
    BACK = "back"
    """A step down: bad signals."""
    WARM = "warm"
    """The last step was good: no cap any more."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Of one group's last 24 hours, in messages; `slowed`: it asked for less mail (4.7.x and the like)."""

    sent: int = 0
    bounced: int = 0
    complained: int = 0
    slowed: bool = False


def ladder(*, start: int | None = None, growth: float | None = None, target: int | None = None) -> tuple[int, ...]:
    """Caps a day from `start`, each `growth` times the one before, to `target`. Raises Invalid naming the field.

    What is None is as in the plan that nobody changed.
    """
    start, growth = START if start is None else start, GROWTH if growth is None else growth
    target = max(TARGET, start) if target is None else target
    problems: list[FieldProblem] = []
    if not 1 <= start <= _MOST_CAP:
        problems.append(FieldProblem("start", f"give a whole number from 1 to {_MOST_CAP:,}"))
    if not 1.05 <= growth <= MOST_GROWTH:
        problems.append(
            FieldProblem("growth", f"give a number from 1.05 to {MOST_GROWTH:g}: no day doubles more than once")
        )
    if not start <= target <= _MOST_CAP:
        problems.append(FieldProblem("target", f"give a whole number from start to {_MOST_CAP:,}"))
    if not problems:
        caps = [start]
        while caps[-1] < target and len(caps) <= _MOST_STEPS:
            caps.append(min(target, max(caps[-1] + 1, int(caps[-1] * growth))))
        if len(caps) <= _MOST_STEPS:
            return tuple(caps)
        problems.append(
            FieldProblem("growth", f"takes more than {_MOST_STEPS} days to the target; start or grow faster")
        )
    raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))


def checked(caps: Sequence[int]) -> tuple[int, ...]:
    """A ladder of somebody's own: growing, at most doubling. Raises Invalid naming the step."""
    if not 1 <= len(caps) <= _MOST_STEPS:
        raise Invalid.at("caps", f"give 1 to {_MOST_STEPS} numbers of messages, one a day")
    before = 0
    for place, cap in enumerate(caps):
        if not before < cap <= _MOST_CAP:
            raise Invalid.at(f"caps[{place}]", f"give more than the day before, at most {_MOST_CAP:,}")
        if before and cap > max(before * MOST_GROWTH, before + 1):
            raise Invalid.at(f"caps[{place}]", f"is more than {MOST_GROWTH:g} times the day before ({before:,})")
        before = cap
    return tuple(caps)


def decide(signals: Signals, *, cap: int, last: bool) -> tuple[Move, str]:
    """What a day under `cap` leads to, and why, for people. `last`: no step is above this one."""
    sent = max(signals.sent, signals.bounced, signals.complained)
    complaints, bounces = (number / sent if sent else 0.0 for number in (signals.complained, signals.bounced))
    if signals.complained >= _COMPLAINTS_LEAST and complaints >= _COMPLAINTS_BAD:
        return Move.BACK, f"{signals.complained} of {sent} complained ({complaints:.2%}; {_COMPLAINTS_BAD:.1%} is bad)"
    if signals.bounced >= _BOUNCES_LEAST and bounces >= _BOUNCES_BAD:
        return Move.BACK, f"{signals.bounced} of {sent} bounced ({bounces:.1%}; {_BOUNCES_BAD:.0%} is bad)"
    if signals.slowed:
        return Move.HOLD, "it asked for less mail"
    if signals.complained >= _COMPLAINTS_LEAST and complaints >= _COMPLAINTS_WEAK:
        return (
            Move.HOLD,
            f"{signals.complained} of {sent} complained ({complaints:.2%}; below {_COMPLAINTS_WEAK:.1%} is good)",
        )
    if signals.bounced >= _BOUNCES_LEAST and bounces >= _BOUNCES_WEAK:
        return Move.HOLD, f"{signals.bounced} of {sent} bounced ({bounces:.1%}; below {_BOUNCES_WEAK:.0%} is good)"
    if signals.sent < cap * _USED:
        return Move.HOLD, f"{signals.sent} of {cap} were sent: too few to tell"
    if last:
        return Move.WARM, f"{signals.sent} were sent, and the signals were good"
    return Move.GROW, f"{signals.sent} were sent, and the signals were good"
