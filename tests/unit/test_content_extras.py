# ruff: noqa: BLE001, E501 - tables read better unbroken; whatever one of the two raises, the other must raise something
"""python-liquid's extra tags and filters: the same output as python-liquid's, and what we say where it would fail or never end."""

from time import thread_time
from typing import Any

import pytest
from liquid import DictLoader, Environment
from liquid.extra import SnippetTag

from tidings.content import RenderError, TemplateInvalid, compile_liquid, render_liquid, with_footer
from tidings.content._context import ANYWHERE
from tidings.content._outermost import document_of, edit_document
from tidings.content._parse import parse, rendered_blocks, wanted_variables
from tidings.content._parts import Parts, unpack
from tidings.content._preheader import with_preheader, with_preheader_within
from tidings.content._shared import Shared, names_in, with_shared

FAILED = "(failed)"
DATA: dict[str, Any] = {
    "n": "<Ada>", "items": [{"t": "a", "p": 1234.5}, {"t": "b&", "p": 2}], "one": 1, "none": 0, "locale": "de_AT", "text": "%(n)s & <b>",
    "timezone": "Europe/Vienna", "currency_code": "EUR",
}  # fmt: skip
LAYOUT = "<html>{% assign z = 1 %}<h1>{% block title %}T{{ z }}{% endblock %}</h1>{% for i in items %}{% block row %}{{ i.t }}{% endblock row %}{% endfor %}</html>"
CASES = (
    ("{% macro m a, b: 2 %}[{{ a }}|{{ b }}|{{ args }}|{{ kwargs.c }}|{{ n }}|{{ z }}]{% endmacro %}{% assign z = 1 %}{% call m n %}{% call m 1, 3, 4, c: n %}{% call none %}", {}),
    ("{% macro m p %}{% assign q = p.t %}{{ q }}{% endmacro %}{% for i in items %}{% call m i %}{% endfor %}{{ q }}", {}),
    ("{% macro m p %}a{{ p }}{% endmacro %}{% macro m p %}b{{ p }}{% endmacro %}{% call m 1 %}", {}),
    ("{% call m 1 %}{% macro m p %}a{{ p }}{% endmacro %}{% if one %}{% macro k %}k{% endmacro %}{% endif %}{% call k %}", {}),
    ("{% include 'macros' %}{% call m n %}", {"macros": "{% macro m p %}({{ p }}){% endmacro %}"}),
    ("{% with a: n, b: items[0].t %}{{ a }}{{ b }}{% assign c = a %}{% endwith %}{{ a }}{{ c }}", {}),
    ("{% for i in items %}{% with x: i.p, i: 3 %}{{ x }}{{ i }}{{ forloop.index }}{% break %}{% endwith %}{% endfor %}", {}),
    ("{% extends 'l' %}{% block title %}{{ n }}{{ block.super }}{{ z }}{% endblock %}", {"l": LAYOUT}),
    ("{% assign y = 5 %}{% extends 'm' %}{% block row %}{{ y }}<{{ block.super | upcase }}>{% endblock %}after", {"l": LAYOUT, "m": "{% extends 'l' %}{% block row %}({{ block.super }}{{ i.p }}){% endblock %}"}),
    ("{% extends 'l' %}{% block a %}{% block b %}x{% endblock %}{% endblock %}", {"l": "{% block a %}{% endblock %}{% block b %}y{% endblock %}"}),
    ("{% extends 'l' %}", {"l": "{% block a required %}{% endblock %}"}),
    ("{% extends 'l' %}{% block a %}x{% endblock %}", {"l": "{% block a required %}{% endblock %}{% include 'p' %}{% render 'p' %}", "p": "{% block a %}p{% endblock %}"}),
    ("{% block a %}x{{ block.super }}{% endblock %}{% block b required %}{% endblock %}", {}),
    ("{% render 'card' %}{% include 'card' %}{{ n }}", {"card": "{% extends 'l' %}{% block title %}card{% endblock %}", "l": LAYOUT}),
    ("{% extends 'l' %}{% block title %}{% snippet s %}{% block title %}s{% endblock %}{% endsnippet %}x{% endblock %}", {"l": LAYOUT}),
    ("{% if one %}{% extends 'l' %}{% endif %}{{ n }}", {"l": "{{ n }}"}),
    ("{% translate %} Hello\n   {{ n }}, 5% {% plural %}never{% endtranslate %}", {}),
    ("{% translate count: one, who: n %}{{ count }} for {{ who }}{% plural %}{{ count }}s for {{ who }}{% endtranslate %}", {}),
    ("{% translate count: items.size, context: 'x' %}one{% plural %}{{ count }}{{ context }}{% endtranslate %}{% translate count: none %}s{% plural %}p{% endtranslate %}", {}),
    ("{% translate count: items %}one{% endtranslate %}", {}),
    ("{% translate %}{{ n | upcase }}{% endtranslate %}", {}),
    ("{{ 'Hi %(n)s %(m)s %%' | t: m: '<' }}{{ text | t }}{{ 'a' | t: plural: 'b %(count)s', count: 2 }}{{ 'a' | t: 'ctx', plural: 'b', count: 1 }}", {}),
    ("{{ 'a %(n)s' | gettext }}{{ 'a' | ngettext: 'b', 2 }}{{ 'a' | pgettext: 'c' }}{{ 'a' | npgettext: 'c', 'b', none }}", {}),
    ("{% for i in items %}{{ i.p | currency }} {{ i.p | money_with_currency }} {{ i.p | money_without_currency }} {{ i.p | money_without_trailing_zeros }};{% endfor %}", {}),
    ("{% assign locale = 'en_GB' %}{% assign currency_code = 'GBP' %}{{ '1,234.5' | currency }}{{ 'junk' | currency }}{{ nosuch | currency: group_separator: false }}", {}),
    ("{{ 1234567.891 | decimal }} {{ '2026-11-25 23:30' | datetime }} {{ 1152098955 | datetime: format: 'full' }} {{ 3 | unit: 'length-meter', length: 'short' }}", {}),
    ("{{ 150 | unit: 'kilowatt', denominator_unit: 'year' }}{{ 3 | unit: 'nosuch' }}", {}),
    ("{{ 'https://x.example/a.js?a=1&b=\"' | script_tag }}{{ n | stylesheet_tag }}", {}),
)  # fmt: skip


