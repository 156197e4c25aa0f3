"""Header fields, written by hand.

The standard library's `email` folds long `List-Unsubscribe` and `Feedback-ID` values into encoded words, which mailbox
providers ignore. Here nothing but display names and the subject is ever encoded (RFC 2047), and no value can bring a
line break: control characters are gone before anything else happens.
"""

import re
from base64 import b64encode

import idna

from tidings.content import RenderError, one_line

_LINE = 76
_WORD = 75  # RFC 2047 §2: an encoded word is at most that long
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_ADDRESS = bytes(byte for byte in range(33, 127) if byte not in b'()<>[]:;\\,"@')
_AT = ord("@")
_BARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_SHORT = bytes([*_BARE, 0x20])
"""What takes one octet in Q."""
_Q = [bytes([byte]) if byte in _BARE else b"_" if byte == 0x20 else b"=%02X" % byte for byte in range(256)]


def subject(text: str) -> bytes:
    """`Subject: …`, with its CRLF."""
    value = one_line(text)
    if value.isascii() and "=?" not in value:
        if len(value) <= _LINE - 9:
            return b"Subject: %b\r\n" % value.encode()
        folded = _fold(value, _LINE - 9)
        if folded is not None:
            return b"Subject: %b\r\n" % folded.encode()
    return b"Subject: %b\r\n" % encoded_words(value, first=_LINE - 9)


def mailbox(name: str, email: str) -> bytes:
    """`name <email>` for From and the like (RFC 5322 §3.4)."""
    display = phrase(name, first=_LINE - 6)
    address_bytes = address(email)
    return b"%b <%b>" % (display, address_bytes) if display else address_bytes


def phrase(text: str, *, first: int) -> bytes:
    """A display name: as it is, quoted, or in encoded words; `first` is the room on the first line."""
    value = one_line(text)
    if value.isascii() and "=?" not in value and len(value) <= first:
        if _ATOMS.fullmatch(value) and "  " not in value:
            return value.encode()
        return b'"%b"' % re.sub(r'(["\\])', r"\\\1", value).encode()
    return encoded_words(value, first=first)


def encoded_words(text: str, *, first: int) -> bytes:
    """RFC 2047, in Q or B, whichever is shorter; no character is split between two words."""
    raw = text.encode()
    quoted = _quoted_length(raw)
    as_q = quoted <= _base64_length(len(raw))
    overhead = len("=?utf-8?q?") + len("?=")
    words: list[bytes] = []
    current: list[bytes] = []
    size, room = 0, min(first, _WORD) - overhead
    if raw and (quoted if as_q else _base64_length(len(raw))) <= room:
        return _word(raw, as_q=as_q)  # as most are
    for character in text:
        unit = character.encode()
        width = _quoted_length(unit) if as_q else len(unit)
        if current and (size + width if as_q else _base64_length(size + width)) > room:
            words.append(_word(b"".join(current), as_q=as_q))
            current, size, room = [], 0, _WORD - overhead
        current.append(unit)
        size += width
    if current:
        words.append(_word(b"".join(current), as_q=as_q))
    return b"\r\n ".join(words)


def _quoted_length(raw: bytes) -> int:
    return len(raw) + 2 * len(raw.translate(None, _SHORT))


def _base64_length(length: int) -> int:
    return (length + 2) // 3 * 4


def _word(raw: bytes, *, as_q: bool) -> bytes:
    if not as_q:
        return b"=?utf-8?b?%b?=" % b64encode(raw)
    return b"=?utf-8?q?%b?=" % b"".join(map(_Q.__getitem__, raw))


def _fold(value: str, first: int) -> str | None:
    """Break lines before white space that is there already; None if a word is too long for a line."""
    lines: list[str] = []
    current, room = "", first
    for word in re.findall(r" *[^ ]+", value):
        if len(word) > _LINE:
            return None
        if current and len(current) + len(word) > room:
            lines.append(current)
            current, room = "", _LINE
        current += word
    return "\r\n".join([*lines, current])


def address(email: str) -> bytes:
    """An addr-spec for an envelope or a header: UTF-8 in the local part at most. Raises RenderError."""
    raw = email.encode()
    if raw.translate(None, _ADDRESS) != b"@" or raw[0] == _AT or raw[-1] == _AT:
        local, _, domain = email.rpartition("@")
        if (
            not local
            or not domain
            or not domain.isascii()
            or re.search(r'[\s()<>\[\]:;\\,"@\x00-\x20\x7f-\x9f]', local + domain)
        ):
            raise RenderError(f"{email[:80]!r} cannot be written as an address")
    return raw


def ascii_domain(email: str) -> str:
    """The address with its domain as A-labels (RFC 5890)."""
    local, at, domain = email.strip().rpartition("@")
    return f"{local}{at}{a_labels(domain)}"


def a_labels(domain: str) -> str:
    """`bücher.example` is `xn--bcher-kva.example`. Raises RenderError for what is no domain."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise RenderError(f"{domain[:80]!r} is not a domain: {error}") from None


def token_text(text: str) -> bytes:
    """A value that must stand as it is on one line, perhaps in angle brackets: printable ASCII, the rest left out."""
    return re.sub(r"[^!-~]|[<>]", "", text)[:900].encode()


def list_id(name: str, id_: str) -> bytes:
    """`List-Id: name <id>` (RFC 2919 §2), with its CRLF; `id_` without its brackets."""
    display = phrase(name, first=_LINE - 9)
    return b"List-Id: %b<%b>\r\n" % (display + b" " if display else b"", token_text(id_))


def unstructured(name: str, value: str) -> bytes:
    """`name: value`, folded where it has spaces, in encoded words if it must be (RFC 2047 §5), with its CRLF."""
    first = max(20, _LINE - len(name) - 2)
    line = one_line(value)
    if not line.isascii() or "=?" in line:
        return b"%b: %b\r\n" % (name.encode(), encoded_words(line, first=first))
    folded = line if len(line) <= first else _fold(line, first)
    return b"%b: %b\r\n" % (name.encode(), (line if folded is None else folded).encode())
