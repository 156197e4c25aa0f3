"""The circuit breaker: what opens it, and how it closes again."""

import itertools
import random

import pytest

from tidings.delivery.worker._breaker import OPENS_AT, Breaker, BreakerState


def _opened(breaker: Breaker, now: float = 0.0) -> None:
    for _ in range(100):
        if breaker.failed("no", now=now):
            return
    raise AssertionError("it never opened")


def test_ten_failures_in_a_row_open_it_and_nine_do_not() -> None:
    breaker = Breaker()
    opened = [breaker.failed("no", now=5.0) for _ in range(OPENS_AT)]
    assert opened == [False] * (OPENS_AT - 1) + [True]
    assert breaker.state is BreakerState.OPEN
    assert 5.0 < breaker.until <= 10.0


@pytest.mark.parametrize(("rate", "opens"), [(0.03, False), (0.2, False), (0.6, True), (0.9, True)])
def test_it_takes_about_half_of_all_to_open_it(rate: float, opens: bool) -> None:
    chance = random.Random(3)
    breaker = Breaker()
    opened = False
    for _ in range(20_000):
        if chance.random() < rate:
            opened = opened or breaker.failed("no", now=0.0)
        else:
            breaker.succeeded()
    assert opened is opens


def test_a_success_on_trial_closes_it_and_a_few_failures_open_it_again() -> None:
    breaker = Breaker()
    _opened(breaker)
    assert breaker.succeeded() is False, "a late answer to what went before the opening"
    breaker.half_open()
    assert breaker.succeeded() is True
    assert breaker.state is BreakerState.CLOSED
    assert [breaker.failed("no", now=0.0) for _ in range(3)] == [False, False, True]


def test_pauses_grow_to_five_minutes_and_are_short_again_after_recovery() -> None:
    breaker = Breaker()
    pauses: list[float] = []
    for _ in range(12):
        _opened(breaker)
        pauses.append(breaker.until)
        breaker.half_open()
    assert pauses[0] <= 5.0
    assert all(later > 1.2 * earlier or later >= 225.0 for earlier, later in itertools.pairwise(pauses))
    assert 225.0 <= pauses[-1] <= 300.0
    breaker.succeeded()
    while breaker.troubled:
        breaker.succeeded()
    _opened(breaker)
    assert breaker.until <= 5.0
