"""The catcher's index file: one small record for each thing that happened to a recipient, appended and never changed."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct("<BdQIHHH")
_READ_BYTES = 1 << 20


class Kind(IntEnum):
    """What happened."""

    DELIVERED = 1
    REJECTED = 2
    DEFERRED = 3


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the index. `position` and `size` locate the text; 0 where there is none."""

    kind: Kind
    at: float
    """Seconds since 1970."""
    position: int
    size: int
    recipient: bytes
    sender: bytes
    message_id: bytes


def pack(kind: int, at: float, position: int, size: int, recipient: bytes, sender: bytes, message_id: bytes) -> bytes:
    """The bytes of a record. Its three names are cut at 64 KiB, which no SMTP line reaches."""
    recipient, sender, message_id = recipient[:65535], sender[:65535], message_id[:65535]
    head = _HEAD.pack(kind, at, position, size, len(recipient), len(sender), len(message_id))
    return b"".join((head, recipient, sender, message_id))


def unpack(raw: bytes, start: int = 0) -> tuple[Record, int] | None:
    """The record at `start` and where the next one begins; None if `raw` ends before it does."""
    names = start + _HEAD.size
    if len(raw) < names:
        return None
    kind, at, position, size, recipient, sender, message_id = _HEAD.unpack_from(raw, start)
    end = names + recipient + sender + message_id
    if len(raw) < end:
        return None
    second, third = names + recipient, names + recipient + sender
    return Record(Kind(kind), at, position, size, raw[names:second], raw[second:third], raw[third:end]), end


def scan(path: str) -> Iterator[tuple[int, int, Record]]:
    """Every whole record of a file with its start and end. A torn one at the end, from a crash, is left out."""
    base, left = 0, b""
    with open(path, "rb", buffering=0) as file:
        while more := file.read(_READ_BYTES):
            raw, at = left + more, 0
            while (found := unpack(raw, at)) is not None:
                record, end = found
                yield base + at, base + end, record
                at = end
            left, base = raw[at:], base + at
