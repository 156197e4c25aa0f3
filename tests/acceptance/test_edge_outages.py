"""What is answered is kept, exactly once: the database away, frozen or killed, the disk full, the edge killed or ended."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from edge_world import (
    CHROME,
    SECRET,
    Campaign,
    EdgeProcess,
    Wire,
    ask,
    asked,
    campaign,
    events,
    eventually,
    open_all,
    recorded,
    running_edge,
    statuses,
)
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Unavailable
from tidings.core.postgres import EmbeddedPostgres


@pytest.fixture
async def sent(db: Database, workspace: int) -> Campaign:
    return await campaign(db, workspace, Keyring(SECRET), recipients=200)


@pytest.fixture
async def wire(database_url: str, tmp_path: Path) -> AsyncIterator[Wire]:
    made = Wire(tmp_path / "wire", database_url)
    await made.start()
    yield made
    await made.stop()


async def test_an_outage_loses_nothing_and_repeats_nothing(
    wire: Wire, db: Database, tmp_path: Path, sent: Campaign
) -> None:
    async with running_edge(wire.url, tmp_path) as base:
        assert statuses(await open_all(base, sent, range(1, 51))) == {200}
        assert (await ask(base, f"/c/{sent.token(1)}/0")).status == 302
        wire.down()
        assert statuses(await open_all(base, sent, range(51, 151))) == {200}
        assert (await ask(base, f"/c/{sent.token(1)}/0")).status == 302  # its destination is known by now
        assert len(await recorded(db, sent)) == 50
        assert [file.stat().st_size > 0 for file in (tmp_path / "spool").iterdir()] == [True]
        wire.up()
        assert statuses(await open_all(base, sent, range(151, 201))) == {200}

        async def empty() -> bool:
            return [file.stat().st_size for file in (tmp_path / "spool").iterdir()] == [0]

        await eventually(empty)
        assert await recorded(db, sent) == Counter(range(1, 201))
        # Back to normal: what comes now is in the database when it is answered, and nothing goes to the disk.
        await open_all(base, sent, range(1, 2))
        assert (await recorded(db, sent))[1] == 2
        assert await empty()
    assert await recorded(db, sent) == Counter(range(1, 201)) + Counter([1])
    assert len(await events(db, "clicked")) == 2
    assert list((tmp_path / "spool").iterdir()) == []


async def test_it_catches_up_while_hits_keep_coming(wire: Wire, db: Database, tmp_path: Path, sent: Campaign) -> None:
    asked_for = Counter[int]()
    caught_up = asyncio.Event()

    async def reader(base: str, session: aiohttp.ClientSession, first: int) -> None:
        while not caught_up.is_set():
            n = 1 + (first + asked_for.total()) % 200
            assert (await asked(session, base, f"/o/{sent.token(n)}.gif")).status == 200
            asked_for[n] += 1

    async with (
        running_edge(wire.url, tmp_path) as base,
        aiohttp.ClientSession(headers={"User-Agent": CHROME}) as session,
    ):
        readers = [asyncio.ensure_future(reader(base, session, number)) for number in range(20)]
        await asyncio.sleep(0.2)
        wire.down()
        await asyncio.sleep(0.5)
        wire.up()

        async def empty() -> bool:
            return all(file.stat().st_size == 0 for file in (tmp_path / "spool").iterdir())

        await eventually(empty)
        caught_up.set()
        await asyncio.gather(*readers)
    assert await recorded(db, sent) == asked_for


async def test_a_frozen_database_is_not_waited_for(
    wire: Wire, db: Database, tmp_path: Path, sent: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.edge._group_commit._PATIENCE_SECONDS", 0.3)
    async with running_edge(wire.url, tmp_path) as base:
        await open_all(base, sent, range(1, 11))
        wire.freeze()
        async with asyncio.timeout(3):
            assert statuses(await open_all(base, sent, range(11, 61))) == {200}
            assert statuses(await open_all(base, sent, range(61, 101))) == {200}
        wire.up()

        async def all_there() -> bool:
            return len(await recorded(db, sent)) == 100

        await eventually(all_there)
    assert await recorded(db, sent) == Counter(range(1, 101))


async def test_a_commit_whose_answer_is_lost_is_not_repeated(
    wire: Wire, db: Database, tmp_path: Path, sent: Campaign
) -> None:
    async with running_edge(wire.url, tmp_path) as base:
        await open_all(base, sent, range(1, 11))
        for turn in range(5):
            wire.lose_commits = 1
            assert statuses(await open_all(base, sent, range(11 + 20 * turn, 31 + 20 * turn))) == {200}

            async def lost_and_there(turn: int = turn) -> bool:
                return wire.lost == turn + 1 and len(await recorded(db, sent)) == 30 + 20 * turn

            await eventually(lost_and_there)
    assert wire.lost == 5
    assert await recorded(db, sent) == Counter(range(1, 111))


async def test_neither_database_nor_disk_is_said_so(
    wire: Wire, db: Database, tmp_path: Path, sent: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_edge(wire.url, tmp_path) as base:
        wire.down()
        assert statuses(await open_all(base, sent, range(1, 6))) == {200}
        with monkeypatch.context() as patch:
            patch.setattr("os.pwrite", _full)
            for answer in await open_all(base, sent, range(6, 11)):
                assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert statuses(await open_all(base, sent, range(11, 16))) == {200}
        wire.up()

        async def all_there() -> bool:
            return len(await recorded(db, sent)) == 10

        await eventually(all_there)
    assert await recorded(db, sent) == Counter([*range(1, 6), *range(11, 16)])


async def test_an_orderly_end_answers_what_was_asked(
    database_url: str, db: Database, tmp_path: Path, sent: Campaign
) -> None:
    async def one(session: aiohttp.ClientSession, base: str, n: int) -> int | None:
        try:
            return n if (await asked(session, base, f"/o/{sent.token(n)}.gif")).status == 200 else None
        except aiohttp.ClientConnectionError:
            return None  # came too late to be heard

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:
        async with running_edge(database_url, tmp_path) as base:
            asking = [asyncio.ensure_future(one(session, base, n)) for n in range(1, 201)]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        answered = Counter(n for n in await asyncio.gather(*asking) if n is not None)
    assert 0 < answered.total() < 200
    assert await recorded(db, sent) == answered


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[[str], EdgeProcess]]:
    """Starts edge processes on a database; whatever is left of them goes at the end."""
    with contextlib.ExitStack() as stack:

        def start(url: str) -> EdgeProcess:
            made = EdgeProcess(url, tmp_path)
            stack.enter_context(made.process)
            stack.callback(made.process.kill)
            return made

        yield start


async def test_killed_after_it_answered(
    wire: Wire, db: Database, tmp_path: Path, sent: Campaign, start_process: Callable[[str], EdgeProcess]
) -> None:
    first = start_process(wire.url)
    await first.ready()
    assert statuses(await open_all(first.base, sent, range(1, 31))) == {200}
    # One batch whose commit goes through unheard, then only the disk.
    wire.lose_commits = 1
    assert statuses(await open_all(first.base, sent, range(31, 41), limit=1)) == {200}
    wire.down()
    assert statuses(await open_all(first.base, sent, range(41, 81))) == {200}
    await first.end(signal.SIGKILL)
    wire.up()
    (left,) = (tmp_path / "spool").iterdir()
    with left.open("ab") as file:
        file.write(b'[99,[[1,"opened","2026-11-')  # a line that the kill tore

    async def all_there() -> bool:
        return len(await recorded(db, sent)) >= 80 and not left.exists()

    # Two at once: the file is one's or the other's.
    others = [start_process(wire.url) for _ in range(2)]
    await asyncio.gather(*(other.ready() for other in others))
    await eventually(all_there)
    assert statuses(await open_all(others[0].base, sent, range(81, 91))) == {200}
    assert [await other.end(signal.SIGTERM) for other in others] == [0, 0]
    assert await recorded(db, sent) == Counter(range(1, 91))
    assert list((tmp_path / "spool").iterdir()) == []


async def test_killed_while_it_answers(
    database_url: str, db: Database, sent: Campaign, start_process: Callable[[str], EdgeProcess]
) -> None:
    answered = Counter[int]()
    attempted = Counter[int]()
    process = start_process(database_url)
    await process.ready()

    async def reader(session: aiohttp.ClientSession, first: int) -> None:
        n = first
        while True:
            n = 1 + n % 200
            attempted[n] += 1
            try:
                assert (await asked(session, process.base, f"/o/{sent.token(n)}.gif")).status == 200
            except aiohttp.ClientError:
                return
            answered[n] += 1

    async with aiohttp.ClientSession(headers={"User-Agent": CHROME}) as session:
        readers = [asyncio.ensure_future(reader(session, 7 * number)) for number in range(30)]
        await asyncio.sleep(0.7)
        await process.end(signal.SIGKILL)
        await asyncio.gather(*readers)
    await asyncio.sleep(0.1)  # a commit that was under way
    counts = await recorded(db, sent)
    assert answered.total() > 100
    assert not answered - counts, "an answered hit is lost"
    assert not counts - attempted, "a hit was recorded twice"


async def test_killing_postgresql_loses_nothing(tmp_path: Path) -> None:
    """The server itself, with the settings it ships with, killed in the middle of its work."""
    from tidings.core.migrations import migrate

    postgres = EmbeddedPostgres(tmp_path / "postgres")
    url = await postgres.start()
    await migrate(url)
    db = await Database.open(url, size=2)
    async with db.connection() as connection:
        workspace = await connection.fetchval(
            "INSERT INTO workspaces (name, created_at) VALUES ('w', now()) RETURNING id"
        )
    sent = await campaign(db, workspace, Keyring(SECRET), recipients=200)
    await db.close()
    try:
        async with running_edge(url, tmp_path) as base:
            asking = asyncio.ensure_future(open_all(base, sent, range(1, 201), limit=10))
            await asyncio.sleep(0.05)
            pid = postgres.process_id()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            postgres._child.wait()  # type: ignore[union-attr]  # a zombie would keep its successor from starting
            assert statuses(await asking) == {200}
            await _start_again(postgres)
            db = await Database.open(url, size=2)

            async def all_there() -> bool:
                return len(await recorded(db, sent)) == 200

            await eventually(all_there)
            assert await recorded(db, sent) == Counter(range(1, 201))
            await db.close()
    finally:
        await postgres.stop()


async def _start_again(postgres: EmbeddedPostgres) -> None:
    """As the supervisor does: the dead server's own processes may need a moment to end."""
    while True:
        try:
            await postgres.start()
        except Unavailable:
            await asyncio.sleep(0.1)
        else:
            return


def _full(file: int, part: bytes, at: int) -> int:
    """A disk with room for a few bytes more."""
    if len(part) > 20:
        return os.pwritev(file, [part[:20]], at)
    raise OSError(28, "No space left on device")
