"""Attachments of a send: encoded once, read back by parsers that we did not write, signed, passed on by each provider."""

import email
import email.policy
import io
import re
import zipfile
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dkim
import mailparser
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from small_images import small_png
from tidings.content import Attached, check_files, wire_size
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.providers._sendgrid import as_json
from tidings.delivery.signing._dkim import Signer, SigningKey
from tidings.delivery.signing._keys import public_record
from tidings.delivery.wire._content import SendContent, extract_links
from tidings.delivery.wire._message_content import MessageContent
from tidings.delivery.wire._message_parts import Attachment, attachment_parts, check_attachments
from tidings.delivery.wire._message_wire import MessageWire
from tidings.delivery.wire._wire import WireMessage
from tidings.tracking import Tokens

TOKENS = Tokens(Keyring("for tests"), "https://t.example")
DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
CONTENT = SendContent(
    subject="Hi {{ first_name }}",
    html="<p>Hi {{ first_name }}</p>",
    text="Hi {{ first_name }}",
    sender_email="news@acme.example",
    sender_name="Acme",
    reply_to="",
    message_domain="acme.example",
    list_id="list-3.workspace-1.acme.example",
    list_name="News",
    feedback_id="c1:t1:campaign:tidings-w1",
    workspace_name="Acme",
    postal_address="1 Main Street",
    campaign_id=456,
    campaign_name="June",
    public_url="https://t.example",
    track_opens=True,
    track_clicks=True,
)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ROW = (7, 789, "ada@example.com", "Ada", "O'Brien", "", "en", "", [], "{}", YEAR, None, 0)

PDF = Attached("a1", "Preisliste für März – 2026.pdf", "application/pdf", 1, "")
LOGO = Attached("b2", "logo.png", "image/png", 1, "logo@acme.example")
FILES = {"a1": b"%PDF" + bytes(range(256)) * 30, "b2": b"\x89PNG\r\n\x1a\n" + b"--=_tidings_related\r\n.\r\n" * 9}


def wire(*attached: Attached, **content: Any) -> WireMessage:
    said = replace(CONTENT, attached=attached, **content)
    return WireMessage.compile(
        SendContent.from_json(said.to_json()),
        links=extract_links(said),
        workspace=WorkspaceId(1),
        send=SendId(2),
        tokens=TOKENS,
        files=FILES,
    )


def unstuffed(raw: bytes) -> bytes:
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\r\n\.", raw)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    return raw


def shape(part: Any) -> Any:
    if part.is_multipart():
        return (part.get_content_type(), *(shape(one) for one in part.iter_parts()))
    return part.get_content_type()


ALTERNATIVE = ("multipart/alternative", "text/plain", "text/html")
RELATED = ("multipart/related", ALTERNATIVE, "image/png")


@pytest.mark.parametrize(
    ("attached", "expected"),
    [
        ((), ALTERNATIVE),
        ((PDF,), ("multipart/mixed", ALTERNATIVE, "application/pdf")),
        ((LOGO,), RELATED),
        ((PDF, LOGO), ("multipart/mixed", RELATED, "application/pdf")),
    ],
)
def test_the_structure_and_the_bytes(attached: tuple[Attached, ...], expected: Any) -> None:
    raw = unstuffed(wire(*attached, html=CONTENT.html + '<img src="cid:logo@acme.example">').build(ROW, date=DATE))
    read: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert shape(read) == expected
    assert not any(part.defects for part in read.walk())
    assert "Hi Ada" in read.get_body(("html",)).get_content()
    assert "Hi Ada" in read.get_body(("plain",)).get_content()
    parts = {part.get_filename(): part for part in read.walk() if part.get_filename()}
    assert parts.keys() == {one.filename for one in attached}
    for one in attached:
        part = parts[one.filename]
        assert part.get_payload(decode=True) == FILES[one.hash]
        assert part.get_content_disposition() == ("inline" if one.content_id else "attachment")
        assert part["Content-ID"] == (f"<{one.content_id}>" if one.content_id else None)
    if LOGO in attached:
        (related,) = (part for part in read.walk() if part.get_content_type() == "multipart/related")
        assert related.get_param("type") == "multipart/alternative"  # RFC 2387 §3.1
    other = mailparser.parse_from_bytes(raw)
    assert sorted(one["filename"] for one in other.attachments) == sorted(one.filename for one in attached)
    assert "Hi Ada" in other.text_html[0]


