"""So many tries a minute for each address."""

import pytest

from tidings.api import _allowance
from tidings.api._allowance import Allowance
from tidings.core.errors import RateLimited


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(_allowance.time, "monotonic", lambda: at[0])
    return at


def tries(allowance: Allowance, address: str = "192.0.2.1") -> int:
    """How many it has left; they are spent by that."""
    done = 0
    while True:
        try:
            allowance.spend(address)
        except RateLimited:
            return done
        done += 1


def test_a_minute_has_so_many_and_they_come_back_one_by_one(clock: list[float]) -> None:
    allowance = Allowance(per_minute=6, told="too many")
    allowance.require("192.0.2.1")
    assert tries(allowance) == 6
    clock[0] += 4
    with pytest.raises(RateLimited) as raised:
        allowance.require("192.0.2.1")
    assert raised.value.retry_after_seconds == pytest.approx(6.0)
    clock[0] += 6.1
    assert tries(allowance) == 1
    clock[0] += 3600
    assert tries(allowance) == 6


def test_each_address_has_its_own_and_a_network_of_ipv6_is_one(clock: list[float]) -> None:
    allowance = Allowance(per_minute=3, told="too many")
    assert [tries(allowance, a) for a in ("192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1", "")] == [
        3
    ] * 5
    assert [tries(allowance, a) for a in ("::ffff:192.0.2.1", "2001:db8:0:1:ffff::2", "")] == [0] * 3
    assert clock


def test_it_forgets_the_longest_unheard_of(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_allowance, "_CAPACITY", 2)
    allowance = Allowance(per_minute=2, told="too many")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        clock[0] += 0.001
        allowance.spend(address)
    assert list(allowance._left) == ["192.0.2.1", "192.0.2.3"]
