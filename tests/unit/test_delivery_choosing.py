"""Choosing among providers that ask in any order and at any speed: shares with known truth."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.delivery.ways._routes import Strategy
from tidings.delivery.worker import _choosing
from tidings.delivery.worker._choosing import Chooser


class Provider:
    """Asks whenever it is let; remembers that it was woken."""

    def __init__(self, name: str, *, able: bool = True, load: float = 0.0) -> None:
        self.name, self.able, self.load, self.asking = name, able, load, True

    def wake(self) -> None:
        self.asking = True


class Clock:
    """Time, as told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(_choosing, "steady", one)
    return one


def _send(chooser: Chooser, speeds: dict[Provider, float], count: int, *, chance: random.Random) -> Counter[str]:
    """Whoever is asking may ask, as often as its speed says, until `count` messages are gone."""
    got: Counter[str] = Counter()
    rounds = 0
    while got.total() < count:
        rounds += 1
        assert rounds < 100 * count, f"nobody goes on: {got}"
        (one,) = chance.choices(list(speeds), list(speeds.values()))
        if not one.asking or not one.able:
            continue
        if chooser.may(one):
            chooser.took(one)
            got[one.name] += 1
        else:
            one.asking = False  # until it is woken
    return got


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.integers(1, 20), min_size=2, max_size=6),
    speeds=st.lists(st.floats(0.05, 1.0), min_size=6, max_size=6),
    strategy=st.sampled_from([Strategy.WEIGHTED, Strategy.ROUND_ROBIN, Strategy.PRIORITY]),
    seed=st.integers(0, 1000),
)
def test_shares_hold_whatever_the_speeds(
    weights: list[int], speeds: list[float], strategy: Strategy, seed: int
) -> None:
    providers = [Provider(str(n)) for n in range(len(weights))]
    chooser = Chooser(strategy, [(one, weight, 1) for one, weight in zip(providers, weights, strict=True)])
    chooser.begin()
    count = 1500
    got = _send(chooser, dict(zip(providers, speeds, strict=False)), count, chance=random.Random(seed))
    expected = [1] * len(weights) if strategy is Strategy.ROUND_ROBIN else weights
    for one, weight in zip(providers, expected, strict=True):
        share = count * weight / sum(expected)
        # Nobody is ahead of anybody by more than 32 messages of the heaviest, or than a sixteenth.
        leeway = min(32 / max(expected), count / sum(expected) / 16) * weight
        assert abs(got[one.name] - share) <= leeway + weight + 1, (got, expected)


def test_few_messages_are_shared_strictly() -> None:
    for seed in range(200):  # who begins, and by how much, is chance
        a, b = Provider("a"), Provider("b")
        chooser = Chooser(Strategy.ROUND_ROBIN, [(a, 1, 1), (b, 1, 1)])
        chooser.begin()
        got = _send(chooser, {a: 1.0, b: 0.1}, 10, chance=random.Random(seed))
        assert abs(got["a"] - got["b"]) <= 2, got


def test_the_first_in_rank_that_can_send_has_it_all() -> None:
    first, second, third = Provider("1"), Provider("2"), Provider("3")
    chooser = Chooser(Strategy.PRIORITY, [(third, 1, 9), (first, 1, 1), (second, 1, 5)])
    speeds = {first: 1.0, second: 1.0, third: 1.0}
    chance = random.Random(1)
    assert _send(chooser, speeds, 50, chance=chance) == {"1": 50}
    first.able = False
    chooser.look()
    assert _send(chooser, speeds, 50, chance=chance) == {"2": 50}
    second.able = False
    chooser.look()
    assert _send(chooser, speeds, 50, chance=chance) == {"3": 50}
    first.able = True
    assert chooser.may(third) is False
    assert _send(chooser, speeds, 50, chance=chance) == {"1": 50}


def test_who_is_away_holds_nobody_up_and_does_not_catch_up(clock: Clock) -> None:
    a, b = Provider("a"), Provider("b")
    chooser = Chooser(Strategy.ROUND_ROBIN, [(a, 1, 1), (b, 1, 1)])
    chooser.begin()
    chance = random.Random(1)
    both = {a: 1.0, b: 1.0}
    _send(chooser, both, 1000, chance=chance)
    b.able = False
    chooser.look()
    assert _send(chooser, both, 1000, chance=chance) == {"a": 1000}
    b.able = True
    clock.now += 5
    chooser.wake()
    got = _send(chooser, both, 400, chance=chance)
    assert abs(got["a"] - got["b"]) <= 80, got


def test_who_takes_nothing_for_a_second_is_not_waited_for(clock: Clock) -> None:
    a, snail = Provider("a"), Provider("snail")
    chooser = Chooser(Strategy.WEIGHTED, [(a, 1, 1), (snail, 100, 1)])
    chooser.begin()
    while chooser.may(a):
        chooser.took(a)
    clock.now += _choosing.AWAY_SECONDS + 0.1
    chooser.look()
    assert chooser.may(a)


def test_with_many_providers_they_are_not_asked_for_every_message(clock: Clock) -> None:
    asked = 0

    class Counting(Provider):
        @property
        def able(self) -> bool:
            nonlocal asked
            asked += 1
            return True

        @able.setter
        def able(self, _: bool) -> None: ...

    providers = [Counting(str(n)) for n in range(20)]
    chooser = Chooser(Strategy.ROUND_ROBIN, [(one, 1, 1) for one in providers])
    chooser.begin()
    chance, got = random.Random(1), 0
    before = asked
    while got < 4000:
        one = chance.choice(providers)
        if one.asking and chooser.may(one):
            clock.now += 0.0002
            chooser.took(one)
            got += 1
        else:
            one.asking = False
    assert asked - before < got / 2  # each of twenty a hundred times a second, five thousand messages a second


def test_the_freest_is_asked_first() -> None:
    asked: list[str] = []

    class Noting(Provider):
        def wake(self) -> None:
            asked.append(self.name)

    chooser = Chooser(Strategy.LEAST_LOADED, [(Noting("full", load=0.9), 1, 1), (Noting("free", load=0.1), 1, 1)])
    chooser.wake()
    assert asked == ["free", "full"]
