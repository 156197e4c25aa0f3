"""Sources that hold what stands for Liquid while others read them: they are read like any other, and soon."""

import asyncio
from time import process_time

import pytest
from liquid.exceptions import LiquidError

from tidings.content import (
    Checkable,
    SourceType,
    TemplateInvalid,
    check_content,
    compile_liquid,
    compile_source,
    plain_text,
)
from tidings.content._markup import mask
from tidings.content._sources._held import hold

PRIVATE_USE = "".join(map(chr, range(0xE000, 0xF900)))
"""Each of these may stand for a piece of Liquid."""
ALL = "".join(map(chr, (*range(0xE000, 0x110000), *range(0x100, 0xD700))))[:1_000_000]


@pytest.mark.parametrize("text", [PRIVATE_USE, ALL], ids=["private", "all"])
def test_a_source_of_every_private_use_character_has_an_atom_all_the_same(text: str) -> None:
    masked = mask(text + "{{ name }}")
    assert masked.atom not in text
    assert masked.text == text + masked.atom
    assert masked.restore(masked.text, 0) == text + "{{ name }}"


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (SourceType.MARKDOWN, PRIVATE_USE + "{{ name }}"),
        (SourceType.HTML, f"<style>p{{color:red}}</style><p>{PRIVATE_USE}{{{{ name }}}}</p>"),
        (SourceType.MJML, f"<mjml><mj-body><mj-raw>{PRIVATE_USE}{{{{ name }}}}</mj-raw></mj-body></mjml>"),
    ],
)
async def test_compiling_ends_with_every_private_use_character(kind: SourceType, source: str) -> None:
    async with asyncio.timeout(20):
        html = await asyncio.to_thread(compile_source, kind, source, inline=True)
    assert "{{ name }}" in html
    assert PRIVATE_USE[5:100] in html


@pytest.mark.parametrize("text", ["lq" + "x" * 500_000, "lqaaaa lqaaab", "LQaaaa", "lq" * 300_000, ""])
def test_the_words_for_liquid_are_short_whatever_the_source(text: str) -> None:
    began = process_time()
    held = hold(text + "{{ name }}")
    assert process_time() - began < 5
    assert len(held.stem) <= 6
    assert held.stem not in text.lower()
    assert held.restore(held.words(held.masked.text, 0)) == text + "{{ name }}"


@pytest.mark.parametrize("mark", ["\ue6a1999\ue6a2", "\ue6a1" + "9" * 5000 + "\ue6a2", "\ue6a10\ue6a2"])
async def test_texts_that_look_like_the_checks_own_marks_are_text(mark: str) -> None:
    html = f'<p>{mark} <a href="{{{{ missing }}}}">Look</a></p>'
    report = await check_content(
        Checkable("News", html, plain_text(html), text_written=False),
        rows=[(1, 1, "a@example.de", "", "", "", "", "", [], "{}", None, None, 0)],
        real=True,
        workspace_name="Acme",
        postal_address="",
        public_url="https://t.example.org",
    )
    assert "link_personalised" in {one.code for one in report.findings}


ROW = (1, 1, "a@example.de", "", "", "", "", "", [], "{}", None, None, 0)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a" + " | append: 'x'" * 3000 + " }}", "y" + "x" * 3000),
        ("{% for i in (1..1) %}" * 25 + "x" + "{% endfor %}" * 25, "x"),
    ],
    ids=["filters", "loops"],
)
def test_what_python_cannot_nest_is_rendered_all_the_same(source: str, expected: str) -> None:
    compiled = compile_liquid(source, html=True)
    assert "".join(compiled.render(ROW, "t", "t", {"a": "y"}, "")) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{% if a %}" * 9_000 + "x" + "{% endif %}" * 900,
        "{% for i in (1..9) %}" * 300 + "x" + "{% endfor %}" * 300,
        "{% capture a %}" * 900 + "x" + "{% endcapture %}" * 900,
        "<" * 200_000,
        "{{" * 100_000,
        "{" * 200_000,
        "{%" * 100_000,
        "{%- if a -%}  {%- endif -%}" * 3_000,
        (" " * 1_000 + "{{- a -}}") * 900,
        "{{ a" + ".a" * 90_000 + " }}",
        "{{ " + "a[" * 5_000 + "a" + "]" * 5_000 + " }}",
        "{{ a" + "|upcase" * 9_000 + " }}",
        "{{ a | default: " + "'x', " * 9_000 + "1 }}",
        "{% if " + "a and " * 9_000 + "a %}x{% endif %}",
        "{% if " + "(" * 3_000 + "a" + ")" * 3_000 + " %}x{% endif %}",
        "{{ '" + "a" * 500_000 + " }}",
        "{% liquid\n" + "echo a\n" * 100_000 + "%}",
        "{% case a %}" + "{% when 1 %}x" * 3_000 + "{% endcase %}",
        "{% comment %}" * 5_000 + "{% endcomment %}" * 5_000,
        "{% raw %}" * 50_000,
        "{% assign s = 'aaaaaaaaaa' %}" + "{% assign s = s | replace: 'a', s %}" * 6 + "{{ s }}",
        "{% assign s = 'ab' %}" + "{% assign s = s | append: s %}" * 40 + "{{ s }}",
    ],
    ids=lambda source: source[:20],
)
def test_hostile_liquid_ends_soon_with_a_result_or_a_place(source: str) -> None:
    began = process_time()
    try:
        written = "".join(compile_liquid(source, html=True).render(ROW, "t", "t", {"a": "y"}, ""))
    except (TemplateInvalid, LiquidError) as error:
        written = str(error)
    assert process_time() - began < 3
    assert len(written) <= 1_000_000


def test_what_is_in_one_piece_counts_as_well() -> None:
    for source, told in (
        ("{% liquid\n" + "echo a\n" * 10_001 + "%}", "more than 10,000 pieces of Liquid"),
        ("{{ a" + ".a" * 100_001 + " }}", "more than 200,000 characters of Liquid"),
    ):
        with pytest.raises(TemplateInvalid, match=told):
            compile_liquid(source)
    assert compile_liquid("{% raw %}" + "{{ a }}" * 90_000 + "{% endraw %}").constant
