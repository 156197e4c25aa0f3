"""From bytes to a table: unpack what is packed, look at what comes out, choose the reader."""

import io
import itertools
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from tidings.audience.imports._formats import HEAD, FileFormat, Utf8Scan, sniff
from tidings.audience.imports._tables import (
    COLUMNS_LIMIT,
    BrokenFile,
    ContactLines,
    CsvTable,
    JsonLinesTable,
    Rows,
    Table,
)
from tidings.audience.imports._xlsx import XlsxTable
from tidings.audience.imports._zip import Archive, Member

_MEMORY = 8 * 1024 * 1024
_PIECE = 256 * 1024
_DOCUMENTS = {
    "content.xml": "is an OpenDocument file (.ods)",
    "word/document.xml": "is a Word document (.docx)",
    "ppt/presentation.xml": "is a presentation (.pptx)",
    "xl/workbook.bin": "is a binary workbook (.xlsb)",
    "Index/Document.iwa": "is an Apple Numbers or Pages document",
}
"""What is packed as a ZIP and no table: a member that tells it, and what to say."""


def open_table(stream: BinaryIO, format_: FileFormat) -> Table:
    """The table in a stream of this format. Raises BrokenFile."""
    if format_.zipped:
        spool = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 - the table reads on from it
        try:
            table = _unpacked(stream, cast("BinaryIO", spool), format_)
        except BaseException:
            spool.close()
            raise
        weakref.finalize(table, spool.close)
        return table
    if format_.kind == "contacts":
        return ContactLines(stream)
    if format_.kind in {"json", "jsonl"}:
        return JsonLinesTable(stream, format_)
    return CsvTable(stream, format_)


def _unpacked(stream: BinaryIO, spool: BinaryIO, format_: FileFormat) -> "XlsxTable | _Unpacked":
    while piece := stream.read(_PIECE):
        spool.write(piece)
    spool.seek(0)
    archive = Archive(spool)
    if archive.has("xl/workbook.xml"):
        return XlsxTable(archive, format_)
    return _Unpacked(archive, format_)


class _Unpacked:
    """The tables of a ZIP, one after the other, in the columns of all: Mailchimp packs one file for each status."""

    def __init__(self, archive: Archive, format_: FileFormat) -> None:
        names = [n for n in archive.names() if not n.startswith("__MACOSX/") and n.rpartition("/")[2][:1] != "."]
        tables = [n for n in names if n.lower().endswith((".csv", ".txt", ".tsv", ".json", ".jsonl", ".ndjson"))]
        if words := next((words for member, words in _DOCUMENTS.items() if member in names), None):
            raise BrokenFile.at("file", f"{words}; save the table as CSV or .xlsx")
        if not tables:
            raise BrokenFile.at("file", f"has no CSV file in it; it has {', '.join(names[:10]) or 'nothing'}"[:500])
        if len(tables) > 50:
            raise BrokenFile.at("file", f"has {len(tables)} tables in it; send a ZIP with one")
        self._archive = archive
        self._formats = {name: self._look(name, format_) for name in tables}
        headers = {name: self._open(name).columns for name in tables}
        self.columns = list(dict.fromkeys(itertools.chain.from_iterable(headers.values())))
        if len(self.columns) > COLUMNS_LIMIT:
            message = (
                f"has {len(self.columns)} different columns in its tables, more than the {COLUMNS_LIMIT} that are read"
            )
            raise BrokenFile.at("file", f"{message}; send them apart")

    def batches(self, size: int) -> Iterator[Rows]:
        """The rows of the first file, then of the second …"""
        for name in self._formats:
            table = self._open(name)
            at = {column: place for place, column in enumerate(table.columns)}
            places = [at.get(column) for column in self.columns]
            same = places == list(range(len(table.columns)))
            for rows in table.batches(size):
                if not same:
                    # Where each row lies must be asked before its cells are moved.
                    if rows.cells:
                        rows.line(0)
                    rows.cells = [
                        row if i in rows.faults else ["" if place is None else row[place] for place in places]
                        for i, row in enumerate(rows.cells)
                    ]
                yield rows

    def _look(self, name: str, wanted: FileFormat) -> FileFormat:
        scan, head = Utf8Scan(), b""
        with self._archive.open(name) as member:
            while piece := member.read(_PIECE):
                scan.feed(piece)
                head = head if len(head) >= HEAD else head + piece
            scan.feed(b"", last=True)
        if not head:
            return FileFormat("csv")
        found = sniff(head, filename=name, encoding=scan.encoding)
        return (
            found if found.kind != "csv" or wanted.header else FileFormat("csv", found.encoding, found.delimiter, False)
        )

    def _open(self, name: str) -> Table:
        stream = cast("BinaryIO", io.BufferedReader(_Raw(self._archive.open(name)), _PIECE))
        format_ = self._formats[name]
        return JsonLinesTable(stream, format_) if format_.kind in {"json", "jsonl"} else CsvTable(stream, format_)


class _Raw(io.RawIOBase):
    """A member of an archive as the streams of the standard library want it."""

    def __init__(self, member: Member) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._member.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
