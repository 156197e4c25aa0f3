"""Header fields, decoded by the standard library, whatever they hold."""

import re
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.delivery.wire import _headers as headers

TEXTS = (
    st.text(max_size=200)
    | st.text(alphabet='abc ,."\\<>@=?_éß漢😀\r\n\t', max_size=300)
    | st.text(alphabet="ab ", max_size=400)
)


def unfold(value: bytes) -> str:
    """RFC 5322 §2.2.3."""
    return re.sub(r"\r\n(?=[ \t])", "", value.decode("ascii"))


def cleaned(text: str) -> str:
    """What is left of a text as one line."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip(" ")


def check_lines(field: bytes) -> None:
    """At most 76 a line, or 998 where nothing can be broken; no empty line; encoded words at most 75."""
    lines = field.split(b"\r\n")
    assert b"\r" not in field.replace(b"\r\n", b"")
    assert b"\n" not in field.replace(b"\r\n", b"")
    assert all(len(line) <= 76 for line in lines), lines
    assert all(line.strip() for line in lines)
    assert all(line.startswith(b" ") for line in lines[1:])
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[qb]\?[^?]*\?=", field))


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_a_subject_is_read_as_it_was_written(text: str) -> None:
    field = headers.subject(text)
    assert field.endswith(b"\r\n")
    name, value = field[:-2].split(b": ", 1)
    assert name == b"Subject"
    if value:
        check_lines(field[:-2])
    assert str(make_header(decode_header(unfold(value)))) == cleaned(text)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_a_name_is_read_as_it_was_written(text: str) -> None:
    field = b"From: " + headers.mailbox(text, "a@x.example")
    value = unfold(field)[len("From: ") :]
    name, address = parseaddr(value)
    assert address == "a@x.example"
    assert str(make_header(decode_header(name))) == cleaned(text)
    for word in re.findall(rb"=\?utf-8\?[qb]\?[^?]*\?=", field):
        assert len(word) <= 75
        # RFC 2047 §2: no character is split between words.
        decode_header(word.decode())[0][0].decode()  # type: ignore[union-attr]
    assert all(len(line) <= 100 for line in field.split(b"\r\n"))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", b"a@x.example"),
        ("Acme News", b"Acme News <a@x.example>"),
        ("Acme, Inc.", b'"Acme, Inc." <a@x.example>'),
        ('The "Best"\\', b'"The \\"Best\\"\\\\" <a@x.example>'),
        ("Jörg von der Vogelweide", b"=?utf-8?q?J=C3=B6rg_von_der_Vogelweide?= <a@x.example>"),
        ("Jörg", b"=?utf-8?b?SsO2cmc=?= <a@x.example>"),
        ("日本語", b"=?utf-8?b?5pel5pys6Kqe?= <a@x.example>"),
        ("=?utf-8?q?x?=", b"=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@x.example>"),
        ("evil\r\nBcc: x@y.example", b'"evil Bcc: x@y.example" <a@x.example>'),
    ],
)
def test_names(name: str, written: bytes) -> None:
    assert headers.mailbox(name, "a@x.example") == written


def test_a_long_ascii_subject_is_folded_at_its_spaces_and_not_encoded() -> None:
    field = headers.subject("word " * 60)
    assert b"=?" not in field
    check_lines(field[:-2])


def test_a_subject_without_spaces_is_encoded_rather_than_too_long() -> None:
    field = headers.subject("x" * 2000)
    check_lines(field[:-2])
    assert str(make_header(decode_header(unfold(field[9:-2])))) == "x" * 2000


def test_domains() -> None:
    assert headers.ascii_domain("Jörg@Bücher.Example") == "Jörg@xn--bcher-kva.example"
    assert headers.a_labels("EXAMPLE.com") == "example.com"
    with pytest.raises(headers.RenderError):
        headers.a_labels("ex\u2028ample.com")


@pytest.mark.parametrize(
    "wrong", ["", "a", "@", "a@", "@x.example", "a b@x.example", "a@x.exam\r\nple", "<a@x.example", "a@bücher.example"]
)
def test_what_cannot_be_written_as_an_address(wrong: str) -> None:
    with pytest.raises(headers.RenderError, match="cannot be written as an address"):
        headers.address(wrong)
    assert headers.address("jörg+'x'@x.example") == "jörg+'x'@x.example".encode()
