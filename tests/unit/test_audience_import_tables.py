"""Tables out of files: whatever csv and openpyxl write comes back cell by cell, and nothing else makes the reader fall over."""

import csv
import datetime as dt
import io
import json
import time
import zipfile
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidings.audience.imports._child import look_at
from tidings.audience.imports._formats import FileFormat, Utf8Scan, sniff
from tidings.audience.imports._open import open_table
from tidings.audience.imports._tables import BrokenFile
from tidings.core.errors import Invalid

# What is no text in XML, and lone surrogates, which no encoding has; NUL is for the test of its own.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n",;\t|'), max_size=12)
HEADER = ["Email", "Name", "Note"]


def read(data: bytes, **told: Any) -> tuple[list[str], list[Any], dict[int, str], FileFormat]:
    """Columns, rows, faults (by row of the file) and the format that was found."""
    scan = Utf8Scan()
    for start in range(0, len(data), 7):
        scan.feed(data[start : start + 7])
    scan.feed(b"", last=True)
    format_ = sniff(data, encoding=scan.encoding)
    for name, value in told.items():
        setattr(format_, name, value)
    table = open_table(io.BytesIO(data), format_)
    rows: list[Any] = []
    faults: dict[int, str] = {}
    for batch in table.batches(3):
        faults |= {len(rows) + i: words for i, words in batch.faults.items()}
        rows.extend([list(row) for row in batch.cells])
    return table.columns, rows, faults, format_


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}@x\.test", fullmatch=True), TEXT, TEXT), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
)
def test_what_csv_writes_comes_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: Any, ends: str, encoding: str
) -> None:
    if (
        ends == "\r" and quoting == csv.QUOTE_MINIMAL
    ):  # csv writes a bare \n there, which no reader can tell from a line's end
        rows = [(a, b.replace("\n", " "), c.replace("\n", " ")) for a, b, c in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ends)
    writer.writerows([HEADER, *rows])
    try:
        data = text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        return
    if encoding == "cp1252" and not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            pass
        else:
            return  # the same bytes are UTF-8, too: nobody could tell
    told = {"delimiter": delimiter}
    if encoding.startswith("utf-16-") or encoding == "cp1252":
        told["encoding"] = encoding  # without a BOM these are guesses; the guessing has a test of its own
    columns, found, faults, _ = read(data, **told)
    assert columns == HEADER
    assert faults == {}
    assert found == [list(row) for row in rows]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_dialect_is_found_out(delimiter: str, encoding: str) -> None:
    rows = [["ann@x.test", "Günter, Straße", "a;b|c"], ["bob@x.test", "Zoë\nO'Neil", 'say "hi"']]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([HEADER, *rows])
    columns, found, _, format_ = read(text.getvalue().encode(encoding))
    assert (columns, found, format_.delimiter) == (HEADER, rows, delimiter)


def test_what_spreadsheet_programs_write() -> None:
    assert read(b"sep=;\r\nEmail;Name\r\na@x.test;A,B\r\n")[:2] == (["Email", "Name"], [["a@x.test", "A,B"]])
    assert read(b"Email,Name,,\na@x.test,A,,\n\n,,,\nb@x.test\n")[:3] == (
        ["Email", "Name", "Column 3", "Column 4"],
        [["a@x.test", "A", "", ""], ["b@x.test", "", "", ""]],
        {},
    )
    assert read(b"a@x.test,Ann\nb@x.test,Bob\n")[:2] == (
        ["Column 1", "Column 2"],
        [["a@x.test", "Ann"], ["b@x.test", "Bob"]],
    )
    assert read(b"Email,Email,\n1,2,3\n")[0] == ["Email", "Email (2)", "Column 3"]
    _, _, faults, _ = read(b"Email,Name\na@x.test,A,B\nb@x.test,B\n")
    assert "3 cells where the header has 2" in faults[0]


def test_lines_are_those_of_the_file() -> None:
    format_ = FileFormat("csv")
    data = b'Email,Name\na@x.test,"x\ny"\nb@x.test,B\n\nc@x.test,C,D\nd@x.test,\n'
    rows = next(open_table(io.BytesIO(data), format_).batches(10))
    assert [rows.line(i) for i in range(4)] == [2, 4, 6, 7]
    rows = next(open_table(io.BytesIO(data[:30]), format_).batches(10))
    assert [rows.line(i) for i in range(len(rows.cells))] == [2, 4]


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    good = "ü@x.test,Jürgen Müller\n" * 30
    data = b"Email,Name\n" + good.encode() + b"x@x.test,J\xfcrgen\n"
    _, rows, _, format_ = read(data)
    assert format_.encoding == "utf-8"
    assert rows[0][1] == "Jürgen Müller"
    assert rows[-1][1] == "J\udcfcrgen"


