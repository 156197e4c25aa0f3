"""The spool: what was kept is there, in order, whole, for this process or the next."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.edge._hits import EVENTS
from tidings.edge._spool import Spool, spools
from tidings.events import Agent, Event, EventType

ids = st.integers(1, 2**53)
hits: st.SearchStrategy[Any] = st.builds(
    Event,
    workspace=ids,
    type=st.sampled_from(EventType),
    at=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants it naive
    send=st.none() | ids,
    n=st.none() | ids,
    contact=st.none() | ids,
    agent=st.none() | st.sampled_from(Agent),
    data=st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(0, 99), max_size=3),
)


def hit(size: int = 0) -> Event:
    return Event(1, EventType.OPENED, datetime(2026, 11, 25, tzinfo=UTC), 2, 3, 4, Agent.HUMAN, {"ua": "x" * size})  # type: ignore[arg-type]


async def all_of(spool: Spool[Event]) -> list[tuple[int, list[Event]]]:
    found: list[tuple[int, list[Event]]] = []
    while not spool.empty:
        batches, size = await spool.oldest()
        found += batches
        spool.recorded(size)
    return found


@given(st.integers(1, 2**40), st.lists(hits, max_size=5))
def test_a_line_is_read_as_it_was_written(number: int, events: list[Event]) -> None:
    import orjson

    line = orjson.dumps([number, [EVENTS.encode(event) for event in events]])
    assert b"\n" not in line
    again, items = orjson.loads(line)
    assert (again, [EVENTS.decode(item) for item in items]) == (number, events)


@pytest.mark.parametrize("at_once", [10, 300, 1000, 1 << 20])
async def test_batches_come_in_order_however_little_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("tidings.edge._spool._READ_BYTES", at_once)
    spool = Spool.create(tmp_path, "a", EVENTS)
    kept = [(number, [hit(number)] * (number % 4 + 1)) for number in range(1, 30)]
    for number, events in kept[:20]:
        await spool.keep(number, events)
    batches, size = await spool.oldest()
    spool.recorded(size)
    for number, events in kept[20:]:
        await spool.keep(number, events)
    assert batches + await all_of(spool) == kept
    assert (tmp_path / "a.spool").stat().st_size == 0
    await spool.keep(30, [hit()])
    assert await all_of(spool) == [(30, [hit()])]
    spool.close()
    assert spools(tmp_path) == []


async def test_only_a_dead_process_is_inherited_from(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "a", EVENTS)
    await spool.keep(1, [hit()])
    with Spool.abandoned(tmp_path / "a.spool", EVENTS) as other:
        assert other is None
    spool.close()  # with something in it: the file stays
    assert spools(tmp_path) == [tmp_path / "a.spool"]
    with Spool.abandoned(tmp_path / "a.spool", EVENTS) as heir:
        assert heir is not None
        assert heir.source == "a"
        with Spool.abandoned(tmp_path / "a.spool", EVENTS) as second:
            assert second is None
        assert await all_of(heir) == [(1, [hit()])]
        heir.remove()
    with Spool.abandoned(tmp_path / "a.spool", EVENTS) as nobody:
        assert nobody is None


async def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.create(tmp_path, "a", EVENTS)
    await spool.keep(1, [hit()])
    with monkeypatch.context() as patch:
        # All of the batch but the sync: the longest piece that a failed write can leave behind.
        patch.setattr("os.fdatasync", _raising)
        with pytest.raises(OSError, match="No space"):
            await spool.keep(2, [hit(1000)])
        patch.setattr("os.pwrite", _short(os.pwrite))
        with pytest.raises(OSError, match="No space"):
            await spool.keep(3, [hit(2000)])
    await spool.keep(4, [hit()])
    spool.close()
    with Spool.abandoned(tmp_path / "a.spool", EVENTS) as heir:
        assert heir is not None
        assert await all_of(heir) == [(1, [hit()]), (4, [hit()])]


async def test_a_write_may_take_several_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.create(tmp_path, "a", EVENTS)
    write = os.pwrite
    monkeypatch.setattr("os.pwrite", lambda file, part, at: write(file, part[:7], at))
    await spool.keep(1, [hit(50)])
    await spool.keep(2, [hit(5)])
    assert await all_of(spool) == [(1, [hit(50)]), (2, [hit(5)])]
    spool.close()


@pytest.mark.parametrize("cut", [1, 2, 50])
async def test_a_torn_last_line_was_never_acknowledged(tmp_path: Path, cut: int) -> None:
    spool = Spool.create(tmp_path, "a", EVENTS)
    for number in (1, 2):
        await spool.keep(number, [hit()])
    spool.close()
    path = tmp_path / "a.spool"
    os.truncate(path, path.stat().st_size - cut)
    with Spool.abandoned(path, EVENTS) as heir:
        assert heir is not None
        assert await all_of(heir) == [(1, [hit()])]


def _raising(_file: int) -> None:
    raise OSError(28, "No space left on device")


def _short(write: Callable[[int, Any, int], int]) -> Callable[[int, Any, int], int]:
    def some(file: int, part: Any, at: int) -> int:
        if len(part) > 1500:
            return write(file, part[:1000], at)
        raise OSError(28, "No space left on device")

    return some
