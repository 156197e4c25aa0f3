"""Checks of content: what is found, where, and that what is in order is left in peace."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tidings import content
from tidings.content import Checkable, Finding, Severity, SourceType, check_content, plain_text

URL = "https://t.example.org"
GOOD = """<!doctype html>
<html lang="en"><head><title>News</title></head><body>
<div style="display:none">What this message is about, in a few words of some length</div>
<h1>News</h1><p>Hello {{ first_name | default: 'there' }}, here is what happened in the last month at our shop.</p>
<p><a href="https://shop.tidings.test.de/new">See what is new in the shop</a></p>
<img src="https://shop.tidings.test.de/a.png" alt="Our shop" width="300">
<p>{{ workspace.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</body></html>
"""


def contact(number: int = 1, **attributes: Any) -> tuple[Any, ...]:
    """A contact's row."""
    first = attributes.pop("first_name", "")
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        number, number, f"c{number}@tidings.test.de", first, "", "", "", "", [], orjson.dumps(attributes).decode(), made, None, 0,
    )  # fmt: skip


async def found(html: str, *, rows: Any = None, subject: str = "News of the month", **given: Any) -> list[Finding]:
    """What the checks say of some HTML, in order."""
    text = given.pop("text", "")
    checked = Checkable(subject, html, text or plain_text(html), bool(text), **given)
    report = await check_content(
        checked,
        rows=[contact()] if rows is None else rows,
        real=rows is not None,
        workspace_name="Acme",
        postal_address="1 Main Street\nSpringfield",
        public_url=URL,
    )
    return content.in_order(report.findings)[0]


async def codes(html: str, **given: Any) -> set[str]:
    """The codes of it."""
    return {one.code for one in await found(html, **given)}


def page(body: str) -> str:
    """A good message with this in its body."""
    return GOOD.replace("<h1>News</h1>", f"<h1>News</h1>{body}")


@pytest.mark.parametrize(
    ("style", "code"),
    [
        ("display:none;max-height:0;overflow:hidden;opacity:0", None),
        ("DISPLAY: none !important; overflow:hidden", None),
        ("max-height:0;overflow:hidden", "client_overflow"),
        ("display:none;position:absolute", None),
    ],
)
async def test_how_a_preheader_is_hidden_is_no_fault(style: str, code: str | None) -> None:
    hidden = f'<div style="{style}">What is new this week in the shop round the corner, and what is not</div>'
    assert await codes(page(hidden)) == ({code} if code else set())


async def test_what_is_in_order_is_left_in_peace() -> None:
    assert await found(GOOD, rows=[contact()]) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('<a href="">x</a>', "link_empty"),
        ("<a>x</a>", "link_empty"),
        ('<a href=" # ">x</a>', "link_fragment"),
        ('<a href="/shop">x</a>', "link_relative"),
        ('<a href="shop.de/x">x</a>', "link_relative"),
        ('<a href="javascript:alert(1)">x</a>', "link_scheme"),
        ('<a href="https://exa mple.de">x</a>', "link_malformed"),
        ('<a href="https://">x</a>', "link_malformed"),
        ('<a href="https://a..de/">x</a>', "link_malformed"),
        ('<a href="https://a.de:99999/">x</a>', "link_malformed"),
        ('<a href="http://shop.de">x</a>', "link_insecure"),
        ('<a href="https://localhost:8000/">x</a>', "link_private"),
        ('<a href="https://192.168.1.4/">x</a>', "link_private"),
        ('<a href="https://[::1]/">x</a>', "link_private"),
        ('<a href="https://printer.local/">x</a>', "link_private"),
        ('<a href="https://www.example.com/x">x</a>', "link_placeholder"),
        ('<a href="https://shop.de/TODO">x</a>', "link_placeholder"),
        ('<a href="https://bit.ly/3x">x</a>', "link_shortener"),
        ('<a href="https://93.184.216.34/">x</a>', "link_numeric_host"),
        ('<a href="https://paypal.com@evil.de/">x</a>', "link_credentials"),
        ('<a href="https://evil.de/">www.paypal.com/login</a>', "link_text_mismatch"),
        ('<a href="https://www.shop.de/x">shop.de</a>', "link_text_is_address"),
        ('<a href="https://shop.de/"><img src="https://shop.de/a.png" alt="" width="9"></a>', "link_without_text"),
        ('<a href="https://shop.de/">Click here</a>', "link_text_vague"),
        ('<img src="https://shop.de/a.png" width="9">', "image_without_alt"),
        ('<img src="https://shop.de/a.png" alt="a">', "image_without_size"),
        ('<img src="" alt="a" width="9">', "image_source_empty"),
        ('<img src="/a.png" alt="a" width="9">', "image_source_relative"),
        ('<img src="file:///a.png" alt="a" width="9">', "image_source_scheme"),
        ('<img src="http://shop.de/a.png" alt="a" width="9">', "image_source_insecure"),
        ('<img src="https://10.0.0.1/a.png" alt="a" width="9">', "image_source_private"),
        ('<img src="https://via.placeholder.com/9" alt="a" width="9">', "image_source_placeholder"),
        ('<img src="data:image/png;base64,AA" alt="a" width="9">', "image_data_uri"),
        ('<img src="https://shop.de/a.svg?x" alt="a" width="9">', "image_format"),
        ('<p style="position:absolute">x</p>', "client_position"),
        ('<p style="display: flex">x</p>', "client_display_flex"),
        ('<p style="display:grid">x</p>', "client_display_grid"),
        ('<p style="border-radius:4px">x</p>', "client_border_radius"),
        ('<p style="margin:-4px">x</p>', "client_margin"),
        ('<p style="background:url(https://shop.de/a.png)">x</p>', "client_background_image"),
        ('<p style="width:calc(100% - 3px)">x</p>', "client_unit_calc"),
        ("<video src='https://shop.de/a.mp4'></video>", "client_video"),
        ("<form></form>", "client_form"),
        ("<script>alert(1)</script>", "client_script"),
        ("<iframe src='https://shop.de'></iframe>", "client_frame"),
        ("<p onclick='x()'>x</p>", "client_event_handler"),
        ("<style>p{color:#000}</style>", "client_style_in_body"),
        ("<h3>x</h3>", "heading_order"),
        ("<table><tr><td>x</td></tr></table>", "table_without_role"),
        ('<p style="color:#aaa">x</p>', "contrast_low"),
    ],
)
async def test_found(body: str, code: str) -> None:
    assert code in await codes(page(body))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="#there">x</a><p id="there">y</p>',
        '<a name="there"></a>',
        '<a href="mailto:a@shop.de">Write to us</a><a href="tel:+49123">Call us</a>',
        '<a href="https://müller.de/">Our shop</a>',
        '<a href="https://shop.de/"><img src="https://shop.de/a.png" alt="Our shop" width="9"></a>',
        '<img src="https://shop.de/a.png" alt="a" style="width:100%">',
        '<table role="presentation"><tr><td>x</td></tr></table>',
        "<table><tbody><tr><th>x</th></tr></tbody></table>",
        "{% comment %}<a href=''>x</a>{% endcomment %}",
        '<!--[if mso]><table><tr><td style="position:absolute"><a href="">x</a></td></tr></table><![endif]-->',
        '<td style="font-size:0;color:#fff"></td>',
        '<p style="color:#777;font-size:24px">x</p>',
        '<div style="background:#000"><p style="color:#ddd">x</p></div>',
        '<div style="background:url(https://shop.de/a.png) #000"></div>',
    ],
)
async def test_not_found(body: str) -> None:
    assert {one for one in await codes(page(body)) if not one.startswith("client_")} == set()


