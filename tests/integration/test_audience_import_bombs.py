"""Files made to exhaust us: refused in a moment, in words, and never in the process that serves the API."""

import io
import resource
import time
import zipfile
from datetime import UTC, datetime

import openpyxl
import orjson
import pytest

from tidings.accounts import SYSTEM
from tidings.audience import imports
from tidings.audience.imports import BrokenFile, Choices, Import, ImportStatus, Reading, Upload
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")


async def uploaded(db: Database, workspace: int, data: bytes, name: str = "c.csv") -> Import:
    upload = Upload(db, WorkspaceId(workspace), 2**30)
    await upload.begin(filename=name, now=NOW)
    await upload.write(data)
    return await upload.end(filename=name, reading=Reading())


async def worked_off(db: Database, workspace: int, job: Import) -> Import:
    who = WorkspaceId(workspace)
    async with db.transaction() as tx:
        await imports.queue_import(
            tx, workspace=who, import_=job.id, choices=Choices(), dry_run=False, by=SYSTEM(who), now=NOW
        )
    await imports.run_import(db, KEYS, workspace=who, import_=job.id)
    async with db.connection() as connection:
        return await imports.get_import(connection, workspace=who, import_=job.id)


def sheet_with(xml: bytes, path: str = "xl/worksheets/sheet1.xml") -> bytes:
    """A good workbook in which one part is replaced."""
    good, made = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["email"])
    book.save(good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            target.writestr(info.filename, xml if info.filename == path else source.read(info))
        if path not in source.namelist():
            target.writestr(path, xml)
    return made.getvalue()


_SHEET = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="'
)

BOMBS = {
    "a quarter of a million columns": b"," * 250_000 + b"\n",
    "a thousand columns of one name": b",".join([b"a"] * 1001) + b"\n" + b"x\n",
    "objects of very many fields": b"{" + b",".join(b'"f%d":1' % n for n in range(20_000)) + b"}\n",
    "a tag that does not end": sheet_with(_SHEET + b"x" * 64_000_000 + b'"/></row></sheetData></worksheet>'),
    "an attribute of the shared texts": sheet_with(b'<sst a="' + b"y" * 64_000_000, "xl/sharedStrings.xml"),
    "a cell in column one million": sheet_with(_SHEET + b's"/><c r="ZZZ1"/></row></sheetData></worksheet>'),
    "a billion laughs": sheet_with(b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bombs(db: Database, workspace: int, bomb: str) -> None:
    name = "c.xlsx" if BOMBS[bomb].startswith(b"PK") else "c.csv"
    started, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with pytest.raises((BrokenFile, Invalid)) as refused:
        await uploaded(db, workspace, BOMBS[bomb], name)
    assert refused.value.fields[0].field == "file"
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - children < 5


async def test_columns_of_one_name_are_told_apart(db: Database, workspace: int) -> None:
    started = time.process_time()
    job = await uploaded(
        db, workspace, b"email," + b",".join([b"a"] * 999) + b"\n" + b"ann@example.com" + b",1" * 999 + b"\n"
    )
    assert [column["name"] for column in job.columns[:4]] == ["email", "a", "a (2)", "a (3)"]
    assert time.process_time() - started < 2


async def test_tables_of_a_zip_have_a_thousand_columns_together(db: Database, workspace: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for n in range(3):
            target.writestr(f"{n}.csv", ",".join(f"c{n}_{i}" for i in range(500)) + "\n1\n")
    with pytest.raises(BrokenFile, match="1500 different columns"):
        await uploaded(db, workspace, made.getvalue(), "c.zip")


async def test_long_cells_are_not_carried_over_to_be_looked_at(db: Database, workspace: int) -> None:
    rows = b"".join(b"p%d@example.com,%s\n" % (n, b"x" * 200_000) for n in range(100))
    job = await uploaded(db, workspace, b"email,note\n" + rows)
    assert [len(sample) for sample in job.columns[1]["samples"]] == [100]
    assert job.columns[1]["type"] == "text"


async def test_json_nested_too_deep_is_a_rejected_row(db: Database, workspace: int) -> None:
    deep = b"[" * 230 + b"]" * 230
    good = orjson.dumps({"email": "bob@example.com", "attributes": {"a": 1}})
    job = await uploaded(
        db, workspace, b'{"email": "ann@example.com", "attributes": ' + deep + b"}\n" + good, "c.jsonl"
    )
    done = await worked_off(db, workspace, job)
    assert done.status is ImportStatus.DONE
    assert (done.created, done.rejected) == (1, 1)
    assert done.problems[0]["message"] == "nests deeper than 200 levels"


@pytest.mark.parametrize("name", ["c.csv", "c.jsonl", "c.json"])
async def test_rows_of_a_megabyte_do_not_add_up(
    db: Database, workspace: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of as many as usual would be all of them; the process that reads has no room for that here."""
    monkeypatch.setattr("tidings.audience.imports._reader.MEMORY_LIMIT", 500 * 1024**2)
    cells, rows = [f"{n}" * 250_000 for n in range(4)], 250
    objects = [{"email": f"p{n}@x.test"} | {f"note{i}": cell for i, cell in enumerate(cells)} for n in range(rows)]
    if name == "c.csv":
        head = "email," + ",".join(f"note{i}" for i in range(4))
        data = "\n".join([head, *(",".join(one.values()) for one in objects)]).encode()
    else:
        between = b",\n" if name == "c.json" else b"\n"
        data = between.join(orjson.dumps(one) for one in objects)
        data = b"[" + data + b"]" if name == "c.json" else data
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = await uploaded(db, workspace, data, name)
    assert job.columns[0]["name"] == "email"
    done = await worked_off(db, workspace, job)
    assert done.status is ImportStatus.DONE, done.problems
    assert done.processed == rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB
