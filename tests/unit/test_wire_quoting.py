"""Quoted-printable in pieces: any pieces in any order decode to the texts one after the other."""

import quopri
import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from tidings.content._plaintext import single_spaced as text_single_spaced
from tidings.delivery.wire._mime import quote, quote_html, single_spaced

TEXTS = (
    st.text(max_size=120)
    | st.text(alphabet=".= \t\r\naé😀<&'", max_size=250)
    | st.sampled_from(["." * 200, "=" * 200, " " * 200, "x" * 75, "x" * 76, "x" * 74 + "é"])
)


def check(piece: bytes) -> None:
    """Starts and ends at the beginning of a line; every line is legal by itself."""
    assert piece == b"" or piece.endswith(b"\r\n")
    for line in piece.split(b"\r\n")[:-1]:
        assert len(line) <= 76
        assert not line.startswith(b".")
        assert not line.endswith((b" ", b"\t"))
        assert re.fullmatch(rb"(?:[\t -<>-~]|=[0-9A-F]{2})*=?", line), line


def decoded(piece: bytes) -> str:
    """By the standard library; line breaks as in text."""
    return quopri.decodestring(piece).decode().replace("\r\n", "\n")


@settings(max_examples=400, deadline=None)
@given(texts=st.lists(TEXTS, max_size=5))
def test_pieces_decode_to_their_texts(texts: list[str]) -> None:
    for text in texts:
        check(quote(text))
        check(quote_html(text))
    expected = "".join(text.replace("\r\n", "\n") for text in texts)
    assert decoded(b"".join(map(quote, texts))) == expected
    assert decoded(b"".join(map(quote_html, texts))) == "".join(
        str(escape(text)).replace("\r\n", "\n") for text in texts
    )


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("", b""),
        ("plain", b"plain=\r\n"),
        (".", b"=2E=\r\n"),
        (".\n..", b"=2E\r\n=2E.=\r\n"),
        ("a \n\t\n", b"a=20\r\n=09\r\n"),
        ("a ", b"a =\r\n"),
        ("a\r\nb\nc\rd", b"a\r\nb\r\nc=0Dd=\r\n"),
        ("=é", b"=3D=C3=A9=\r\n"),
        ("x" * 75, b"x" * 75 + b"=\r\n"),
        ("x" * 76, b"x" * 75 + b"=\r\nx=\r\n"),
        ("x" * 75 + ".y", b"x" * 75 + b"=\r\n=2Ey=\r\n"),
        ("x" * 74 + "=", b"x" * 74 + b"=\r\n=3D=\r\n"),
        ("x" * 73 + "=", b"x" * 73 + b"=\r\n=3D=\r\n"),
        ("x" * 72 + "=", b"x" * 72 + b"=3D=\r\n"),
        ("\0", b"=00=\r\n"),
    ],
)
def test_pieces(text: str, piece: bytes) -> None:
    assert quote(text) == piece


@settings(max_examples=1000, deadline=None)
@given(
    texts=st.lists(
        st.text(alphabet=" \t\n\n\n=.aé", max_size=90) | st.sampled_from(["", " " * 200, "\n" * 99]), max_size=6
    )
)
def test_single_spacing_is_that_of_the_text(texts: list[str]) -> None:
    spaced = single_spaced(b"".join(map(quote, texts)))
    check(spaced)
    assert decoded(spaced) == text_single_spaced("".join(texts))
    assert single_spaced(spaced) == spaced


def test_no_blank_lines_take_long() -> None:
    for quoted in (b" " * 70 + b"=\r\n", b"=20" * 25 + b"=\r\n", b"\r\n", b"a\r\n"):
        started = perf_counter()
        single_spaced(b"\r\n" + quoted * 20_000 + b"x")
        assert perf_counter() - started < 1
