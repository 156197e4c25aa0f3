# ruff: noqa: E501 - templates read better unbroken
"""Preheaders: first in the body, out of sight, once, and in no text part."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_examples import templates
from tidings.content import (
    SourceType,
    TemplateInvalid,
    compile_liquid,
    compile_source,
    plain_text,
    preview,
    with_preheader,
)
from tidings.content._preheader import hide_well

PADDING = "\u034f\u200c\u00a0"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class _Words(HTMLParser):
    """What is text, but for titles and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words, self._unread = "", False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self._unread = tag in {"title", "style"}

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._unread = False

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.words += data


def first_words(html: str) -> str:
    """What an inbox takes: the first characters of the body's text, hidden or not."""
    reader = _Words()
    reader.feed(html)
    return reader.words.strip()


MJML = (
    "<mjml><mj-head>{}</mj-head><mj-body><mj-section><mj-column><mj-text>Hi {{{{ x }}}}</mj-text></mj-column>"
    "</mj-section></mj-body></mjml>"
)
SOURCES = {
    "html": (SourceType.HTML, "<html><head><title>T</title></head><body class='a'>\n<p>Hi {{ x }}</p></body></html>"),
    "html without a body": (SourceType.HTML, "<p>Hi {{ x }}</p>"),
    "html with its own": (
        SourceType.HTML,
        "<body><!-- pre --><div style='display: none'>Old {{ y }} words</div><span style='display:none'>&zwnj;</span><p>Hi {{ x }}</p>",
    ),
    "mjml": (SourceType.MJML, MJML.format("")),
    "mjml with its own": (SourceType.MJML, MJML.format("<mj-preview>Old words</mj-preview>")),
    "markdown": (SourceType.MARKDOWN, "Hi {{ x }}"),
    "blocks": (SourceType.BLOCKS, orjson.dumps({"blocks": [{"type": "text", "text": "Hi {{ x }}"}]}).decode()),
    "blocks with their own": (
        SourceType.BLOCKS,
        orjson.dumps({"preheader": "Old words", "blocks": [{"type": "text", "text": "Hi {{ x }}"}]}).decode(),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_it_comes_first_and_once_and_nothing_leaks_into_it(name: str) -> None:
    kind, source = SOURCES[name]
    html = with_preheader(compile_source(kind, source, inline=False), "Save {{ amount }} & <more>")
    seen = first_words(html)
    assert seen.startswith("Save {{ amount }} & <more>" + PADDING * 100)
    assert "Old" not in html
    assert html.count("mso-hide:all") == 1
    assert re.sub(r"\s+", " ", plain_text(html)).strip() == "Hi {{ x }}"


def test_what_its_author_wrote_stays_where_none_is_given() -> None:
    for _, source in SOURCES.values():
        assert with_preheader(source, " ") == source


@pytest.mark.parametrize("name", ["mjml with its own", "blocks with their own"])
def test_previews_of_mjml_and_blocks_are_padded_and_hidden_from_outlook(name: str) -> None:
    html = compile_source(*SOURCES[name], inline=False)
    assert first_words(html).startswith("Old words" + PADDING * 100)
    assert html.count("mso-hide:all") == html.count("Old words") == 1
    assert hide_well(html) == html


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% if a %}<body class=x>{% else %}<body>{% endif %}<p>", "{% if a %}<body class=x>#{% else %}<body>#{% endif %}<p>"),
        ("{% assign a = 'b' %}\n{{ a }}", "{% assign a = 'b' %}#\n{{ a }}"),
        ("<!doctype html><html><head></head><p>", "<!doctype html><html><head></head>#<p>"),
        ("<!-- <body> --><p>", "#<!-- <body> --><p>"),
        # Hidden, but it sets what others need, or is half of a condition; or it is seen.
        ("<body><div style='display:none'>{% assign a = 1 %}</div>", "<body>#<div style='display:none'>{% assign a = 1 %}</div>"),
        ("<body><div style='display:none'>{% if a %}</div>{% endif %}", "<body>#<div style='display:none'>{% if a %}</div>{% endif %}"),
        ("<body><div>seen</div>", "<body>#<div>seen</div>"),
    ],
)  # fmt: skip
def test_where_it_stands(source: str, expected: str) -> None:
    assert re.sub(r'<div style="display:none;font.*?</div>', "#", with_preheader(source, "P")) == expected


@given(source=templates, preheader=st.sampled_from(("P", "{{ first_name }}", "{% if a %}b{% endif %}", "<b>&{")))
def test_templates_stay_whole(source: str, preheader: str) -> None:
    try:
        compile_liquid(source, html=True)
    except TemplateInvalid:
        return
    compile_liquid(with_preheader(source, preheader), html=True)


async def test_previews_show_it_by_itself_and_mark_what_is_missing_where_it_is() -> None:
    shown = await preview(
        subject="Hi {{ first_name }}",
        html_content=with_preheader(
            "<p title='{{ plan }}'>{{ plan }}, {{ city | default: 'x' }}</p>", "For {{ plan }}"
        ),
        text_content="Hi {{ contact.plan | upcase }}.",
        preheader="For {{ plan }}",
        variables={},
        workspace_name="W",
        postal_address="",
        public_url="https://t.example",
        now=NOW,
        marked=True,
    )
    assert shown.subject == "Hi [first_name]"
    assert shown.preheader == "For [plan]"
    assert shown.text.startswith("Hi [contact.plan].")
    assert "<p title='[plan]'><mark " in shown.html
    assert ">plan</mark>, x</p>" in shown.html
    assert [one.name for one in shown.missing] == ["first_name", "plan", "plan", "plan", "contact.plan"]
