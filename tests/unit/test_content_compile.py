# ruff: noqa: BLE001, E501 - whatever one of the two raises, the other must raise something; templates are not broken
"""The compiler against python-liquid itself, as an independent oracle: the same text for the same values, or both refuse."""

from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liquid import Environment
from liquid.exceptions import LiquidError

from liquid_examples import contacts, templates
from tidings.content import PLAIN, Occasion, RecipientUrls, TemplateInvalid, compile_liquid, read_attributes
from tidings.content._context import full_context
from tidings.content._limits import MAX_OUTPUT

OCCASION = Occasion(
    campaign_id=456,
    campaign_name="June <1>",
    workspace_name="Acme & Sons",
    postal_address="",
    urls=RecipientUrls("https://t.example", lambda token, url: f"x?u={url}&s={token}"),
)
ATTRIBUTES = """{"plan": "pro", "n": 3, "items": [1, 2, 3], "html": "<i>",
    "mixed": [{"a": "<1>"}, {"a": {"b": 2}, "b": ""}, {}, "<i>", 7, null, true, [{"a": false}, {"a": 0}]]}"""
ROW = (1, 789, "ada@example.com", "Ada", "", "", "en", "", ["vip"], ATTRIBUTES,
       datetime(2026, 1, 1, tzinfo=UTC), None, 0)  # fmt: skip
ORACLES = {html: Environment(autoescape=html) for html in (True, False)}
FAILED = "(failed)"


def ours(source: str, row: tuple[Any, ...], *, html: bool) -> str:
    """Rendered by the generated function."""
    try:
        compiled = compile_liquid(source, html=html, occasion=OCCASION)
        attributes = read_attributes(row[9]) if compiled.needs_attributes else {}
        return "".join(compiled.render(row, "TOKEN", "TOKEN", attributes, "Sub & ject"))
    except Exception:
        return FAILED


def theirs(source: str, row: tuple[Any, ...], *, html: bool) -> str:
    """Rendered by python-liquid."""
    try:
        context = full_context(row, "TOKEN", read_attributes(row[9]), "Sub & ject", OCCASION)
        return ORACLES[html].from_string(source).render(context)
    except Exception:
        return FAILED


def check(source: str, row: tuple[Any, ...], html: bool) -> None:
    """Both the same."""
    assert ours(source, row, html=html) == theirs(source, row, html=html)


EXAMPLES = (
    "{% ifchanged %}a\r\nb{{ partial }}{% endifchanged %}",
    "{{% if plan %}a{{{% endif %}",
    "{% if first_name %}a{% else %}b{% endif %}{% if last_name %}a{% else %}b{% endif %}{% if last_name == blank %}c{% endif %}",
    "{% for i in items %}{% for j in items limit: 1 %}{{ forloop.parentloop.index }}{{ i }}{% endfor %}{% cycle 'a', 'b' %}{% endfor %}",
    "{% if true %} {% assign x = 1 %} {% endif %}[{{ x }}]{% if false %} {% elsif true %} {% endif %}",
    "{% case plan %}{% when 'pro', 'pro' %}twice{% when 'x' %}{% else %}never{% endcase %}",
    "{% assign email = 'mine' %}{{ email }}{{ contact.email }}{{ partial }}",
    "{{ first_name | default: '<b>' }}{{ last_name | default: '<b>' }}{{ last_name | default: 'plain' | upcase }}",
    "{% increment n %}{{ n }}{% decrement n %}{{ n }}",
    "{% for i in items limit: 1 %}{% endfor %}{% for i in items offset: continue %}{{ i }}{% endfor %}",
    "{% break %}",
    "{% for i in items %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{{ workspace.name }}{{ workspace.postal_address | default: 'none' }}{{ campaign.nope.deeper }}{{ contact }}",
    "{% capture x %}<i>{{ workspace.name }}</i>{% endcapture %}{{ x }}{{ x | upcase }}",
    "{{ 'a' | append: '<' }}{{ html | safe }}{{ '<' | escape }}",
    "{% liquid\n assign x = plan\n if x\n echo x\n endif %}",
    "{{ first_name.size }}{{ tags | join: ',' }}{{ contact.tags.first }}{{ contact['plan'] }}{{ contact.size }}",
    "{% ifchanged %}{{ plan }}{% endifchanged %}{% ifchanged %}{{ plan }}{% endifchanged %}",
    "{{ html }}{{ html | safe }}{{ html }}{% for i in mixed %}{{ i }}{% endfor %}{{ html | safe }}",
    "{% for i in mixed %}[{{ i.a }}{{ i.b }}{{ i.a.b }}{{ i.size }}{% if i.a %}a{% elsif i.b %}<b>{% else %}-{% endif %}]{% endfor %}",
    "{% for i in mixed reversed %}{% for j in i %}{{ j.a }}{{ i.a }}{% if i %}+{% endif %}{% unless j.a %}-{% endunless %}{% endfor %}{% endfor %}",
    "{% for i in mixed %}{% assign i = plan %}{{ i.a }}{{ i }}{% for i in mixed %}{{ i.a }}{% endfor %}{{ i.a }}{% endfor %}",
    "{% if plan == 'x' %}a{% elsif n > 2 %}{% comment %}!{% endcomment %}&{{% endif %}{% if n %} {% endif %}{% unless n %}a{% else %}b{% endunless %}",
)


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize("source", EXAMPLES)
def test_examples(source: str, html: bool) -> None:
    expected = theirs(source, ROW, html=html)
    assert (expected == FAILED) == (source == "{% break %}"), "the example itself is broken"
    assert ours(source, ROW, html=html) == expected


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=templates, row=contacts(), html=st.booleans())
def test_random_templates(source: str, row: tuple[Any, ...], html: bool) -> None:
    check(source, row, html)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=templates, row=contacts(), html=st.booleans())
