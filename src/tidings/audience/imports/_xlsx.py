"""Workbooks of Excel and LibreOffice (ECMA-376 part 1, SpreadsheetML), read as a stream in flat memory.

Only values are read: of a formula what it last came to. Texts that many cells share lie in a file of their own.
"""

import contextlib
import re
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any
from xml.parsers import expat

from tidings.audience.imports._bounded import HEAVY
from tidings.audience.imports._formats import FileFormat
from tidings.audience.imports._tables import CELL_LIMIT, COLUMNS_LIMIT, BrokenFile, Rows, name_columns
from tidings.audience.imports._values import excel_date
from tidings.audience.imports._zip import Archive

_PIECE = 64 * 1024
_TAG_LIMIT = 1024 * 1024
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
# ECMA-376 18.8.30: number formats that every workbook has without saying so.
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_NO_DATE = re.compile(r'"[^"]*"|\\.|\[(?![hms]+\])[^\]]*\]|_.|\*.')


class XlsxTable:
    """One sheet of a workbook: the one asked for, else the first with anything in it."""

    def __init__(self, archive: Archive, format_: FileFormat) -> None:
        self._archive = archive
        self._from_1904 = False
        sheets = self._sheets()
        if format_.sheet:
            sheets = [sheet for sheet in sheets if sheet[0] == format_.sheet]
            if not sheets:
                names = ", ".join(name for name, _ in self._sheets())
                raise BrokenFile.at("sheet", f"there is no sheet {format_.sheet!r}; there are {names[:500]}")
        self._dates = self._date_styles()
        self._texts = _SharedTexts(self._archive)
        top: tuple[int, list[str]] | None = None
        rows: Iterator[tuple[int, list[str]]] = iter(())
        for _, path in sheets:
            rows = self._rows(path)
            top = next((row for row in rows if any(cell.strip() for cell in row[1])), None)
            if top is not None:
                break
        if top is None:
            raise BrokenFile.at("file", "has no rows in any sheet")
        self._stream = rows
        looks_like_data = any(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", cell.strip()) for cell in top[1])
        self._ahead = [top] if looks_like_data or not format_.header else []
        self.columns = name_columns("" for _ in top[1]) if self._ahead else name_columns(top[1])

    def batches(self, size: int) -> Iterator[Rows]:
        """The rows of the sheet; those without anything are passed over."""
        width = len(self.columns)
        cells: list[Any] = []
        lines: list[int] = []
        faults: dict[int, str] = {}
        weight = 0

        def everything() -> Iterator[tuple[int, list[str]]]:
            yield from self._ahead
            yield from self._stream

        for line, row in everything():
            if not any(row):
                continue
            if len(row) > width and any(row[width:]):
                faults[len(cells)] = (
                    f"has {len(row)} cells where the header has {width}; name the columns or empty the cells"
                )
            elif len(row) != width:
                row = [*row, *[""] * width][:width]  # noqa: PLW2901
            cells.append(row)
            lines.append(line)
            weight += sum(map(len, row))
            if len(cells) == size or weight >= HEAVY:
                yield Rows(cells, lines, 0, faults)
                cells, lines, faults, weight = [], [], {}, 0
        if cells:
            yield Rows(cells, lines, 0, faults)

    def _sheets(self) -> list[tuple[str, str]]:
        """Names and paths of the sheets in their order."""
        links: dict[str, str] = {}

        def link(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship":
                links[attributes.get("Id", "")] = attributes.get("Target", "")

        found: list[tuple[str, str]] = []

        def sheet(name: str, attributes: dict[str, str]) -> None:
            if name == "workbookPr":
                self._from_1904 = attributes.get("date1904", "0") in {"1", "true"}
            elif name == "sheet":
                id_ = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
                target = links.get(id_, "")
                path = target.lstrip("/") if target.startswith(("/", "xl/")) else f"xl/{target}"
                if self._archive.has(path):
                    found.append((attributes.get("name", ""), path))

        _parse(self._archive, "xl/_rels/workbook.xml.rels", start=link)
        _parse(self._archive, "xl/workbook.xml", start=sheet)
        if not found:
            raise BrokenFile.at("file", "is no workbook with a sheet; save it as .xlsx (not .xlsb or .ods) or as CSV")
        return found

    def _date_styles(self) -> frozenset[int]:
        """The cell styles whose numbers are dates."""
        formats: dict[int, str] = {}
        styles: list[int] = []
        inside = [False]

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "numFmt":
                formats[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
            elif name == "cellXfs":
                inside[0] = True
            elif name == "xf" and inside[0]:
                styles.append(_whole(attributes.get("numFmtId")))

        def end(name: str) -> None:
            if name == "cellXfs":
                inside[0] = False

        if self._archive.has("xl/styles.xml"):
            _parse(self._archive, "xl/styles.xml", start=start, end=end)
        return frozenset(
            style
            for style, number in enumerate(styles)
            if number in _BUILT_IN_DATES
            or re.search("[dmyhs]", _NO_DATE.sub("", formats.get(number, "")), re.IGNORECASE)
        )

    def _rows(self, path: str) -> Iterator[tuple[int, list[str]]]:
        sheet = _Sheet(self._texts, self._dates, from_1904=self._from_1904)
        parser = _parser(sheet.start, sheet.end, sheet.text)
        with self._archive.open(path) as stream:
            fed = 0
            while piece := stream.read(_PIECE):
                fed += len(piece)
                _feed(parser, piece, path, fed)
                if sheet.done:
                    yield from sheet.done
                    sheet.done = []
            _feed(parser, b"", path, fed, last=True)
        yield from sheet.done


class _Sheet:
    """Gathers the rows of a sheet from its XML."""

    def __init__(self, texts: "_SharedTexts", dates: frozenset[int], *, from_1904: bool) -> None:
        self.done: list[tuple[int, list[str]]] = []
        self._texts = texts
        self._dates = dates
        self._from_1904 = from_1904
        self._row: list[str] = []
        self._number = 0
        self._column = 0
        self._type = "n"
        self._style = 0
        self._value: list[str] | None = None
        self._said: list[str] = []
        self._phonetic = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._type = attributes.get("t", "n")
            self._style = _whole(attributes.get("s"))
            self._said = []
            column = _column(attributes["r"]) if "r" in attributes else self._column
            if column >= COLUMNS_LIMIT:
                raise BrokenFile.at("file", f"row {self._number}: has more than {COLUMNS_LIMIT} columns")
            self._column = column
        elif name == "row":
            self._number = _whole(attributes.get("r")) or self._number + 1
            self._row, self._column = [], 0
        elif name == "rPh":
            self._phonetic += 1
        elif name in {"v", "t"} and not self._phonetic:
            self._value = []

    def text(self, data: str) -> None:
        if self._value is not None:
            self._value.append(data)

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            if self._value is not None:
                self._said.append("".join(self._value))
            self._value = None
        elif name == "rPh":
            self._phonetic -= 1
        elif name == "c":
            if self._said:
                row = self._row
                if len(row) < self._column:
                    row.extend([""] * (self._column - len(row)))
                row[self._column :] = [self._cell("".join(self._said))[:CELL_LIMIT]]
            self._column += 1
        elif name == "row":
            self.done.append((self._number, self._row))
            self._row = []

    def _cell(self, raw: str) -> str:
        match self._type:
            case "s":
                return self._texts.get(_whole(raw, -1))
            case "b":
                return "true" if raw == "1" else "false"
            case "n":
                return _date(raw, self._from_1904) if self._style in self._dates else _number(raw)
            case "e":  # an error such as #N/A: there is no value
                return ""
            case "d":
                return raw.removesuffix("T00:00:00")
            case _:
                return _unescaped(raw)


class _SharedTexts:
    """xl/sharedStrings.xml, spilled to a temporary file: a million addresses take 8 MB of memory instead of 100."""

    def __init__(self, archive: Archive) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as these texts, and goes with them
        weakref.finalize(self, self._file.close)
        self._ends = array("Q", [0])
        self._get = lru_cache(maxsize=10_000)(self._read)
        if not archive.has("xl/sharedStrings.xml"):
            return
        parts: list[str] = []
        state = {"phonetic": 0, "on": 0}

        def start(name: str, _attributes: dict[str, str]) -> None:
            if name == "si":
                parts.clear()
            elif name == "rPh":
                state["phonetic"] += 1
            elif name == "t":
                state["on"] = not state["phonetic"]

        def text(data: str) -> None:
            if state["on"]:
                parts.append(data)

        def end(name: str) -> None:
            if name == "t":
                state["on"] = 0
            elif name == "rPh":
                state["phonetic"] -= 1
            elif name == "si":
                raw = _unescaped("".join(parts))[:CELL_LIMIT].encode("utf-8", "replace")
                self._file.write(raw)
                self._ends.append(self._ends[-1] + len(raw))

        _parse(archive, "xl/sharedStrings.xml", start=start, end=end, text=text)
        self._file.flush()

    def get(self, index: int) -> str:
        """The text of this number. Raises BrokenFile if there is none."""
        if not 0 <= index < len(self._ends) - 1:
            raise BrokenFile.at("file", f"a cell refers to the shared text {index}, which is not there; save it anew")
        return self._get(index)

    def _read(self, index: int) -> str:
        self._file.seek(self._ends[index])
        return self._file.read(self._ends[index + 1] - self._ends[index]).decode()


def _parse(
    archive: Archive,
    path: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = lambda _: None,
    text: Callable[[str], None] = lambda _: None,
) -> None:
    if not archive.has(path):
        raise BrokenFile.at("file", f"is no workbook: {path} is missing; save it as .xlsx or CSV")
    parser = _parser(start, end, text)
    with archive.open(path) as stream:
        fed = 0
        while piece := stream.read(_PIECE):
            fed += len(piece)
            _feed(parser, piece, path, fed)
        _feed(parser, b"", path, fed, last=True)


def _parser(
    start: Callable[[str, dict[str, str]], None], end: Callable[[str], None], text: Callable[[str], None]
) -> expat.XMLParserType:
    def refuse(*_: Any) -> None:  # entities could grow without end, and no spreadsheet program writes any
        raise BrokenFile.at("file", "has a document type in its XML; save it anew with a spreadsheet program")

    parser = expat.ParserCreate(namespace_separator=None)
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _feed(parser: expat.XMLParserType, piece: bytes, path: str, fed: int, *, last: bool = False) -> None:
    """The next piece, with which `fed` bytes were."""
    try:
        parser.Parse(piece, last)
    except expat.ExpatError as error:
        raise BrokenFile.at("file", f"{path}: is broken XML ({error}); save the workbook anew") from None
    # Of a tag that does not end expat reads everything anew with each piece (CVE-2023-52425).
    if not last and fed - parser.CurrentByteIndex > _TAG_LIMIT:
        raise BrokenFile.at("file", f"{path}: has a tag of more than {_TAG_LIMIT} bytes; save the workbook anew")


def _whole(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


@cache
def _letters(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return column - 1


def _column(reference: str) -> int:
    match = _CELL.fullmatch(reference)
    if match is None:
        raise BrokenFile.at("file", f"{reference[:20]!r} is no cell; save the workbook anew")
    return _letters(match[1])


def _number(raw: str) -> str:
    """As a person reads it: 4915112345678 for 4.915112345678E12, 7 for 7.0, 0.3 for 0.30000000000000004."""
    if raw.isascii() and raw.isdecimal():
        return raw
    with contextlib.suppress(ValueError, OverflowError):
        value = float(raw)
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.15g}"
    return raw


def _date(raw: str, from_1904: bool) -> str:
    try:
        return excel_date(float(raw), from_1904=from_1904)
    except (ValueError, OverflowError):
        return raw


def _unescaped(text: str) -> str:
    """`_x000D_` stands for a character that XML cannot hold (ECMA-376 22.9.2.19)."""
    if "_x" not in text:
        return text
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
