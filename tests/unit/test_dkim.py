"""DKIM signatures, verified by dkimpy, which we did not write."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.signing._dkim import Signer, SigningKey, relaxed_body
from tidings.delivery.signing._keys import DkimAlgorithm, generate, public_record, quoted_strings, read_key, write_key
from tidings.delivery.signing._signing import DomainSigners, SignedWire
from tidings.delivery.wire._content import SendContent, extract_links
from tidings.delivery.wire._wire import WireMessage
from tidings.tracking import Tokens

KEYS = {algorithm: generate(algorithm) for algorithm in DkimAlgorithm}
SIGNER = Signer([SigningKey("acme.example", algorithm[0], key) for algorithm, key in KEYS.items()])
RECORDS = {f"{algorithm[0]}._domainkey.acme.example.": public_record(key) for algorithm, key in KEYS.items()}
HEAD = b"From: Acme <news@acme.example>\r\nTo: ada@example.com\r\nSubject: Hi\r\n"
CONTENT = SendContent(
    subject="Hi {{ first_name }}",
    html='<p>Hi   {{ first_name }}</p>\n\n<a href="https://shop.example/?a=1">Shop</a>',
    text="Hi {{ first_name }}\n. dots\n\n\n",
    sender_email="news@mail.acme.example",
    sender_name="Acme",
    reply_to="re@acme.example",
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
ROW = (7, 789, "ada@example.com", "Ada", "B", "", "en", "", [], "{}", datetime(2026, 1, 1, tzinfo=UTC), None, 0, 0)


def _dns(name: bytes, timeout: int = 5) -> bytes | None:
    record = RECORDS.get(name.decode())
    return record.encode() if record else None


def _received(wire: bytes) -> bytes:
    """What a server keeps of what went over the wire (RFC 5321 §4.5.2)."""
    return b"\r\n".join(line.removeprefix(b".") for line in wire.split(b"\r\n"))


def _verified(message: bytes) -> list[bool]:
    def one(index: int) -> bool:
        try:
            return dkim.DKIM(message).verify(idx=index, dnsfunc=_dns)
        except dkim.ValidationError:  # how it says that the body is another
            return False

    return [one(index) for index in range(message.count(b"DKIM-Signature: "))]


@pytest.fixture(scope="module")
def built() -> bytes:
    wire = WireMessage.compile(
        CONTENT,
        links=extract_links(CONTENT),
        workspace=WorkspaceId(1),
        send=SendId(1),
        tokens=Tokens(Keyring("for tests"), "https://t.example"),
    )
    # The signer of the domain above the sender's.
    signed = SignedWire(wire, DomainSigners({b"acme.example": SIGNER}))
    return signed.build(ROW, date=b"Wed, 25 Nov 2026 12:00:00 +0000")


def test_a_campaigns_message_verifies_with_both_keys(built: bytes) -> None:
    assert _verified(_received(built)) == [True, True]
    assert built.count(b"a=rsa-sha256") == built.count(b"a=ed25519-sha256") == 1


def test_all_that_matters_is_covered(built: bytes) -> None:
    tags = built.partition(b"h=")[2].partition(b";")[0]
    covered = [name.strip() for name in tags.replace(b"\r\n", b"").split(b":")]
    names = b"date to subject message-id mime-version content-type list-id list-unsubscribe list-unsubscribe-post feedback-id"
    assert set(names.split()) <= set(covered)
    assert covered.count(b"from") == 2


@pytest.mark.parametrize(
    "tamper",
    [
        lambda m: b"From: Eve <eve@evil.example>\r\n" + m,
        lambda m: b"Subject: Another\r\n" + m,
        lambda m: m.replace(b"List-Unsubscribe: <https://t.example", b"List-Unsubscribe: <https://u.example"),
        lambda m: m.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        lambda m: m.replace(b"Feedback-ID: c1", b"Feedback-ID: c2"),
        lambda m: m.replace(b"\r\n--=_tidings", b"\r\nmore\r\n--=_tidings", 1),
    ],
)
def test_a_change_breaks_both(built: bytes, tamper: Callable[[bytes], bytes]) -> None:
    changed = tamper(_received(built))
    assert changed != _received(built)
    assert _verified(changed) == [False, False]


@given(
    st.lists(st.sampled_from([b"a", b"  ", b" ", b"\t", b"\r\n", b".", b"..", b"\r\n.\r\n", b"x" * 80]), max_size=30),
    st.lists(st.tuples(st.sampled_from([b"Subject", b"Reply-To", b"X-Other", b"List-Id"]),
                       st.sampled_from([b" a", b"b  c", b" d\r\n\te ", b"", b" \t f"])), max_size=6),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_the_message_it_verifies(pieces: list[bytes], fields: list[tuple[bytes, bytes]]) -> None:
    plain = HEAD + b"".join(b"%b:%b\r\n" % one for one in fields) + b"\r\n" + b"".join(pieces) + b"\r\n"
    stuffed = plain.replace(b"\r\n.", b"\r\n..")
    signed = SIGNER.sign(stuffed, now=1_790_000_000)
    assert signed.endswith(stuffed)
    assert _verified(_received(signed)) == [True, True]


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"a", b"a\r\n"),
        (b" \r\n", b""),
    ],
)
def test_bodies_as_the_standard_has_them(body: bytes, canonical: bytes) -> None:
    assert relaxed_body(body) == canonical  # RFC 6376 §3.4.5 and §3.4.4


def test_other_domains_are_not_signed() -> None:
    signers = DomainSigners({b"acme.example": SIGNER})
    message: Any = b"From: <a@notacme.example>\r\nTo: b@c.example\r\n\r\n"
    assert signers.of(message) is None
    assert signers.of(message.replace(b"notacme", b"acme")) is SIGNER


def test_keys_are_read_as_they_were_written() -> None:
    for key in KEYS.values():
        assert public_record(read_key(write_key(key))) == public_record(key)


def test_long_records_are_split_into_strings() -> None:
    record = RECORDS["r._domainkey.acme.example."]
    strings = quoted_strings(record).strip('"').split('" "')
    assert len(record) > 255
    assert [len(one) for one in strings] == [255, len(record) - 255]
    assert "".join(strings) == record


def test_an_ed25519_key_is_published_as_the_standard_has_it() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
    published = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert public_record(private) == published  # RFC 8463 §A.1 and §A.2


@given(
    st.lists(st.sampled_from(["word", " ", "  ", "\t", "\r\n", "\r\n\r\n", "=20"]), max_size=30).map("".join),
    st.integers(0, 3),
    st.lists(st.sampled_from([" ", "\t ", "\r\n", "x", "==\r\n"]), max_size=6).map("".join),
)
def test_a_long_attachment_changes_no_rule(text: str, attachments: int, end: str) -> None:
    base64 = ("QUJD" * 19 + "\r\n") * 60
    body = (
        text + f"\r\n--b\r\nA:  b\r\n\r\n{base64}" * attachments + end + "\r\n"
    ).encode()  # as every message of ours ends
    assert relaxed_body(body) == dkim.canonicalization.Relaxed.canonicalize_body(body)
