"""Hits on disk, while the database is away: one file a process, one line a batch, kept until it is in the database."""

import asyncio
import fcntl
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.events import Agent, Event, EventType


class Spool:
    """This process's file, locked while it lives. `source` numbers its batches."""

    def __init__(self, folder: Path, source: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.source = source
        self._path = folder / f"{source}.spool"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.waiting: list[tuple[int, list[Event]]] = []
        """Batches in the file that are not in the database, oldest first."""

    async def keep(self, batch: int, events: list[Event]) -> None:
        """Write a batch; when this returns it is on the disk."""
        line = orjson.dumps([batch, [asdict(event) for event in events]]) + b"\n"
        await asyncio.to_thread(self._write, line)
        self.waiting.append((batch, events))

    def recorded(self) -> None:
        """The oldest waiting batch is in the database."""
        self.waiting.pop(0)
        if not self.waiting:
            os.ftruncate(self._file, 0)

    def close(self) -> None:
        """The process ends. With nothing waiting the file goes, else another process will find it."""
        if not self.waiting:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        os.write(self._file, line)
        os.fdatasync(self._file)


@contextmanager
def abandoned(path: Path) -> Generator[list[tuple[int, list[Event]]] | None, None, None]:
    """The batches in a file whose process is gone, locked meanwhile; None if it lives. Unlink the file inside the block."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield _batches(path.read_bytes())
    finally:
        os.close(file)


def _batches(raw: bytes) -> list[tuple[int, list[Event]]]:
    found: list[tuple[int, list[Event]]] = []
    for line in raw.split(b"\n")[:-1]:
        # A line without an end was never acknowledged to anybody; one that cannot be read was torn the same way.
        try:
            batch, events = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        found.append((batch, [_event(event) for event in events]))
    return found


def _event(fields: dict[str, Any]) -> Event:
    return Event(
        workspace=WorkspaceId(fields["workspace"]),
        type=EventType(fields["type"]),
        at=datetime.fromisoformat(fields["at"]),
        send=SendId(fields["send"]) if fields["send"] is not None else None,
        n=fields["n"],
        contact=ContactId(fields["contact"]) if fields["contact"] is not None else None,
        agent=Agent(fields["agent"]) if fields["agent"] is not None else None,
        data=fields["data"],
    )


def spools(folder: Path) -> Sequence[Path]:
    """All spool files, oldest name first."""
    return sorted(folder.glob("*.spool"))
