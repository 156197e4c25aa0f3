"""Headers and attachments that callers give: whatever they are, independent parsers read back what was given, and nothing else."""

import email
import email.policy
import re
from datetime import UTC, datetime
from typing import Any

import mailparser
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._message_content import MessageContent
from tidings.delivery.wire._message_parts import (
    Attachment,
    attachment_parts,
    check_attachments,
    check_headers,
)
from tidings.delivery.wire._message_wire import MessageWire
from tidings.tracking import Tokens

TOKENS = Tokens(Keyring("for tests"), "https://t.example")
DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
CONTENT: dict[str, Any] = {
    "subject": "Hi {{ name }}",
    "html": "",
    "text": "Hello",
    "derived": False,
    "sender_email": "shop@acme.example",
    "sender_name": "Acme",
    "reply_to": "",
    "kind": "transactional",
    "label": "inline",
    "workspace_name": "Acme",
    "postal_address": "1 Main Street",
    "public_url": "https://t.example",
    "track_opens": False,
    "track_clicks": False,
}
LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Co", "Cn", "Zs"]), min_size=1, max_size=200
)
NAMES = st.from_regex(r"X-[A-Za-z0-9-]{1,30}", fullmatch=True).filter(lambda n: not check_headers({n: "x"}))
FILES = st.lists(
    st.builds(
        Attachment,
        LINES.filter(lambda name: "/" not in name and "\\" not in name and name.strip() == name),
        st.binary(max_size=3000),
        st.sampled_from(["", "application/pdf", "text/csv; charset=utf-8", "image/png"]),
    ),
    max_size=3,
)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def built(
    *,
    headers: dict[str, str] | None = None,
    attachments: list[Attachment] | None = None,
    to_name: str = "",
    **content: Any,
) -> bytes:
    """One message, as a worker would make it."""

    wire = MessageWire(MessageContent(**(CONTENT | content)), workspace=WorkspaceId(1), send=SendId(2), tokens=TOKENS)
    files = attachment_parts(attachments) if attachments else None
    own = orjson.dumps(list((headers or {}).items())).decode()
    row = (7, 0, "ada@example.com", "Ada", "", "", "", "", [], "{}", YEAR, None, 0, 0, to_name, own, files)
    return wire.build(row, date=DATE)


@given(headers=st.dictionaries(NAMES, LINES, max_size=4), to_name=LINES, files=FILES, html=st.booleans())
@settings(max_examples=150, deadline=None)
def test_parsers_read_back_what_was_given(
    headers: dict[str, str], to_name: str, files: list[Attachment], html: bool
) -> None:
    if check_headers(headers) or check_attachments(files):
        return
    raw = built(headers=headers, to_name=to_name, attachments=files, html="<p>Hello</p>" if html else "")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\r\n\.", raw)
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert not read.defects
    for name, value in headers.items():
        assert str(read[name]).split() == value.split(), name
    known = {
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "feedback-id",
        "auto-submitted",
        "content-type",
    }
    assert {name.lower() for name in read} - {n.lower() for n in headers} <= known | {"content-transfer-encoding"}
    attached = list(read.iter_attachments()) if files else []  # type: ignore[attr-defined]
    assert [one.get_filename() for one in attached] == [one.filename for one in files]
    assert [one.get_payload(decode=True) for one in attached] == [one.content for one in files]
    body = read.get_body(("plain",))  # type: ignore[attr-defined]
    assert body is not None
    assert body.get_content().strip() == "Hello"
    other = mailparser.parse_from_bytes(raw)
    assert len(other.attachments) == len(files)
    assert other.to[0][1] == "ada@example.com"


@given(name=st.text(max_size=40), value=st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_nothing_given_can_become_another_header(name: str, value: str) -> None:
    if check_headers({name: value}):
        return
    raw = built(headers={name: value})
    plain = built()
    head, _, _ = raw.partition(b"\r\n\r\n")
    added = [line for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert len(added) <= len([line for line in plain.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] != b" "]) + 1


def test_what_may_not_be_given() -> None:
    for name in (
        *("From", "to", "Bcc", "Sender", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Received"),
        *(
            "DKIM-Signature",
            "Return-Path",
            "List-Unsubscribe",
            "Resent-To",
            "X-SMTPAPI",
            "x-mailgun-tag",
            "X-",
            "",
            "X A",
        ),
        *("X-A:", "X-A\r\nBcc"),
    ):
        assert check_headers({name: "1"}), name
    for value in ("", " ", "a\r\nb", "a\nb", "a\x00", "x" * 901):
        assert check_headers({"X-A": value}), value
    assert check_headers({"X-A": "1", "x-a": "2"})
    assert check_headers({"Auto-Submitted": "perhaps"})
    assert check_headers({"References": "no id"})
    assert not check_headers({"X-Order": "7", "In-Reply-To": "<1@example.org>", "Auto-Submitted": "no"})
    assert b"Auto-Submitted: no\r\n" in built(headers={"Auto-Submitted": "no"})
    assert built(headers={"Auto-Submitted": "no"}).count(b"Auto-Submitted") == 1


def test_the_message_id_is_the_same_on_every_attempt() -> None:
    found = [re.search(rb"Message-ID: (.*)\r\n", built()) for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] == found[1][1]


def test_tracked_links_carry_where_they_lead() -> None:
    raw = built(html='<a href="https://a.example/?x=1&amp;copy=2">x</a>', track_clicks=True, track_opens=True)
    read = email.message_from_bytes(raw, policy=email.policy.default)
    html = read.get_body(("html",)).get_content()  # type: ignore[attr-defined]
    link = re.search(r'href="https://t\.example/c/([^/]+)/x\?u=([^&]+)&amp;s=([^"]+)"', html)
    assert link is not None, html
    assert TOKENS.read_dynamic(link[1], link[2], link[3]) == "https://a.example/?x=1&copy=2"
    assert "/o/" in html
