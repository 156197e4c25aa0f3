"""What templates are written in: MJML, Markdown, block documents, and CSS inlined around Liquid."""

import contextlib
import re
import time
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest
from css_inline import CSSInliner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liquid import Environment

from tidings import content
from tidings.content import SourceType, compile_source
from tidings.core.errors import Invalid

_PLAIN = Environment()
_MJML = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"


def _blocks(*blocks: Any) -> str:
    return orjson.dumps({"blocks": blocks}).decode()


def _problems(kind: SourceType, source: str) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        compile_source(kind, source, inline=False)
    return {one.field: one.message for one in caught.value.fields}


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hi</P><br>{% if a %}<td>{% endif %}",
        "<table>{% for x in y %}<tr {% if x %}class='a'{% endif %}></tr>{% endfor %}</table><!--[if mso]>{{ x }}<![endif]-->",
        "<style>.never{color:red}</style><p>&nbsp;é \t\r\n</p",
    ],
)
def test_html_is_never_rewritten(source: str) -> None:
    assert compile_source(SourceType.HTML, source, inline=False) == source
    assert compile_source(SourceType.HTML, source, inline=True) == source


def test_only_styles_are_written_into_it() -> None:
    style = "<style>.a{color:red!important;padding:0} .b{color:blue}</style>"
    body = (
        '<TABLE>{% for x in y %}<tr class="a" style="color:{{ "green" }}">'
        '<td class=b {% if z %}align="left"{% endif %}>{{ x }}</td></tr>{% endfor %}</TABLE>'
    )
    inlined = compile_source(SourceType.HTML, style + body, inline=True)
    assert inlined == style + (
        '<TABLE>{% for x in y %}<tr class="a" style="padding: 0;color:{{ "green" }};color: red!important">'
        '<td style="color: blue;" class=b {% if z %}align="left"{% endif %}>{{ x }}</td></tr>{% endfor %}</TABLE>'
    )


_VALUES = st.fixed_dictionaries(
    {"a": st.booleans(), "x": st.text("abc &", max_size=4), "y": st.lists(st.just("i"), max_size=3)}
)
_LEAVES = st.sampled_from(
    [
        "{{ x | escape }}",
        '<p class="one">words</p>',
        '<b class="two {{ x }}" style="margin:0">{{ x | escape }}</b>',
        '<table><tr class="one">{% for i in y %}<td class="two">{{ i }}</td>{% endfor %}</tr></table>',
        "{% if a %}<i class='one two'>yes</i>{% else %}<i class='two'>no</i>{% endif %}",
        '<!--[if mso]><p class="one">{{ x }}</p><![endif]-->',
        '<a class="three" href="https://x.example/?q={{ x | url_encode }}&amp;b=%7B">go</a>',
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_LEAVES, max_size=8), _VALUES)
def test_inlining_and_filling_in_commute(parts: list[str], values: dict[str, Any]) -> None:
    """Differential: Liquid first, by python-liquid, then css-inline itself; equal as parsed and written by css-inline."""
    style = "<style>.one{color:red} .two{padding:1px} p.one{margin:2px!important} .three{color:blue}</style>"
    source = f"<html><head>{style}</head><body>{''.join(parts)}</body></html>"
    whole = CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)
    first = _PLAIN.from_string(source).render(**values)
    ours = _PLAIN.from_string(compile_source(SourceType.HTML, source, inline=True)).render(**values)
    assert _styles(whole.inline(ours)) == _styles(whole.inline(first))