def ours(source: str, blocks: dict[str, str], *, html: bool) -> str:
    """By the compiled path."""
    try:
        return render_liquid(source, data=DATA, blocks=blocks, html=html)
    except (TemplateInvalid, RenderError):
        return FAILED


def theirs(source: str, blocks: dict[str, str], *, html: bool) -> str:
    """By python-liquid."""
    try:
        environment = Environment(loader=DictLoader(blocks), autoescape=html, extra=True)
        environment.add_tag(SnippetTag)
        return environment.from_string(source).render(**DATA)
    except Exception:
        return FAILED


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize(("source", "blocks"), CASES)
def test_extras_as_python_liquid_renders_them(source: str, blocks: dict[str, str], html: bool) -> None:
    assert ours(source, blocks, html=html) == theirs(source, blocks, html=html)


COMPILED = (
    ("{% with a: n, b: items[0].t %}{{ a }}{{ b }}{% assign c = a %}{% endwith %}{{ a }}{{ c }}", {}),
    ("{% extends 'l' %}{% block title %}{{ n }}{{ block.super }}{{ z }}{% endblock %}", {"l": LAYOUT}),
    ("{% extends 'm' %}{% block row %}{{ z }}<{{ block.super }}>{% assign z = 3 %}{{ z }}{% for j in items %}{{ forloop.parentloop.index }}{{ i.t }}{% endfor %}{% endblock %}", {"l": LAYOUT, "m": "{% assign q = n %}{% extends 'l' %}{% block row %}({{ block.super }}{{ i.p }}{% assign z = 8 %}{{ q }}){% endblock %}"}),
    ("{% extends 'l' %}{% block b %}{{ n }}{% endblock %}{% block a %}{% block b2 %}{{ x }}{{ block.super }}{% endblock %}{{ block.super }}{% endblock %}", {"l": "{% assign x = 1 %}{% block a %}{% assign x = 2 %}{% block b %}y{{ x }}{% endblock %}{% endblock %}{{ x }}"}),
    ("{% block a %}{% assign x = 1 %}{{ block.super }}{{ n }}{% endblock %}{{ x }}", {}),
    ("{% extends 'l' %}{% block a %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endblock %}", {"l": "{% for i in (1..3) %}{% block a %}{% endblock %}{% endfor %}"}),
    ("{% extends 'l' %}{% block a %}{% render 'p', x: i %}{% endblock %}", {"l": "{% for i in (1..3) %}{% block a %}{% endblock %}{% endfor %}", "p": "{% block a %}{{ x }}{{ i }}{% endblock %}"}),
)  # fmt: skip


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize(("source", "blocks"), COMPILED)
def test_layouts_are_compiled_without_fallback(source: str, blocks: dict[str, str], html: bool) -> None:
    python = compile_liquid(Parts(source, blocks), html=html, occasion=ANYWHERE).python
    assert python
    assert "fallback" not in python
    expected = theirs(source, blocks, html=html)
    assert expected != FAILED
    assert ours(source, blocks, html=html) == expected


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("{% extends 'l' %}{% block a %}{{ x[q] }}{% assign q = 1 %}{{ items[q].t }}{% endblock %}", {"l": "{% block a %}{% endblock %}"}),
        ("{% extends 'l' %}{% block a %}{{ block.super | upcase }}{% cycle 1, 2 %}{% endblock %}", {"l": "{% block a %}x{% endblock %}{% cycle 1, 2 %}"}),
        ("{% extends 'l' %}{% block a %}x{% endblock %}", {"l": "{% include 'p' %}", "p": "{% block a %}p{% endblock %}"}),
        ("{% extends 'l' %}{% block a %}x{% endblock %}", {"l": "{% tablerow i in items %}{% block a %}p{% endblock %}{% endtablerow %}"}),
        ("{% extends 'l' %}{% block a %}{% increment k %}{% endblock %}", {"l": "{% block a %}{% endblock %}{% increment k %}"}),
    ],
)  # fmt: skip
def test_other_layouts_are_left_to_python_liquid(source: str, blocks: dict[str, str]) -> None:
    assert compile_liquid(Parts(source, blocks), html=True, occasion=ANYWHERE).python == ""
    assert ours(source, blocks, html=True) == theirs(source, blocks, html=True) != FAILED


