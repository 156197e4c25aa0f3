# ruff: noqa: E501 - templates read better unbroken
"""Wire messages read back by parsers that we did not write, against python-liquid's rendering of the same templates."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from html import unescape
from typing import Any

import mailparser
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from liquid import Environment
from markupsafe import escape

from liquid_examples import contacts, expressions, templates, text_values
from tidings.content import Occasion, RecipientUrls, RenderError, plain_text, preview, read_attributes
from tidings.content._context import full_context
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._content import SendContent, extract_links
from tidings.delivery._wire import TemplateTooDear, WireMessage
from tidings.tracking import Tokens

TOKENS = Tokens(Keyring("for tests"), "https://t.example")
DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
CONTENT = SendContent(
    subject="Hi {{ first_name }}",
    html='<p>Hi {{ first_name }}</p><a href="https://shop.example/?a=1&amp;b=2">Shop</a>',
    text="Hi {{ first_name }}\nhttps://shop.example/?a=1&b=2\n",
    sender_email="news@acme.example",
    sender_name="Acme",
    reply_to="",
    message_domain="acme.example",
    list_id="list-3.workspace-1.acme.example",
    list_name="News",
    feedback_id="c1:t1:campaign:tidings-w1",
    workspace_name="Acme & Sons",
    postal_address="1 Main Street\nSpringfield",
    campaign_id=456,
    campaign_name="June",
    public_url="https://t.example",
    track_opens=True,
    track_clicks=True,
)
ROW = (
    7,
    789,
    "ada@example.com",
    "Ada",
    "O'Brien",
    "",
    "en",
    "",
    ["vip"],
    '{"plan": "pro"}',
    datetime(2026, 1, 1, tzinfo=UTC),
    None,
    0,
)
TOKEN = TOKENS.for_send(WorkspaceId(1), SendId(2))(7, 789)
NEEDED = "{{ unsubscribe_url }}{{ workspace.postal_address }}"
"""Templates that say this get no footer."""


def compiled(content: SendContent) -> WireMessage:
    """As a worker does it."""
    return WireMessage.compile(
        content, links=extract_links(content), workspace=WorkspaceId(1), send=SendId(2), tokens=TOKENS
    )


def built(content: SendContent, row: Sequence[Any] = ROW) -> bytes:
    """One message."""
    return compiled(content).build(row, date=DATE)


def part(message: bytes, kind: str) -> str:
    """A part's text, by the standard library's parser."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in parsed.iter_parts()] == ["text/plain", "text/html"]
    body = next(one for one in parsed.iter_parts() if one.get_content_type() == f"text/{kind}")
    assert not parsed.defects
    assert not body.defects
    payload = body.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def header(message: bytes, name: str) -> str:
    """A header field's value, decoded."""
    raw = email.message_from_bytes(message, policy=email.policy.compat32)
    values = raw.get_all(name)
    assert values is not None, name
    assert len(values) == 1, name
    return str(make_header(decode_header(re.sub(r"\r?\n(?=[ \t])", "", values[0]))))


def unfolded(message: bytes, name: str) -> bytes:
    """A header field as it stands on the wire, folding undone."""
    head = re.sub(rb"\r\n(?=[ \t])", b"", message.partition(b"\r\n\r\n")[0])
    return re.findall(rb"(?im)^" + name.encode() + rb": ([^\r]*)", head)[0]


