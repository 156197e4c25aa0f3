# ruff: noqa: E501 - templates read better unbroken
"""What becomes of a campaign's texts: links wrapped, footers, derived text; and that previews show it."""

import re
from dataclasses import replace
from html import unescape

import pytest

from tidings.content import plain_text, preview
from tidings.delivery.wire._content import extract_links
from wire_messages import (
    CONTENT,
    NEEDED,
    ROW,
    TOKEN,
    TOKENS,
    built,
    header,
    oracle,
    part,
)


def test_links_are_wrapped_and_indexed() -> None:
    content = replace(
        CONTENT,
        html='<a href="https://a.example/?x=1&amp;y=2">a</a><a href="https://b.example">b</a><a href="https://a.example/?x=1&y=2">a</a>'
        '<a href="{{ unsubscribe_url }}">u</a><a href="mailto:x@y.example">m</a><a href="https://c.example/{{ plan }}">c</a>',
        text="https://b.example and https://d.example. {{ unsubscribe_url }}",
    )
    assert extract_links(content) == ["https://a.example/?x=1&y=2", "https://b.example", "https://d.example"]
    html = part(built(content), "html")
    hrefs = [unescape(one) for one in re.findall(r'href="([^"]*)"', html)]
    assert hrefs[:5] == [
        f"https://t.example/c/{TOKEN}/0",
        f"https://t.example/c/{TOKEN}/1",
        f"https://t.example/c/{TOKEN}/0",
        f"https://t.example/u/{TOKEN}",
        "mailto:x@y.example",
    ]
    signed = re.fullmatch(rf"https://t\.example/c/{TOKEN}/x\?u=([\w-]+)&s=([\w-]+)", hrefs[5])
    assert signed
    assert TOKENS.read_dynamic(TOKEN, signed[1], signed[2]) == "https://c.example/pro"
    assert f"https://t.example/c/{TOKEN}/1 and https://t.example/c/{TOKEN}/2. https://t.example/u/{TOKEN}" in part(
        built(content), "plain"
    )


def test_without_tracking_there_is_no_trace_of_it() -> None:
    content = replace(CONTENT, track_clicks=False, track_opens=False)
    assert extract_links(content) == []
    message = built(content)
    assert 'href="https://shop.example/?a=1&amp;b=2"' in part(message, "html")
    assert "<img" not in part(message, "html")
    assert "/c/" not in part(message, "html") + part(message, "plain")


def test_a_footer_is_added_where_the_template_says_nothing() -> None:
    message = built(replace(CONTENT, html="<html><body><p>Hi</p></body></html>", text="Hi"))
    html, text = part(message, "html"), part(message, "plain").replace("\r\n", "\n")
    for seen in ("Acme &amp; Sons", "1 Main Street\r\nSpringfield", f'<a href="https://t.example/u/{TOKEN}"'):
        assert seen in html
    assert html.index("Unsubscribe") < html.index(f"https://t.example/o/{TOKEN}.gif") < html.index("</body></html>")
    assert text == f"Hi\n\n-- \nAcme & Sons\n1 Main Street\nSpringfield\nUnsubscribe: https://t.example/u/{TOKEN}\n"
    assert "Unsubscribe" not in part(built(replace(CONTENT, html=NEEDED, text=NEEDED)), "html")
    assert part(built(replace(CONTENT, html=NEEDED, text=NEEDED)), "plain").count("/u/") == 1


LEAVE, ADDRESS = "{{ unsubscribe_url }}", "{{ workspace.postal_address }}"


@pytest.mark.parametrize("said", ["Hi", LEAVE, ADDRESS, NEEDED])
@pytest.mark.parametrize("kind", ["html", "plain"])
def test_the_footer_says_only_what_is_missing(said: str, kind: str) -> None:
    message = built(replace(CONTENT, html=said if kind == "html" else NEEDED, text=said if kind == "plain" else NEEDED))
    for seen, source in ((part(message, kind), said), (part(message, "plain" if kind == "html" else "html"), NEEDED)):
        assert seen.count("/u/") == 1, "one way out"
        assert seen.count("Springfield") == 1
        assert ("Unsubscribe" in seen) == (LEAVE not in source)
        assert ("Acme" in seen) == (ADDRESS not in source)


