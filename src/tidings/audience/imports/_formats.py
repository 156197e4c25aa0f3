"""Which format a file has, by its bytes: CSV dialects and encodings, XLSX, JSON, JSON lines, ZIP."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidings.core.errors import Invalid

HEAD = 256 * 1024
"""Bytes that a look at a file's beginning takes."""

DELIMITERS = ",;\t|"
_RARE_DELIMITERS = ":~^#!\x1f\x1e\x01"
"""Tried where none of the others makes columns; only an entirely even table is believed."""

ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")
_LINES_TRIED = 100
_LOOKED_AT = 4096
"""Characters by which text is told from other bytes."""

_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n?$', re.IGNORECASE)
_CSV_OR_XLSX = "save the table as CSV or .xlsx"
_NO_TABLES = (
    (b"\xd0\xcf\x11\xe0", f"is a workbook of Excel 97-2003 (.xls), or one with a password; {_CSV_OR_XLSX}"),
    (b"%PDF", f"is a PDF; {_CSV_OR_XLSX}"),
    (b"\x1f\x8b", "is gzip; unpack it, or send a ZIP"),
    (b"BZh", "is bzip2; unpack it, or send a ZIP"),
    (b"\xfd7zXZ\x00", "is xz; unpack it, or send a ZIP"),
    (b"7z\xbc\xaf", "is 7-Zip; unpack it, or send a ZIP"),
    (b"Rar!", "is RAR; unpack it, or send a ZIP"),
    (b"\x89PNG", f"is a picture (PNG); {_CSV_OR_XLSX}"),
    (b"\xff\xd8\xff", f"is a picture (JPEG); {_CSV_OR_XLSX}"),
    (b"GIF8", f"is a picture (GIF); {_CSV_OR_XLSX}"),
    (b"PAR1", f"is a Parquet file; {_CSV_OR_XLSX}"),
    (b"SQLite format 3\x00", "is an SQLite database; export its table as CSV"),
    (b"{\\rtf", f"is a document (RTF); {_CSV_OR_XLSX}"),
)
_HTML = f"is a web page (HTML), whatever its name says: open it in a spreadsheet, and {_CSV_OR_XLSX}"
_NO_TABLES_OF_TEXT = (
    (re.compile(r"\s*<(!doctype html|html|table|head|meta)\b", re.IGNORECASE), _HTML),
    (re.compile(r"\s*<\?xml"), f"is XML; {_CSV_OR_XLSX}"),
    (re.compile(r"\s*BEGIN:VCARD", re.IGNORECASE), "is a list of vCards; export your address book as CSV"),
)
_CONTROLS = re.compile(r"[\x00\x02-\x08\x0e-\x19\x1b-\x1d\x7f\ufffd]")
_UNDEFINED_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