def test_random_templates_at_length(source: str, row: tuple[Any, ...], html: bool) -> None:
    check(source, row, html)


def test_most_of_what_people_write_is_compiled() -> None:
    """A fallback would give the right text a hundred times slower: this says when the compiler stops knowing something."""
    for source in EXAMPLES:
        python = compile_liquid(source, html=True, occasion=OCCASION).python
        known = not any(word in source for word in ("cycle", "increment", "continue", "ifchanged", "{% break %}"))
        assert not known or ("fallback" not in python and python), source


def test_known_conditions_cost_nothing() -> None:
    python = compile_liquid("{% if workspace.postal_address %}a{% else %}b{% endif %}", occasion=OCCASION).python
    assert "if" not in python


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a\n{{ x | nope }}", "html_content: line 2, column 8: there is no filter named 'nope'"),
        ("{% if %}", "html_content: line 1, column 4: missing expression"),
        ("{% if x %}\n\nabc", "html_content: line 3, column 4: expected tag endif, found end of expression"),
        ("\n {% snippets x %}{% endsnippets %}", "html_content: line 2, column 5: unexpected tag 'snippets'"),
        ("\n{{ x }}" * 10_001, "html_content: line 10002, column 1: more than 10,000 pieces of Liquid"),
        ("a{{" + " " * 201 + "x }}", "html_content: line 1, column 2: more than 200 spaces in one piece of Liquid"),
        ("a\n{{ x", "html_content: line 2, column 1: expected '}}', found the end"),
        ("a {% raw %}{{ x }}", "html_content: line 1, column 3: this section is never closed"),
        ("{% tidings_url c /1 %}", "html_content: line 1, column 4: unexpected tag 'tidings_url'"),
    ],
)
def test_mistakes_are_placed(source: str, message: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        compile_liquid(source, html=True, occasion=OCCASION, field="html_content")
    assert caught.value.message == message


HOSTILE = {
    "one long loop": "{% for i in (1..99999999) %}x{% endfor %}",
    "loops in loops": "{% for i in (1..999) %}{% for j in (1..999) %}{{ i }}{% endfor %}{% endfor %}",
    "loops after loops": "{% for i in (1..9999) %}{{ i }}{% endfor %}" * 500,
    "loops of nothing": "{% for i in (1..9999) %}{% if i == 0 %}{% endif %}{% endfor %}" * 500,
    "by python-liquid": "{% for i in (1..9999) %}{% cycle 'a', 'b' %}{% endfor %}" * 500,
    "counters": "{% increment n %}{% for i in (1..9999) %}{{ i }}{% endfor %}" * 500,
    "doubling": "{% assign x = 'xx' %}" + "{% assign x = x | append: x %}" * 60 + "{{ x }}",
    "doubling by capture": "{% assign x = 'xx' %}" + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 60,
    "replacing": "{% assign x = 'x' %}"
    + "{% assign x = x | replace: 'x', 'xxxxxxxxxx' %}" * 8
    + "{{ x | replace: 'x', x }}",
    "joining": "{% assign x = 'x' %}" + "{% assign x = x | append: x %}" * 19 + "{{ (1..9999) | join: x }}",
    "large range": "{{ (1..999999999) | join }}",
    "larger range": "{{ (1..99999999999999999999) | size }}",
    "numbers": "{% assign x = 9 %}" + "{% assign x = x | times: x %}" * 60,
    "much output": "{% assign x = 'x' %}" + "{% assign x = x | append: x %}" * 19 + "{{ x }}" * 50,
    "much static output": "{% for i in (1..9999) %}" + "x" * 10_000 + "{% endfor %}",
    "a heavy body": "{% for i in (1..9999) %}" + "{{ i | plus: 1 }}" * 5_000 + "{% endfor %}",
    "heavy filters": "{% for i in (1..9999) %}{{ big | split: '' | sort | uniq | size }}{% endfor %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_fails_soon(name: str) -> None:
    started = datetime.now(UTC)
    row = (*ROW[:9], '{"big": "' + "abcdefghij" * 900 + '"}', *ROW[10:])
    compiled = compile_liquid(HOSTILE[name], html=True, occasion=OCCASION)
    with pytest.raises(LiquidError):
        compiled.render(row, "TOKEN", "TOKEN", read_attributes(row[9]), "")
    # One second is the limit; the rest is for compiling, and for machines with better things to do.
    assert (datetime.now(UTC) - started).total_seconds() < 10


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% if (1..99999999999) contains 'a' %}yes{% else %}no{% endif %}", "no"),
        ("{% if (1..99999999999) contains 3.0 %}yes{% endif %}", "yes"),
        ("{% ifchanged %}{% if (1..99999999999) contains 'a' %}yes{% else %}no{% endif %}{% endifchanged %}", "no"),
        ("{% assign r = (1..99999999999) %}{{ r }}", "1..99999999999"),
        ("{% for i in (1..1000000) limit: 2 offset: 999990 %}{{ i }} {% endfor %}", "999991 999992 "),
        ("{% case (1..99999999999) %}{% when 'a' %}a{% when (1..99999999999) %}b{% endcase %}", "b"),
    ],
)
def test_a_range_is_two_numbers_however_far_apart(source: str, expected: str) -> None:
    started = perf_counter()
    assert ours(source, ROW, html=True) == expected
    assert perf_counter() - started < 2


