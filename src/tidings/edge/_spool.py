"""What came in, on disk while the database is away: one file a process, one line a batch, until it is in the database.

A file is locked while its process lives. One that is not locked was left by a process that died, and is anybody's.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How a thing is written as a list that JSON can hold, and read back."""

    encode: Callable[[T], list[Any]]
    decode: Callable[[list[Any]], T]


_READ_BYTES = 1 << 20
"""How much of a file is in memory at once: about 5,000 hits."""


class Spool(Generic[T]):
    """One file: lines are added at its end and taken from its beginning. One task at a time."""

    def __init__(self, file: int, path: Path, codec: Codec[T]) -> None:
        self._codec = codec
        self._file = file
        self._path = path
        self._begin = 0
        self._end = os.fstat(file).st_size

    @classmethod
    def create(cls, folder: Path, source: str, codec: Codec[T]) -> "Spool[T]":
        """This process's own file. `source` is who numbers its batches."""
        folder.mkdir(parents=True, exist_ok=True)
        draft, path = folder / f"{source}.draft", folder / f"{source}.spool"
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        draft.rename(path)  # once it is locked, so that nobody takes it for one that was left
        _sync_folder(folder)  # else a power cut could take the name with it
        return cls(file, path, codec)

    @classmethod
    @contextmanager
    def abandoned(cls, path: Path, codec: Codec[T]) -> Generator["Spool[T] | None", None, None]:
        """A file that was left, locked meanwhile; None if its process lives or somebody else was faster."""
        with contextlib.ExitStack() as stack:
            try:
                file = os.open(path, os.O_RDWR)
                stack.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (FileNotFoundError, BlockingIOError):
                yield None
            else:
                yield cls(file, path, codec) if path.exists() else None

    @property
    def source(self) -> str:
        """Who numbered the batches."""
        return self._path.stem

    @property
    def empty(self) -> bool:
        """Whether everything that was kept is in the database."""
        return self._begin == self._end

    async def keep(self, number: int, items: Sequence[T]) -> None:
        """Add a batch; when this returns it is on the disk. Raises OSError, and then it is not in the file."""
        line = orjson.dumps([number, list(map(self._codec.encode, items))]) + b"\n"
        await asyncio.to_thread(self._write, line)
        self._end += len(line)

    async def oldest(self) -> tuple[list[tuple[int, list[T]]], int]:
        """The first batches that are not in the database, and their size, which `recorded` wants."""
        return await asyncio.to_thread(self._read)

    def recorded(self, size: int) -> None:
        """What `oldest` gave is in the database."""
        self._begin += size
        if self.empty:
            os.ftruncate(self._file, 0)
            self._begin = self._end = 0

    def remove(self) -> None:
        """Nothing is left in it: the file goes."""
        self._path.unlink(missing_ok=True)

    def put_aside(self) -> Path:
        """It cannot be recorded: keep it for a person to look at, else it would be tried for ever. Returns where it is."""
        return self._path.rename(self._path.with_suffix(".refused"))

    def close(self) -> None:
        """The process ends. With nothing waiting the file goes, else another process will find it."""
        if self.empty:
            self.remove()
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        rest, at = memoryview(line), self._end
        try:
            while rest:
                written = os.pwrite(self._file, rest, at)
                rest, at = rest[written:], at + written
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)  # half a line must not stand before the next one
            raise

    def _read(self) -> tuple[list[tuple[int, list[T]]], int]:
        length = _READ_BYTES
        while True:
            lines = os.pread(self._file, min(length, self._end - self._begin), self._begin)
            whole = lines.rfind(b"\n") + 1
            if whole:
                return [self._batch(line) for line in lines[:whole].splitlines()], whole
            if len(lines) < length:
                # Torn by a kill in the middle of writing: its hits were never acknowledged to anybody.
                _log.warning("an unfinished batch in %s was left out: it had not been acknowledged", self._path)
                return [], len(lines)
            length *= 2

    def _batch(self, line: bytes) -> tuple[int, list[T]]:
        number, items = orjson.loads(line)
        return number, list(map(self._codec.decode, items))


def spools(folder: Path) -> Sequence[Path]:
    """All spool files, in the order of their names."""
    return sorted(folder.glob("*.spool"))


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
