"""What was handed over, remembered across `kill -9`: a small file that the send worker maps into its memory.

One byte a recipient of each chunk in work: nothing yet, *in doubt* (set before the body and its final dot are written)
or *accepted* (set when the reply was read), and in its upper bits through which of the chunk's providers. A store into a
shared mapping is in the kernel's hands at once, costs no system call, and outlives the process; after a crash of the
machine itself (another boot id) the bytes may be stale, and nothing in the file is trusted.
A file is locked by its worker, so whoever gets the lock may replay it.
See docs/decisions for why this is not an append-only log.
"""

import contextlib
import fcntl
import mmap
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidings.core.ids import SendId, WorkspaceId

NOTHING, IN_DOUBT, ACCEPTED = 0, 1, 2
_KIND, _SHIFT = 3, 2
"""Of a mark the lower two bits say what is known, the others which provider: its place in the slot's table, from 1."""
MOST_PROVIDERS = 63

_MAGIC = b"TDJ2"
_FILE = struct.Struct("<4sII36s36s")  # magic, slots, capacity, owner, boot id
_SLOT = struct.Struct("<qqqii")  # active (1) or free (0), workspace, send, chunk, recipients
_FILE_SIZE = 128
_PROVIDER = struct.Struct("<q")
_PROVIDERS = 64  # where the table of providers begins
_SLOT_SIZE = _PROVIDERS + MOST_PROVIDERS * _PROVIDER.size + 8


@dataclass(frozen=True, slots=True)
class JournalledChunk:
    """A chunk found in a journal: its recipients' numbers, and for each what is known."""

    workspace: WorkspaceId
    send: SendId
    chunk_no: int
    in_doubt: list[tuple[int, int]]
    """(n, provider); provider 0 is one that the table had no room for."""
    accepted: list[tuple[int, int]]


class Journal:
    """The journal of one running worker; `owner` is the name it leases chunks under."""

    def __init__(self, folder: Path, *, owner: str, slots: int, capacity: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = owner
        self._capacity = capacity
        self._size = _SLOT_SIZE + capacity * 5
        self._path = folder / f"{owner}.journal"
        draft = folder / f"{owner}.new"
        self._file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Locked before it gets the name that a replay looks for.
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        total = _FILE_SIZE + slots * self._size
        os.posix_fallocate(self._file, 0, total)  # a full disk says so now, not by SIGBUS in the middle of a send
        self._map = mmap.mmap(self._file, total)
        _FILE.pack_into(self._map, 0, _MAGIC, slots, capacity, owner.encode(), _boot_id())
        draft.rename(self._path)
        self._free = list(range(slots))
        self._view = memoryview(self._map)

    def open(self, *, workspace: WorkspaceId, send: SendId, chunk_no: int, ns: Sequence[int]) -> "Slot":
        """A slot for a chunk's recipients. Write `slot.marks[i]` for the i-th of `ns`; `slot.close()` when recorded.

        Raises ValueError when it has no room: its caller holds more chunks, or larger ones, than it was made for.
        """
        if not self._free or len(ns) > self._capacity:
            raise ValueError(
                f"no room in the journal: {len(ns)} recipients, {len(self._free)} slots of {self._capacity} free"
            )
        index = self._free.pop()
        start = _FILE_SIZE + index * self._size
        numbers = start + _SLOT_SIZE
        marks = numbers + self._capacity * 4
        self._map[numbers : numbers + 4 * len(ns)] = array("i", ns).tobytes()
        self._map[marks : marks + len(ns)] = bytes(len(ns))
        table = start + _PROVIDERS
        self._map[table : start + _SLOT_SIZE] = bytes(_SLOT_SIZE - _PROVIDERS)
        _SLOT.pack_into(self._map, start, 0, workspace, send, chunk_no, len(ns))
        self._map[start] = 1  # last, so that a slot that says it is active is whole
        return Slot(self._view[marks : marks + len(ns)], self._view[table : start + _SLOT_SIZE], self, index)

    def _release(self, index: int) -> None:
        self._map[_FILE_SIZE + index * self._size] = 0
        self._free.append(index)

    def close(self) -> None:
        """The worker ends in good order and everything is recorded: the file goes."""
        self._path.unlink(missing_ok=True)
        self._view.release()
        self._map.close()
        os.close(self._file)


@dataclass(slots=True)
class Slot:
    """The marks of one chunk in work."""

    marks: memoryview
    _table: memoryview
    _journal: Journal
    _index: int
    _providers: int = 0

    def provider(self, provider: int) -> int:
        """What to add to the marks of recipients that go through this provider; 0 when the table is full."""
        if self._providers >= MOST_PROVIDERS:
            return 0
        _PROVIDER.pack_into(self._table, self._providers * _PROVIDER.size, provider)
        self._providers += 1
        return self._providers << _SHIFT

    def close(self) -> None:
        """Its outcomes are in the database."""
        self.marks.release()
        self._table.release()
        self._journal._release(self._index)


@dataclass(frozen=True, slots=True)
class Orphan:
    """The journal of a worker that died: ours to replay while `orphans` holds its lock."""

    owner: str
    chunks: list[JournalledChunk]
    path: Path
    stale: bool
    """It is from before the machine crashed: pages reached the disk in any order, so nothing in it can be trusted."""


def orphans(folder: Path) -> Iterator[Orphan]:
    """Each journal whose worker is gone, locked while the caller replays it; call `discard` when it is in the database."""
    for path in sorted(folder.glob("*.journal")):
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if path.exists():  # it may have gone between the listing and the lock
                raw = file.read()
                stale = _is_stale(raw)
                yield Orphan(path.stem, [] if stale else _read(raw), path, stale)


def discard(orphan: Orphan) -> None:
    """What it held is in the database."""
    orphan.path.unlink(missing_ok=True)


def _is_stale(raw: bytes) -> bool:
    return len(raw) < _FILE_SIZE or raw[:4] != _MAGIC or _FILE.unpack_from(raw)[4] != _boot_id()


def _read(raw: bytes) -> list[JournalledChunk]:
    _, slots, capacity, _, _ = _FILE.unpack_from(raw)
    size = _SLOT_SIZE + capacity * 5
    found: list[JournalledChunk] = []
    for index in range(slots):
        start = _FILE_SIZE + index * size
        if len(raw) < start + size:
            break
        active, workspace, send, chunk_no, count = _SLOT.unpack_from(raw, start)
        if not active or count > capacity:
            continue
        numbers = array("i")
        numbers.frombytes(raw[start + _SLOT_SIZE : start + _SLOT_SIZE + 4 * count])
        marks = raw[start + _SLOT_SIZE + 4 * capacity :][:count]
        providers = [0, *(_PROVIDER.unpack_from(raw, start + _PROVIDERS + k * 8)[0] for k in range(MOST_PROVIDERS))]
        known = [(n, mark & _KIND, providers[mark >> _SHIFT]) for n, mark in zip(numbers, marks, strict=True) if mark]
        found.append(
            JournalledChunk(
                WorkspaceId(workspace),
                SendId(send),
                chunk_no,
                in_doubt=[(n, provider) for n, kind, provider in known if kind == IN_DOUBT],
                accepted=[(n, provider) for n, kind, provider in known if kind == ACCEPTED],
            )
        )
    return found


def _boot_id() -> bytes:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36]
    except OSError:  # not Linux: the time the machine came up says the same
        import psutil

        return str(int(psutil.boot_time())).encode().ljust(36, b"\0")