def _styles(html: str) -> list[tuple[str, dict[str, str], str]]:
    """Each element with its computed declarations and its other attributes, and the text, by the standard library."""
    seen: list[tuple[str, dict[str, str], str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            declared = (one.partition(":") for one in (values.pop("style", "") or "").split(";") if one.strip())
            computed: dict[str, str] = {}
            for name, _, value in declared:
                if "!important" in value or "!important" not in computed.get(name.strip(), ""):
                    computed[name.strip()] = value.strip().replace(" !", "!")
            seen.append((tag, computed, str(sorted(values.items(), key=str))))

        def handle_data(self, data: str) -> None:
            seen.append(("", {}, data))

        def handle_comment(self, data: str) -> None:
            seen.append(("!", {}, data))

    Reader().feed(html)
    return seen


def test_liquid_survives_mjml() -> None:
    source = (
        "<mjml><mj-body>{% if a %}<mj-section>{% for i in y %}<mj-column>"
        '<mj-text>Hi {{ x | append: "<q>" }} <b>é</b></mj-text>'
        '<mj-button href="https://x.example/{{ x | default: "q" }}?a=1&amp;b=2">Go</mj-button>'
        "<mj-table><tr>{% if x %}<td>{{ x }}</td>{% endif %}</tr></mj-table>"
        "</mj-column>{% endfor %}</mj-section>{% endif %}</mj-body></mjml>"
    )
    html = compile_source(SourceType.MJML, source, inline=False)
    assert 'href="https://x.example/{{ x | default: "q" }}?a=1&amp;b=2"' in html
    assert 'Hi {{ x | append: "<q>" }} <b>é</b>' in html
    assert "<tr>{% if x %}<td>{{ x }}</td>{% endif %}</tr>" in html
    tags = ["{% if a %}", "{% for i in y %}", "{% if x %}", "{% endif %}", "{% endfor %}", "{% endif %}"]
    assert re.findall(r"\{%.*?%\}", html) == tags
    assert "x.example" not in _PLAIN.from_string(html).render(a=False)


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ("<mjml>\n<mj-body>\n<mj-foo/></mj-body></mjml>", "line 3, column 1", "no element <mj-foo>"),
        ("<mjml>\n<mj-body></mj-section></mjml>", "line 2, column 10", "</mj-body> was expected"),
        ("<mjml>\n <mj-body>", "line 2, column 2", "never closed"),
        ('<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>', "line 1, column 16", "mj-include"),
        (
            _MJML.format('{{ x }}\n<mj-image width="{{ w }}"/>').replace("mj-image", "mj-image"),
            "line 2",
            "Liquid cannot",
        ),
        ("<p>no</p>", "line 1, column 1", "<mjml> was expected"),
        ("<mjml>" + "<mj-body>" * 20_000, "line 1", "nested more than 60 deep"),
        (_MJML.format("\n{{ x | nofilter }}"), "line 2, column 8", "no filter"),
    ],
)
def test_mistakes_in_mjml_have_a_place(source: str, place: str, words: str) -> None:
    told = _problems(SourceType.MJML, source)["source"]
    assert place in told, told
    assert words in told, told


def test_markdown_with_liquid_between_paragraphs() -> None:
    source = "# Hi {{ x }}\n\n{% for i in y %}\n- {{ i }} [go](https://x.example/{{ i }})\n{% endfor %}\n\n|a|\n|-|\n|{{ x }}|\n"
    html = compile_source(SourceType.MARKDOWN, source, inline=False)
    shown = _PLAIN.from_string(html).render(x="you", y=["one", "two"])
    assert shown.count("<li") == 2
    assert 'href="https://x.example/two"' in shown
    assert "<p>{%" not in html
    assert 'style="' in html


def test_a_document_of_every_kind_of_block() -> None:
    html = compile_source(
        SourceType.BLOCKS,
        _blocks(
            {"type": "heading", "text": 'A & "B" {{ x | default: "you" }}'},
            {"type": "text", "text": "**bold** <script>"},
            {"type": "image", "src": "https://x.example/{{ x }}.png", "alt": "A cat", "width": 200},
            {"type": "button", "text": "Go", "href": "{{ x }}"},
            {"type": "columns", "columns": [{"blocks": [{"type": "spacer"}], "width": 30}, {"blocks": []}]},
            {"type": "divider"},
            {"type": "social", "links": [{"network": "Mastodon", "href": "https://m.example"}]},
            {"type": "products", "each": "cart", "button": "Buy"},
            {"type": "conditional", "condition": 'x == "y"', "blocks": [{"type": "text", "text": "Y"}],
             "otherwise": [{"type": "text", "text": "N"}]},
            {"type": "footer", "text": "Bye"},
        ),
        inline=False,
    )  # fmt: skip
    shown = _PLAIN.from_string(html).render(x="y", cart=[{"title": "Hat", "price": "2 €"}] * 3)
    assert shown.count(">Hat<") == 3
    assert "A &amp; &quot;B&quot; y" in shown
    assert "&lt;script&gt;" in shown
    assert "{{ unsubscribe_url }}" in html
    assert content.plain_text(html)