def test_without_attachments_not_a_byte_is_different() -> None:
    plain = WireMessage.compile(
        CONTENT, links=extract_links(CONTENT), workspace=WorkspaceId(1), send=SendId(2), tokens=TOKENS
    ).build(ROW, date=DATE)
    assert wire().build(ROW, date=DATE) == plain
    assert b"multipart/mixed" not in plain


def test_they_are_encoded_once_a_send(monkeypatch: pytest.MonkeyPatch) -> None:
    message = wire(PDF, LOGO)

    def never(*_: Any) -> bytes:
        raise AssertionError("a message must not encode what its send shares")

    monkeypatch.setattr("tidings.delivery.wire._message_parts.b64encode", never)
    first, second = message.build(ROW, date=DATE), message.build((8, *ROW[1:]), date=DATE)
    assert first != second
    assert first[-5000:] == second[-5000:]


def test_their_signature_holds() -> None:
    key = SigningKey("acme.example", "s1", Ed25519PrivateKey.generate())
    signed = Signer([key]).sign(wire(PDF, LOGO).build(ROW, date=DATE), now=1_795_000_000)
    told = public_record(key.private).encode()
    assert dkim.DKIM(signed).verify(dnsfunc=lambda _name, timeout=5: told)
    broken = signed.replace(b"\r\nJVBER", b"\r\nJVBEr")
    assert broken != signed
    with pytest.raises(dkim.ValidationError):
        dkim.DKIM(broken).verify(dnsfunc=lambda _name, timeout=5: told)


def test_sendgrid_gets_each_of_them() -> None:
    told = as_json(wire(PDF, LOGO).build(ROW, date=DATE), "ada@example.com")
    assert [one["type"] for one in told["content"]] == ["text/plain", "text/html"]
    by_name = {one["filename"]: one for one in told["attachments"]}
    assert by_name.keys() == {PDF.filename, LOGO.filename}
    assert by_name[LOGO.filename]["content_id"] == LOGO.content_id
    assert by_name[LOGO.filename]["disposition"] == "inline"
    assert by_name[PDF.filename]["disposition"] == "attachment"
    read = {name: b64decode(one["content"]) for name, one in by_name.items()}
    assert read == {PDF.filename: FILES["a1"], LOGO.filename: FILES["b2"]}


MESSAGE: dict[str, Any] = {
    "subject": "S",
    "html": "<p>Hi</p>",
    "text": "Hi",
    "derived": False,
    "sender_email": "shop@acme.example",
    "sender_name": "",
    "reply_to": "",
    "kind": "transactional",
    "label": "inline",
    "workspace_name": "Acme",
    "postal_address": "",
    "public_url": "https://t.example",
    "track_opens": False,
    "track_clicks": False,
}


def _own(name: str) -> bytes:
    return small_png() if name.endswith(".png") else name.encode()


