# ruff: noqa: BLE001, E501 - whatever one of the two raises, the other must raise something
"""Every tag and filter of python-liquid with random values: the same output as python-liquid's, or both refuse."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liquid import DictLoader, Environment, FalsyStrictUndefined, Undefined
from liquid.extra import SnippetTag

from liquid_grammar import FORMS, KNOWN, LITERALS, NUMBERS, TEXTS, Grammar, arguments_of
from tidings.content import RenderError, TemplateInvalid, render_liquid

FAILED = "(failed)"
KINDER = (
    *("| t", "gettext", "translate", "currency", "money_with", "decimal", "datetime", "unit"),
)  # fmt: skip
"""Where python-liquid fails of a percent sign in a message, or of `de-AT`, ours need not."""
SEEDS = st.integers(0, 2**60)


def ours(source: str, given: Mapping[str, Any], parts: Mapping[str, str], *, html: bool, strict: bool) -> str:
    """By the compiled path."""
    try:
        return render_liquid(source, data=given, blocks=parts, html=html, strict=strict)
    except (TemplateInvalid, RenderError):
        return FAILED


def theirs(source: str, given: Mapping[str, Any], parts: Mapping[str, str], *, html: bool, strict: bool) -> str:
    """By python-liquid as it comes."""
    undefined = FalsyStrictUndefined if strict else Undefined
    try:
        environment = Environment(autoescape=html, undefined=undefined, loader=DictLoader(dict(parts)), extra=True)
        environment.add_tag(SnippetTag)
        return environment.from_string(source).render(**given)
    except Exception:
        return FAILED


def check(source: str, given: Mapping[str, Any], parts: Mapping[str, str], *, html: bool, strict: bool) -> str:
    """Both the same."""
    expected = theirs(source, given, parts, html=html, strict=strict)
    if expected == FAILED and any(name in text for text in (source, *parts.values()) for name in KINDER):
        return expected
    assert ours(source, given, parts, html=html, strict=strict) == expected, (source, given, parts, html, strict)
    return expected


def check_seed(seed: int) -> str:
    """A whole template, with blocks."""
    random = Random(seed)
    make = Grammar(random)
    return check(make.template(), make.data(), make.blocks(), html=random.random() < 0.5, strict=random.random() < 0.2)


def check_layouts(seed: int) -> str:
    """A template that extends one or two others, with slots in slots, loops and conditions."""
    random = Random(seed)
    make = Grammar(random, careless=0.01)
    base = "".join(random.choice((make.slot(1), make.template(1, 2), make.loop(1))) for _ in range(3))
    wrap = random.choice(("{}", "{{% for x in items %}}{}{{% endfor %}}", "{{% with a: x %}}{}{{% endwith %}}"))
    blocks = make.blocks() | {"p": wrap.format(base)}
    blocks["row"] = f"{make.template(1, 1)}{{% extends 'p' %}}{make.slot(1)}"
    source = f"{make.template(1, 2)}{{% extends '{random.choice(('p', 'row'))}' %}}{make.slot(1)}{make.template(1, 1)}"
    return check(source, make.data(), blocks, html=random.random() < 0.5, strict=random.random() < 0.2)


def check_filters(seed: int) -> str:
    """Few filters in a row, in an output, a condition's body or an assignment: nothing else that could fail first."""
    random = Random(seed)
    make = Grammar(random, careless=0.1)
    form = random.choice(
        ("{{{{ {} }}}}", "{{% assign z = {} %}}{{{{ z }}}}", "{{% for i in (1..2) %}}{{{{ {} }}}}{{% endfor %}}")
    )
    return check(
        form.format(make.expression()), make.data(), {}, html=random.random() < 0.5, strict=random.random() < 0.2
    )


SCRAPS = (
    "{{", "}}", "{%", "%}", "{%-", "-%}", "{{-", "-}}", "{% raw %}", "{% endraw %}", "{% comment %}", "{% endcomment %}", "{% doc %}", "{% enddoc %}",
    "{% # x %}", "{% if a %}", "{% endif %}", "{% assign x = '%}' %}", "{{ '}}' }}", "raw", "endraw", "doc", "comment", "endcomment", "if", "endif", "in",
    "for", "else", "case", "when", "liquid", "a", "x", "1", "|", ":", ",", "'", '"', "(", ")", "..", "[", "]", ".", "=", "<", "#", " ", "\n", "{", "}", "%",
)  # fmt: skip
"""What is left of Liquid when it is broken."""


def check_scraps(seed: int) -> str:
    """What python-liquid takes is taken, and nothing else; comments may hold what is broken."""
    random = Random(seed)
    source = "".join(random.choice(SCRAPS) for _ in range(random.randrange(12)))
    if random.random() < 0.3:
        source = f"{{% comment %}}{source}{{% endcomment %}}"
    return check(source, {"a": [1]}, {}, html=False, strict=False)


def test_every_tag_has_a_form() -> None:
    assert set(KNOWN.tags) | {"raw"} == set(FORMS)


@pytest.mark.parametrize("name", sorted(KNOWN.filters))
def test_every_filter_with_every_kind_of_value(name: str) -> None:
    random = Random(name)
    make = Grammar(random)
    needed, most, _ = arguments_of(KNOWN.filters[name])
    came_out = 0
    for value in (*TEXTS, *NUMBERS, *(make.value() for _ in range(40)), None, True, [], {}):
        given = make.data() | {"v": value, "w": random.choice((make.value(), random.choice(TEXTS), [value, 1]))}
        count = random.randint(needed, most)
        told = ", ".join(random.choice(("w", "w", make.operand(), random.choice(LITERALS))) for _ in range(count))
        told = "'length-meter'" if name == "unit" and random.random() < 0.5 else told
        source = f"{{{{ v | {name}{': ' if told else ''}{told} }}}}"
        came_out += check(source, given, {}, html=random.random() < 0.5, strict=False) != FAILED
    assert came_out > 5, "nearly all was refused: the values do not fit this filter"


@settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_everything_at_random(seed: int) -> None:
    check_seed(seed)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_layouts_at_random(seed: int) -> None:
    check_layouts(seed)


@settings(max_examples=1200, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_filters_at_random(seed: int) -> None:
    check_filters(seed)


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_scraps_at_random(seed: int) -> None:
    check_scraps(seed)


@pytest.mark.soak
def test_everything_at_random_at_length() -> None:
    for seed in range(300_000):
        check_seed(seed)
        check_filters(seed)
        check_layouts(seed)
        check_scraps(seed)
