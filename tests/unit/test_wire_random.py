# ruff: noqa: E501 - templates read better unbroken
"""Random wire messages, decoded, against python-liquid's rendering of the same templates."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from liquid import Environment
from markupsafe import escape

from liquid_examples import contacts, expressions, templates, text_values
from tidings.content import RenderError
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._content import extract_links
from wire_messages import (
    CONTENT,
    DATE,
    NEEDED,
    TOKENS,
    check_wire_format,
    compiled,
    header,
    oracle,
    part,
)

LINKS = st.sampled_from(
    (
        '<a href="https://shop.example/?a=1&amp;b=2">one</a>',
        "<A class='x' HREF = 'https://shop.example/two' >two</A>",
        "<a href=https://shop.example/three>three</a>",
        '<a href="{{ unsubscribe_url }}">leave</a>',
        '<a href="mailto:{{ email }}?a=1&amp;b={{ first_name }}">mail</a>',
        '<a href="mailto:a@b.example">mail</a><a href="#top">top</a><a href="/relative">r</a>',
        '<!--[if mso]><v:roundrect href="https://shop.example/mso"></v:roundrect><![endif]-->',
        '<!-- <a href="https://shop.example/hidden">x</a> -->',
        '<a title="{{ "a>b" }}" href="https://shop.example/four">four</a>',
        '{% raw %}<a href="https://shop.example/raw">{{ raw }}</a>{% endraw %}',
    )
)
DYNAMIC = expressions().map(lambda text: f'<a href="https://shop.example/p?q={{{{ {text} }}}}&amp;z=1">p</a>')
CHOICE = st.tuples(st.sampled_from(("plan", "first_name", "flag")), expressions()).map(
    lambda pair: (
        f'<a href="{{% if {pair[0]} %}}https://shop.example/{{% else %}}{{{{ {pair[1]} }}}}{{% endif %}}">c</a>'
    )
)
html_templates = st.lists(st.one_of(LINKS, DYNAMIC, CHOICE, templates), max_size=5).map("".join)
text_templates = st.lists(
    st.one_of(templates, st.sampled_from(("see https://shop.example/a. ", "(https://shop.example/b?c=1) ", "https://x.example/{{ plan }} "))),
    max_size=4,
).map("".join)  # fmt: skip


SIGNATURE = len(TOKENS.dynamic("token", "https://x.example").rpartition("=")[2])
"""Characters: what stands behind one is no part of it, be it the next link."""


def unwrapped(rendered: str, links: Sequence[str], token: str, *, html: bool) -> str:
    """Tracked links as their destinations again."""

    def destination(match: re.Match[str]) -> str:
        if match["index"]:
            return str(escape(links[int(match["index"])])) if html else links[int(match["index"])]
        url = TOKENS.read_dynamic(token, match["u"], match["s"])
        assert url is not None, "a signed link of ours must be taken by us"
        return str(escape(url)) if html else url

    tracked = rf"https://t\.example/c/{re.escape(token)}/(?:(?P<index>\d+)|x\?u=(?P<u>[\w-]+)&(?:amp;)?s=(?P<s>[\w-]{{{SIGNATURE}}}))"
    return re.sub(tracked, destination, rendered)


def canonical(rendered: str, *, html: bool) -> str:
    """Up to what quoted-printable cannot tell apart (CRs right before a line feed), and white space round an href."""
    if html:
        rendered = re.sub(r'href="([^"]*)"', _href, rendered)
    return re.sub(r"\r+\n", "\n", rendered)


def _href(match: re.Match[str]) -> str:
    return 'href="' + re.sub(r"[\t\r\n]", "", unescape(match[1])).strip() + '"'


def one_line(text: str) -> str:
    """What becomes of a subject with control characters in it."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip(" ")


def check(subject: str, html: str, text: str, row: tuple[Any, ...]) -> None:
    """The message, decoded and its links unwrapped, is what python-liquid makes of the templates."""
    for source in (subject, html, text):
        try:
            Environment().from_string(source)
        except Exception:  # noqa: BLE001
            assume(False)
    content = replace(CONTENT, subject=subject, html=NEEDED + html, text=NEEDED + text)
    links = extract_links(content)
    expected_subject = oracle(subject, row, "", content, html=False)
    line = one_line(expected_subject or "")
    expected = [
        oracle(source, row, line, content, html=is_html)
        for source, is_html in ((content.html, True), (content.text, False))
    ]
    wire = compiled(content)
    if expected_subject is None or None in expected:
        with pytest.raises(RenderError):
            wire.build(row, date=DATE)
        return
    message = wire.build(row, date=DATE)
    check_wire_format(message)
    assert header(message, "Subject") == line
    token = TOKENS.for_send(WorkspaceId(1), SendId(2))(row[0], row[1])
    got_html, pixels = re.subn(rf'<img src="https://t\.example/o/{token}\.gif"[^>]*>', "", part(message, "html"))
    assert pixels == 1
    for got, want, is_html in ((got_html, expected[0], True), (part(message, "plain"), expected[1], False)):
        assert want is not None
        plain = unwrapped(got, links, token, html=is_html)
        # A quoted-printable part ends with the line break before the boundary, or with one of its own.
        assert canonical(plain, html=is_html) == canonical(want, html=is_html)


subjects = st.lists(
    st.one_of(text_values.filter(lambda text: "{" not in text), expressions().map("{{{{ {} }}}}".format)), max_size=3
).map(" ".join)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@example(
    subject="",
    html="",
    text="{% for j in (1..2) %}https://plain.example/?q=1{{ forloop.parentloop.index }}{% endfor %}",
    row=(1, 789, "ada@example.com", "", "", "", "", "", [], "{}", datetime(2026, 1, 1, tzinfo=UTC), None, 0),
)
@given(subject=subjects, html=html_templates, text=text_templates, row=contacts())
def test_random_messages(subject: str, html: str, text: str, row: tuple[Any, ...]) -> None:
    check(subject, html, text, row)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(subject=subjects, html=html_templates, text=text_templates, row=contacts())
def test_random_messages_at_length(subject: str, html: str, text: str, row: tuple[Any, ...]) -> None:
    check(subject, html, text, row)
