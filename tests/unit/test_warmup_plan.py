"""The ladder of a warm-up, and what a day's signals make of a cap."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.core.errors import Invalid
from tidings.delivery.quotas._warmup_plan import Move, Signals, checked, decide, ladder

GOOD = Signals(sent=1000)


def test_the_plan_that_nobody_changed() -> None:
    caps = ladder()
    assert (caps[0], caps[-1], len(caps)) == (50, 20_000, 19)


@given(st.integers(1, 10_000), st.floats(1.05, 2), st.integers(1, 10_000_000))
def test_a_ladder_grows_from_start_to_target_and_never_more_than_doubles(
    start: int, growth: float, target: int
) -> None:
    if target < start:
        with pytest.raises(Invalid, match="target"):
            ladder(start=start, growth=growth, target=target)
        return
    days = math.log(target / start, growth)
    try:
        caps = ladder(start=start, growth=growth, target=target)
    except Invalid:
        # Whole numbers lose a part of the growth, the more the smaller they are.
        assert start < 40 or days >= 60
        return
    assert (caps[0], caps[-1]) == (start, target)
    assert len(caps) <= 120
    assert checked(caps) == caps
    assert start < 40 or len(caps) >= days


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ({"start": 0}, "start"),
        ({"growth": 3.0}, "growth"),
        ({"growth": 1.0}, "growth"),
        ({"start": 100, "target": 99}, "target"),
        ({"start": 1, "growth": 1.05, "target": 10_000_000}, "growth"),
    ],
)
def test_what_is_wrong_with_a_ladder_is_named(told: dict[str, float], at: str) -> None:
    with pytest.raises(Invalid) as refused:
        ladder(**told)  # pyright: ignore[reportArgumentType]
    assert [problem.field for problem in refused.value.fields] == [at]


@pytest.mark.parametrize(
    ("caps", "at"),
    [([], "caps"), ([0], "caps[0]"), ([50, 50], "caps[1]"), ([50, 90, 200], "caps[2]"), ([10] * 121, "caps")],
)
def test_what_is_wrong_with_steps_of_ones_own_is_named(caps: list[int], at: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(caps)
    assert [problem.field for problem in refused.value.fields] == [at]


@pytest.mark.parametrize(
    ("signals", "move"),
    [
        (GOOD, Move.GROW),
        (Signals(sent=500), Move.GROW),
        (Signals(sent=499), Move.HOLD),
        (Signals(), Move.HOLD),
        (Signals(sent=1000, bounced=19), Move.GROW),
        (Signals(sent=1000, bounced=20), Move.HOLD),
        (Signals(sent=1000, bounced=50), Move.BACK),
        (Signals(sent=1000, complained=1), Move.GROW),
        (Signals(sent=1000, complained=2), Move.HOLD),
        (Signals(sent=1000, complained=3), Move.BACK),
        (Signals(sent=1000, slowed=True), Move.HOLD),
        (Signals(sent=1000, bounced=60, slowed=True), Move.BACK),
        (Signals(sent=20, bounced=2), Move.HOLD),  # too few to call it bad, too little used to call it good
        (Signals(sent=20, bounced=3), Move.BACK),
        (Signals(sent=0, complained=5), Move.BACK),  # late complaints about yesterday's mail
    ],
)
def test_a_day_is_judged(signals: Signals, move: Move) -> None:
    assert decide(signals, cap=1000, last=False)[0] is move
    assert decide(signals, cap=1000, last=True)[0] is (Move.WARM if move is Move.GROW else move)
