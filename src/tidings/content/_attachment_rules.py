"""What may be attached to mail: names, types and sizes that mail providers take.

Gmail refuses messages with certain types of file, also inside archives, and others do alike:
https://support.google.com/mail/answer/6590
"""

import io
import re
import zipfile
from collections.abc import Sequence
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from typing import Protocol

from tidings.content._pictures import ImageInvalid, read_picture
from tidings.core.errors import FieldProblem

MOST_ATTACHMENTS = 20
LARGEST = 10 * 1024 * 1024
"""Bytes of all attachments of a message together: with base64's third more it stays below what every large provider takes
(Gmail 25 MB, Outlook 20 MB, Mailgun 25 MB, SendGrid 30 MB, SES 40 MB)."""
HEAVY = 10_000_000
"""Bytes on the wire above which many companies' own servers refuse a message."""

_DANGEROUS = frozenset(
    [
        "ade",
        "adp",
        "apk",
        "appx",
        "appxbundle",
        "bat",
        "cab",
        "chm",
        "cmd",
        "com",
        "cpl",
        "diagcab",
        "diagcfg",
        "diagpkg",
        "dll",
        "dmg",
        "ex",
        "ex_",
        "exe",
        "hta",
        "img",
        "ins",
        "iso",
        "isp",
        "jar",
        "jnlp",
        "js",
        "jse",
        "lib",
        "lnk",
        "mde",
        "mjs",
        "msc",
        "msi",
        "msix",
        "msixbundle",
        "msp",
        "mst",
        "nsh",
        "pif",
        "ps1",
        "scr",
        "sct",
        "shb",
        "sys",
        "vb",
        "vbe",
        "vbs",
        "vhd",
        "vxd",
        "wsc",
        "wsf",
        "wsh",
        "xll",
    ]
)
_MOST_LISTED = 10_000
_TYPE = re.compile(
    r"([a-z0-9][a-z0-9!#$&^_.+-]{0,126})/([a-z0-9][a-z0-9!#$&^_.+-]{0,126})(; charset=[a-z0-9_-]{1,40})?"
)
_TYPES = MimeTypes()
_CONTENT_ID = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Beside(Protocol):
    """A file that is kept already."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def content_id(self) -> str:
        """'' unless the HTML shows it."""
        ...


def wire_size(sizes: Sequence[int]) -> int:
    """Bytes that files of these sizes take in a message: base64 in lines of 76, with a head each."""
    return sum(-(-size // 57) * 78 + 300 for size in sizes)


def sizes_problem(sizes: Sequence[int]) -> str:
    """Why files of these sizes cannot go together, '' if they can."""
    if len(sizes) > MOST_ATTACHMENTS:
        return f"may be at most {MOST_ATTACHMENTS}"
    if sum(sizes) > LARGEST:
        return f"may have at most {LARGEST} bytes together; send a link instead"
    return ""


def filename_problem(name: str) -> str:
    """What is wrong with a file's name, '' if nothing."""
    if not name.strip() or len(name) > 255 or not name.isprintable() or "/" in name or "\\" in name:
        return "must be a name of 1 to 255 printable characters without slashes"
    if ending := _dangerous(name):
        return f"ends in .{ending}: mail providers refuse messages with such files; send a link instead"
    return ""


def content_problem(content: bytes) -> str:
    """Why a file's bytes are refused whatever it is called, '' if they are not."""
    if content[:2] == b"MZ" and b"PE\0\0" in content[:4096]:
        return "is a program for Windows: mail providers refuse messages with such files"
    if content[:4] == b"PK\x03\x04":
        return _zip_problem(content)
    return ""


def type_problem(content_type: str) -> str:
    """What is wrong with a media type that somebody gave, '' if nothing."""
    if not content_type:
        return ""
    found = _TYPE.fullmatch(_spelt(content_type))
    if not found:
        return "must be a type such as application/pdf, perhaps with a charset"
    if found[1] in {"multipart", "message"}:
        # RFC 2045 §6.4: these may not be in base64.
        return "cannot be attached as such; give application/octet-stream"
    return ""


def content_id_problem(content_id: str, content_type: str) -> str:
    """What is wrong with the id of an inline image (RFC 2392), '' if nothing or there is none."""
    if not content_id:
        return ""
    if len(content_id) > 120 or not _CONTENT_ID.fullmatch(content_id):
        return "must be such as logo@example.com (RFC 2392); the HTML shows it as cid:logo@example.com"
    if content_type.partition(";")[0] not in _SHOWN:
        return "is for images that are shown in the HTML: PNG, JPEG, GIF or WebP"
    return ""


def shown_problem(content: bytes, content_id: str, content_type: str) -> str:
    """Why a file cannot be shown in the HTML, '' if it can, or is not to be: told by its content, as for the library."""
    if not content_id or content_id_problem(content_id, content_type):
        return ""
    try:
        kind = read_picture(content).kind
    except ImageInvalid as error:
        return error.fields[0].message
    named = content_type.partition(";")[0]
    return "" if kind == named or named not in _SHOWN else f"is {kind}, and not {named} as its name or type says"


def content_type_of(filename: str, given: str = "") -> str:
    """A file's media type: as given, or told from its name."""
    if given:
        return _spelt(given)
    guessed, encoding = _TYPES.guess_type(filename, strict=True)
    if guessed is None or encoding is not None or guessed.startswith(("multipart/", "message/")):
        return "application/octet-stream"
    return guessed


def check_files(
    field: str, files: Sequence[tuple[str, bytes, str, str]], *, beside: Sequence[Beside] = ()
) -> list[FieldProblem]:
    """What is wrong with files (name, bytes, type, content id) that go together, and with those of `beside`."""
    problems: list[FieldProblem] = []
    if problem := sizes_problem([*(one.size for one in beside), *(len(content) for _, content, _, _ in files)]):
        problems.append(FieldProblem(field, problem))
    for index, (name, content, kind, content_id) in enumerate(files):
        at = f"{field}[{index}]"
        problems += [
            FieldProblem(f"{at}.{part}", problem)
            for part, problem in (
                ("filename", filename_problem(name)),
                (
                    "content",
                    content_problem(content) or shown_problem(content, content_id, content_type_of(name, kind)),
                ),
                ("content_type", type_problem(kind)),
                ("content_id", content_id_problem(content_id, content_type_of(name, kind))),
            )
            if problem
        ]
    given = [content_id for _, _, _, content_id in files]
    ids = [content_id.lower() for content_id in (*(one.content_id for one in beside), *given) if content_id]
    if len(ids) != len(set(ids)):
        problems.append(FieldProblem(field, "have the same content_id twice"))
    return problems


def _dangerous(name: str) -> str:
    """The ending that is refused, or ''. Windows ignores dots and spaces at the end of a name."""
    ending = PurePosixPath(name.rstrip(". ").lower()).suffix.lstrip(".")
    return ending if ending in _DANGEROUS else ""


def _zip_problem(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        return "is a ZIP archive that cannot be read: mail providers refuse messages with such files"
    for entry in entries[:_MOST_LISTED]:
        if ending := _dangerous(entry.filename):
            return f"has a file in it that ends in .{ending}: mail providers refuse messages with such archives"
    if len(entries) > _MOST_LISTED:
        return f"has more than {_MOST_LISTED:,} files in it"
    return ""


def _spelt(content_type: str) -> str:
    kind, semicolon, rest = content_type.strip().lower().partition(";")
    return f"{kind.strip()}; {rest.strip()}" if semicolon else kind
