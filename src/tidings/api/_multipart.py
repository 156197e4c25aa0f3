"""A form with a file (RFC 7578), as it streams in: memory stays as small as its pieces."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError

from tidings.core.errors import Invalid

_TEXTS_LIMIT = 256 * 1024
_HEADERS_LIMIT = 16 * 1024


@dataclass(slots=True)
class _Part:
    headers: bytearray = field(default_factory=bytearray)
    name: str = ""
    filename: str = ""


class Form:
    """A form whose part `file` is passed on, and whose other parts, `texts`, are kept."""

    def __init__(self, boundary: str, *, texts: Collection[str]) -> None:
        self.filename = ""
        self._allowed = texts
        self._texts: dict[str, bytearray] = {}
        self._out: list[bytes] = []
        self._part = _Part()
        self._had_file = False
        self._whole = False
        self._parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> list[bytes]:
        """The next bytes of the body; returns those of the file among them. Raises Invalid."""
        self._out = []
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise Invalid.at("file", f"the form is broken: {error}") from None
        return self._out

    def end(self) -> dict[str, bytes]:
        """The form is complete: its texts by name. Raises Invalid."""
        if not self._whole:
            raise Invalid.at("file", "the form ends in the middle")
        if not self._had_file:
            raise Invalid.at("file", "the form has no part named file")
        return {name: bytes(text) for name, text in self._texts.items()}

    def _begin(self) -> None:
        self._part = _Part()

    def _header(self, data: bytes, start: int, end: int) -> None:
        self._part.headers += data[start:end]
        if len(self._part.headers) > _HEADERS_LIMIT:
            raise Invalid.at("file", "the headers of a part are too long")

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if b":" not in self._part.headers.rpartition(b"\n")[2]:
            self._part.headers += b":"
        self._header(data, start, end)

    def _header_end(self) -> None:
        self._part.headers += b"\n"

    def _headers_finished(self) -> None:
        part = self._part
        lines = bytes(part.headers).decode("utf-8", "replace").split("\n")
        told = next((line for line in lines if line.lower().startswith("content-disposition:")), "")
        name = re.search(r';\s*name="?([^";]*)"?', told)
        part.name = name[1] if name else ""
        part.filename = filename_in(told)
        if part.name == "file":
            if self._had_file:
                raise Invalid.at("file", "the form has two parts named file; send one file at a time")
            self._had_file = True
            self.filename = part.filename
        elif part.name in self._allowed:
            if part.name in self._texts:
                raise Invalid.at(part.name, "is there twice")
            self._texts[part.name] = bytearray()
        else:
            known = " and ".join(["file", *self._allowed])
            raise Invalid.at(part.name[:100] or "file", f"is no part of this form; it has {known}")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == "file":
            self._out.append(data[start:end])
            return
        self._texts[self._part.name] += data[start:end]
        if sum(map(len, self._texts.values())) > _TEXTS_LIMIT:
            raise Invalid.at(self._part.name, f"may have {_TEXTS_LIMIT} bytes")

    def _end(self) -> None:
        self._whole = True


def content_type_in(header: str) -> tuple[str, str]:
    """A Content-Type's media type in lower case, and its boundary or ''."""
    kind, _, parameters = header.partition(";")
    boundary = re.search(r'boundary="?([^";,\s]{1,70})"?', parameters, re.IGNORECASE)
    return kind.strip().lower(), boundary[1] if boundary else ""


def filename_in(disposition: str) -> str:
    """The name of the file in a Content-Disposition (RFC 6266)."""
    if extended := re.search(r"filename\*=(?:utf-8|iso-8859-1)'[^']*'([^;]+)", disposition, re.IGNORECASE):
        return unquote(extended[1].strip(), errors="replace")
    plain = re.search(r'filename="((?:[^"\\]|\\.)*)"|filename=([^;]+)', disposition)
    return (plain[1] or plain[2] or "").strip() if plain else ""