def test_without_a_postal_address_there_is_no_empty_box() -> None:
    message = built(replace(CONTENT, html=LEAVE, text=LEAVE, postal_address=""))
    assert "<div" not in part(message, "html")
    assert part(message, "plain") == f"https://t.example/u/{TOKEN}"


def test_the_footer_keeps_its_distance() -> None:
    for text in ("Hi", "Hi\n", "Hi\n\n\n"):
        assert part(built(replace(CONTENT, text=text)), "plain").startswith("Hi\r\n\r\n-- \r\nAcme")
    assert part(built(replace(CONTENT, text="{{ 'Hi' -}}")), "plain").startswith("Hi\r\n-- \r\nAcme")


def test_the_footer_is_not_put_where_nobody_sees_it() -> None:
    html = part(built(replace(CONTENT, html="<body>Hi</body><!-- </body> -->", track_opens=False)), "html")
    assert html.endswith("Unsubscribe</a></div></body><!-- </body> -->")


def test_the_footer_is_seen_even_if_the_body_ends_under_a_condition() -> None:
    html = part(built(replace(CONTENT, html="<body>Hi{% if plan == 'free' %}</body>{% endif %}")), "html")
    assert "Unsubscribe" in html


@pytest.mark.parametrize("source", ['<a href="mailto:{{ email }}?a=1&amp;b={{ last_name }}">mail</a>{% cycle "x" %}',
                                    '{% if plan %}<a href="{% if flag %}https://a.example">a{% else %}https://b.example">b{% endif %}</a>{% endif %}',
                                    "<a href={{- ' https://a.example ' -}} class=x>a</a>",
                                    '{% for t in tags %}<a href="https://a.example/{% break %}">a</a>{% endfor %}'])  # fmt: skip
def test_links_that_cannot_be_taken_apart_stay(source: str) -> None:
    expected = oracle(source, ROW, "", CONTENT, html=True)
    html = part(built(replace(CONTENT, html=NEEDED + source, track_opens=False)), "html")
    assert html.partition("Springfield")[2] == expected


def test_a_derived_text_has_one_empty_line_at_a_time() -> None:
    html = "{% if plan == 'x' %}<p>x</p>{% endif %}<h1>Hi</h1><p>{{ phone }}</p><p>{{ phone }} {{ language }}</p>{% if plan %}<p>y</p>{% endif %}<p>z</p>"
    derived = built(replace(CONTENT, html=html, text=plain_text(html)))
    assert part(derived, "plain").startswith("Hi\r\n\r\n en\r\n\r\ny\r\n\r\nz\r\n\r\n-- \r\n")
    written = built(replace(CONTENT, html=html, text="a\n\n\n\n{{ phone }}\n\nb"))
    assert part(written, "plain").startswith("a\r\n\r\n\r\n\r\n\r\n\r\nb"), "as its author wants it"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>Hi {{ first_name }}</h1>{% if plan %}<p>x</p>{% endif %}<p>{{ city }}</p><p>y</p>", ""),
        ("<html><body>{{ campaign.subject }}<p>Hi</p></body></html>", "a\n\n\n\n{{ first_name }}\n"),
        (LEAVE, ADDRESS),
        (ADDRESS, LEAVE),
        (NEEDED, NEEDED),
        ("<body>{% if plan %}x</body>{% endif %}", "{{ first_name -}}  "),
    ],
)
async def test_the_preview_is_what_is_sent(html: str, text: str) -> None:
    content = replace(
        CONTENT,
        html=html,
        text=text or plain_text(html),
        track_opens=False,
        track_clicks=False,
        subject="Hi  {{ name }}",
    )
    message = built(content)
    seen = await preview(
        subject=content.subject,
        html_content=html,
        text_content=text,
        variables={"first_name": "Ada", "last_name": "O'Brien", "plan": "pro", "campaign": {"name": "June"}},
        workspace_name=content.workspace_name,
        postal_address=content.postal_address,
        public_url=content.public_url,
        now=ROW[10],
    )
    assert seen.subject == header(message, "Subject")
    for kind, shown in (("html", seen.html), ("plain", seen.text)):
        sent = part(message, kind).replace("\r\n", "\n").replace(TOKEN, "preview")
        assert sent.removesuffix("\n") == shown.removesuffix("\n")
