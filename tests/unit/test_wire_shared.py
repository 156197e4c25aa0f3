"""Sends that say the same share what is compiled, and nobody sees it in their messages."""

from dataclasses import replace

import pytest
from tests.wire_messages import CONTENT, DATE, ROW, TOKENS

from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery import SendContent
from tidings.delivery.wire import Texts, WireMessage, extract_links

LINK = '<p><a href="https://shop.example/{n}">Go</a></p>'


def built(content: SendContent, texts: Texts | None, *, send: int) -> bytes:
    wire = WireMessage.compile(
        content,
        links=extract_links(content),
        workspace=WorkspaceId(1),
        send=SendId(send),
        tokens=TOKENS,
        texts=texts,
    )
    return wire.build(ROW, date=DATE)


@pytest.mark.parametrize(
    ("html", "shared"),
    [
        ("<p>Hello {{ first_name }}</p>" + LINK, True),
        ("<p>{{ campaign.subject }}</p>", True),
        ("<p>Nothing of anybody: utm_campaign=1</p>", True),
        ("<p>{{ workspace.name | upcase }}</p>", True),
        ("<p>{{ campaign.name }}</p>", False),
        ('<p><a href="https://shop.example/?utm_campaign={{ campaign.id }}">Go</a></p>', False),
        ("<p>{% if campaign.name contains 'second' %}2{% else %}1{% endif %}</p>", False),
        ("<p>{{ campaign[first_name] }}{{ campaign['name'] }}</p>", False),
        ("<p>{% assign c = campaign %}{{ c.name }}</p>", False),
        ("<p>{% for pair in campaign %}{{ pair[1] }}{% endfor %}</p>", False),
        ("<p>{% increment a %}{{ a }}{{ campaign.name }}</p>", False),
        ("<p>{% assign k = 'camp' | append: 'aign' %}{{ [k].name }}</p>", False),
    ],
)
def test_a_message_is_the_same_whether_compiled_alone_or_shared(
    html: str, *, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidings.delivery.wire import _texts

    texts, compiled = Texts(TOKENS.dynamic), 0
    plain = _texts.compile_texts

    def counted(*words: object) -> object:
        nonlocal compiled
        compiled += 1
        return plain(*words)  # type: ignore[arg-type]

    contents = [
        replace(CONTENT, html=html, campaign_id=number, campaign_name=f"The {name} one", feedback_id=f"c{number}:x")
        for number, name in ((1, "first"), (2, "second"))
    ]
    alone = [built(content, None, send=send) for send, content in enumerate(contents, 7)]
    monkeypatch.setattr(_texts, "compile_texts", counted)
    for _ in range(2):
        assert [built(content, texts, send=send) for send, content in enumerate(contents, 7)] == alone
    assert compiled == (1 if shared else 2)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "Another"},
        {"text": "Another"},
        {"html": "<p>Another</p>"},
        {"workspace_name": "Another"},
        {"postal_address": "Another"},
        {"public_url": "https://another.example"},
        {"track_opens": False},
        {"track_clicks": False},
        {"sender_name": "Another"},
        {"list_name": "Another"},
    ],
)
def test_who_says_something_else_gets_it(change: dict[str, object]) -> None:
    html = "<p>{{ workspace.name }}</p>" + LINK
    one = replace(CONTENT, html=html, subject="{{ first_name }}", track_opens=True, track_clicks=True)
    other = replace(one, **change)  # type: ignore[arg-type]
    texts = Texts(TOKENS.dynamic)
    assert built(one, texts, send=7) == built(one, None, send=7)
    assert built(other, texts, send=7) == built(other, None, send=7) != built(one, None, send=7)


def test_no_more_is_kept_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.delivery.wire._texts._LONGEST", 1 << 20)
    texts = Texts(TOKENS.dynamic)
    for number in range(100):
        built(replace(CONTENT, subject=f"Number {number}"), texts, send=7)
    assert len(texts._kept) == 64
    built(replace(CONTENT, html="<p>x</p>" + "<!-- -->" * (3 << 16)), texts, send=7)
    assert len(texts._kept) == 1
