"""The process that reads and checks the file of an import: it has the file and a key, and neither database nor network.

A file made to exhaust memory or time exhausts this process, not the one that sends campaigns.
"""

import contextlib
import io
import itertools
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import orjson

from tidings.audience.imports._check import Checker
from tidings.audience.imports._formats import FileFormat
from tidings.audience.imports._open import open_table
from tidings.audience.imports._plan import Checked, Plan
from tidings.audience.imports._protocol import BATCH, Framed, frame, read_frame
from tidings.audience.imports._tables import Rows, Table, storable
from tidings.core.errors import Invalid

_LOOKED_AT = 1000
_CELLS_LOOKED_AT = 50_000
_CELL_LOOKED_AT = 300
"""Characters: what is longer is text in any case."""


class _Input(io.RawIOBase):
    """`Framed`, as the standard library's streams want it."""

    def __init__(self, framed: Framed) -> None:
        self.framed = framed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.framed.readinto(buffer)


def checked_batches(table: Table, checker: Checker, *, skip: int, size: int) -> Iterator[Checked]:
    """Every batch after the first `skip` rows, which were taken before."""
    first = 0
    for rows in table.batches(size):
        count = len(rows.cells)
        if first + count > skip:  # never for an empty batch: nothing but blank lines
            if first < skip:
                _drop(rows, skip - first)
            yield checker.check(rows, max(first, skip))
        first += count


def look_at(table: Table) -> dict[str, Any]:
    """Columns, and the cells of the first rows: cut short, and no more of them than another process can easily hold."""
    rows = next(table.batches(_LOOKED_AT), None)
    cells = [] if rows is None else [r for i, r in enumerate(rows.cells) if i not in rows.faults]
    most = max(1, _CELLS_LOOKED_AT // max(1, len(table.columns)))
    return {"columns": table.columns, "rows": [[_shown(cell) for cell in row] for row in cells[:most]]}


def _shown(cell: Any) -> Any:
    if isinstance(cell, (dict, list)):
        cell = orjson.dumps(cell).decode()
    return storable(cell[:_CELL_LOOKED_AT]) if isinstance(cell, str) else cell


def _drop(rows: Rows, count: int) -> None:
    rows.line(0)  # counts them all, while the rows before are here
    rows.cells = list(itertools.islice(rows.cells, count, None))
    rows.lines = (rows.lines or [])[count:]
    rows.faults = {i - count: words for i, words in rows.faults.items() if i >= count}


def main() -> None:
    """Read a job and a file from standard input, write batches to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked; we end when it does
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    asked = read_frame(source)
    if asked is None:
        return
    job = orjson.loads(asked)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    incoming = _Input(Framed(source))
    stream = cast("BinaryIO", io.BufferedReader(incoming, 1024 * 1024))
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        try:
            table = open_table(stream, FileFormat(**job["format"]))
            if job["look"]:
                _send(sink, {"look": look_at(table)})
            else:
                checker = Checker(Plan.of(job["plan"]), bytes.fromhex(job["key"]))
                for batch in checked_batches(table, checker, skip=job["skip"], size=BATCH):
                    batch.bytes_read = incoming.framed.taken
                    told = {name: getattr(batch, name) for name in Checked.__slots__ if name != "data"}
                    _send(sink, {"batch": told}, batch.data)
            _send(sink, {"end": True})
        except Invalid as error:
            _send(sink, {"broken": [[problem.field, problem.message] for problem in error.fields], "code": error.code})
        except (BrokenPipeError, ConnectionError):
            raise
        except MemoryError:
            _send(
                sink, {"broken": [["file", "needs more memory to read than an import may have"]], "code": "broken_file"}
            )
        except Exception as fault:  # noqa: BLE001 - told to the process that asked, which says it to people
            traceback.print_exc()
            _send(sink, {"fault": f"{type(fault).__name__}: {fault}"[:500]})


def _send(sink: BinaryIO, header: dict[str, Any], data: bytes = b"") -> None:
    sink.write(frame(orjson.dumps(header)))
    sink.write(frame(data))
    sink.flush()
