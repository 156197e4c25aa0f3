"""Tables out of files: columns, and rows in batches, in flat memory whatever the file's size.

Reading is deterministic: the same bytes and format give the same rows with the same numbers, so an import that was cut off
goes on by leaving out as many rows as it had taken.
"""

import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import orjson

from tidings.audience.imports._bounded import fill, weight_of_cells, weight_of_lines, weight_of_objects
from tidings.audience.imports._csv_rows import CELL_LIMIT, TooLong, TooManyUnclosed, Unclosed, csv_rows
from tidings.audience.imports._formats import FileFormat, reading_encoding, separator_line
from tidings.core.errors import Invalid

COLUMNS_LIMIT = 1000
LINE_LIMIT = 4 * 1024 * 1024
NESTING_LIMIT = 200
_LINE_BREAK = re.compile("\r\n|\r|\n")


class BrokenFile(Invalid):
    """The file cannot be read on from here; the message says where, and what to mend."""

    code = "broken_file"


@dataclass(slots=True)
class Rows:
    """Some consecutive rows. `lines` are where they are in the file (from 1, as editors and spreadsheets count).

    A row that cannot be read is None; `faults` has its words by position.
    """

    cells: list[Any]
    lines: list[int] | None
    first_line: int
    faults: dict[int, str]

    def line(self, position: int) -> int:
        """The line in the file where this row begins; one past the last row: where the next would."""
        if self.lines is None:
            self.lines = [self.first_line]
            for row in self.cells:
                breaks = sum(len(_LINE_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell)
                self.lines.append(self.lines[-1] + 1 + breaks)
        return self.lines[position]


class Table(Protocol):
    """A table in a file."""

    columns: list[str]

    def batches(self, size: int) -> Iterator[Rows]:
        """Its rows from the first on, `size` at a time, fewer if they are `HEAVY`. Raises BrokenFile."""
        ...


def storable(text: str) -> str:
    """Text that JSON and PostgreSQL can hold: what they cannot is shown as U+FFFD."""
    if text.isprintable():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")


def name_columns(header: Iterable[Any]) -> list[str]:
    """Names for columns: what the header says, made unique; nameless ones get their number."""
    names: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for position, cell in enumerate(header, 1):
        if position > COLUMNS_LIMIT:
            raise BrokenFile.at("file", f"has more than {COLUMNS_LIMIT} columns, which is as many as are read")
        name = base = storable(" ".join(str(cell)[:10_000].split())[:200]) or f"Column {position}"
        while name in names:
            numbers[base] = number = numbers.get(base, 1) + 1
            name = f"{base} ({number})"
        names[name] = None
    return list(names)


class CsvTable:
    """Delimited text, in the dialects that programs write: quotation marks doubled inside quoted cells."""

    def __init__(self, stream: BinaryIO, format_: FileFormat) -> None:
        text = _Text(stream, format_.encoding, newline="")
        self._lines = _Lines(text)
        first = self._lines.peek()
        if first is not None and separator_line(first):
            next(self._lines)
            self._lines.kept.clear()
        self._reader = csv_rows(self._lines, delimiter=format_.delimiter)
        self._ahead: list[list[str]] = []
        top = self._next_filled()
        if top is None:
            raise BrokenFile.at("file", "has no rows")
        if format_.header:
            self.columns = name_columns(top)
        else:
            self.columns = name_columns("" for _ in top)
            self._ahead = [top]
        self._line = self._lines.number if format_.header else self._lines.number - 1

    def batches(self, size: int) -> Iterator[Rows]:
        """Rows with as many cells as there are columns. Lines without anything are passed over."""
        width = len(self.columns)
        while True:
            line = self._line + 1
            taken: list[Any] = [*self._ahead]
            self._ahead = []
            self._lines.kept.clear()
            try:
                fill(taken, self._reader, size, weight_of_cells)
            except (TooLong, TooManyUnclosed) as error:
                raise self._broken(line, taken, error) from None
            if not taken:
                return
            self._line = self._lines.number
            rows = Rows(taken, None, line, {})
            if not all(map(width.__eq__, map(len, taken))) or not all(map(any, taken)) or Unclosed in map(type, taken):
                rows = self._even(taken, line, width)
            yield rows

    def _even(self, taken: list[list[str]], line: int, width: int) -> Rows:
        """Short rows are filled up; empty lines go; rows with more cells than columns are at fault."""
        cells: list[Any] = []
        lines: list[int] = []
        faults: dict[int, str] = {}
        for row in taken:
            here = line
            line += 1 + sum(len(_LINE_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell)
            if not any(row):
                continue
            if isinstance(row, Unclosed):
                faults[len(cells)] = row.WORDS
            elif len(row) > width and any(row[width:]):
                faults[len(cells)] = (
                    f"has {len(row)} cells where the header has {width}; put values that contain the delimiter in quotation marks"
                )
            cells.append(row if len(row) == width else [*row, *[""] * width][: max(width, len(row))])
            if len(row) > width and len(cells) - 1 not in faults:
                cells[-1] = row[:width]
            lines.append(here)
        return Rows(cells, lines, 0, faults)

    def _next_filled(self) -> list[str] | None:
        try:
            top = next((row for row in self._reader if any(cell.strip() for cell in row)), None)
        except (TooLong, TooManyUnclosed) as error:
            raise self._broken(1, [], error) from None
        if isinstance(top, Unclosed):
            raise BrokenFile.at("file", f"line {self._lines.number}: {top.WORDS}")
        return top

    def _broken(self, line: int, taken: list[Any], error: Exception) -> Invalid:
        at = Rows(taken, None, line, {}).line(len(taken))
        if isinstance(error, TooManyUnclosed):
            mend = "are they quotation marks around values at all? If they belong to the values, double them"
            return BrokenFile.at("file", f"line {at}: too many quotation marks are not closed; {mend}")
        message = f"a cell has more than {CELL_LIMIT} characters; is a quotation mark in it, or before it, not closed?"
        return BrokenFile.at("file", f"line {at}: {message}")


class _Text(io.TextIOWrapper):
    """Decoded text. Bytes that are not of the encoding become lone surrogates, which the row's check refuses."""

    def __init__(self, stream: BinaryIO, encoding: str, *, newline: str | None) -> None:
        super().__init__(stream, reading_encoding(encoding), errors="surrogateescape", newline=newline)

    def readline(self, size: int = -1, /) -> str:
        """A line of at most `size` characters. Raises BrokenFile where UTF-16, which knows no surrogates, is broken."""
        try:
            return super().readline(size)
        except UnicodeError:
            raise self._broken() from None

    def read(self, size: int | None = -1, /) -> str:
        """The next characters. Raises BrokenFile as `readline`."""
        try:
            return super().read(size)
        except UnicodeError:
            raise self._broken() from None

    def _broken(self) -> Invalid:
        return BrokenFile.at(
            "file", f"is not {self.encoding} throughout, or ends in the middle of a character; save it as UTF-8"
        )


class _Lines:
    """The lines of a text, counted. A line too long for any table is refused, not gathered in memory."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._peeked: list[str] = []
        self.kept: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._peeked.pop() if self._peeked else self._text.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        if len(line) >= LINE_LIMIT:
            raise BrokenFile.at(
                "file", f"line {self.number + 1}: is longer than {LINE_LIMIT} characters; is this a table?"
            )
        self.number += 1
        self.kept.append(line)
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """These, which were read last, come next again."""
        self._peeked.extend(reversed(lines))
        self.number -= len(lines)

    def peek(self) -> str | None:
        """The next line, which stays the next."""
        line = self._text.readline(LINE_LIMIT)
        if line:
            self._peeked.append(line)
        return line or None


class JsonLinesTable:
    """An object a line (jsonl), or one array of objects (json); a cell may hold any JSON value."""

    def __init__(self, stream: BinaryIO, format_: FileFormat) -> None:
        text = _Text(stream, format_.encoding, newline=None)
        self._objects = _array(text) if format_.kind == "json" else _lines(text)
        self._ahead: list[tuple[int, Any]] = []
        fill(self._ahead, self._objects, 1000, weight_of_objects)
        names = dict.fromkeys(str(name) for _, value in self._ahead if isinstance(value, dict) for name in value)
        if len(self._ahead) == 1 and (inside := _rows_inside(self._ahead[0][1])) is not None:
            mend = 'send that array itself: [{"email": "ann@example.com"}, …]'
            raise BrokenFile.at("file", f"is one object that has its rows in {inside!r}; {mend}")
        if not names:
            raise BrokenFile.at("file", 'has no objects; each row must be one, such as {"email": "ann@example.com"}')
        self.columns = name_columns(names)
        self._names = list(names)

    def batches(self, size: int) -> Iterator[Rows]:
        """Rows in the columns of the first thousand objects."""
        ahead = iter(self._ahead)
        self._ahead = []
        objects = itertools.chain(ahead, self._objects)
        names, known = self._names, frozenset(self._names)
        while True:
            taken: list[tuple[int, Any]] = []
            fill(taken, objects, size, weight_of_objects)
            if not taken:
                return
            cells: list[Any] = []
            faults: dict[int, str] = {}
            for position, (_, value) in enumerate(taken):
                if not isinstance(value, dict):
                    faults[position] = str(value) if isinstance(value, _Fault) else "must be an object with an email"
                    cells.append([""] * len(names))
                    continue
                if not known.issuperset(value):
                    other = next(name for name in value if name not in known)
                    faults[position] = f"has the field {other[:100]!r}, which none of the first thousand rows has"
                cells.append(["" if (cell := value.get(name)) is None else cell for name in names])
            yield Rows(cells, [line for line, _ in taken], 0, faults)


class ContactLines:
    """Contacts as the API takes them: any JSON value a line, judged whole. What `start_import` stores."""

    def __init__(self, stream: BinaryIO) -> None:
        self.columns: list[str] = []
        self._stream = stream

    def batches(self, size: int) -> Iterator[Rows]:
        """Each line a row."""
        line = 0
        while True:
            raw: list[bytes] = []
            fill(raw, iter(self._stream), size, weight_of_lines)
            if not raw:
                return
            taken = [orjson.loads(one) for one in raw]
            yield Rows(taken, list(range(line, line + len(taken))), 0, {})
            line += len(taken)


class _Fault(str):
    """What is wrong with a row that is no JSON."""

    __slots__ = ()


def _rows_inside(value: Any) -> str | None:
    """Under which name an object has a list of objects, if that is all it can be about: it has no address itself."""
    if not isinstance(value, dict) or "email" in value:
        return None
    return next(
        (
            str(name)[:100]
            for name, some in value.items()
            if isinstance(some, list) and some and isinstance(some[0], dict)
        ),
        None,
    )


_TOO_DEEP = _Fault(f"nests deeper than {NESTING_LIMIT} levels")


def _deep(raw: str, value: Any) -> bool:
    """Whether a value could be read but not written again: orjson ends at 254 levels, those we put around it counted."""
    if raw.count("[") + raw.count("{") <= NESTING_LIMIT:
        return False
    for _ in range(254 - NESTING_LIMIT):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def _lines(text: _Text) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(iter(lambda: text.readline(LINE_LIMIT), ""), 1):
        if len(line) >= LINE_LIMIT:
            raise BrokenFile.at("file", f"line {number}: is longer than {LINE_LIMIT} characters")
        if not line.isspace():
            try:
                value = orjson.loads(line.encode("utf-8", "surrogateescape"))
            except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
                value = _Fault(f"is not JSON: {error}"[:300])
            yield number, _TOO_DEEP if _deep(line, value) else value


def _array(text: _Text) -> Iterator[tuple[int, Any]]:
    """The elements of one JSON array, one at a time."""
    scanner = _Elements(text)
    if scanner.skip() != "[":
        raise BrokenFile.at("file", "must be a JSON array of objects")
    scanner.take()
    if scanner.skip() == "]":
        return
    while True:
        line, raw = scanner.element()
        try:
            value = orjson.loads(raw.encode("utf-8", "surrogateescape"))
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            raise BrokenFile.at("file", f"line {line}: is not JSON: {error}"[:300]) from None
        yield line, _TOO_DEEP if _deep(raw, value) else value
        after = scanner.skip()
        scanner.take()
        if after == "]":
            return
        if after != ",":
            raise BrokenFile.at("file", f"line {scanner.line}: the array must go on with a comma or end with ]")


class _Elements:
    """Finds where the elements of an array begin and end, piece by piece."""

    _STOPS = re.compile(r'["{}\[\],\n]')
    _STRING_END = re.compile(r'["\\]')

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._buffer = ""
        self._at = 0
        self.line = 1

    def skip(self) -> str:
        """The next character that is no space; it is not taken. Raises BrokenFile at the end of the file."""
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                if not character.isspace():
                    return character
                self.line += character == "\n"
                self._at += 1
            if not self._more():
                raise BrokenFile.at("file", f"line {self.line}: ends in the middle of the array")

    def take(self) -> None:
        """Go past the character that `skip` found."""
        self._at += 1

    def element(self) -> tuple[int, str]:
        """Where the next element begins, and its text."""
        self.skip()
        start_line = self.line
        self._buffer, self._at = self._buffer[self._at :], 0
        depth = at = 0
        while True:
            found = self._STOPS.search(self._buffer, at)
            if found is None:
                at = len(self._buffer)
                self._grow(start_line)
                continue
            at, character = found.end(), found[0]
            if character == '"':
                at = self._string(at, start_line)
            elif character == "\n":
                self.line += 1
            elif character in "{[":
                depth += 1
            elif depth and character in "}]":
                depth -= 1
            elif not depth:
                self._at = at - 1
                return start_line, self._buffer[: at - 1]
            if not depth and character in '}]"':
                self._at = at
                return start_line, self._buffer[:at]

    def _string(self, at: int, start_line: int) -> int:
        while True:
            found = self._STRING_END.search(self._buffer, at)
            if found is None:
                at = len(self._buffer)
                self._grow(start_line)
            elif found[0] == '"':
                return found.end()
            else:
                at = found.end() + 1
                while at > len(self._buffer):
                    self._grow(start_line)

    def _grow(self, start_line: int) -> None:
        if len(self._buffer) > LINE_LIMIT:
            raise BrokenFile.at("file", f"line {start_line}: an element is longer than {LINE_LIMIT} characters")
        if not self._more():
            raise BrokenFile.at("file", f"line {self.line}: ends in the middle of an element")

    def _more(self) -> bool:
        piece = self._text.read(64 * 1024)
        if not piece:
            return False
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return True
