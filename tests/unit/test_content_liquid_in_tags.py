"""Liquid inside of tags, tables, styles and Outlook's comments: it comes out of every kind of source as it went in."""

import re
from itertools import count
from typing import Any

import pytest
from css_inline import CSSInliner
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid import Environment

from tidings.content import SourceType, compile_source, plain_text, replace_html_links
from tidings.core.errors import Invalid

_LIQUID = Environment()
_STYLE = "<style>.x{color:red} .y{color:blue!important} b{margin:0} td{padding:1px}</style>"

_VALUE = st.sampled_from(['"{{ # }}"', "'{{ # | default: \"q\" }}'", '"a {% if # %} x{% endif %} b"', "{{ # }}", "x"])
_ATTRIBUTE = st.builds(
    lambda name, value: f"{name}={value}",
    st.sampled_from(["class", "title", "data-{{ # }}", "{{ # }}", "style", "Class", "href"]),
    _VALUE,
)
_BETWEEN = st.one_of(
    _ATTRIBUTE,
    st.sampled_from(["hidden", "{{ # }}", "{% assign # = 1 %}", 'class="y"', "style='top:1px'"]),
    st.builds(
        lambda one, other, space: f"{{% if # %}}{space}{one}{space}{{% else %}}{space}{other}{space}{{% endif %}}",
        _ATTRIBUTE,
        _ATTRIBUTE,
        st.sampled_from(["", " "]),
    ),
    st.builds(lambda one: f"{{%- for i in # -%}} {one} {{%- endfor -%}}", _ATTRIBUTE),
)
_TAG = st.builds(
    lambda name, between: f"<{name} {' '.join(between)}>",
    st.sampled_from(["b", "td", "img", "A"]),
    st.lists(_BETWEEN, max_size=4),
)
_PIECE = st.one_of(
    _TAG,
    st.builds(lambda tag: f"<!--[if mso]>{tag}{{{{ # }}}}</b><![endif]-->", _TAG),
    st.builds(lambda tag: f"<!-- {tag} -->", _TAG),
    st.builds(lambda tag: f"<table>{{% for i in # %}}<tr>{tag}</tr>{{% endfor %}}</table>", _TAG),
    st.sampled_from(
        [
            "<style>.q > b{color:{{ # }}} {% if # %}i{top:0}{% endif %}</style>",
            "<table><tr>{% if # %}<td>{% else %}<td class='y'>{% endif %}{{ # }}</td></tr></table>",
            "{{ # }}",
            "a &amp; b &nbsp; {% if # %}<b>{% endif %}",
        ]
    ),
)


def _numbered(source: str) -> str:
    """A name of its own for each piece of Liquid, so that each can be told from every other."""
    number = count()
    return re.sub("#", lambda _: f"v{next(number)}", source)


_SOURCES = st.lists(_PIECE, min_size=1, max_size=6).map("".join).map(_numbered)


@settings(max_examples=300, deadline=None)
@given(_SOURCES, st.sampled_from(["mj-text", "mj-table", "mj-raw", "mj-button", "mj-accordion-text"]))
def test_what_stands_in_a_text_of_mjml_is_not_touched(source: str, element: str) -> None:
    inside = f"<{element}>@@{source}@@</{element}>"
    if element == "mj-accordion-text":
        inside = f"<mj-accordion><mj-accordion-element>{inside}</mj-accordion-element></mj-accordion>"
    whole = f"<mjml><mj-body><mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>"
    html = compile_source(SourceType.MJML, whole, inline=False)
    assert html.count(f"@@{source}@@") == 1
    assert html.count("@@") == 2


@settings(max_examples=300, deadline=None)
@given(_SOURCES)
def test_inlining_adds_styles_and_takes_nothing_away(source: str) -> None:
    inlined = compile_source(SourceType.HTML, _STYLE + source, inline=True)
    assert inlined.startswith(_STYLE)
    # Each piece of Liquid once and in order: an `else` of our own takes nothing from those.
    ours = re.findall(r"\{\{.*?\}\}|\{%.*?%\}", inlined)
    theirs = re.findall(r"\{\{.*?\}\}|\{%.*?%\}", _STYLE + source)
    assert [one for one in ours if one != "{% else %}"] == [one for one in theirs if one != "{% else %}"]
    # Without what may be added or changed, the styles, all else is where it was.
    assert _without_styles(inlined) == _without_styles(_STYLE + source)


def _without_styles(source: str) -> str:
    pieces: list[str] = []

    def hide(found: re.Match[str]) -> str:
        pieces.append(found[0])
        return "§"

    hidden = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", hide, source.replace("{% else %}", " "))
    bare = re.sub(r"""\bstyle\s*=\s*("[^"]*"|'[^']*'|§|[^\s"'<>§]+)""", "", hidden)
    return re.sub(r"\s+", "", bare)


