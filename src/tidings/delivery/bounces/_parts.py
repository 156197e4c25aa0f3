"""A message taken apart, whatever is wrong with it: a lenient reader of RFC 5322 and MIME with fixed limits.

Python's own parser is built to give a message back; this one is built to look at hostile ones fast. Bytes become
characters one to one (Latin-1), so no offset is lost, and a body becomes text when somebody asks for it.
"""

import binascii
import codecs
import contextlib
import functools
import re
from dataclasses import dataclass, field

MAX_BYTES = 4 << 20
"""What lies behind is cut off: reports come first, what they quote last."""
MAX_TEXT = 64 << 10
"""Characters of one part that anybody reads."""
_BLANK = " \t\n"
# Not all that `str.strip` takes: among raw bytes, 0x85 and 0xA0 are pieces of letters.
_MAX_HEAD = 256 << 10
_MAX_LINE = 4096
_MAX_DEPTH = 12
_MAX_PARTS = 60

_FOLD = re.compile(r"\n[ \t]+")
_NAME = re.compile(r"[!-9;-~]{1,80}[ \t]*:")
_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z-]{0,20})?\?([bBqQ])\?([^? \n]{0,2000})\?=")
_BETWEEN = re.compile(r"(\?=)[ \t]{1,80}(=\?)")
_PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9_*-]{1,40})[ \t]*=[ \t]*("[^"\n]{0,500}"|[^;\s"]{1,500})')
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9*-]{0,30}[ \t]{0,4}=")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_SOFT_BREAK = re.compile(rb"=[ \t]{0,20}\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")

Headers = dict[str, list[str]]
_ONCE = frozenset(
    {
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "final-recipient",
        "action",
        "status",
    }
)
_FAR = 24
"""Lines further down that are looked at."""


@dataclass(slots=True)
class Part:
    """One node of a message: `headers` by lower-case name, `type` such as "text/plain", `body` undecoded."""

    headers: Headers
    type: str
    parameters: dict[str, str]
    body: str
    children: list["Part"] = field(default_factory=list["Part"])

    def get(self, name: str) -> str:
        """The first header of this name, encoded words read; "" if there is none."""
        return get(self.headers, name)

    def text(self, limit: int = MAX_TEXT) -> str:
        """The body as characters, transfer encoding and character set undone."""
        return decode(
            self.body[: limit * 4], self.get("content-transfer-encoding"), self.parameters.get("charset", "")
        )[:limit]

    def walk(self) -> list["Part"]:
        """The leaves, in order."""
        return [leaf for child in self.children for leaf in child.walk()] if self.children else [self]


def read(message: bytes) -> Part:
    """Take a message apart. Never raises."""
    text = message[:MAX_BYTES].decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.lstrip("\n \t\ufeff") if text[:1].isspace() else text
    text = text.removeprefix("\xef\xbb\xbf")
    if text.startswith(("From ", ">From ")):
        text = text.partition("\n")[2]
    return _part(_closed_up(text), "text/plain", _MAX_DEPTH, [_MAX_PARTS])


def _closed_up(text: str) -> str:
    """Without a blank line within the header, which some gateways put there, even within a field.

    What follows it is header, too, if it is nothing but fields, with one that a message must have and that is missing above.
    """
    for _ in range(_MAX_GAPS):
        end = text.find("\n\n", 0, _MAX_HEAD)
        head = f"\n{text[: max(end, 0)].lower()}"
        missing = {name for name in _NEEDED if f"\n{name}:" not in head}
        if end < 0 or not missing:
            return text
        rest = text[end:].lstrip("\n")
        lines = rest[:_MAX_HEAD].partition("\n\n")[0].split("\n")[:_MAX_FIELDS]
        whole = bool(_NAME.match(lines[0]))
        below = _field_names(lines if whole else lines[1:])
        if not missing & below or len(below & _USUAL) < 2 or "" in below:
            return text
        joint = "\n" if whole else " "
        text = f"{text[:end]}{joint}{rest}"
    return text


