"""What a report of the outside does to a delivery: one table, whatever the order in which reports come.

A delivery ends with the gravest thing that was ever told of it: bounced outweighs failed, failed outweighs delivered. So it
does not matter which comes first, or how often. What only *we* believed gives way to any report: a delivery that we gave up
on, or whose answer we never read, was delivered if its server says so.

| before ↓, told →                    | delivered | failed  | bounced |
|-------------------------------------|-----------|---------|---------|
| pending, sent, deferred, unknown    | delivered | failed  | bounced |
| skipped, cancelled, after an attempt| delivered | failed  | bounced |
| skipped, cancelled, never attempted | –         | –       | –       |
| delivered                           | –         | failed  | bounced |
| failed, as we believed              | delivered | –       | bounced |
| failed, as was told                 | –         | –       | bounced |
| bounced                             | –         | –       | –       |
"""

from typing import NamedTuple

from tidings.delivery.providers import FailureClass, Happening
from tidings.delivery.states import DeliveryState

_S = DeliveryState
_GRAVITY = {_S.DELIVERED: 1, _S.FAILED: 2, _S.BOUNCED: 3}
_NOT_TAKEN = {_S.PENDING, _S.DEFERRED, _S.UNKNOWN, _S.SKIPPED, _S.CANCELLED}
_OURS_TO_BLAME = {FailureClass.BLOCK, FailureClass.POLICY}


class Standing(NamedTuple):
    """Where a delivery stood before: `told` is the gravest that was told of it so far, `in_hand` that a worker has it."""

    state: DeliveryState
    attempts: int
    unknowns: int
    told: DeliveryState | None
    in_hand: bool


class Move(NamedTuple):
    """Where it goes; `taken`: nobody had counted it among those handed over yet."""

    state: DeliveryState
    taken: bool
    possible_duplicate: bool


def told_state(happening: Happening, bounce: FailureClass | None) -> DeliveryState | None:
    """The state that a report asks for; None if it asks for none.

    A bounce because of us (reputation, policy) is a failure, as it is when a server says so at once: another attempt may pass.
    """
    match happening:
        case Happening.DELIVERED:
            return _S.DELIVERED
        case Happening.REJECTED:
            return _S.FAILED
        case Happening.BOUNCED:
            return _S.FAILED if bounce in _OURS_TO_BLAME else _S.BOUNCED
        case _:
            return None


def gravest(states: set[DeliveryState]) -> DeliveryState:
    """Of the states that reports of one delivery ask for: the one that it gets."""
    return max(states, key=_GRAVITY.__getitem__)


def move(before: Standing, told: DeliveryState) -> Move | None:
    """What the table says; None where nothing changes."""
    state = before.state
    if state in {_S.SKIPPED, _S.CANCELLED} and not before.attempts:
        return None
    if state is _S.FAILED and before.told is None and told is _S.DELIVERED:
        return Move(told, True, before.unknowns > 1)
    if state in _GRAVITY and _GRAVITY[told] <= _GRAVITY[state]:
        return None
    # A second copy may be under way, or gone out: the one that was resent because nobody knew of this one.
    twice = before.unknowns > 1 or (state is _S.PENDING and before.unknowns > 0 and before.in_hand)
    taken = state in _NOT_TAKEN or (state is _S.FAILED and before.told is None)
    return Move(told, taken, taken and twice)