def check_wire_format(message: bytes) -> None:
    """RFC 5321 §2.3.8, §4.5.2, RFC 5322 §2.1.1, RFC 2045 §6.7."""
    assert message.endswith(b"\r\n")
    assert b"\0" not in message
    lines = message[:-2].split(b"\r\n")
    head = lines[: lines.index(b"")]
    assert all(b"\r" not in line and b"\n" not in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    assert all(len(line) <= 76 and line.isascii() for line in lines[len(head) :])
    assert all(len(line) <= 998 and line.strip() for line in head)
    assert all(line.isascii() or line.startswith(b"To: ") for line in head)


# against python-liquid -------------------------------------------------------------------------------------------------

URLS = RecipientUrls("https://t.example", TOKENS.dynamic)
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


def oracle(source: str, row: tuple[Any, ...], subject: str, content: SendContent, *, html: bool) -> str | None:
    """python-liquid's rendering; None if it fails."""
    occasion = Occasion(
        content.campaign_id, content.campaign_name, content.workspace_name, content.postal_address, URLS
    )
    token = TOKENS.for_send(WorkspaceId(1), SendId(2))(row[0], row[1])
    context = full_context(row, token, read_attributes(row[9]), subject, occasion)
    try:
        return Environment(autoescape=html).from_string(source).render(context)
    except Exception:  # noqa: BLE001 - a filter that meets a value it was not made for
        return None


def unwrapped(rendered: str, links: Sequence[str], token: str, *, html: bool) -> str:
    """Tracked links as their destinations again."""

    def destination(match: re.Match[str]) -> str:
        if match["index"]:
            return str(escape(links[int(match["index"])])) if html else links[int(match["index"])]
        url = TOKENS.read_dynamic(token, match["u"], match["s"])
        assert url is not None, "a signed link of ours must be taken by us"
        return str(escape(url)) if html else url

    tracked = rf"https://t\.example/c/{re.escape(token)}/(?:(?P<index>\d+)|x\?u=(?P<u>[\w-]+)&(?:amp;)?s=(?P<s>[\w-]+))"
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
@given(subject=subjects, html=html_templates, text=text_templates, row=contacts())
def test_random_messages(subject: str, html: str, text: str, row: tuple[Any, ...]) -> None:
    check(subject, html, text, row)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(subject=subjects, html=html_templates, text=text_templates, row=contacts())
def test_random_messages_at_length(subject: str, html: str, text: str, row: tuple[Any, ...]) -> None:
    check(subject, html, text, row)


# by example -----------------------------------------------------------------------------------------------------------


def test_two_parsers_read_the_same_message() -> None:
    message = built(replace(CONTENT, sender_name="Käse & Söhne, “GmbH”", subject="Grüße, {{ first_name }} 🎉"))
    check_wire_format(message)
    seen = mailparser.parse_from_bytes(message)
    assert not seen.has_defects
    assert seen.subject == header(message, "Subject") == "Grüße, Ada 🎉"
    assert seen.from_ == [("Käse & Söhne, “GmbH”", "news@acme.example")]
    assert seen.to == [("", "ada@example.com")]
    assert [one.replace("\r\n", "\n") for one in seen.text_plain] == [part(message, "plain").replace("\r\n", "\n")]
    assert [one.replace("\r\n", "\n") for one in seen.text_html] == [part(message, "html").replace("\r\n", "\n")]


def test_headers_of_rfc_8058_are_raw_and_whole() -> None:
    message = built(CONTENT)
    assert unfolded(message, "List-Unsubscribe") == f"<https://t.example/u/{TOKEN}>".encode()
    assert b"\r\nList-Unsubscribe: <https://t.example/u/" + TOKEN.encode() + b">\r\n" in message, "not folded"
    assert unfolded(message, "List-Unsubscribe-Post") == b"List-Unsubscribe=One-Click"
    assert unfolded(message, "Feedback-ID") == b"c1:t1:campaign:tidings-w1"
    assert unfolded(message, "List-Id") == b"News <list-3.workspace-1.acme.example>"
    assert unfolded(message, "Date") == DATE
    names = [line.partition(b":")[0] for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")]
    assert len(names) == len(set(names)), "each once"
    assert b"Reply-To" not in names


@pytest.mark.parametrize("length", [20, 300, 900])
def test_a_long_unsubscribe_url_is_not_touched(length: int) -> None:
    class Long:
        def for_send(self, workspace: WorkspaceId, send: SendId) -> Any:
            return lambda _n, _contact: "t" * length

        def dynamic(self, token: str, url: str) -> str:
            raise AssertionError

    wire = WireMessage.compile(
        replace(CONTENT, track_clicks=False), links=[], workspace=WorkspaceId(1), send=SendId(2), tokens=Long()
    )
    head = wire.build(ROW, date=DATE).partition(b"\r\n\r\n")[0]
    assert b"\r\nList-Unsubscribe: <https://t.example/u/" + b"t" * length + b">\r\n" in head


def test_a_message_id_depends_on_workspace_send_and_n_alone() -> None:
    ids: dict[tuple[int, int, int], bytes] = {}
    for content, row in (
        (CONTENT, ROW),
        (replace(CONTENT, html="other", subject="other"), (*ROW[:1], 1, "other@x.example", *ROW[3:])),
    ):
        for workspace, send, n in ((1, 2, 7), (1, 2, 8), (1, 3, 7), (2, 2, 7)):
            wire = WireMessage.compile(
                content, links=[], workspace=WorkspaceId(workspace), send=SendId(send), tokens=TOKENS
            )
            message_id = unfolded(wire.build((n, *row[1:]), date=DATE), "Message-ID")
            assert re.fullmatch(rb"<%d\.%d\.%d\.[0-9a-f]{16}@acme\.example>" % (send, n, workspace), message_id)
            assert ids.setdefault((workspace, send, n), message_id) == message_id
    assert len({one.split(b".")[3] for one in ids.values()}) == len(ids), "nobody can make one up from another"


@pytest.mark.parametrize(
    "poison",
    [
        "\r\nBcc: evil@x.example",
        "\nBcc: evil@x.example",
        "\r\r\nBcc: e",
        "\r\n\r\n<script>",
        "\0\r\n ",
        "\x0b\x0c\x85\u2028Bcc: e",
    ],
)
@pytest.mark.parametrize(
    "field", ["subject", "sender_name", "list_name", "list_id", "feedback_id", "message_domain", "public_url", "workspace_name",
              "campaign_name", "postal_address", "first_name", "attribute", "email", "sender_email", "reply_to"],
)  # fmt: skip
def test_no_field_can_bring_a_header(field: str, poison: str) -> None:
    names = {
        "Content-Type", "Date", "Feedback-ID", "From", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version",
        "Message-ID", "Reply-To", "Subject", "To",
    }  # fmt: skip
    subject = "{{ first_name }} {{ plan }} {{ campaign.name }} {{ workspace.name }}"
    content = replace(CONTENT, subject=subject, reply_to="r@acme.example")
    row = list(ROW)
    try:
        if field == "first_name":
            row[3] = "a" + poison
        elif field == "attribute":
            row[9] = '{"plan": "a\\r\\nBcc: evil@x.example"}'
        elif field == "email":
            row[2] = f"a{poison}@x.example"
        else:
            content = replace(content, **{field: f"{getattr(content, field)}{poison}"})
        message = built(content, row)
    except RenderError:
        assert field in {"email", "sender_email", "reply_to", "message_domain"}
        return
    check_wire_format(message)
    parsed = email.message_from_bytes(message, policy=email.policy.compat32)
    assert sorted(parsed.keys()) == sorted(names)
    assert len(part(message, "html")) > 10


def test_addresses() -> None:
    wire = compiled(
        replace(
            CONTENT,
            sender_email="news@bücher.example",
            message_domain="bücher.example",
            reply_to="Hilfe@Bücher.example",
        )
    )
    message = wire.build(ROW, date=DATE)
    assert unfolded(message, "From") == b"Acme <news@xn--bcher-kva.example>"
    assert unfolded(message, "Reply-To") == b"Hilfe@xn--bcher-kva.example"
    assert unfolded(message, "Message-ID").endswith(b"@xn--bcher-kva.example>")
    assert wire.sender == b"news@xn--bcher-kva.example"
    assert wire.envelope(ROW) == (wire.sender, b"ada@example.com", False)
    utf8 = (*ROW[:2], "jörg@xn--bcher-kva.example", *ROW[3:])
    assert wire.envelope(utf8) == (wire.sender, "jörg@xn--bcher-kva.example".encode(), True)
    assert unfolded(wire.build(utf8, date=DATE), "To") == "jörg@xn--bcher-kva.example".encode()
    for broken in (
        "a b@x.example",
        "a@b@x.example",
        "<a@x.example>",
        "a",
        "@x.example",
        "a,b@x.example",
        "a@bü.example",
    ):
        with pytest.raises(RenderError):
            wire.envelope((*ROW[:2], broken, *ROW[3:]))


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


def test_the_envelope_of_content_survives_json() -> None:
    assert SendContent.from_json(CONTENT.to_json()) == CONTENT


def test_a_contact_that_a_template_cannot_be_rendered_for_is_named_alone() -> None:
    wire = compiled(replace(CONTENT, html="{{ 100 | divided_by: score }}"))
    with pytest.raises(RenderError, match=r"divided_by|zero"):
        wire.build((*ROW[:9], '{"score": 0}', *ROW[10:]), date=DATE)
    assert b"50" in wire.build((*ROW[:9], '{"score": 2}', *ROW[10:]), date=DATE)


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


def test_a_template_that_always_goes_over_its_limits_is_too_dear() -> None:
    wire = compiled(replace(CONTENT, html="{% for i in (1..turns) %}{{ i }}{% endfor %}"))
    ordinary, greedy = ((*ROW[:9], f'{{"turns": {turns}}}', *ROW[10:]) for turns in (3, 99_999))

    def nine_fail() -> None:
        for _ in range(9):
            with pytest.raises(RenderError, match="loop iterations") as caught:
                wire.build(greedy, date=DATE)
            assert not isinstance(caught.value, TemplateTooDear)

    for _ in range(2):
        nine_fail()
        assert b"123" in wire.build(ordinary, date=DATE).replace(b"=\r\n", b""), (
            "one contact's doing is not the template's"
        )
    for _ in range(2):  # after a pause there is another chance
        nine_fail()
        with pytest.raises(TemplateTooDear, match=r"ten recipients in a row: .*loop iterations"):
            wire.build(greedy, date=DATE)