_MAX_GAPS = 4
_MAX_FIELDS = 1000
_NEEDED = ("from", "to", "subject")
_USUAL = frozenset(
    {"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "received", "return-path"}
)


def _field_names(lines: list[str]) -> set[str]:
    """The names of the fields in lower case; "" among them if there are other lines."""
    own = (line for line in lines if line[:1] not in {" ", "\t", ""})
    return {line.partition(":")[0].strip().lower() if _NAME.match(line) else "" for line in own}


def headers_of(text: str) -> Headers:
    """The header block that `text` starts with."""
    if text.startswith(("From ", ">From ")):
        text = text.partition("\n")[2]
    return _headers(text[:_MAX_HEAD])[0]


def get(headers: Headers, name: str) -> str:
    """The first header of this name, encoded words read; "" if there is none."""
    values = headers.get(name)
    return words(values[0]) if values else ""


def words(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) and raw UTF-8 (RFC 6532) as characters."""
    if "=?" in value:
        value = _WORD.sub(_word, _BETWEEN.sub(r"\1\2", value))
    elif not value.isascii():
        # Raw bytes, one to a character; what was decoded before has larger characters, or is Latin-1 already.
        with contextlib.suppress(UnicodeEncodeError):
            value = _charset(value.encode("latin-1"), "")
    return value.strip()


def decode(body: str, encoding: str, charset: str) -> str:
    """A body as characters. What cannot be decoded is replaced, never refused."""
    encoding = encoding.strip().lower()
    if not encoding and not charset and body.isascii():
        return body
    raw = body.encode("latin-1", "replace")
    if encoding == "quoted-printable":
        raw = _ESCAPE.sub(lambda m: binascii.unhexlify(m[1]), _SOFT_BREAK.sub(b"", raw))
    elif encoding == "base64":
        raw = _base64(raw)
    text = _charset(raw, charset)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _part(text: str, default: str, depth: int, left: list[int]) -> Part:
    headers, body = _headers(text)
    left[0] -= 1
    kind, parameters = content_type(headers.get("content-type", [default])[0], default)
    part = Part(headers, kind, parameters, body)
    if kind.startswith("multipart/") and depth and left[0] > 0:
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        for piece in _pieces(body, parameters.get("boundary", "")):
            if left[0] <= 0:
                break
            part.children.append(_part(piece, inner, depth - 1, left))
    return part


def content_type(value: str, default: str = "text/plain") -> tuple[str, dict[str, str]]:
    """The type in lower case and the parameters of a Content-Type."""
    kind = value.partition(";")[0].strip().lower()
    parameters = {m[1].lower().rstrip("*"): m[2].strip('"') for m in _PARAMETER.finditer(value[:_MAX_LINE])}
    return (kind if "/" in kind else default), parameters


def _headers(text: str) -> tuple[Headers, str]:
    if text.startswith("\n"):
        return {}, text[1:]
    end = text.find("\n\n", 0, _MAX_HEAD)
    head, body = (text[:end], text[end + 2 :]) if end >= 0 else (text[:_MAX_HEAD], text[_MAX_HEAD:])
    headers: Headers = {}
    last: list[str] = []
    lines = _FOLD.sub(" ", head).split("\n")
    for position, line in enumerate(lines):
        if not _NAME.match(line):
            if last and line and _goes_on(lines, position, headers):
                last[-1] = f"{last[-1]} {line.strip(_BLANK)}"[:_MAX_LINE]
                continue
            if position == 0 or (line and not line.startswith((">From ", "From ", ">"))):
                # No header field: the blank line is missing, or there never was a header.
                return headers, "\n".join(lines[position:]) + ("\n\n" + body if end >= 0 else body)
            continue
        name, _, value = line.partition(":")
        last = headers.setdefault(name.strip().lower(), [])
        last.append(value[:_MAX_LINE].strip(_BLANK))
    return headers, body


def _goes_on(lines: list[str], position: int, headers: Headers) -> bool:
    """Whether the line before goes on in this one, as where a gateway lost the blanks of folded lines.

    It does if a header that no message or report has twice, and that was not there yet, comes further down, and if it is a
    parameter (RFC 2045 §5.1) and the line before awaits one.
    """
    if _ATTRIBUTE.match(lines[position]) and lines[position - 1].rstrip().endswith(";"):
        return True
    for line in lines[position + 1 : position + _FAR]:
        name = line.partition(":")[0].strip().lower()
        if name in _ONCE:
            return name not in headers
    return False


def _pieces(body: str, boundary: str) -> list[str]:
    """The parts between the delimiter lines. Without a boundary that occurs, the first line that looks like one serves."""
    body = "\n" + body
    mark = f"\n--{boundary}"
    if not boundary or mark not in body:
        guess = re.search(
            r"\n(--[^\s-][^\n]{3,120}|-{4,60}[^\s-][^\n]{3,120})\n(?=Content-)", body[:_MAX_HEAD], re.IGNORECASE
        )
        if guess is None:
            return []
        mark = "\n" + guess[1].rstrip()
    found: list[str] = []
    start = body.find(mark)
    while start >= 0 and len(found) < _MAX_PARTS:
        line_end = body.find("\n", start + len(mark))
        rest = body[start + len(mark) : line_end if line_end >= 0 else len(body)]
        if rest.startswith("--"):
            break
        if rest.strip():  # a longer boundary that starts alike
            start = body.find(mark, start + len(mark))
            continue
        following = body.find(mark, line_end) if line_end >= 0 else -1
        found.append(body[line_end + 1 : following if following >= 0 else len(body)] if line_end >= 0 else "")
        start = following
    return found


def _word(match: "re.Match[str]") -> str:
    raw = match[3].encode("latin-1", "replace")
    if match[2] in "bB":
        return _charset(_base64(raw), match[1])
    return _charset(_ESCAPE.sub(lambda m: binascii.unhexlify(m[1]), raw.replace(b"_", b" ")), match[1])


def _base64(raw: bytes) -> bytes:
    clean = _NOT_BASE64.sub(b"", raw.partition(b"=")[0] if b"=\n" not in raw else raw)
    try:
        return binascii.a2b_base64(clean[: len(clean) - (len(clean) % 4 == 1)] + b"===")
    except binascii.Error:
        return b""


def _charset(raw: bytes, charset: str) -> str:
    """As characters. What names no character set known here is UTF-8 if it can be, or else Windows-1252."""
    known = _codec(charset[:40].strip().lower())
    try:
        text = raw.decode(known or "utf-8")
    except (UnicodeError, ValueError):
        text = raw.decode(known or "cp1252", "replace")
    # UTF-7 can spell half a surrogate pair, which no JSON and no database takes.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if known == "utf-7" else text


@functools.lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """The codec of a character set; "" for none, ASCII (whose senders often mean more) and what is no character set."""
    if charset in {"", "us-ascii", "ascii", "unknown", "unknown-8bit"}:
        return ""
    charset = {
        "gb2312": "gb18030",
        "gbk": "gb18030",
        "iso-8859-8-i": "iso-8859-8",
        "ks_c_5601-1987": "cp949",
        "unicode-1-1-utf-7": "utf-7",
    }.get(charset, charset)
    try:
        info = codecs.lookup(charset)
    except (LookupError, ValueError):
        return ""
    # Codecs such as zlib or idna turn bytes into bytes, or take time that grows with the square.
    return info.name if getattr(info, "_is_text_encoding", False) and info.name not in _SLOW else ""


_SLOW = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape", "mbcs"}
)
