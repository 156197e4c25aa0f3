"""Checks meet anything that people paste: none of it may stop them, or keep them long."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.content import Checkable
from tidings.content._checks._colours import contrast, luminance, read_colour
from tidings.content._checks._page import read_page
from tidings.content._checks._run import _check

ROW = (1, 1, "a@shop.de", "", "", "", "", "", [], "{}", datetime(2026, 1, 1, tzinfo=UTC), None, 0)
_WORDS = r"""< > </ /> <!-- --> <!--[if mso]> <![endif]--> <style> </style> <script> </script> <title> " ' = ; : { } ( ) # /* */
<a <a> </a> href= src= style= alt= <img <table <td> <p <h1> <h3> <body> <html> {{ }} {% %} {{x}} {{x|date}} {%if_a%}
{%endif%} {%comment%} {%endcomment%} {%raw%} {%endraw%} &amp; &#0; &#xD800; http:// https:// https://[ data: javascript:
color: background: #fff rgba( url( @media @import position:absolute calc("""
_PIECES = st.sampled_from([*_WORDS.replace("if_a", "if a").split(), "\ue000", "\x00", "\n", "é", "💥"])
_SOUP = st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=60).map(" ".join) | st.lists(
    st.one_of(_PIECES, st.text(max_size=8)), max_size=60
).map("".join)


def _run(html: str, subject: str = "S") -> float:
    started = time.thread_time()
    _check(Checkable(subject, html, "x", True), [ROW], True, ((0, ""), "", "", "https://t.example"))
    return time.thread_time() - started


@settings(max_examples=250, deadline=None)
@given(_SOUP, st.text(max_size=50))
def test_soup(html: str, subject: str) -> None:
    assert _run(html, subject) < 2


@settings(max_examples=150, deadline=None)
@given(_SOUP)
def test_places_point_at_what_they_quote(html: str) -> None:
    page = read_page(html)
    for element in page.elements:
        place = page.tag(element)
        assert place.line is not None and place.column is not None  # noqa: PT018
        line = html.split("\n")[place.line - 1]
        assert line[place.column - 1 :].startswith("<")


_MB = 1_000_000
_SIZE = 200_000
"""A fifth: each of these is linear, so that the whole takes five times as long; `soak` has the whole."""


@pytest.mark.parametrize(
    "unit",
    [
        "<a href='https://shop.de/x'>Our shop</a>",
        "<a>",
        "<table><tr><td><th>",
        "<div style='color:#888;position:absolute;display:flex'>x",
        "<p style='" + "a:b;" * 20 + "'>",
        "</a></b>",
        "<!--[if mso]>",
        "<!--",
        "<style>a{b:c}</style>",
        "<img>",
        "a='b\"",
        "<a b",
        "&#x41;",
        "<h1>x<h3>",
        "{",
        "<a href='#x'>",
        "<x\n",
    ],
)
@pytest.mark.parametrize("size", [_SIZE, pytest.param(_MB, marks=pytest.mark.soak)])
def test_a_megabyte_takes_seconds_at_most(unit: str, size: int) -> None:
    html = unit * (size // len(unit))
    # In a process of thousands of tests, on busy cores, all takes twice as long; what is quadratic takes far longer.
    assert _run(html) < (8 if size == _MB else 25) * size / _MB


def test_an_endless_tag_and_hostile_css() -> None:
    for html in (
        "<a " + "a" * _MB,
        "<a " + "a " * (_MB // 2) + ">",
        "<p style='" + "color:" * 100_000 + "'>",
        "<style>" + "a,b,c d>e{color:red}" * 20_000 + "</style>" + "<p class=x>y</p>" * 100,
        "<style>" + "@media (" * 100_000 + "</style>",
        "<style>" + "/*" * 500_000 + "</style>",
        "<p style='" + "url(" * 200_000 + "'>",
    ):
        assert _run(html) < 8


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # known pairs: W3C's and WebAIM's
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "white", 4.54),
        ("#949494", "#fff", 3.03),
        ("#0000ff", "#ffffff", 8.59),
        ("red", "white", 4.0),
        ("#ff0", "rgb(0, 0, 0)", 19.56),
        ("#1d4ed8", "#ffffff", 6.70),
    ],
)
def test_contrast_of_known_pairs(one: str, other: str, expected: float) -> None:
    first, second = read_colour(one), read_colour(other)
    assert first is not None
    assert second is not None
    assert contrast(first, second) == pytest.approx(expected, abs=0.01)
    assert contrast(second, first) == contrast(first, second)


def test_colours() -> None:
    assert read_colour("#abc") == (0xAA, 0xBB, 0xCC)
    assert read_colour("rgba(0,0,0,.5)", (255, 255, 255)) == (128, 128, 128)
    assert read_colour("#00000080", (255, 255, 255)) == (127, 127, 127)
    assert read_colour("rgb(100% 0% 0%)") == (255, 0, 0)
    for unknown in ("", "nope", "#12345", "rgb(1,2)", "rgb(a,b,c)", "var(--x)", "rgba(0,0,0,.5)"):
        assert read_colour(unknown) is None
    assert luminance((255, 255, 255)) == pytest.approx(1)