def test_a_quotation_mark_that_is_never_closed_costs_its_own_row_alone() -> None:
    people = [[f"c{number}@x.test", "C"] for number in range(40_000)]  # more than a cell may hold
    data = b'Email,Name\na@x.test,A\nb@x.test,"B\n' + b"".join(b"%s,C\n" % email.encode() for email, _ in people)
    _, rows, faults, _ = read(data)
    assert rows == [["a@x.test", "A"], ["b@x.test", "B"], *people]
    assert list(faults) == [1]
    assert "quotation mark that is not closed" in faults[1]


@pytest.mark.parametrize(
    ("text", "expected", "at_fault"),
    [
        # Behind the open one stands a closed one, whose first mark seems to end the value.
        ('a@x.test,"A\nb@x.test,B\nc@x.test,"C"\n', [["a@x.test", "A"], ["b@x.test", "B"], ["c@x.test", "C"]], [0]),
        ('a@x.test,A\nb@x.test,"B\n', [["a@x.test", "A"], ["b@x.test", "B"]], [1]),
        ('a@x.test,A\nb@x.test,"B', [["a@x.test", "A"], ["b@x.test", "B"]], [1]),
        ('"a@x.test","A\n"b@x.test","B"\n', [["a@x.test", "A"], ["b@x.test", "B"]], [0]),
        ('a@x.test,"A\r\nb@x.test,"B\r\nc@x.test,C\r\n', [["a@x.test", "A"], ["b@x.test", "B"], ["c@x.test", "C"]], [0, 1]),
        # What people write and everybody can read stays readable.
        ('a@x.test,"A" B\nb@x.test,5" C\n', [["a@x.test", "A B"], ["b@x.test", '5" C']], []),
        ('a@x.test,"one\ntwo" \nb@x.test,B\n', [["a@x.test", "one\ntwo"], ["b@x.test", "B"]], []),
        ('a@x.test,"one\n""two"",\n\nthree"\nb@x.test,B\n', [["a@x.test", 'one\n"two",\n\nthree'], ["b@x.test", "B"]], []),
    ],
)  # fmt: skip
def test_open_quotation_marks(text: str, expected: list[list[str]], at_fault: list[int]) -> None:
    _, rows, faults, _ = read(f"Email,Name\n{text}".encode(), delimiter=",")
    assert rows == expected
    assert sorted(faults) == at_fault


def test_lines_are_those_of_the_file_behind_an_open_quotation_mark() -> None:
    data = b'Email,Name\na@x.test,"one\ntwo"\nb@x.test,"B\nc@x.test,C\nd@x.test,"D\nE"\nf@x.test,F\n'
    scan = sniff(data, encoding="utf-8")
    for size in (1, 2, 100):
        lines: list[int] = []
        for batch in open_table(io.BytesIO(data), scan).batches(size):
            lines += [batch.line(position) for position in range(len(batch.cells))]
        assert lines == [2, 4, 5, 6, 8]


def test_a_header_with_an_open_quotation_mark_is_refused() -> None:
    with pytest.raises(BrokenFile, match="line 1: has a quotation mark that is not closed"):
        read(b'Email,"Name\na@x.test,A\n')


def test_a_file_of_open_quotation_marks_is_given_up_soon() -> None:
    data = b"Email,Name\n" + b'a@x.test,"A\n' * 200_000
    began = time.perf_counter()
    with pytest.raises(BrokenFile, match="too many quotation marks are not closed"):
        read(data)
    assert time.perf_counter() - began < 20, (
        "each open mark is read to the end of a cell once, a thousand times at most"
    )


def test_a_cell_without_end_is_refused() -> None:
    with pytest.raises(BrokenFile, match="line 3: a cell has more than 262144 characters"):
        read(b"Email,Name\na@x.test,A\nb@x.test," + b"B" * 300_000 + b"\n")


@pytest.mark.parametrize("delimiter", list(":~^#!\x1f\x01"))
def test_rare_delimiters_are_found_where_no_other_makes_columns(delimiter: str) -> None:
    data = delimiter.join(("Email", "Name")) + "\n" + delimiter.join(("a@x.test", "A")) + "\n"
    columns, rows, _, _ = read(data.encode())
    assert (columns, rows) == (["Email", "Name"], [["a@x.test", "A"]])


