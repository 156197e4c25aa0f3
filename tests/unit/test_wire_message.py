"""Wire messages read back by parsers that we did not write."""

import email
import email.policy
import re
from dataclasses import replace
from typing import Any

import mailparser
import pytest

from tidings.content import RenderError
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._content import SendContent
from tidings.delivery.wire._wire import TemplateTooDear, WireMessage
from wire_messages import (
    CONTENT,
    DATE,
    ROW,
    TOKEN,
    TOKENS,
    built,
    check_wire_format,
    compiled,
    header,
    part,
    unfolded,
)


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


def test_leaving_by_mail_stands_behind_leaving_by_https() -> None:
    plain = built(CONTENT)
    asked: list[bytes] = []

    def leave_at(sender: bytes) -> bytes:
        asked.append(sender)
        return b">, <mailto:b+unsubscribe@r.example?subject="

    message = compiled(CONTENT).build(ROW, date=DATE, leave_at=leave_at)
    both = b"<https://t.example/u/%b>, <mailto:b+unsubscribe@r.example?subject=%b>" % (TOKEN.encode(), TOKEN.encode())
    assert unfolded(message, "List-Unsubscribe") == both
    assert message.replace(both, b"<https://t.example/u/%b>" % TOKEN.encode()) == plain
    assert asked == [b"news@acme.example"]


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


def test_the_envelope_of_content_survives_json() -> None:
    assert SendContent.from_json(CONTENT.to_json()) == CONTENT


def test_a_contact_that_a_template_cannot_be_rendered_for_is_named_alone() -> None:
    wire = compiled(replace(CONTENT, html="{{ 100 | divided_by: score }}"))
    with pytest.raises(RenderError, match=r"divided_by|zero"):
        wire.build((*ROW[:9], '{"score": 0}', *ROW[10:]), date=DATE)
    assert b"50" in wire.build((*ROW[:9], '{"score": 2}', *ROW[10:]), date=DATE)


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
