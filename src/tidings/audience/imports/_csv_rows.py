"""Rows of delimited text. A quotation mark that is not closed costs the row it is in, not whatever stands behind it."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

CELL_LIMIT = 256 * 1024
"""Characters of one cell."""

UNCLOSED_LIMIT = 1000
"""Rows with an unclosed quotation mark that are read anew. More, and the file is not what we take it for."""

_LINE_END = "\r\n"


class TooLong(Exception):
    """A cell in one line has more than `CELL_LIMIT` characters."""


class TooManyUnclosed(Exception):
    """More than `UNCLOSED_LIMIT` rows have a quotation mark that is not closed."""


class Unclosed(list[str]):
    """The cells of a row, as far as they can be told, in which a quotation mark is opened and never closed."""

    WORDS = "has a quotation mark that is not closed; put a second one where the value ends, or take it out"


class Lines(Protocol):
    """Lines that can be given back. `kept` are those that were read since it was cleared."""

    kept: list[str]

    def __iter__(self) -> Iterator[str]: ...

    def __next__(self) -> str: ...

    def put_back(self, lines: Sequence[str]) -> None:
        """These, which were read last, come next again."""
        ...


def csv_rows(lines: Lines, *, delimiter: str) -> Iterator[list[str]]:
    """Rows of cells, read strictly (RFC 4180) and, within a line, leniently. Raises TooLong and TooManyUnclosed.

    A quoted value that goes over lines and is not ended by a delimiter or the line's end, or by nothing at all, was never
    closed: its first line comes as `Unclosed`, and the lines behind it are read as the rows that they are. Between two rows
    the caller may clear `lines.kept`.
    """
    csv.field_size_limit(CELL_LIMIT)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    unclosed = 0
    while True:
        try:
            yield from reader
            return
        except csv.Error:
            at_fault = lines.kept[_rows_before(lines.kept, delimiter) :]
        row = _leniently(at_fault, delimiter)
        if isinstance(row, Unclosed):
            unclosed += 1
            if unclosed > UNCLOSED_LIMIT:
                raise TooManyUnclosed
            lines.put_back(at_fault[1:])
        lines.kept.clear()
        yield row


def _rows_before(kept: Sequence[str], delimiter: str) -> int:
    """How many lines the good rows before the one at fault take up."""
    reader = csv.reader(kept, delimiter=delimiter, strict=True)
    before = 0
    try:
        for _ in reader:
            before = reader.line_num
    except csv.Error:
        pass
    return before


def _leniently(lines: Sequence[str], delimiter: str) -> list[str]:
    """One row that is not strictly right: `"Joe" Smith` and spaces behind a quotation mark are what people write."""
    if len(lines) > 1:
        return _without_spaces(lines, delimiter) or _first_of(lines, delimiter)
    try:
        row, *rest = csv.reader([lines[0], _LINE_END], delimiter=delimiter)
    except csv.Error:
        raise TooLong from None
    return row if rest else _first_of(lines, delimiter)


def _without_spaces(lines: Sequence[str], delimiter: str) -> list[str] | None:
    behind = re.compile(rf'"[ \t]+(?={re.escape(delimiter)}|[\r\n]|$)')
    try:
        rows = list(csv.reader([behind.sub('"', line) for line in lines], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _first_of(lines: Sequence[str], delimiter: str) -> Unclosed:
    try:
        return Unclosed(next(csv.reader([lines[0].rstrip(_LINE_END)], delimiter=delimiter), []))
    except csv.Error:
        raise TooLong from None