@pytest.mark.parametrize("tag", ["for", "tablerow"])
def test_nothing_counts_through_what_an_offset_skips(tag: str) -> None:
    started = perf_counter()
    source = f"{{% {tag} i in (1..99999999999) limit: 1 offset: 99999999990 %}}{{{{ i }}}}{{% end{tag} %}}"
    with pytest.raises(LiquidError, match="a range of more than 1,000,000 numbers"):
        compile_liquid(source).render(ROW, "T", "T", {}, "")
    assert perf_counter() - started < 2


def test_the_clock_of_one_rendering_does_not_run_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.content._limits.MAX_SECONDS", -1.0)
    with pytest.raises(LiquidError, match="longer than"):
        compile_liquid("{% for i in (1..99) %}{{ i }}{% endfor %}").render(ROW, "T", "T", read_attributes(ROW[9]), "")
    assert ours("{{ first_name | upcase }}", ROW, html=False) == "ADA"


def test_large_output_is_allowed_up_to_the_limit() -> None:
    source = "{% for i in (1..100) %}" + "x" * (MAX_OUTPUT // 100) + "{% endfor %}"
    assert len(ours(source, ROW, html=True)) == MAX_OUTPUT
    assert ours(source + "y", ROW, html=True) == FAILED


def test_what_recurs_is_encoded_once_and_not_kept_for_ever() -> None:
    encoded: list[str] = []

    def slot(text: str) -> str:
        encoded.append(text)
        return f"<{text}>"

    encoding = replace(PLAIN, static=str, slot=slot, html_slot=slot)
    render = compile_liquid("{{ plan }}", encoding=encoding).render
    long = "y" * 1_000
    values = [*(str(n) for n in range(10_000)), "pro", "pro", long, long]
    assert ["".join(render(ROW, "T", "T", {"plan": value}, "")) for value in values] == [f"<{one}>" for one in values]
    assert encoded == [*values[:10_000], "pro", long, long]
    (known,) = (one for one in render.__globals__.values() if isinstance(one, dict) and type(one) is not dict)
    assert len(known) <= 4_096


def test_encodings_other_than_plain_get_values_and_static_text_apart() -> None:
    seen = compile_liquid("a{{ first_name }}b{{ unsubscribe_url }}", encoding=PLAIN, occasion=OCCASION)
    assert seen.render(ROW, "T", "T", {}, "") == ["a", "Ada", "bhttps://t.example/u/T"]
