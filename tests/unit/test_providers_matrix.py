"""The table of capabilities in the documentation is what the settings really have."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tidings.core.errors import Invalid
from tidings.delivery.limits import SETTINGS
from tidings.delivery.providers import EVERY_KIND, capabilities, check_config
from tidings.delivery.providers._mailgun import MailgunConfig
from tidings.delivery.providers._sendgrid import SendgridConfig
from tidings.delivery.providers._ses import SesConfig
from tidings.delivery.ways._pacing import Pacing

PAGE = (Path(__file__).parents[2] / "docs/reference/http-providers.md").read_text(encoding="utf-8")
KINDS: dict[str, type[Any]] = {"ses": SesConfig, "sendgrid": SendgridConfig, "mailgun": MailgunConfig}


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_says_what_the_matrix_says(kind: str) -> None:
    told = capabilities()[kind]
    assert {*told.settings, *told.secrets} == {item.name for item in dataclasses.fields(KINDS[kind])}
    cells = re.search(r"^\| largest message \|(.*)\|$", PAGE, re.MULTILINE)
    assert cells is not None
    sizes = dict(zip(KINDS, (cell.strip() for cell in cells[1].split("|")), strict=True))
    assert told.largest == int(sizes[kind].removesuffix(" MB")) * 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_and_no_other_is_in_the_matrix(kind: str) -> None:
    part = PAGE.partition("## Which kind has what")[2].partition("## What happens")[0]
    told: set[str] = set()
    for row in re.findall(r"^\| `.*", part, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if cells[1].strip("`") not in KINDS and cells[1 + list(KINDS).index(kind)] != "–":
            told |= set(re.findall(r"`(\w+)`", cells[0]))
    assert told == {item.name for item in dataclasses.fields(KINDS[kind])}


def test_settings_of_every_kind_are_named_wherever_settings_are() -> None:
    assert set(EVERY_KIND) == {*SETTINGS, *(item.name for item in dataclasses.fields(Pacing))}
    assert not [name for name in EVERY_KIND if f"`{name}`" not in PAGE]
    for kind in ("smtp", "ses", "sendgrid", "mailgun", "sandbox"):
        with pytest.raises(Invalid) as told:
            check_config(kind, {"rate_per_sec": 5}, {})
        assert set(EVERY_KIND) <= set(re.findall(r"\w+", str(told.value))), kind
