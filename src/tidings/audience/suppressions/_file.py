"""Reading a file of addresses to suppress: text with one a line, or CSV in the manner of any exporting program."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from tidings.audience.addresses import normalise_suppressed
from tidings.audience.spreadsheets import plain_again
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions._suppressions import ToSuppress, domain_problem
from tidings.core.errors import Invalid
from tidings.core.ids import ListId

ROWS_LIMIT = 1_000_000
_LINE_LIMIT = 64 * 1024
_DETAIL_LIMIT = 1000

_EMAIL = re.compile(r"(e[\s_-]?mail|email[\s_-]?address|address|mail|subscriber|recipient)", re.IGNORECASE)
_DETAIL = re.compile(r"(detail|details|note|notes|comment|description)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was not taken: `line` is where it stands in the file, from 1; `value` is what it says, cut short."""

    line: int
    field: str
    value: str
    message: str


@dataclass(slots=True)
class Rows:
    """Some rows of a file: those to suppress, those that are not, and how many there were."""

    addresses: list[ToSuppress] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    size: int = 0


def read_addresses(
    file: BinaryIO,
    *,
    reason: SuppressionReason,
    detail: str,
    batch: int,
    list: ListId | None = None,  # noqa: A002 - it is one
) -> Iterator[Rows]:
    """The rows of a file, so many at a time; `reason` and `detail` are of those that say nothing of it themselves.

    UTF-8 with or without a byte-order mark; comma, semicolon or tab between columns; a first line that names an `email`
    column, with `reason` and `detail` beside it if need be, or no such line and the address in the first column. A row may
    have a whole domain (`@example.com`) where they go on no single `list`.
    Raises Invalid when there are more than `ROWS_LIMIT` rows, at the first one too many.
    """
    lines = _lines(file)
    first = next(lines, "")
    delimiter = max("\t;,", key=first.count)
    rows = csv.reader(_again(first, lines), delimiter=delimiter)
    columns: tuple[int, int | None, int | None] | None = None
    taken = Rows()
    total = 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            taken.size += 1
            taken.problems.append(RowProblem(rows.line_num, "row", "", f"is not CSV: {error}"))
            continue
        if row is None:
            break
        if not any(cell.strip() for cell in row):
            continue
        if columns is None:
            columns = _header(row)
            if columns is not None:
                continue
            columns = (0, None, None)
        total += 1
        if total > ROWS_LIMIT:
            raise Invalid.at(
                "file", f"has more than {ROWS_LIMIT:,} rows; what came before was taken: send the rest apart"
            )
        _take(taken, row, rows.line_num, columns, reason, detail, list)
        if taken.size >= batch:
            yield taken
            taken = Rows()
    if taken.size:
        yield taken


def _take(
    taken: Rows,
    row: list[str],
    line: int,
    columns: tuple[int, int | None, int | None],
    reason: SuppressionReason,
    detail: str,
    list: ListId | None,  # noqa: A002
) -> None:
    taken.size += 1
    at, reason_at, detail_at = columns
    told = row[at].strip() if at < len(row) else ""
    try:
        email = _clean(told)
    except Invalid as error:
        taken.problems.append(RowProblem(line, "email", told[:200], error.fields[0].message))
        return
    word = row[reason_at].strip().lower() if reason_at is not None and reason_at < len(row) else ""
    if word:
        try:
            reason = SuppressionReason(word)
        except ValueError:
            known = ", ".join(SuppressionReason)
            taken.problems.append(RowProblem(line, "reason", word[:200], f"must be one of {known}, or empty"))
            return
    own = row[detail_at].strip() if detail_at is not None and detail_at < len(row) else ""
    one = ToSuppress(email, reason, own[:_DETAIL_LIMIT].replace("\0", "") or detail)
    if problem := domain_problem(one, list):
        taken.problems.append(RowProblem(line, "email", told[:200], problem[1]))
        return
    taken.addresses.append(one)


def _clean(told: str) -> str:
    if not told:
        raise Invalid.at("email", "is missing")
    if "\ufffd" in told:
        raise Invalid.at("email", "is not UTF-8, or holds the character NUL")
    return normalise_suppressed(plain_again(told))  # an export of ours has an apostrophe before an @


def _header(row: list[str]) -> tuple[int, int | None, int | None] | None:
    """Which columns hold the address, the reason and the detail; None if this row is no header."""
    names = [cell.strip() for cell in row]
    if any("@" in name for name in names):  # an address, or a domain
        return None
    # The likeliest name first: a column named `address` may be a street where there is one named `email`.
    at = next(
        (i for i, n in enumerate(names) if re.fullmatch(r"e[\s_-]?mail([\s_-]?address)?", n, re.IGNORECASE)), None
    )
    if at is None:
        at = next((i for i, name in enumerate(names) if _EMAIL.fullmatch(name)), None)
    if at is None:
        return None
    reason = next((i for i, name in enumerate(names) if name.lower() == "reason"), None)
    detail = next((i for i, name in enumerate(names) if _DETAIL.fullmatch(name)), None)
    return at, reason, detail


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines as text: what is no UTF-8 becomes U+FFFD, so that its row is refused."""
    first = True
    while line := file.readline(_LINE_LIMIT):
        yield line.decode("utf-8-sig" if first else "utf-8", "replace").replace("\0", "\ufffd")
        first = False


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