def test_there_is_everything_that_python_liquid_has() -> None:
    known, has = Environment(extra=True), parse("", html=False).env
    assert set(known.tags) <= set(has.tags)
    assert set(known.filters) <= set(has.filters)
    assert render_liquid("{{ 3 | money }}", data={"locale": "de", "currency_code": "EUR"}, blocks={}) == "$3.00"


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{ 'Save 50% today, %(n)s, %d %(x)5s' | t: n: n }}", "Save 50% today, &lt;, %d %(x)5s"),
        ("{{ 2 | currency }}{% assign locale = '' %}{{ 2 | currency }}{% assign locale = '!' %}{{ 2 | currency }}", "$\u00a02,00$2.00$2.00"),
        ("{% assign translations = 'x' %}{{ 'a' | t }}{% translate %}b{% endtranslate %}", "ab"),
    ],
)  # fmt: skip
def test_what_python_liquid_fails_of_and_people_write(source: str, output: str) -> None:
    assert render_liquid(source, data={"locale": "de-AT", "n": "<"}, blocks={}, html=True) == output


DOUBLING = "{% extends 'b0' %}{% block a %}" + "{{ block.super }}" * 2 + "{% endblock %}"
CHAIN = {f"b{n}": DOUBLING.replace("b0", f"b{n + 1}") for n in range(25)} | {
    "b25": "{% block a %}" + "x" * 999 + "{% endblock %}"
}


@pytest.mark.parametrize(
    ("source", "blocks", "error"),
    [
        ("a\n {% extends 'a' %}", {"a": "{% extends 'b' %}", "b": "{% extends 'a' %}"}, "line 1, column 4: circular extends 'a'"),
        ("{% extends 'a' %}", {"a": "{% extends 'a' %}"}, "line 1, column 4: circular extends 'a'"),
        ("{% extends 'no' %}", {}, "line 1, column 12: there is no block named 'no'"),
        ("{% extends 'a' %}", {"a": "x{% block s required %}{% endblock %}"}, "line 1, column 5: block 's' must be overridden"),
        ("{% block a %}{% endblock b %}", {}, "template: line 1, column 17: expected endblock for 'a, found 'b'"),
        ("{% render 'm' %}", {"m": "{% macro m %}{% render 'm' %}{% endmacro %}{% call m %}"}, "loops or blocks within each other more than 30 deep"),
        ("{% extends 'm' %}", {"m": "{% block a %}{% include 'm' %}{% endblock %}"}, "loops or blocks within each other more than 30 deep"),
        ("{% macro m %}{% for i in (1..9999) %}{{ i }}{% endfor %}{% endmacro %}{% call m %}{% call m %}", {}, "more than 10,000 loop iterations"),
        ("{% for i in (1..9000) %}{% call m x %}{% endfor %}", {}, None),
        (DOUBLING, CHAIN, "deep|longer than 0.25 seconds|characters of output"),
        ("{{ '1e999999999' | currency }}", {}, "line 1, column 1: currency: '1e999999999' is too large or too small"),
        ("{{ '%(x)s %(x)99999999999s' | t: x: 1 }}", {}, None),
        ("{% assign x = 'abcdefghij' %}{% for i in (1..16) %}{% assign x = x | append: x %}{% endfor %}{{ '" + "%(x)s" * 9000 + "' | t }}", {}, "a message may be 1,000,000 characters at most"),
        ("{% assign locale = 3 %}{{ 1 | currency }}", {}, "currency: expected a string argument, found 3"),
        ("{% translate count: x %}a{% endtranslate %}", {"x": ""}, None),
    ],
)  # fmt: skip
def test_what_is_hostile_ends_with_its_place(source: str, blocks: dict[str, str], error: str | None) -> None:
    if error is None:
        render_liquid(source, data={}, blocks=blocks)
        return
    with pytest.raises((RenderError, TemplateInvalid), match=error):
        render_liquid(source, data={}, blocks=blocks)


def test_a_chain_of_a_thousand_is_bounded() -> None:
    blocks = {f"b{n}": f"{{% extends 'b{n + 1}' %}}{'{% if a %}x{% endif %}' * 40}" for n in range(3000)} | {
        "b3000": ""
    }
    begun = thread_time()
    with pytest.raises(RenderError, match="took longer than 0"):
        render_liquid("{% extends 'b0' %}", data={}, blocks=blocks)
    assert thread_time() - begun < 1, "it went on reading"


# In a mail ------------------------------------------------------------------------------------------------------------

PAGE = "<!doctype html><html><body><h1>{{ head }}</h1>{% block main %}{{ said }}{% endblock %}{% block foot %}{{ unsubscribe_url }}{% endblock %}</body></html>"
SHARED = {
    "page": Shared(PAGE, "{% block main %}{% endblock %}", ()),
    "mid": Shared("{% extends 'page' %}{% block main %}{{ mid }}{% endblock %}", "{% extends 'page' %}", ("page",)),
    "note": Shared("N", "N", ()),
}


def frozen(source: str, *, html: bool = True, also: str = "") -> Parts:
    """As a send keeps it."""
    return with_shared(source, SHARED, html=html, strict=False, field="html_content", also=also)


def test_what_is_extended_is_kept_with_all_that_it_extends() -> None:
    assert names_in("{% extends 'mid' %}") == ["mid"]
    assert rendered_blocks(parse("{% extends 'mid' %}", html=True), "x") == {"mid": 3}
    parts = frozen("{% extends 'mid' %}{% block main %}{{ block.super }}!{% endblock %}")
    assert sorted(parts.blocks) == ["mid", "page"]
    assert document_of(parts) == "page"
    assert document_of(frozen("x")) == ""
    assert edit_document(frozen("x"), str.upper).main == "X"
    assert edit_document(parts, str.upper).blocks["page"] == PAGE.upper()


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("{% extends 'mid' %}", ["head", "mid", "unsubscribe_url"]),
        ("{% extends 'mid' %}{% block main %}{{ own }}{{ block.super }}{% endblock %}", ["head", "mid", "own", "unsubscribe_url"]),
        ("{% extends 'mid' %}{% block main %}{{ own }}{% endblock %}{{ never }}", ["head", "own", "unsubscribe_url"]),
        ("{% extends 'page' %}{% block foot %}{% endblock %}{% block nowhere %}{{ unsubscribe_url }}{% endblock %}", ["head", "said"]),
        ("{% extends 'page' %}{% block foot %}{% snippet s %}{% block foot %}{{ own }}{% endblock %}{% endsnippet %}{% endblock %}", ["head", "said"]),
        ("{% macro m a %}{{ a }}{{ b }}{% endmacro %}{% call m c %}{% with d: e %}{{ d }}{% endwith %}", ["b", "c", "e"]),
        ("{% translate x: y, count: k %}{{ x }}{{ z }}{% plural %}{{ w }}{% endtranslate %}", ["y", "k", "z", "w"]),
    ],
)  # fmt: skip
def test_variables_are_those_that_are_written(source: str, wanted: list[str]) -> None:
    assert sorted(wanted_variables(parse(frozen(source), html=True))) == sorted(wanted)


def rendered(packed: str, **data: str) -> str:
    """What comes out of it."""
    parts = unpack(packed)
    return render_liquid(parts.main, data=data, blocks=parts.blocks, html=True)


def test_footer_pixel_and_preheader_are_in_the_document() -> None:
    source = "{% extends 'mid' %}{% block foot %}{% endblock %}"
    preheader = "Look: {{ first }}{% render 'note' %}"
    assert with_preheader(source, preheader) == source
    parts = with_preheader_within(frozen(source, also=preheader), preheader)
    html = rendered(with_footer(parts.pack(), html=True, pixel="<img>"), mid="M", unsubscribe_url="U", first="F")
    assert "<body><div" in html
    assert "Look: FN" in html
    assert '<a href="U"' in html
    assert html.endswith("<img></body></html>")
    without = with_footer(frozen("{% extends 'page' %}").pack(), html=True)
    assert "Unsubscribe" not in without, "the layout says it"
    assert with_preheader_within(Parts("x"), preheader) == Parts("x")


def test_a_texts_footer_is_in_what_it_extends() -> None:
    text = rendered(with_footer(frozen("{% extends 'mid' %}", html=False).pack(), html=False), unsubscribe_url="U")
    assert "Unsubscribe: U" in text


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("Hi{% extends 'mid' %}", "line 1, column 6: 'extends' must come first"),
        ("{% if a %}{% extends 'mid' %}{% endif %}", "line 1, column 14: 'extends' must stand outside of all other tags"),
        ("{% extends 'mid' %}\n{% extends 'page' %}", "line 2, column 4: a template extends one block, not several"),
        ("{% extends 'no' %}", "line 1, column 4: there is no block named 'no'"),
        ("{% extends 'page' %}{% block a %}{% endblock %}{% block a %}{% endblock %}", "line 1, column 51: duplicate block a"),
    ],
)  # fmt: skip
def test_a_mail_extends_first_of_all_and_once(source: str, error: str) -> None:
    with pytest.raises(TemplateInvalid, match=error):
        frozen(source)


def test_assignments_and_comments_may_come_before() -> None:
    assert frozen("{% assign a = 1 %}{% comment %}x{% endcomment %}\n{% extends 'page' %}").blocks


@pytest.mark.parametrize("tag", ["for", "tablerow"])
def test_a_negative_limit_is_named(tag: str) -> None:
    source = f"{{% {tag} i in a limit: -1 %}}{{{{ i }}}}{{% end{tag} %}}"
    with pytest.raises(RenderError, match=r"line 1, column \d+: a loop's limit must not be negative"):
        render_liquid(source, data={"a": [1, 2]}, blocks={}, html=False)
