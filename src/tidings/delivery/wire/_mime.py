"""Quoted-printable (RFC 2045 §6.7), in pieces that can be put together in any order.

Every piece starts at the beginning of a line and ends at one, with a soft line break if its text does not end a line.
So pieces need not know what stands beside them: lines stay ≤ 76, and `.` never begins a line (RFC 5321 §4.5.2), so
there is nothing to dot-stuff. CRLF and LF become line breaks; a CR alone is text, and comes out as `=0D`.
"""

import re

from tidings.content import Encoding

SOFT = b"=\r\n"
_WIDTH = 75  # leaves room for the "=" of a soft line break

_PRINTABLE = bytes(byte for byte in range(33, 127) if byte != ord("=")) + b" \t"
_PRINTABLE_HTML = bytes(byte for byte in _PRINTABLE if byte not in b"&<>'\"")
_SPECIAL = ((">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ('"', "&#34;"))
_UNITS = [bytes([byte]) if byte in _PRINTABLE else b"=%02X" % byte for byte in range(256)]
_unit = _UNITS.__getitem__
_UNIT_OF_SPACE = {b" ": b"=20", b"\t": b"=09"}
_EQUALS, _DOT = ord("="), ord(".")


def quote(text: str) -> bytes:
    """A piece for this text."""
    raw = text.encode()
    # Most values are short and plain: one call in C tells.
    odd = raw.translate(None, _PRINTABLE)
    if not odd and len(raw) <= _WIDTH and raw[:1] != b".":
        return raw + SOFT if raw else b""
    if b"\n" not in odd:
        return _wrap(_encode(raw) if odd else raw) + SOFT
    *lines, last = raw.replace(b"\r\n", b"\n").split(b"\n")
    pieces = [_wrap(_end_visibly(_encode(line))) + b"\r\n" for line in lines]
    return b"".join([*pieces, _wrap(_encode(last)) + SOFT if last else b""])


def quote_html(text: str) -> bytes:
    """A piece for this text with HTML's special characters escaped, as MarkupSafe does it."""
    raw = text.encode()
    if len(raw) <= _WIDTH and not raw.translate(None, _PRINTABLE_HTML) and raw[:1] != b".":
        return raw + SOFT if raw else b""
    # Not MarkupSafe itself: most of its time goes into an object that says what we know.
    if "&" in text:
        text = text.replace("&", "&amp;")
    for special, name in _SPECIAL:
        if special in text:
            text = text.replace(special, name)
    return quote(text)


def _encode(raw: bytes) -> bytes:
    return b"".join(map(_unit, raw))


def _end_visibly(line: bytes) -> bytes:
    """White space before a line break is encoded: it would be stripped on the way."""
    return line[:-1] + _UNIT_OF_SPACE[line[-1:]] if line.endswith((b" ", b"\t")) else line


def _wrap(line: bytes) -> bytes:
    """One encoded line as lines of at most 76, none of them beginning with a dot."""
    if line[:1] == b".":
        line = b"=2E" + line[1:]
    if len(line) <= _WIDTH:
        return line
    lines: list[bytes] = []
    start = 0
    while len(line) - start > _WIDTH:
        end = start + _WIDTH
        # An "=" is always the first of three.
        end -= 1 if line[end - 1] == _EQUALS else 2 if line[end - 2] == _EQUALS else 0
        lines.append(line[start:end])
        if line[end] == _DOT:
            line, start = b"=2E" + line[end + 1 :], 0
        else:
            start = end
    lines.append(line[start:])
    return SOFT.join(lines)


# Blank lines, in which white space may be encoded, and broken softly. A line break is hard unless "=" stands before it.
_EMPTY_AT_TOP = re.compile(rb"(?:(?:[ \t]|=20|=09|=\r\n)*+\r\n)+")
_EMPTY_LINES = re.compile(rb"\r\n(?<!=\r\n)(?:(?:[ \t]|=20|=09|=\r\n)*+\r\n){2,}")


def single_spaced(quoted: bytes) -> bytes:
    """What content.single_spaced does, to a text in quoted-printable."""
    top = _EMPTY_AT_TOP.match(quoted)
    return _EMPTY_LINES.sub(b"\r\n\r\n", quoted[top.end() :] if top else quoted)


def part(kind: str) -> bytes:
    """The headers of a text part, with the empty line after them."""
    return f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()


QUOTED_PRINTABLE = Encoding(static=quote, slot=quote, html_slot=quote_html, empty=b"", token="piece")  # noqa: S106
"""How the compiler writes a part's text."""
