"""The catcher's messages themselves: appended to files of a limited size, of which the oldest are dropped."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

_MOST_BUFFERS = 512  # of one writev; the least IOV_MAX allowed by POSIX systems in use is 1024
_PATTERN = "texts-*.bin"


class Texts:
    """One long row of bytes, addressed by position. `keep_bytes`: how much of its end is kept, at least."""

    def __init__(self, folder: Path, *, keep_bytes: int, file_bytes: int) -> None:
        self._folder = folder
        self._keep_bytes = keep_bytes
        self._file_bytes = file_bytes
        self._starts = sorted(int(path.stem.partition("-")[2]) for path in folder.glob(_PATTERN))
        if not self._starts:
            self._starts = [0]
        self._file = self._open(self._starts[-1])
        self.end = 0
        self.resync()

    def resync(self) -> None:
        """Learn the end from the file: at the start, and after a write that failed half-way."""
        self.end = self._starts[-1] + os.fstat(self._file).st_size

    def append(self, pieces: Sequence[bytes]) -> None:
        """Write; they begin at the former `end`. In the page cache on return: only losing the machine loses them."""
        for first in range(0, len(pieces), _MOST_BUFFERS):
            some = pieces[first : first + _MOST_BUFFERS]
            total = sum(map(len, some))
            written = os.writev(self._file, some)
            if written < total:  # a nearly full disk: the rest, or the error that says so
                left = memoryview(b"".join(some))[written:]
                while left:
                    left = left[os.write(self._file, left) :]
            self.end += total
        if self.end - self._starts[-1] >= self._file_bytes:
            self._next_file()

    def read(self, position: int, size: int) -> bytes | None:
        """None if that part has been dropped."""
        index = bisect_right(self._starts, position) - 1
        if index < 0:
            return None
        try:
            with open(self._path(self._starts[index]), "rb", buffering=0) as file:
                return os.pread(file.fileno(), size, position - self._starts[index])
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """Drop everything."""
        os.close(self._file)
        for start in self._starts:
            self._path(start).unlink(missing_ok=True)
        self._starts = [0]
        self._file = self._open(0)
        self.end = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _next_file(self) -> None:
        os.close(self._file)
        self._starts.append(self.end)
        self._file = self._open(self.end)
        while len(self._starts) > 2 and self.end - self._starts[1] >= self._keep_bytes:
            self._path(self._starts.pop(0)).unlink(missing_ok=True)

    def _open(self, start: int) -> int:
        return os.open(self._path(start), os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _path(self, start: int) -> Path:
        return self._folder / f"texts-{start:018d}.bin"
