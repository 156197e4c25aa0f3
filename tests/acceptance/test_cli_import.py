"""`tidings import`, as a process of its own against a database without any role running."""

import asyncio
import csv
import gzip
import signal
import sys
from pathlib import Path
from typing import Any

import orjson

from cli_forked import clean_environment, tidings
from tidings.accounts import SYSTEM
from tidings.audience import lists
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId


async def start(database_url: str, folder: Path, *words: str) -> asyncio.subprocess.Process:
    told = {"TIDINGS_DATABASE_URL": database_url, "TIDINGS_DATA_DIR": str(folder)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tidings.cli",
        "import",
        *words,
        env=clean_environment() | told,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def tidings_import(database_url: str, folder: Path, *words: str, given: bytes = b"") -> tuple[int, Any, str]:
    """Its exit status, the JSON it printed, and what it told people."""
    told = {"TIDINGS_DATABASE_URL": database_url, "TIDINGS_DATA_DIR": str(folder)}
    status, out, err = await tidings("import", *words, "--json", env=clean_environment() | told, given=given)
    return status, orjson.loads(out.splitlines()[-1]) if out else None, err.decode()


async def test_a_file_and_standard_input(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    async with db.transaction() as tx:
        await lists.create_list(tx, workspace=workspace, name="News", by=SYSTEM(workspace), now=utc_now())
    file, rejected = tmp_path / "c.csv", tmp_path / "rejected.csv"
    file.write_bytes(b"Email;Name;Nr\nann@example.com;Ann Lee;7\nnope;X;8\n")
    words = ("--list", "News", "--tag", "fair", "--map", "Nr=field:customer_no:number", "--rejected", str(rejected))
    status, told, _ = await tidings_import(database_url, tmp_path, str(file), *words, "--dry-run")
    assert (status, told["dry_run"], told["new"], told["rejected"]) == (0, True, 1, 1)
    assert told["mapping"] == {"Email": "email", "Name": "full_name", "Nr": "field:customer_no"}
    status, told, said = await tidings_import(database_url, tmp_path, str(file), *words)
    assert (status, told["status"], told["created"], told["rejected"]) == (0, "done", 1, 1)
    assert "line 3: Email: " in said
    rows = list(csv.reader(rejected.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[1][:5] == ["nope", "X", "8", "3", "Email"]
    async with db.connection() as connection:
        row = await connection.fetchrow(
            """SELECT c.first_name, c.tags, c.attributes, b.status FROM contacts c JOIN subscriptions b ON b.contact_id = c.id"""
        )
        assert row is not None
        assert tuple(row) == ("Ann", ["fair"], {"customer_no": 7}, "subscribed")
    status, told, _ = await tidings_import(database_url, tmp_path, "-", given=b"email\nbob@example.com\n")
    assert (status, told["created"]) == (0, 1)


async def test_gzipped_files_are_unpacked(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    packed = gzip.compress(b"email\nann@example.com\n")
    file, broken = tmp_path / "c.csv.gz", tmp_path / "broken.csv.gz"
    file.write_bytes(packed)
    broken.write_bytes(packed[:-6])
    assert (await tidings_import(database_url, tmp_path, str(file)))[1]["created"] == 1
    assert (await tidings_import(database_url, tmp_path, "-", given=packed))[1]["unchanged"] == 1
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT DISTINCT filename FROM imports WHERE filename <> ''") == "c.csv"
    status, _, said = await tidings_import(database_url, tmp_path, str(broken))
    assert (status, "cannot be read to its end" in " ".join(said.split()), "Traceback" in said) == (1, True, False)
    assert workspace


async def test_a_list_that_is_not_there_is_made_if_told(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    words = ("-", "--list", "Fair 2026", "--list", "Fair 2026", "--create-list")
    for expected, more in ((0, ["--dry-run"]), (1, []), (1, [])):
        status, _, _ = await tidings_import(database_url, tmp_path, *words, *more, given=b"email\nann@example.com\n")
        assert status == 0
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM lists WHERE name = 'Fair 2026'") == expected
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subscriptions") == 1
    status, _, said = await tidings_import(
        database_url, tmp_path, "-", "--list", "Fair", given=b"email\na@example.com\n"
    )
    assert status != 0
    assert "there is no list 'Fair'; there are: 'Fair 2026'; --create-list makes it" in " ".join(said.split())


async def test_what_is_wrong_is_a_sentence(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(b"a,b\n1,2\n")
    for words, sentence in (
        ((str(tmp_path / "none.csv"),), "cannot be read: No such file"),
        ((str(file),), "no column is mapped to email"),
        ((str(file), "--list", "Nope"), "there is no list 'Nope'; there are: none; --create-list makes it"),
        ((str(file), "--list", "list_9", "--create-list"), "there is no list 'list_9'; there are: none"),
        ((str(file), "--policy", "x"), "must be one of skip, update, overwrite"),
        ((str(file), "--map", "x"), "must be COLUMN=FIELD"),
    ):
        status, _, said = await tidings_import(database_url, tmp_path, *words)
        assert status == 1
        assert "Traceback" not in said
        assert sentence in " ".join(said.split()), said
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM import_pieces") == 0
        assert await connection.fetchval("SELECT count(*) FROM imports WHERE status <> 'cancelled'") == 0
    assert workspace


async def test_ctrl_c_cancels(db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("email\n" + "".join(f"p{i}@example.com\n" for i in range(200_000)))
    process = await start(database_url, tmp_path, str(file), "--json")
    async with asyncio.timeout(60):
        async with db.connection() as connection:
            while not await connection.fetchval("SELECT sum(processed) FROM imports"):
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, _ = await process.communicate()
            kept = await connection.fetchval("SELECT count(*) FROM contacts")
    told = orjson.loads(out.splitlines()[-1])
    assert (process.returncode, told["status"]) == (1, "cancelled")
    assert 0 < kept == told["created"] < 200_000
    assert workspace
