# ruff: noqa: BLE001, E501 - tables read better unbroken; whatever one of the two raises, the other must raise something
"""Blocks: `render` compiled against python-liquid itself, and templates packed with their blocks into one text."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liquid import DictLoader, Environment, FalsyStrictUndefined, Undefined

from liquid_examples import conditions, expressions, templates
from tidings.content import TemplateInvalid, compile_liquid, plain_text, render_liquid, replace_html_links, with_footer
from tidings.content._context import ANYWHERE
from tidings.content._parse import parse, rendered_blocks, wanted_variables
from tidings.content._parts import Parts, unpack

FAILED = "(failed)"
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
DATA: dict[str, Any] = {
    "plan": "pro", "score": 3, "items": [1, 2, {"a": "<b>"}], "tags": ["vip", "a"], "nested": {"a": {"b": "c"}}, "first_name": "Ada",
    "last_name": "", "flag": False, "nothing": None, "key": "a", "html": "<i>", "size": 4, "email": "a@example.com",
}  # fmt: skip


def ours(source: str, blocks: dict[str, str], *, html: bool, strict: bool = False) -> str:
    """By the compiled path."""
    try:
        return render_liquid(source, data=DATA, blocks=blocks, html=html, strict=strict)
    except Exception:
        return FAILED


def theirs(source: str, blocks: dict[str, str], *, html: bool, strict: bool = False) -> str:
    """By python-liquid."""
    undefined = FalsyStrictUndefined if strict else Undefined
    try:
        environment = Environment(loader=DictLoader(blocks), autoescape=html, undefined=undefined)
        return environment.from_string(source).render(**DATA)
    except Exception:
        return FAILED


COMPILED = (
    ("{% render 'a' %}", {"a": "x{{ plan }}{% assign y = 1 %}{{ y }}"}),
    ("{% assign y = 2 %}{% render 'a', y: plan, z: 3 %}{{ y }}", {"a": "{{ y }}{{ z }}{{ partial }}{% assign y = 5 %}{{ y }}"}),
    ("{% for i in items %}{% render 'a', i: i %}{% endfor %}", {"a": "[{{ i }}{{ forloop.index }}]"}),
    ("{% render 'a' for items as item %}", {"a": "{{ item }}{{ forloop.index }}{{ forloop.last }}{% assign n = n | plus: 1 %}{{ n }}"}),
    ("{% render 'a' for plan %}{% render 'a' for missing %}", {"a": "{{ a }}{{ forloop.index }};"}),
    ("{% render 'a' with nested as n %}", {"a": "{{ n.a.b }}{% render 'b' %}", "b": "{{ n.a.b }}"}),
    ("{% render 'a', x: first_name %}", {"a": "{% if x %}{{ x | default: 'none' }}{% endif %}"}),
    ("{% render 'a', x: last_name %}", {"a": "{% if x == '' %}e{% else %}f{% endif %}{% for t in tags %}{{ t }}{{ x }}{% endfor %}"}),
    ("{% render 'a' for items as v %}", {"a": "{% for t in tags %}{{ forloop.parentloop.index }}{{ forloop.index }}{% endfor %}"}),
    ("{% render 'a' %}", {"a": "{% case plan %}{% when 'pro' %}p{% endcase %}{% unless flag %}u{% endunless %}"}),
)  # fmt: skip
OTHERS = (
    ("{% render 'a' %}", {"a": "{% break %}"}),
    ("{% render 'a' %}", {"a": "{% include 'b' %}", "b": ""}),
    ("{% include 'a' %}{{ y }}", {"a": "{% assign y = 'set' %}"}),
    ("{% for i in items %}{% include 'a' %}{% endfor %}", {"a": "{{ i }}{% if i == 2 %}{% break %}{% endif %}"}),
    ("{% include key %}{{ y }}", {"a": "{% assign y = 'set' %}"}),
    ("{% render 'a' %}", {"a": "{% render 'a' %}"}),
    ("{% render 'a' %}", {}),
    ("{% render 'a' %}{% increment n %}", {"a": "{% increment n %}{{ n }}"}),
    ("{% render 'a' for items %}", {"a": "{% cycle 'x', 'y' %}"}),
    ("{% tablerow i in items cols: 2 %}{{ tablerowloop.col }}{{ i }}{% endtablerow %}", {}),
)


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize(("source", "blocks"), COMPILED + OTHERS)
def test_blocks_as_python_liquid_renders_them(source: str, blocks: dict[str, str], html: bool) -> None:
    assert ours(source, blocks, html=html) == theirs(source, blocks, html=html)


@pytest.mark.parametrize(("source", "blocks"), COMPILED)
def test_render_needs_no_fallback(source: str, blocks: dict[str, str]) -> None:
    python = compile_liquid(Parts(source, blocks), html=True, occasion=ANYWHERE).python
    assert python
    assert "fallback" not in python


@st.composite
def rendering(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A template that renders blocks, which render others."""
    names = ("a", "b", "c")
    calls = st.sampled_from((
        "{% render 'a' %}", "{% render 'b', x: plan, i: items %}", "{% render 'c' for items as i %}", "{% render 'b' with nested as x %}",
        "{% include 'c' %}", "{% include 'a', x: 1 %}", "{% render 'c' for tags %}", "{% for i in items %}{% render 'b', i: i %}{% endfor %}",
        "{% render 'missing' %}", "{% tablerow i in tags %}{{ i }}{% endtablerow %}", "{% cycle 'a', 'b' %}", "{{ forloop.index }}",
    ))  # fmt: skip
    texts = templates | calls | expressions().map(lambda text: f"{{{{ {text} }}}}")
    texts |= conditions().map(lambda text: f"{{% if {text} %}}y{{% endif %}}")
    pieces = st.lists(texts | calls, max_size=3).map("".join)
    return draw(pieces), {name: draw(pieces) for name in names}


def _check(case: tuple[str, dict[str, str]], *, html: bool, strict: bool) -> None:
    source, blocks = case
    assert ours(source, blocks, html=html, strict=strict) == theirs(source, blocks, html=html, strict=strict)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(case=rendering(), html=st.booleans(), strict=st.booleans())
def test_random_blocks(case: tuple[str, dict[str, str]], html: bool, strict: bool) -> None:
    _check(case, html=html, strict=strict)


@pytest.mark.soak
@settings(max_examples=5_000, deadline=None, suppress_health_check=SLOW)
@given(case=rendering(), html=st.booleans(), strict=st.booleans())
def test_random_blocks_at_length(case: tuple[str, dict[str, str]], html: bool, strict: bool) -> None:
    _check(case, html=html, strict=strict)


texts = st.text(max_size=20) | st.sampled_from(("{% tidings_strict %}", '{% tidings_block "a" 3 %}xyz', "{{", "{"))


@given(main=texts.filter(lambda text: not text.startswith("{% tidings")), blocks=st.dictionaries(st.sampled_from("abc"), texts),
       strict=st.booleans())  # fmt: skip
def test_packing_is_undone(main: str, blocks: dict[str, str], strict: bool) -> None:
    parts = Parts(main, blocks, strict)
    assert unpack(parts.pack()) == parts


def test_links_and_texts_of_blocks_are_seen_to() -> None:
    packed = Parts(
        "<p>{% render 'a' %}</p>", {"a": '<!-- <a href="https://a.example">A</a> {{ unsubscribe_url }}'}
    ).pack()
    seen: list[str] = []
    replace_html_links(
        Parts('<a href="https://b.example">', {"a": '<script> <a href="x">'}).pack(), lambda link, _: seen.append(link)
    )
    assert seen == ["https://b.example"]
    assert unpack(plain_text(packed)).main == "{% render 'a' %}\n"
    assert "Unsubscribe" not in with_footer(packed, html=True)
    assert unpack(with_footer(packed, html=True)).blocks == unpack(packed).blocks


HOSTILE: dict[str, dict[str, str]] = {
    "blocks multiply": {"a": "{% render 'b' %}" * 30, "b": "{% render 'c' %}" * 30, "c": "{% render 'd' %}" * 30,
                        "d": "{% render 'e' %}" * 30, "e": "{% render 'f' %}" * 30, "f": "x" * 100},
    "loops within blocks": {"a": "{% for i in (1..999) %}{% render 'b' %}{% endfor %}", "b": "{% for i in (1..999) %}{% endfor %}"},
    "loops within included blocks": {"a": "{% for i in (1..999) %}{% include 'b' %}{% endfor %}",
                                     "b": "{% for i in (1..999) %}{{ i }}{% endfor %}"},
    "rows": {"a": "{% tablerow i in (1..9999) %}" + "{{ i | plus: 1 }}" * 3000 + "{% endtablerow %}"},
    "many variables": {"a": "{% assign b = 'x' %}" + "{% assign b = b | append: b %}" * 19
                       + "".join(f"{{% assign v{n} = b | append: 'y' %}}" for n in range(2000))},
    "many variables by python-liquid": {"a": "{% include 'b' %}", "b": "{% assign b = 'x' %}" + "{% assign b = b | append: b %}" * 19
                                        + "".join(f"{{% assign v{n} = b | append: 'y' %}}" for n in range(2000))},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_blocks_fail_soon(name: str) -> None:
    from time import process_time

    started = process_time()
    assert ours("{% include 'a' %}", HOSTILE[name], html=True) == FAILED
    assert ours("{% render 'a' %}", HOSTILE[name], html=True) == FAILED
    assert process_time() - started < 8


def test_what_a_block_within_the_template_renders_is_known_beforehand() -> None:
    source = "{% snippet a %}{% render 'footer' %}{{ b }}{% endsnippet %}{% render a, b: first_name %}"
    template = parse(source, html=True)
    assert list(rendered_blocks(template, "html_content")) == ["footer"]
    with pytest.raises(TemplateInvalid, match="in quotes"):
        rendered_blocks(parse("{% snippet a %}{% endsnippet %}{% render b %}", html=True), "html_content")
    assert wanted_variables(
        parse("{% snippet a %}{{ b }}{{ plan }}{% endsnippet %}{% render a, b: x %}", html=True)
    ) == ["plan", "x"]
