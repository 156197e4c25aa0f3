"""How the importing process and the one that reads and checks for it talk: frames over pipes."""

import struct
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
BATCH = 20_000
"""Rows a transaction, fewer where they are heavy (`_bounded.py`)."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space that the process which reads may have."""


def frame(data: bytes) -> bytes:
    """A frame: its length, then itself. An empty one ends a file."""
    return _LENGTH.pack(len(data)) + data


def frame_length(head: bytes) -> int:
    """The length in a frame's first four bytes."""
    return _LENGTH.unpack(head)[0]


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None when the other side is gone."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    length = frame_length(head)
    data = stream.read(length)
    return data if len(data) == length else None


class Framed:
    """A file that arrives in frames, as a stream. Raises ConnectionError when it ends without its last frame."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = b""
        self._ended = False
        self.taken = 0

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 at the end."""
        if not self._rest and not self._ended:
            data = read_frame(self._stream)
            if data is None:
                raise ConnectionError("the importing process is gone")
            self._ended = not data
            self._rest = data
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self.taken += size
        return size