@pytest.mark.parametrize("html", ["<p>Hi</p>", ""])
@pytest.mark.parametrize("theirs", [(), (PDF,), (LOGO,), (PDF, LOGO)])
@pytest.mark.parametrize("own", [(), ("terms.txt",), ("own.png",), ("own.png", "terms.txt")])
def test_a_messages_own_beside_its_templates(html: str, theirs: tuple[Attached, ...], own: tuple[str, ...]) -> None:
    content = MessageContent(**(MESSAGE | {"html": html, "attached": theirs}))
    content = MessageContent.from_json(content.to_json())
    message = MessageWire(content, workspace=WorkspaceId(1), send=SendId(2), tokens=TOKENS, files=FILES)
    given = [Attachment(name, _own(name), "", "own@a.example" if name == "own.png" else "") for name in own]
    parts = attachment_parts(given) if given else None
    row = (7, 0, "ada@example.com", "Ada", "", "", "", "", [], "{}", YEAR, None, 0, 0, "", "[]", parts)
    read: Any = email.message_from_bytes(unstuffed(message.build(row, date=DATE)), policy=email.policy.default)
    assert not any(part.defects for part in read.walk())
    found = {part.get_filename(): part.get_payload(decode=True) for part in read.walk() if part.get_filename()}
    assert found == {one.filename: FILES[one.hash] for one in theirs} | {name: _own(name) for name in own}
    shown = [part for part in read.walk() if part.get_content_type() == "multipart/related"]
    assert len(shown) == (LOGO in theirs or "own.png" in own)
    for part in shown:
        assert part.get_param("type") == ("multipart/alternative" if html else "text/plain")


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Co", "Cn", "Zs"]), min_size=1, max_size=255
    ),
    st.binary(max_size=500),
)
@settings(max_examples=200, deadline=None)
def test_any_name_that_is_taken_is_read_back(name: str, data: bytes) -> None:
    one = Attachment(name, data, "application/pdf")
    if check_attachments([one]):
        return
    raw = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_tidings_attached"\r\n'
    raw += attachment_parts([one]) + b"\r\n--=_tidings_attached--\r\n"
    (read,) = email.message_from_bytes(raw, policy=email.policy.default).iter_parts()  # type: ignore[attr-defined]
    assert (read.get_filename(), read.get_payload(decode=True)) == (name, data)


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(zipfile.ZipInfo(name), b"x")  # always of the same time: tests are named by what they get
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "kind", "content_id", "field"),
    [
        ("setup.exe", b"x", "", "", "filename"),
        ("Setup.EXE. ", b"x", "", "", "filename"),
        ("invoice.pdf.js", b"x", "application/pdf", "", "filename"),
        ("a/b.pdf", b"x", "", "", "filename"),
        ("a\r\nb.pdf", b"x", "", "", "filename"),
        ("", b"x", "", "", "filename"),
        ("innocent.txt", b"MZ" + b"\0" * 100 + b"PE\0\0", "", "", "content"),
        ("x.zip", archive("a.txt", "b/c.vbs"), "", "", "content"),
        ("x.zip", archive("a.txt")[:-30], "", "", "content"),
        ("x.docx", archive("word/run.exe"), "", "", "content"),
        ("x.pdf", b"x", "message/rfc822", "", "content_type"),
        ("x.pdf", b"x", "nonsense", "", "content_type"),
        ("x.png", b"x", "", "logo", "content_id"),
        ("x.png", b"x", "", "a>b@c", "content_id"),
        ("x.pdf", b"x", "", "a@b.example", "content_id"),
        ("x.png", b"x", "", "a@b.example", "content"),
        ("x.png", small_png(), "image/gif", "a@b.example", "content"),
    ],
)
def test_what_mail_providers_refuse_is_refused_here(
    name: str, data: bytes, kind: str, content_id: str, field: str
) -> None:
    (problem,) = check_files("attachments", [(name, data, kind, content_id)])
    assert problem.field == f"attachments[0].{field}"


def test_what_they_take_is_taken_up_to_ten_megabytes() -> None:
    good = [
        ("a.docx", archive("word/document.xml"), "", ""),
        ("notes.json", b"{}", "", ""),
        ("MZ.txt", b"MZ is how many words begin", "", ""),
        ("x.png", small_png(), "", "a.b@c.example"),
    ]
    assert check_files("attachments", good) == []
    large = ("a.pdf", b"x" * (5 << 20), "", "")
    assert check_files("attachments", [large, large]) == []
    (problem,) = check_files("attachments", [large, large, ("b", b"x", "", "")])
    assert problem.field == "attachments"
    (problem,) = check_files("attachments", [large], beside=[Attached("", "", "", 6 << 20, "")])
    assert problem.field == "attachments"
    (problem,) = check_files(
        "attachments", [("x.png", small_png(), "", "A@b")], beside=[Attached("", "", "", 1, "a@b")]
    )
    assert "twice" in problem.message
    (problem,) = check_files("attachments", [("a", b"x", "", "")] * 21)
    assert "at most 20" in problem.message


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_size_on_the_wire_is_told_before(sizes: list[int]) -> None:
    files = [Attachment(f"{n}.bin", b"x" * size) for n, size in enumerate(sizes)]
    real = len(attachment_parts(files))
    assert real <= wire_size(sizes) <= real + 300 * len(sizes)


def test_what_is_kept_of_old_sends_is_read() -> None:
    told = orjson.loads(CONTENT.to_json())
    del told["attached"]
    assert SendContent.from_json(orjson.dumps(told)).attached == ()