def test_a_single_column_stays_one() -> None:
    assert read(b"Email\na@x.test\nb!c@x.test\n")[0] == ["Email"]
    assert read(b"Note: mail\na:@x.test\nb@x.test\n")[0] == ["Note: mail"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0\1\2" * 100, "is a picture (PNG)"),
        (bytes(range(256)) * 20, "is no text"),
        (b"<html><table><tr><td>email</td></tr></table></html>", "is a web page (HTML)"),
        (b"BEGIN:VCARD\nEMAIL:a@x.test\nEND:VCARD\n", "is a list of vCards"),
        (b'["a@x.test", "b@x.test"]', "each row must be one, such as"),
        (b'{"contacts": [{"email": "a@x.test"}], "next": null}', "has its rows in 'contacts'"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("member", "words"),
    [("content.xml", "OpenDocument"), ("word/document.xml", "Word"), ("xl/workbook.bin", ".xlsb")],
)
def test_documents_are_called_what_they_are(member: str, words: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", "application/x")
        archive.writestr(member, "<x/>")
    with pytest.raises(Invalid, match=words):
        read(packed.getvalue())


def test_json_in_both_forms() -> None:
    told = [{"email": "a@x.test", "tags": ["x", 'y"]}'], "n": 1}, {"email": "b@x.test", "deep": {"a": [1, "\\"]}}, 7]
    expected = [["a@x.test", ["x", 'y"]}'], 1, ""], ["b@x.test", "", "", {"a": [1, "\\"]}]]
    array = read(json.dumps(told, indent=1).encode())
    lines = read("\n".join(json.dumps(row) for row in told).encode())
    for columns, rows, faults, _ in (array, lines):
        assert columns == ["email", "tags", "n", "deep"]
        assert rows[:2] == expected
        assert list(faults) == [2]
    with pytest.raises(BrokenFile, match="ends in the middle"):
        read(b'[{"email": "a@x.test"}, {"email": ')


def workbook(rows: list[list[Any]], **formats: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for cell, format_ in formats.items():
        sheet[cell].number_format = format_
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            st.from_regex(r"[a-z]{1,5}@x\.test", fullmatch=True),
            st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"], include_characters="\n"), max_size=10),
            st.one_of(st.none(), st.booleans(), st.integers(-(10**14), 10**14)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_openpyxl_writes_comes_back(rows: list[tuple[str, str, Any]]) -> None:
    columns, found, _, _ = read(workbook([HEADER, *([a, f"'{b}", c] for a, b, c in rows)]))
    assert columns == HEADER

    def shown(value: Any) -> str:
        return (
            {None: "", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
        )

    assert found == [[a, f"'{b}", shown(c)] for a, b, c in rows]


def test_dates_numbers_and_formulas_of_workbooks() -> None:
    data = workbook(
        [
            HEADER,
            ["a@x.test", 4915112345678.0, dt.date(2024, 2, 29)],
            ["b@x.test", 0.1 + 0.2, dt.datetime(2024, 1, 2, 3, 4, 5)],  # noqa: DTZ001 - workbooks know no time zone
            ["c@x.test", "=1+1", 45352],
        ],
        C4='dd/mm/yyyy "um" hh',
    )
    rows = read(data)[1]
    assert [row[1:] for row in rows] == [
        ["4915112345678", "2024-02-29"],
        ["0.3", "2024-01-02 03:04:05"],
        ["", "2024-03-01"],
    ]


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


def test_the_files_of_a_zip_share_their_columns() -> None:
    data = zipped(subscribed__csv=b"Email,Tags\na@x.test,t\n", cleaned__csv=b"CLEAN_TIME,Email\n2024-01-01,b@x.test\n")
    columns, rows, _, _ = read(data)
    assert columns == ["Email", "Tags", "CLEAN_TIME"]
    assert rows == [["a@x.test", "t", ""], ["b@x.test", "", "2024-01-01"]]
    with pytest.raises(BrokenFile, match="no CSV file"):
        read(zipped(x__png=b"x"))


def test_bombs_do_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.audience.imports._zip.UNPACKED_LIMIT", 1_000_000)
    with pytest.raises(BrokenFile, match="unpacks to more"):
        read(zipped(a__csv=b"Email\n" + b"a@x.test\n" * 200_000))
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook>&a;</workbook>'
    book = workbook([HEADER, ["a@x.test", "", ""]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, entities if name == "xl/workbook.xml" else old.read(name))
    with pytest.raises(BrokenFile, match="document type"):
        read(out.getvalue())


def survives(data: bytes) -> None:
    """Any bytes are read or refused in words."""
    try:
        format_ = sniff(data)
        table = open_table(io.BytesIO(data), format_)
        look_at(table)
        for _ in table.batches(10):
            pass
    except Invalid as error:
        assert error.fields[0].message  # noqa: PT017 - raising is allowed, not wanted


@settings(max_examples=300, deadline=2000)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    survives(data)


_BOOK = workbook([HEADER, ["a@x.test", "Ann", 1], ["b@x.test", "Bob", 2]])
_JSON = json.dumps([{"email": "a@x.test", "x": {"y": ["z"]}}] * 3).encode()


@settings(max_examples=150, deadline=2000)
@given(
    st.sampled_from([_BOOK, _JSON, b"PK\x03\x04" + _BOOK]), st.integers(0, 10_000), st.binary(max_size=6), st.booleans()
)
def test_damaged_files_are_read_or_refused(good: bytes, at: int, patch: bytes, cut: bool) -> None:
    at %= len(good)
    survives(good[:at] + patch + (b"" if cut else good[at + len(patch) :]))
