"""Which of a route's providers may take the next message. Providers ask when they have room; here it is decided who may.

Turns are start-time fair queueing (Goyal et al. 1996) with the providers as the flows: each message moves its provider's
turn forward by 1/weight, and who is ahead of the others waits. Only those count that can send and have lately sent, so
that one which is down or slow as a snail holds nobody up; who comes back does not make up for what it missed.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidings.core.clock import steady
from tidings.delivery.ways import Strategy

AWAY_SECONDS = 1.0
"""Who has not taken anything for so long, though there was something, is not waited for."""
_WIDEST = 32.0
_BELIEVED_SECONDS = 0.01
"""Whether somebody can send is asked no more often: of many providers it would cost more than the message."""
_PRECISION = 16.0  # nobody is ahead by more than a sixteenth of what went, nor by more than 32


class Candidate(Protocol):
    """A provider, as far as choosing goes."""

    @property
    def able(self) -> bool:
        """It can send at this moment, as far as is known."""
        ...

    @property
    def load(self) -> float:
        """Messages in flight, relative to its connections."""
        ...

    def wake(self) -> None:
        """There may be something for it."""
        ...


@dataclass(slots=True, eq=False)
class _Member:
    who: Candidate
    weight: float
    tier: int
    before: Sequence["_Member"] = ()
    """All of better tiers."""
    beside: Sequence["_Member"] = ()
    """The others of its tier, if they share by turns."""
    turn: float = 0.0
    limit: float = -1.0
    """Up to which turn it may go before we look again."""
    last: float = 0.0
    waiting: bool = False
    able: bool = False
    able_until: float = -1.0
    """Until when that is believed."""


class Chooser:
    """Of one route in one worker; `members` are (provider, weight, priority)."""

    def __init__(self, strategy: Strategy, members: Iterable[tuple[Candidate, int, int]]) -> None:
        self._strategy = strategy
        equal = strategy is Strategy.ROUND_ROBIN
        ranked = strategy is Strategy.PRIORITY
        all_ = [_Member(who, 1.0 if equal else float(w), p if ranked else 0) for who, w, p in members]
        for one in all_:
            one.before = [other for other in all_ if other.tier < one.tier]
            if strategy is not Strategy.LEAST_LOADED:
                one.beside = [other for other in all_ if other.tier == one.tier and other is not one]
                # Of messages that come one by one, with long pauses between them, not all go to the first.
                one.turn = random.random() / one.weight if one.beside else 0.0  # noqa: S311
        self._members = {one.who: one for one in all_}
        self._heaviest = max((one.weight for one in all_), default=1.0)
        self._sum = sum(one.weight for one in all_)
        self._tiers: dict[int, list[_Member]] = {}
        for one in all_:
            self._tiers.setdefault(one.tier, []).append(one)
        self._lowest: dict[int, float] = {}
        """By tier, the turn of whoever those that wait are waiting for: until one at it takes something, they go on waiting."""
        self._waiting: list[_Member] = []
        self._clock = 0.0
        self._taken = 0

    def may(self, who: Candidate) -> bool:
        """May it take the next one? If not, it is woken when it may."""
        one = self._members.get(who)
        if one is None:
            return False
        if one.before and any(other.who.able for other in one.before):
            one.waiting = True
            return False
        if not one.beside or one.turn <= one.limit:
            return True
        one.limit = self._limit(one, steady())
        if one.turn <= one.limit:
            return True
        if not one.waiting:
            one.waiting = True
            self._waiting.append(one)
        return False

    def took(self, who: Candidate) -> None:
        """It has taken one."""
        one = self._members[who]
        one.waiting = False
        if not one.beside:
            return
        now = steady()
        if now - one.last > AWAY_SECONDS:
            one.turn = max(one.turn, self._clock - self._leeway())
        one.last = now
        before = one.turn
        self._clock = max(self._clock, before)
        one.turn += 1.0 / one.weight
        self._taken += 1
        if self._waiting and before <= self._lowest.get(one.tier, before):
            self._look_again(one.tier, now)

    def wake(self) -> None:
        """There is something to send: those with the most room are asked first."""
        members = list(self._members.values())
        for one in members:
            one.able_until = -1.0  # it is called when one of them fails, too
        if self._strategy is Strategy.LEAST_LOADED:
            random.shuffle(members)
            members.sort(key=lambda one: one.who.load)
        else:
            members.sort(key=lambda one: (one.tier, one.turn))
        for one in members:
            one.who.wake()

    def begin(self) -> None:
        """There was nothing to send for a while, and now there is: nobody counts as away."""
        now = steady()
        for one in self._members.values():
            one.last = now
            one.limit = -1.0

    def look(self) -> None:
        """To be called now and then: whoever waits for one that has gone away waits no longer."""
        for one in self._members.values():
            one.able_until = -1.0
        for one in self._members.values():
            if one.waiting:
                one.who.wake()
        self._waiting = [one for one in self._waiting if one.waiting]

    def _limit(self, one: _Member, now: float) -> float:
        lowest = min((o.turn for o in one.beside if self._counts(o, now)), default=None)
        if lowest is None:
            lowest = one.turn  # alone: it is looked at again after a while, since the others may be back
        self._lowest[one.tier] = lowest
        return lowest + self._leeway()

    def _counts(self, one: _Member, now: float) -> bool:
        """It is waited for."""
        if now - one.last > AWAY_SECONDS:
            return False
        if now > one.able_until:
            one.able, one.able_until = one.who.able, now + _BELIEVED_SECONDS
        return one.able

    def _leeway(self) -> float:
        return min(_WIDEST / self._heaviest, self._taken / self._sum / _PRECISION)

    def _look_again(self, tier: int, now: float) -> None:
        """One of a tier has taken something: those that waited for it may go on."""
        leeway = self._leeway()
        counting = sorted((one for one in self._tiers[tier] if self._counts(one, now)), key=lambda one: one.turn)
        if counting:
            self._lowest[tier] = counting[0].turn
        left: list[_Member] = []
        for one in self._waiting:
            if not one.waiting:
                continue
            if one.tier != tier:
                left.append(one)
                continue
            others = counting[1:2] if counting[:1] == [one] else counting[:1]
            one.limit = (others[0].turn if others else one.turn) + leeway
            if one.turn > one.limit - leeway / 2:  # so that it need not be woken for a single message
                left.append(one)
            else:
                one.waiting = False
                one.who.wake()
        self._waiting = left
