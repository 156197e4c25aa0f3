"""Layouts, macros and translated messages in the message that is sent: links counted, footer and pixel where they belong."""

from dataclasses import replace

from tidings.content._parts import Parts
from wire_messages import CONTENT, built, check_wire_format, part

LAYOUT = (
    '<html><body><a href="https://shop.example/top">Top</a>{% block main %}{% endblock %}'
    '{% block foot %}<a href="{{ unsubscribe_url }}">Leave</a>{% endblock %}</body></html>'
)


def html_of(source: str) -> str:
    """The HTML part that a contact gets of this, with a layout to extend."""
    message = built(replace(CONTENT, html=Parts(source, {"layout": LAYOUT}).pack()))
    check_wire_format(message)
    return part(message, "html")


def test_links_of_layout_and_slots_are_counted() -> None:
    html = html_of(
        '{% extends "layout" %}{% block main %}<a href="https://shop.example/cups">Hi {{ first_name }}</a>{% endblock %}'
    )
    assert "https://shop.example/" not in html
    assert html.count("https://t.example/c/") == 2
    assert "Hi Ada" in html
    assert "Leave" in html
    assert ">Unsubscribe<" not in html
    assert "1 Main Street" in html, "the footer has what the layout does not say"
    assert html.index("1 Main Street") < html.index("https://t.example/o/") < html.index("</body></html>")


def test_a_slot_that_took_the_link_away_leaves_the_footers() -> None:
    html = html_of('{% extends "layout" %}{% block foot %}{% endblock %}')
    assert html.count("https://t.example/u/") == 1
    assert html.index(">Unsubscribe<") < html.index("</body>")


def test_links_in_messages_and_macros_are_counted() -> None:
    html = html_of(
        '{% translate who: first_name %}<a href="https://shop.example/a">50% for\n {{ who }}</a>, '
        '<a href="https://shop.example/{{ last_name }}">or</a>{% endtranslate %}'
        '{% macro button to %}<a href="https://shop.example/{{ to }}">Go</a>{% endmacro %}{% call button first_name %}'
    )
    assert "https://shop.example/" not in html
    assert ">50% for Ada</a>, <a" in html
    assert html.count("https://t.example/c/") == 3