@dataclass(slots=True)
class FileFormat:
    """How to read a file. `kind`: csv, xlsx, json (one array), jsonl (an object a line), or contacts (jsonl of our own)."""

    kind: str
    encoding: str = "utf-8"
    delimiter: str = ","
    header: bool = True
    zipped: bool = False
    sheet: str = ""

    def as_json(self) -> dict[str, Any]:
        """What the table keeps."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "FileFormat":
        """From what the table keeps."""
        return cls(**{name: kept[name] for name in cls.__dataclass_fields__ if name in kept})


class Utf8Scan:
    """Looks at every byte of a file as it streams by: is it UTF-8, and if not, what else?"""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._bad = 0
        self._good = 0
        self._undefined = False
        self.lines = 0

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """The next bytes of the file."""
        self.lines += piece.count(b"\n")
        if piece.isascii() and not last:
            self._decoder.decode(piece)
            return
        text = self._decoder.decode(piece, last)
        bad = text.count("\ufffd") - piece.count(b"\xef\xbf\xbd")
        if bad > 0:
            self._bad += bad
            self._undefined = self._undefined or not _UNDEFINED_1252.isdisjoint(piece)
        self._good += len(text) - len(text.encode("ascii", "ignore"))

    @property
    def encoding(self) -> str:
        """UTF-8 with a few broken bytes is UTF-8: only the rows that hold them are at fault."""
        if not self._bad or self._good > 20 * self._bad:
            return "utf-8"
        return "latin-1" if self._undefined else "cp1252"


def sniff(head: bytes, *, filename: str = "", encoding: str = "utf-8") -> FileFormat:
    """The format of a file that begins with `head`; `encoding` is what a scan of all of it says. Raises Invalid."""
    if not head:
        raise Invalid.at("file", "is empty")
    if head.startswith(b"PK\x03\x04"):
        return FileFormat(
            "xlsx" if b"xl/" in head or filename.lower().endswith((".xlsx", ".xlsm")) else "csv", zipped=True
        )
    if head.startswith(b"PK\x05\x06"):
        raise Invalid.at("file", "is a ZIP without anything in it")
    for beginning, words in _NO_TABLES:
        if head.startswith(beginning):
            raise Invalid.at("file", words)
    encoding = _bom(head) or _utf16_without_bom(head) or encoding
    text = decode_head(head, encoding)
    start = text.lstrip()[:1]
    if start == "[" and _looks_like_json(text):
        return FileFormat("json", encoding=encoding)
    if start == "{" and _looks_like_json(text):
        return FileFormat("jsonl", encoding=encoding)
    if words := next((words for pattern, words in _NO_TABLES_OF_TEXT if pattern.match(text)), None):
        raise Invalid.at("file", words)
    if len(_CONTROLS.findall(text[:_LOOKED_AT])) > len(text[:_LOOKED_AT]) // 30:
        raise Invalid.at("file", f"is no text: CSV, JSON or .xlsx is wanted; {_CSV_OR_XLSX}")
    delimiter = sniff_delimiter(text)
    return FileFormat("csv", encoding=encoding, delimiter=delimiter, header=_has_header(text, delimiter))


def decode_head(head: bytes, encoding: str) -> str:
    """Text of a beginning that may end in the middle of a character; never raises."""
    decoder = codecs.getincrementaldecoder(reading_encoding(encoding))("replace")
    return decoder.decode(head).removeprefix("\ufeff")


def reading_encoding(encoding: str) -> str:
    """The codec to read with: one that drops a byte order mark."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def separator_line(line: str) -> str | None:
    """The delimiter of Excel's `sep=;` line, or None if this is no such line."""
    match = _SEPARATOR_LINE.match(line)
    return match[1] if match else None


def sniff_delimiter(text: str) -> str:
    """The delimiter that gives the most even table: columns first, then how many rows have just so many."""
    first, _, rest = text.partition("\n")
    if (named := separator_line(first + "\n")) is not None:
        return named
    del rest
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        columns, times, rows, header = _shape(text, delimiter)
        if columns < 2:
            continue
        score = times / rows + min(columns, 50) / 1000 + (0.5 if header == columns else 0)
        if score > best_score:
            best, best_score = delimiter, score
    if not best_score:
        for delimiter in _RARE_DELIMITERS:
            columns, times, rows, header = _shape(text, delimiter)
            if columns > 1 and rows > 1 and times == rows and header == columns:
                return delimiter
    return best


def _shape(text: str, delimiter: str) -> tuple[int, int, int, int]:
    """How many columns most rows have, how many rows that are, how many rows there are, and the first one's columns."""
    counts: Counter[int] = Counter()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = 0
    try:
        for number, row in enumerate(reader):
            if number >= _LINES_TRIED:
                break
            header = header or len(row)
            counts[len(row)] += 1
    except csv.Error:
        return 0, 0, 0, 0
    columns, times = max(counts.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
    return columns, times, counts.total(), header


def _bom(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(head) % 4 == 0:
        raise Invalid.at("file", "is UTF-32; save it as UTF-8")
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def _utf16_without_bom(head: bytes) -> str | None:
    some = head[:2000]
    if len(some) < 4 or some.count(0) < len(some) // 4:
        return None
    return "utf-16-le" if some[1::2].count(0) >= some[::2].count(0) else "utf-16-be"


def _looks_like_json(text: str) -> bool:
    return re.match(r'\s*(\[\s*([{\[\]]|$|"([^"\\\n]|\\.)*"\s*[,\]])|\{\s*("|\}))', text) is not None


def _has_header(text: str, delimiter: str) -> bool:
    """A first row with an address in it is a row of data."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row and not (len(row) <= 2 and separator_line("".join(row) + "\n")):
                return not any(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", cell.strip()) for cell in row)
    except csv.Error:
        pass
    return True
