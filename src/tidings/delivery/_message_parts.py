"""What callers add to a message: header fields and attachments, checked, and as bytes for the wire.

Nothing given can bring a line break, a header that is ours, or a boundary: names are tokens, values lose nothing but may
have no control characters, contents are base64 (RFC 2045 §6.8), file names follow RFC 2231.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from mimetypes import MimeTypes
from typing import Any
from urllib.parse import quote

from tidings.core.errors import FieldProblem
from tidings.delivery import _wire_headers as wire

MOST_HEADERS = 25
MOST_ATTACHMENTS = 20
LARGEST = 10 * 1024 * 1024
"""Bytes of all attachments together: with base64 and the texts a message stays below what every large provider takes."""

BOUNDARY = b"=_tidings_attached"
"""Between a message's body and its attachments: `=_` occurs neither in quoted-printable nor in base64 (RFC 2045 §6.7)."""

_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}", re.ASCII)
_FREE = frozenset(
    ("comments", "keywords", "organization", "importance", "priority", "sensitivity", "auto-submitted", "precedence")
)
_IDS = frozenset(("in-reply-to", "references"))
_ID_LIST = re.compile(r"<[^<>@\s]+@[^<>@\s]+>(?:\s+<[^<>@\s]+@[^<>@\s]+>)*", re.ASCII)
_AUTO = re.compile(r"(?:no|auto-generated|auto-replied|auto-notified)(?:\s*;.*)?", re.IGNORECASE)
# What a provider would read as orders: to whom else to send, what to track.
_ORDERS = ("x-smtpapi", "x-ses-", "x-mailgun-", "x-mc-", "x-pm-", "x-sib-", "x-mj-", "x-msys-")
_TYPE = re.compile(
    r"([a-z0-9][a-z0-9!#$&^_.+-]{0,126})/([a-z0-9][a-z0-9!#$&^_.+-]{0,126})(; charset=[a-z0-9_-]{1,40})?"
)
_TYPES = MimeTypes()
_SEGMENT = 50


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. `content_type` '' : told from the name."""

    filename: str
    content: bytes
    content_type: str = ""


def check_headers(headers: Mapping[str, str]) -> list[FieldProblem]:
    """What is wrong with header fields that a caller wants in a message."""
    problems: list[FieldProblem] = []
    if len(headers) > MOST_HEADERS:
        problems.append(FieldProblem("headers", f"may have at most {MOST_HEADERS} fields"))
    seen: set[str] = set()
    for name, value in headers.items():
        if problem := _header_problem(name, value) or (name.lower() in seen and "is there twice") or "":
            problems.append(FieldProblem(f"headers.{name[:100]}", problem))
        seen.add(name.lower())
    return problems


def _header_problem(name: str, value: str) -> str:
    low = name.lower()
    if not _FIELD_NAME.fullmatch(name):
        return "is no name of a header field: visible ASCII characters without a colon, at most 76 (RFC 5322 §2.2)"
    if low.startswith(_ORDERS):
        return "is an order to a provider: use the provider's settings"
    if not (low.startswith("x-") and len(low) > 2) and low not in _FREE | _IDS:
        allowed = ", ".join(sorted(_FREE | _IDS))
        return f"cannot be set: X-… can, and {allowed}; From, Reply-To, To and Subject have fields of their own"
    if not value.isprintable() or not value.strip() or len(value) > 900:
        return "must be one line of 1 to 900 characters without control characters"
    if low in _IDS and ("=?" in value or not _ID_LIST.fullmatch(value.strip())):
        return "must be message ids such as <1@example.com> (RFC 5322 §3.6.4)"
    if low == "auto-submitted" and not (_AUTO.fullmatch(value.strip()) and value.isascii()):
        return "must be no, auto-generated, auto-replied or auto-notified (RFC 3834 §5)"
    return ""


def header_lines(headers: Sequence[tuple[str, str]]) -> bytes:
    """Checked header fields, each with its CRLF."""
    return b"".join(wire.unstructured(name, value.strip()) for name, value in headers)


def check_attachments(attachments: Sequence[Attachment]) -> list[FieldProblem]:
    """What is wrong with attachments."""
    problems: list[FieldProblem] = []
    if len(attachments) > MOST_ATTACHMENTS:
        problems.append(FieldProblem("attachments", f"may be at most {MOST_ATTACHMENTS}"))
    if sum(len(one.content) for one in attachments) > LARGEST:
        problems.append(FieldProblem("attachments", f"may have at most {LARGEST} bytes together; send a link instead"))
    for index, one in enumerate(attachments):
        name = one.filename
        if not name.strip() or len(name) > 255 or not name.isprintable() or "/" in name or "\\" in name:
            problems.append(
                FieldProblem(
                    f"attachments[{index}].filename", "must be a name of 1 to 255 printable characters without slashes"
                )
            )
        if problem := _type_problem(one.content_type):
            problems.append(FieldProblem(f"attachments[{index}].content_type", problem))
    return problems


def _type_problem(content_type: str) -> str:
    if not content_type:
        return ""
    found = _TYPE.fullmatch(_spelt(content_type))
    if not found:
        return "must be a type such as application/pdf, perhaps with a charset"
    if found[1] in {"multipart", "message"}:
        # RFC 2045 §6.4: these may not be in base64.
        return "cannot be attached as such; give application/octet-stream"
    return ""


def describe(attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    """What is kept for people to see."""
    return [{"filename": one.filename, "content_type": type_of(one), "size": len(one.content)} for one in attachments]


def type_of(attachment: Attachment) -> str:
    """Its media type: as given, or told from the name."""
    if attachment.content_type:
        return _spelt(attachment.content_type)
    guessed, encoding = _TYPES.guess_type(attachment.filename, strict=True)
    if guessed is None or encoding is not None or guessed.startswith(("multipart/", "message/")):
        return "application/octet-stream"
    return guessed


def attachment_parts(attachments: Sequence[Attachment]) -> bytes:
    """The parts that follow the body of a multipart/mixed message, each from its delimiter to its last line."""
    out: list[bytes] = []
    for one in attachments:
        out += [
            b"\r\n--%b\r\nContent-Type: %b\r\n" % (BOUNDARY, type_of(one).encode()),
            b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment",
            _filename(one.filename),
            b"\r\n\r\n",
            _base64(one.content),
        ]
    return b"".join(out)


def _filename(name: str) -> bytes:
    """The parameter of Content-Disposition (RFC 2183), continued over lines if need be (RFC 2231 §3 and §4)."""
    if name.isascii() and len(name) <= _SEGMENT:
        return b';\r\n filename="%b"' % name.replace('"', '\\"').encode()
    # Nothing but what attribute-char allows stands as it is.
    units = re.findall(r"%..|.", quote(name, safe="!#$&+^`{|}"))
    segments: list[str] = [""]
    for unit in units:
        if len(segments[-1]) + len(unit) > _SEGMENT:
            segments.append("")
        segments[-1] += unit
    if len(segments) == 1:
        return f";\r\n filename*=utf-8''{segments[0]}".encode()
    segments[0] = f"utf-8''{segments[0]}"
    return "".join(f";\r\n filename*{index}*={segment}" for index, segment in enumerate(segments)).encode()


def _base64(content: bytes) -> bytes:
    text = b64encode(content)
    return b"\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))


def _spelt(content_type: str) -> str:
    kind, semicolon, rest = content_type.strip().lower().partition(";")
    return f"{kind.strip()}; {rest.strip()}" if semicolon else kind