@pytest.mark.parametrize("kind", [SourceType.MARKDOWN, SourceType.BLOCKS])
def test_the_text_has_what_is_seen(kind: SourceType) -> None:
    document = {"preheader": "Before {{ x }}", "blocks": [{"type": "text", "text": "Hi {{ x }}"}]}
    source = "Hi {{ x }}" if kind == SourceType.MARKDOWN else orjson.dumps(document).decode()
    assert content.plain_text(compile_source(kind, source, inline=False)) == "Hi {{ x }}\n"


def test_mistakes_in_a_document_have_a_path() -> None:
    assert _problems(
        SourceType.BLOCKS,
        _blocks(
            {"type": "image"},
            {"type": "columns", "columns": [{"blocks": [{"type": "button", "text": "a", "href": 3}]}, {"blocks": []}]},
            {"type": "heading", "text": "a", "colour": "red"},
        ),
    ).keys() == {"source.blocks[0].src", "source.blocks[1].columns[0].blocks[0].href", "source.blocks[2].colour"}
    pictures = compile_source(
        SourceType.BLOCKS, _blocks({"type": "products", "each": "items", "item": "i", "image": "{{ i.image }}", "title": "T"}),
        inline=False,
    )  # fmt: skip
    cell = pictures[: pictures.index("<img")].rpartition("<td align=")[2]
    assert cell.startswith('"left"')
    red = _problems(SourceType.BLOCKS, _blocks({"type": "heading", "text": "a", "color": "red"}))
    assert red == {"source.blocks[0].color": "must be a colour such as #1d4ed8"}
    named = _problems(SourceType.BLOCKS, '{"language": "German", "blocks": [{"type": "spacer"}]}')
    assert named == {"source.language": "must be the code of a language, such as en or pt-BR"}
    none = _problems(SourceType.BLOCKS, _blocks({"type": "conditional", "condition": "a", "blocks": []}))
    assert none == {"source.blocks[0].blocks": "must have at least 1 item"}
    liquid = _problems(
        SourceType.BLOCKS,
        _blocks(
            {"type": "text", "text": "a\n{{ x | nope }}"},
            {"type": "conditional", "condition": "a ==", "blocks": [{"type": "spacer"}]},
        ),
    )
    assert liquid["source.blocks[0].text"].startswith("line 2, column 8")
    assert "source.blocks[1].condition" in liquid
    assert _problems(SourceType.BLOCKS, "{")["source"].startswith("line 1, column 2: not JSON")


_SOUP = st.lists(
    st.sampled_from(
        re.findall(
            r"\S+| \S?|\n",
            """<mjml> </mjml> <mj-body> </mj-body> <mj-section <mj-text> </mj-text> > " {{x}} {%if%} {%endif%} <style> </style> .a{
            } color:red @media( <!-- --> # - | ` [a]( ) é &amp; <table> <td class='a'> { } {% mj-raw <!--[if\xa0mso]> \x00""",
        )
        or ()
    ),
    max_size=30,
).map("".join)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["text", "columns", "{{ x }}", "{% if", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "blocks", "columns", "text", "condition"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    _SOUP | _JSON.map(lambda told: orjson.dumps(told).decode()),
    st.sampled_from(SourceType),
    st.booleans(),
)
def test_nothing_crashes_it(source: str, kind: SourceType, inline: bool) -> None:
    try:
        html = compile_source(kind, source, inline=inline)
    except Invalid as error:
        fields = [one.field for one in error.fields]
    else:
        fields = ["source"] if html else []
    assert fields
    assert all(one.startswith("source") for one in fields)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (SourceType.HTML, "<style>.a{color:red}</style>" + "<p class=a>" * 20_000),
        (SourceType.HTML, "<style>" + ".a " * 30_000 + "{color:red}</style><p class=a>"),
        (SourceType.MARKDOWN, "> " * 5_000 + "a"),
        (SourceType.MARKDOWN, "*a **b " * 10_000),
        (SourceType.MARKDOWN, "[" * 20_000),
        (SourceType.MARKDOWN, "`" * 10_000 + "\n" + "a`" * 10_000),
        (SourceType.MJML, _MJML.format("<mj-text>" + "<b>a</b>" * 20_000 + "</mj-text>")),
        (SourceType.BLOCKS, "[" * 100_000),
    ],
)
def test_hostile_sources_take_bounded_time(kind: SourceType, source: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Invalid):
        compile_source(kind, source, inline=True)
    assert time.process_time() - began < 5
