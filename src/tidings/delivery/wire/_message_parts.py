"""What callers add to a message: header fields and attachments, checked, and as bytes for the wire.

Nothing given can bring a line break, a header that is ours, or a boundary: names are tokens, values lose nothing but may
have no control characters, contents are base64 (RFC 2045 §6.8), file names follow RFC 2231.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from tidings.content import Attached, check_files, content_type_of
from tidings.core.errors import FieldProblem
from tidings.delivery.wire import _headers as wire

MOST_HEADERS = 25
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_MIXED, _RELATED = b"=_tidings_attached", b"=_tidings_related"
"""Between a message's body and its attachments, and before images that its HTML shows: `=_` occurs neither in
quoted-printable nor in base64 (RFC 2045 §6.7)."""

_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}", re.ASCII)
_FREE = frozenset(
    ("comments", "keywords", "organization", "importance", "priority", "sensitivity", "auto-submitted", "precedence")
)
_IDS = frozenset(("in-reply-to", "references"))
_ID_LIST = re.compile(r"<[^<>@\s]+@[^<>@\s]+>(?:\s+<[^<>@\s]+@[^<>@\s]+>)*", re.ASCII)
_AUTO = re.compile(r"(?:no|auto-generated|auto-replied|auto-notified)(?:\s*;.*)?", re.IGNORECASE)
# What a provider would read as orders: to whom else to send, what to track.
_ORDERS = ("x-smtpapi", "x-ses-", "x-mailgun-", "x-mc-", "x-pm-", "x-sib-", "x-mj-", "x-msys-")
_SEGMENT = 50


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. `content_type` '' : told from the name. `content_id`: the HTML shows it as `cid:…`."""

    filename: str
    content: bytes
    content_type: str = ""
    content_id: str = ""


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


def check_attachments(attachments: Sequence[Attachment], *, beside: Sequence[Attached] = ()) -> list[FieldProblem]:
    """What is wrong with attachments, which go together with those of `beside`."""
    files = [(one.filename, one.content, one.content_type, one.content_id) for one in attachments]
    return check_files("attachments", files, beside=beside)


def describe(attachments: Sequence[Attachment], attached: Sequence[Attached] = ()) -> list[dict[str, Any]]:
    """What is kept for people to see."""
    kept = [{"filename": one.filename, "content_type": one.content_type, "size": one.size} for one in attached]
    own = [{"filename": one.filename, "content_type": type_of(one), "size": len(one.content)} for one in attachments]
    return kept + own


def type_of(attachment: Attachment) -> str:
    """Its media type: as given, or told from the name."""
    return content_type_of(attachment.filename, attachment.content_type)


def attachment_parts(attachments: Sequence[Attachment]) -> bytes:
    """The parts that follow the body of a message, each from its delimiter to its last line: first what the HTML shows."""
    shown_first = sorted(attachments, key=lambda one: not one.content_id)
    return b"".join(piece for one in shown_first for piece in _part(one))


def attached_parts(attached: Sequence[Attached], files: Mapping[str, bytes]) -> bytes:
    """The same of files that a template or a campaign brings along; `files`: their bytes by hash."""
    return attachment_parts(
        [Attachment(one.filename, files[one.hash], one.content_type, one.content_id) for one in attached]
    )


def _part(one: Attachment) -> list[bytes]:
    disposition = b"inline" if one.content_id else b"attachment"
    content_id = b"Content-ID: <%b>\r\n" % one.content_id.encode() if one.content_id else b""
    return [
        b"\r\n--%b\r\nContent-Type: %b\r\n" % (_RELATED if one.content_id else _MIXED, type_of(one).encode()),
        b"Content-Transfer-Encoding: base64\r\n" + content_id + b"Content-Disposition: " + disposition,
        _filename(one.filename),
        b"\r\n\r\n",
        _base64(one.content),
    ]


class Enclosure:
    """What stands before and after a body for its attachments. Empty for none; made once for all messages that share them.

    multipart/mixed { multipart/related { body, images it shows (RFC 2387, RFC 2392) }, files (RFC 2183) }
    """

    def __init__(self, parts: bytes, *, root: bytes) -> None:
        """`parts` as attachment_parts made them, several of them one after the other; `root`: the body's media type."""
        shown, files = _split(parts)
        opening: list[bytes] = []
        if files:
            opening.append(b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n' % (_MIXED, _MIXED))
        if shown:
            opening.append(
                b'Content-Type: multipart/related; type="%b";\r\n boundary="%b"\r\n\r\n--%b\r\n'
                % (root, _RELATED, _RELATED)
            )
        self.opening = b"".join(opening)
        self.closing = b"".join(
            [
                shown,
                b"\r\n--%b--" % _RELATED if shown else b"",
                files,
                b"\r\n--%b--" % _MIXED if files else b"",
            ]
        )


def joined(first: bytes, second: bytes) -> bytes:
    """Parts of two origins in one message."""
    if not first or not second:
        return first or second
    (shown, files), (more_shown, more_files) = _split(first), _split(second)
    return b"".join([shown, more_shown, files, more_files])


def _split(parts: bytes) -> tuple[bytes, bytes]:
    """What the HTML shows, and the rest. Nothing in a part's content can look like a delimiter."""
    at = parts.find(b"\r\n--%b\r\n" % _MIXED)
    return (parts, b"") if at < 0 else (parts[:at], parts[at:])


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
