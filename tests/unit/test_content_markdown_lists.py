"""Liquid alone on its lines within a list of Markdown: one list comes out, whatever is chosen."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.content import SourceType, TemplateInvalid, compile_source, plain_text, render_liquid
from tidings.content._sources import _markdown
from tidings.content._sources._markdown import fragment

DATA: dict[str, Any] = {"items": ["a", "b"], "none": [], "yes": True}
FOR, IF = "{% for i in items %}\n- {{ i }}\n{% endfor %}\n", "{% if yes %}\n- y\n{% else %}\n- n\n{% endif %}\n"


def shown(source: str, **data: Any) -> str:
    """What is in the sheet of the mail, without white space round tags."""
    html = render_liquid(
        compile_source(SourceType.MARKDOWN, source, inline=False), data=DATA | data, blocks={}, html=True
    )
    sheet = html[html.index('<div class="sheet"') :]
    sheet = re.sub(r" style=\"[^\"]*\"", "", sheet)
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", sheet[sheet.index(">") + 1 : sheet.index("</div>")])


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (FOR, "<ul><li>a</li><li>b</li></ul>"),
        (f"Hi\n\n{FOR}\nBye", "<p>Hi</p><ul><li>a</li><li>b</li></ul><p>Bye</p>"),
        (f"- x\n{FOR}- z\n", "<ul><li>x</li><li>a</li><li>b</li><li>z</li></ul>"),
        (f"- x\n{IF}{FOR}", "<ul><li>x</li><li>y</li><li>a</li><li>b</li></ul>"),
        (IF, "<ul><li>y</li></ul>"),
        ("{% if yes %}\n" + FOR + "{% endif %}", "<ul><li>a</li><li>b</li></ul>"),
        (
            "{% if no %}\n- y\n{% endif %}\n{% for i in none %}\n- i\n{% else %}\nnothing\n{% endfor %}",
            "<p>nothing</p>",
        ),
        (FOR.replace("- ", "3. "), '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("- x\n{% assign y = 1 %}\n- {{ y }}", "<ul><li>x</li><li>1</li></ul>"),
        ("- x\n{% if yes %}{% for i in items %}\n- {{ i }}\n{% endfor %}{% endif %}", "<ul><li>x</li><li>a</li><li>b</li></ul>"),
        (FOR.replace("- {{ i }}", "- {{ i }}\n\nmore"), "<ul><li>a</li></ul><p>more</p><ul><li>b</li></ul><p>more</p>"),
        (f"* x\n{FOR}", "<ul><li>x</li></ul><ul><li>a</li><li>b</li></ul>"),
        ("{% capture c %}\n- x\n{% endcapture %}\n- z\n\n{{ c | safe }}", "<ul><li>z</li></ul><p><ul><li>x</li></ul></p>"),
    ],
)  # fmt: skip
def test_one_list_comes_out(source: str, html: str) -> None:
    assert shown(source) == html


def test_a_block_of_a_document_and_the_text_too() -> None:
    assert re.sub(r"\s*\n\s*", "", fragment(FOR)) == (
        '<ul style="margin:0 0 16px;padding-left:24px">{% for i in items %}<li>{{ i }}</li>{% endfor %}</ul>'
    )
    text = plain_text(compile_source(SourceType.MARKDOWN, f"- x\n{FOR}", inline=False))
    assert [line for line in render_liquid(text, data=DATA, blocks={}).splitlines() if line] == ["- x", "- a", "- b"]


LINES = (
    *("- a", "- b", "* c", "1. d", "  - e", "text", "", "> q", "{% for i in items %}", "{% endfor %}", "{% if yes %}"),
    *("{% if no %}", "{% else %}", "{% endif %}", "{% assign x = 1 %}", "{% endif %}{% if yes %}", "{% case x %}"),
    *("{% when 1 %}", "{% endcase %}", "{% capture c %}", "{% endcapture %}", "  {% for i in none %}", "{{ i }}"),
)


def balanced(html: str) -> bool:
    """Does each list end in the element that it began in?"""
    opened: list[str] = []
    for close, name in re.findall(r"<(/?)(ul|ol|li|p|blockquote)\b[^>]*>", html):
        if close and (not opened or opened.pop() != name):
            return False
        if not close:
            opened.append(name)
    return not opened


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join), st.booleans())
def test_the_same_items_come_out_in_fewer_lists(source: str, yes: bool) -> None:
    data = DATA | {"yes": yes}
    joined = fragment(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_markdown, "join_lists", lambda tokens, _stem, _liquid: tokens)
        apart = fragment(source)
    assert re.findall(r"\{[{%].*?[}%]\}", joined) == re.findall(r"\{[{%].*?[}%]\}", apart)
    try:
        before = render_liquid(apart, data=data, blocks={})
    except TemplateInvalid:
        return
    after = render_liquid(joined, data=data, blocks={})
    assert balanced(after) == balanced(before)
    assert re.sub(r"</?[uo]l[^>]*>|\s", "", after) == re.sub(r"</?[uo]l[^>]*>|\s", "", before)
