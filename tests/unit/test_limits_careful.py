"""The preset for people who have not thought about limits, and limits on the command line."""

import pytest
import typer

from tidings.cli._ways import _limits
from tidings.core.errors import Invalid
from tidings.delivery.limits._limits import CAREFUL, limits_of


def test_the_preset_is_made_of_limits_that_the_settings_take() -> None:
    careful = limits_of({"limits": "careful"})
    assert careful == limits_of({"limits": CAREFUL})
    found = careful.of("google", "gmail.com")
    assert found is not None
    assert (found[0], found[1].per_second, found[1].per_hour) == ("google", 20, 20_000)
    found = careful.of("", "shop.example")
    assert found is not None
    assert (found[0], found[1].per_second) == ("shop.example", 5)
    with pytest.raises(Invalid, match='"careful"'):
        limits_of({"limits": "bold"})


def test_options_become_the_setting() -> None:
    assert _limits(["careful"]) == "careful"
    given = ["google:per_minute=600", "google:per_day=5000", "united internet:per_second=0.5"]
    expected = {"google": {"per_minute": 600, "per_day": 5000}, "united internet": {"per_second": 0.5}}
    assert _limits(given) == expected
    for wrong in ("google", "google:per_minute", "google:per_minute=0", "per_minute=5", "google:per_minute=x"):
        with pytest.raises(typer.BadParameter):
            _limits([wrong])