async def test_places_are_those_of_the_source() -> None:
    html = "<p>a</p>\n<p>{{ 'x>y\"' }}</p>\n  <p>ü</p> <a href='https://bit.ly/1'>Our shop</a>"
    (one,) = [one for one in await found(html) if one.code == "link_shortener"]
    assert (one.place.line, one.place.column, one.place.excerpt) == (3, 21, "https://bit.ly/1")
    assert html.splitlines()[2][20:].startswith("https://bit.ly/1")


async def test_places_of_blocks_name_the_block() -> None:
    from tidings.content import Parts

    html = Parts("{% render 'card' %}" + GOOD, {"card": "<p>\n<a href='/x'>Our shop</a></p>"}).pack()
    (one,) = [one for one in await found(html) if one.code == "link_relative"]
    assert (one.place.block, one.place.line, one.place.column) == ("card", 2, 10)


@pytest.mark.parametrize(
    ("kind", "source", "line", "column", "path"),
    [
        (SourceType.MARKDOWN, "Hello\n\nsee [our shop](http://shop.de/?a=1&b=2) now", 3, 16, ""),
        (
            SourceType.MJML,
            '<mjml><mj-body><mj-section><mj-column>\n<mj-button href="http://shop.de/?a=1&amp;b=2">Go</mj-button></mj-column></mj-section></mj-body></mjml>',
            2,
            18,
            "",
        ),
        (
            SourceType.BLOCKS,
            '{"blocks": [{"type": "text", "text": "hi"}, {"type": "button", "text": "Shop", "href": "http://shop.de/?a=1&b=2"}]}',
            1,
            1,
            "source.blocks[1].href",
        ),
    ],
)
async def test_places_in_what_html_was_compiled_from(
    kind: SourceType, source: str, line: int, column: int, path: str
) -> None:
    html = content.compile_source(kind, source, inline=False)
    seen = await found(html, source_type=kind, source=source)
    (one,) = [one for one in seen if one.code == "link_insecure"]
    assert (one.place.part, one.place.line, one.place.column, one.place.path) == ("source", line, column, path)
    # What our compilers write is not held against who wrote none of it.
    assert not [one for one in seen if one.code.startswith(("client_", "table_"))]