_BOTH = st.fixed_dictionaries({"a": st.booleans(), "b": st.booleans(), "x": st.sampled_from(["", "x", "y"])})
_CHOSEN = st.lists(
    st.sampled_from(
        [
            '<b {% if a %}class="x"{% else %}class="y"{% endif %} title="{{ x }}">t</b>',
            '<b {% if a %}style="top:1px"{% endif %} class="x">t</b>',
            '<b class=x {% if a %}style=top:1px{% else %}style="top:2px"{% endif %}>t</b>',
            '<b class="x" {% unless a %}{% if b %}style="top:1px"{% endif %}id=k{% endunless %}>t</b>',
            '<b class="x" {% case x %}{% when "x" %}style="top:1px"{% when "y" %}id="k"{% endcase %}>t</b>',
            '<b {% if a %}hidden{% else %}style="top:1px"{% endif %} class="x">t</b>',
            '<b class="x" style="top:1px{% if a %};left:2px{% endif %}">t</b>',
        ]
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(_CHOSEN, _BOTH)
def test_each_branch_of_a_tag_gets_its_styles(parts: list[str], values: dict[str, Any]) -> None:
    """Differential: Liquid first, by python-liquid, then css-inline itself."""
    source = _STYLE + "".join(parts)
    whole = CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)
    ours = _LIQUID.from_string(compile_source(SourceType.HTML, source, inline=True)).render(**values)
    first = _LIQUID.from_string(source).render(**values)
    # The second pass adds what only Liquid knew, such as a class in a branch, and sorts what both have said.
    assert _declared(whole.inline(ours)) == _declared(whole.inline(first))
    if values["a"] and parts == ['<b {% if a %}style="top:1px"{% endif %} class="x">t</b>']:
        assert "color: red" in ours[len(_STYLE) :]


def _declared(html: str) -> list[tuple[str, ...]]:
    return [
        (*sorted({part.strip().replace(" !", "!") for part in style.split(";")} - {""}), name)
        for name, style in re.findall(r'<(b)\b[^>]*?style="([^"]*)"', html)
    ]


def test_a_class_in_a_branch_is_nobodys_style_beforehand() -> None:
    source = (
        _STYLE + '<i {% if a %}class="x"{% else %}class="q"{% endif %}></i><i class="q{% if a %} x{% endif %}"></i>'
    )
    assert compile_source(SourceType.HTML, source, inline=True) == source


@pytest.mark.parametrize(
    "tag",
    [
        '<b {% if a %}class="x"{% else %}class="y"{% endif %}>',
        "<b{% if a %} class='x'{% endif %} {{ more }}>",
        '<td class=b {{ x }} title="<{{ x }}>">',
    ],
)
@pytest.mark.parametrize("around", ["{}t</b>", "<p>{}t</b></p>", "<div>\n{}\nt</div>"])
def test_tags_in_markdown_stay_tags(tag: str, around: str) -> None:
    html = compile_source(SourceType.MARKDOWN, around.format(tag), inline=False)
    name = re.escape(tag[: tag.index("{") if tag.startswith("<b") else 3].strip())
    rest = re.escape(tag[len(name.replace("\\", "")) :].strip())
    assert re.search(rf'{name}( style="[^"]*")?\s*{rest}', html), html


def test_tags_in_code_are_shown() -> None:
    html = compile_source(SourceType.MARKDOWN, '`<b {{ x }} title="<i>">`', inline=False)
    assert "&lt;b {{ x }} title=&quot;&lt;i&gt;&quot;&gt;</code>" in html


def test_liquid_between_attributes_of_mjml_is_told_with_its_place() -> None:
    source = '<mjml><mj-body><mj-section><mj-column>\n<mj-button {% if a %}href="x"{% endif %}>x</mj-button>'
    with pytest.raises(Invalid) as caught:
        compile_source(SourceType.MJML, source, inline=False)
    assert caught.value.fields[0].message.startswith("line 2, column 12: Liquid cannot stand here in <mj-button>")


def test_links_that_liquid_chooses_are_all_found() -> None:
    html = '<a {% if a %}href="https://x.example"{% else %}href="https://y.example"{% endif %}>Go</a>.'
    assert replace_html_links(html, lambda link, _: f"[{link}]") == html.replace("https://x.example", "[https://x.example]").replace(
        "https://y.example", "[https://y.example]"
    )  # fmt: skip
    text = plain_text(html)
    assert _LIQUID.from_string(text).render(a=True).split() == ["Go", "(https://x.example)", "."]
    assert _LIQUID.from_string(text).render(a=False).split() == ["Go", "(https://y.example)", "."]
