"""What the catcher has been given: written in groups, counted, found again. About 100 bytes of memory a message.

A group is whatever arrived in one turn of the event loop: two system calls for all of it, texts first and then their
index records, so that the index never points at what is not there. Senders are answered after that.
"""

import os
import re
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidings.catcher._records import Kind, Record, pack, scan, unpack
from tidings.catcher._texts import Texts

_FOLDED_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_LONGEST_RECORD = 4096


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the last `delete_all`. Recipients are compared without regard to case."""

    messages: int
    """Accepted, duplicates included: one for each recipient of a message."""
    unique_delivered: int
    """Different pairs of Message-ID and recipient."""
    duplicates: int
    """`messages` less `unique_delivered`."""
    rejected: int
    """Different recipients refused for good."""
    rejections: int
    """Times that a recipient was refused for good."""
    deferred: int
    """Different recipients refused for now, once each."""
    bytes: int
    """Of all texts accepted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted message for one recipient. `id` counts from 1 in order of arrival."""

    id: int
    received_at: float
    """Seconds since 1970."""
    sender: str
    recipient: str
    message_id: str
    size: int
    position: int


class Store:
    """Files in `folder`, which is made if need be. Opening it replays the index (about 2 s a million messages)."""

    def __init__(self, folder: Path, *, keep_bytes: int = 4 << 30, file_bytes: int = 128 << 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._texts = Texts(folder, keep_bytes=keep_bytes, file_bytes=file_bytes)
        self._index_path = folder / "index.bin"
        self._index = os.open(self._index_path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.reload()

    def reload(self) -> None:
        """Know what the files hold, and no more: at the start, and after a write that failed."""
        self._forget()
        self._texts.resync()
        whole = 0
        for start, end, record in scan(str(self._index_path)):
            self._remember(start, record)
            whole = end
        os.ftruncate(self._index, whole)
        self._index_end = whole

    def _forget(self) -> None:
        self._index_end = 0
        self._starts = array("Q")
        self._recipients = array("q")
        self._seen: set[int] = set()
        self._rejected: set[int] = set()
        self._deferred: set[int] = set()
        self._rejections = 0
        self._bytes = 0
        self._new_texts: list[bytes] = []
        self._new_records: list[bytes] = []
        self._new_bytes = 0
        self._waiting: list[Callable[[], None]] = []

    # --- writing ---

    @property
    def dirty(self) -> bool:
        """Is there anything to flush?"""
        return bool(self._new_records)

    def deliver(self, sender: bytes, recipients: Sequence[bytes], text: bytes, *, then: Callable[[], None]) -> None:
        """Take a message; `then` is called by the `flush` that has written it."""
        position = self._texts.end + self._new_bytes
        self._new_texts.append(text)
        self._new_bytes += len(text)
        message_id, now = message_id_of(text), time.time()
        for recipient in recipients:
            raw = pack(Kind.DELIVERED, now, position, len(text), recipient, sender, message_id)
            who = hash(recipient.lower())
            self._starts.append(self._index_end)
            self._recipients.append(who)
            self._seen.add(hash((message_id or position, who)))
            self._bytes += len(text)
            self._add(raw)
        self._waiting.append(then)

    def reject(self, sender: bytes, recipient: bytes) -> None:
        """A recipient was refused for good."""
        self._rejected.add(hash(recipient.lower()))
        self._rejections += 1
        self._add(pack(Kind.REJECTED, time.time(), 0, 0, recipient, sender, b""))

    def defer(self, sender: bytes, recipient: bytes) -> bool:
        """True the first time that it is asked about this recipient."""
        who = hash(recipient.lower())
        if who in self._deferred:
            return False
        self._deferred.add(who)
        self._add(pack(Kind.DEFERRED, time.time(), 0, 0, recipient, sender, b""))
        return True

    def _add(self, raw: bytes) -> None:
        self._new_records.append(raw)
        self._index_end += len(raw)

    def flush(self) -> None:
        """Write what is new, then tell those who wait."""
        texts, records, waiting = self._new_texts, self._new_records, self._waiting
        self._new_texts, self._new_records, self._waiting, self._new_bytes = [], [], [], 0
        if texts:
            self._texts.append(texts)
        left = memoryview(b"".join(records))
        while left:
            left = left[os.write(self._index, left) :]
        for then in waiting:
            then()

    def delete_all(self) -> None:
        """Forget everything, on disk too. Those who wait for what was not yet written are told first."""
        self.flush()
        os.ftruncate(self._index, 0)
        self._texts.clear()
        self._forget()

    def close(self) -> None:
        """Write what is new and close the files."""
        self.flush()
        os.close(self._index)
        self._texts.close()

    # --- reading ---

    def counts(self) -> Counts:
        """At this moment."""
        messages, unique = len(self._starts), len(self._seen)
        return Counts(
            messages=messages,
            unique_delivered=unique,
            duplicates=messages - unique,
            rejected=len(self._rejected),
            rejections=self._rejections,
            deferred=len(self._deferred),
            bytes=self._bytes,
        )

    def entry(self, number: int) -> Entry | None:
        """One message by its id."""
        if not 1 <= number <= len(self._starts):
            return None
        self.flush()
        start = self._starts[number - 1]
        found = unpack(os.pread(self._index, _LONGEST_RECORD, start)) or unpack(os.pread(self._index, 1 << 18, start))
        return _entry(number, found[0]) if found is not None else None

    def text(self, entry: Entry) -> bytes | None:
        """The message as received; None if it is older than what is kept."""
        return self._texts.read(entry.position, entry.size)

    def newest(self, *, before: int | None, limit: int) -> list[Entry]:
        """The latest first, those with an id under `before`."""
        last = len(self._starts) if before is None else min(before - 1, len(self._starts))
        return self._entries(range(last, max(0, last - limit), -1))

    def following(self, *, after: int, limit: int) -> list[Entry]:
        """In order of arrival, those with an id above `after`."""
        return self._entries(range(after + 1, min(len(self._starts), after + limit) + 1))

    def to(self, recipient: str, *, before: int | None, limit: int) -> list[Entry]:
        """What this recipient got, the latest first."""
        who = hash(recipient.encode().lower())
        numbers, at = list[int](), 0
        while True:
            try:
                at = self._recipients.index(who, at) + 1
            except ValueError:
                break
            numbers.append(at)
        return self._entries([n for n in reversed(numbers) if before is None or n < before][:limit])

    def search(self, part: str, *, before: int | None, limit: int) -> list[Entry]:
        """Messages whose recipient contains `part`, the latest first. Looks at the last 100,000."""
        part = part.lower()
        found: list[Entry] = []
        last = len(self._starts) if before is None else min(before - 1, len(self._starts))
        for top in range(last, max(0, last - 100_000), -1000):
            found += [e for e in self._entries(range(top, max(0, top - 1000), -1)) if part in e.recipient.lower()]
            if len(found) >= limit:
                break
        return found[:limit]

    def _entries(self, numbers: Sequence[int]) -> list[Entry]:
        return [entry for number in numbers if (entry := self.entry(number)) is not None]

    def _remember(self, start: int, record: Record) -> None:
        who = hash(record.recipient.lower())
        match record.kind:
            case Kind.DELIVERED:
                self._starts.append(start)
                self._recipients.append(who)
                self._seen.add(hash((record.message_id or record.position, who)))
                self._bytes += record.size
            case Kind.REJECTED:
                self._rejected.add(who)
                self._rejections += 1
            case Kind.DEFERRED:
                self._deferred.add(who)


def message_id_of(text: bytes) -> bytes:
    """The Message-ID with its angle brackets; empty if there is none."""
    end = text.find(b"\r\n\r\n")
    end = len(text) if end < 0 else end
    start = text.find(b"\r\nMessage-ID: ", 0, end)
    if start >= 0:
        start += 14
        stop = text.find(b"\r\n", start, end + 2)
        plain = text[start : stop if stop >= 0 else end]
        if plain.startswith(b"<") and plain.endswith(b">"):
            return plain
    found = _FOLDED_ID.search(text, 0, end)
    return found[1] if found else b""


def _entry(number: int, record: Record) -> Entry:
    return Entry(
        id=number,
        received_at=record.at,
        sender=record.sender.decode("utf-8", "replace"),
        recipient=record.recipient.decode("utf-8", "replace"),
        message_id=record.message_id.decode("utf-8", "replace"),
        size=record.size,
        position=record.position,
    )