async def test_what_is_missing_for_whom() -> None:
    rows = [contact(1, plan="pro"), contact(2, first_name="Ann"), contact(3, first_name="Bob"), contact(4)]
    html = page("{{ first_name }} {{ plan | default: 'free' }}\n{{ city }}")
    seen = {one.place.excerpt[:4]: one for one in await found(html, rows=rows) if one.code == "variable_missing"}
    assert {name: (one.share, one.contact) for name, one in seen.items()} == {"firs": (0.5, 1), "city": (1.0, 1)}
    assert seen["city"].place.line == 5


async def test_personalised_links_that_come_out_empty() -> None:
    rows = [contact(1, link="https://shop.de/1"), contact(2), contact(3, link="shop.de")]
    body = "{% for n in (1..2) %}<a href=\"{{ link }}\">Your order</a>{% endfor %}<img src='{{ link }}' alt='' width=1>"
    seen = [one for one in await found(page(body), rows=rows) if one.code.endswith("_personalised")]
    assert [(one.code, one.contact, round(one.share or 0, 2)) for one in seen] == [
        ("image_personalised", 2, 0.33),
        ("image_personalised", 3, 0.33),
        ("link_personalised", 2, 0.33),
        ("link_personalised", 3, 0.33),
    ] or {(one.code, one.contact) for one in seen} == {
        (f"{what}_personalised", who) for what in ("link", "image") for who in (2, 3)
    }


async def test_strict_templates_that_fail() -> None:
    from tidings.content import Parts

    html = Parts(page("{{ plan }}"), {}, strict=True).pack()
    some = [one for one in await found(html, rows=[contact(1, plan="x"), contact(2)]) if one.code.startswith("render_")]
    assert [(one.code, one.severity, one.contact, one.share) for one in some] == [
        ("render_fails", Severity.WARNING, 2, 0.5)
    ]
    everyone = await found(html, rows=[contact(1), contact(2)])
    assert everyone[0].code == "render_fails_for_all"
    assert everyone[0].severity is Severity.ERROR


HIDDEN_WAY = GOOD.replace('<a href="{{ unsubscribe_url }}">', '<a style="display: none" href="{{ unsubscribe_url }}">')


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (GOOD.replace('<a href="{{ unsubscribe_url }}">Unsubscribe</a>', ""), set()),  # the footer has it
        ("<p>hello</p>", set()),
        (HIDDEN_WAY, {"unsubscribe_missing"}),
        (GOOD.replace("{{ unsubscribe_url }}", "https://shop.de/?u={{ unsubscribe_url }}"), {"unsubscribe_missing"}),
        ("{% if vip %}{{ unsubscribe_url }}{% endif %}<p>x</p>", {"unsubscribe_missing"}),
        ("<!-- {{ workspace.postal_address }} --><p>x</p>", {"postal_address_missing"}),
        ("{% if vip %}{{ workspace.postal_address }}{% endif %}<p>x</p>", {"postal_address_missing"}),
        ("{{ workspace.postal_address | newline_to_br }}<p>x</p>", set()),
    ],
)
async def test_the_way_out_and_the_address_are_seen(html: str, expected: set[str]) -> None:
    errors = {one.code for one in await found(html, rows=[contact()]) if one.severity is Severity.ERROR}
    assert errors == expected


async def test_of_some_contacts_only() -> None:
    html = "{% if vip %}<a href='{{ unsubscribe_url }}'>Go</a>{% endif %}<p>x</p>"
    (one,) = [one for one in await found(html, rows=[contact(1, vip=True), contact(2)], text="{{ unsubscribe_url }}")
              if one.code == "unsubscribe_missing"]  # fmt: skip
    assert (one.contact, one.share, one.place.part) == (2, 0.5, "html")


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("", "subject_empty"),
        ("{{ nothing }}", "subject_empty"),
        ("a " * 40, "subject_long"),
        ("BUY NOW, BUY CHEAP", "subject_capitals"),
        ("Re: your order", "subject_fake_reply"),
        ("AW: Ihre Bestellung", "subject_fake_reply"),
        ("🎉🎉🎉🎉", "subject_emoji"),
        ("Only today!!!", "subject_punctuation"),
    ],
)
async def test_subjects(subject: str, code: str) -> None:
    assert code in await codes(GOOD, subject=subject)


async def test_good_subjects() -> None:
    for subject in ("Reports of June", "NASA sends news", "Hi {{ first_name | default: 'you' }} 🎉"):
        assert await found(GOOD, subject=subject) == []


async def test_preheader_and_text() -> None:
    assert "preheader_missing" in await codes("<p>hello there</p>")
    assert "preheader_short" in await codes("<div style='max-height:0'>short</div><p>hello</p>")
    image = '<img src="https://shop.de/a.png" alt="a" width="9">'
    assert "image_only" in await codes(image + "{% if workspace.postal_address %}{% endif %}" * 0)
    assert "text_ratio" in await codes("<p>" + "<span class='a'></span>" * 2000 + "x" * 100)


async def test_text_part_links() -> None:
    seen = [one for one in await found(GOOD, text="see https://bit.ly/x.\nor http://shop.de/")
            if one.place.part == "text"]  # fmt: skip
    assert {(one.code, one.place.line, one.place.excerpt) for one in seen} == {
        ("link_shortener", 1, "https://bit.ly/x"),
        ("link_insecure", 2, "http://shop.de/"),
    }


async def test_broken_liquid_is_a_finding() -> None:
    seen = await found("<p>\n{{ a | nofilter }}</p>")
    assert [(one.code, one.severity, one.place.line) for one in seen if one.severity is Severity.ERROR] == [
        ("liquid_invalid", Severity.ERROR, 2)
    ]


async def test_a_hundred_alike_are_counted() -> None:
    report = await check_content(
        Checkable("S", "<a href=''>x</a>\n" * 100, "x", True),
        rows=[contact()], real=False, workspace_name="", postal_address="", public_url=URL,
    )  # fmt: skip
    kept, left_off = content.in_order(report.findings)
    assert sum(one.code == "link_empty" for one in kept) == 20
    assert left_off == {"link_empty": 80}
