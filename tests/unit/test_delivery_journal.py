"""The journal: what a killed process marked is there for the next one, and only for the next one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.recording._journal import ACCEPTED, IN_DOUBT, Journal, JournalledChunk, discard, orphans

W, S = WorkspaceId(7), SendId(9)

_WORKER = """
import sys, time
from pathlib import Path
from tidings.delivery.recording._journal import ACCEPTED, IN_DOUBT, Journal
journal = Journal(Path(sys.argv[1]), owner="worker", slots=3, capacity=10)
first = journal.open(workspace=7, send=9, chunk_no=1, ns=[11, 12, 13])
gone = journal.open(workspace=7, send=9, chunk_no=2, ns=[21])
gone.marks[0] = ACCEPTED
gone.close()
one, other = first.provider(400), first.provider(500)
first.marks[0] = ACCEPTED + one
first.marks[2] = IN_DOUBT + other
print("marked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder with the journal of a process that was killed."""
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"marked\n"
    assert list(orphans(tmp_path)) == [], "a running worker's journal is nobody else's"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    return tmp_path


def test_marks_outlive_kill_9(killed: Path) -> None:
    (orphan,) = orphans(killed)
    assert orphan.owner == "worker"
    assert not orphan.stale
    assert orphan.chunks == [JournalledChunk(W, S, 1, in_doubt=[(13, 500)], accepted=[(11, 400)])]


def test_a_replayed_journal_is_gone(killed: Path) -> None:
    for orphan in orphans(killed):
        discard(orphan)
    assert list(orphans(killed)) == []


def test_after_a_crash_of_the_machine_nothing_in_it_is_trusted(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.delivery.recording._journal._boot_id", lambda: b"another boot".ljust(36))
    (orphan,) = orphans(killed)
    assert orphan.stale
    assert orphan.chunks == []


def test_slots_are_used_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, owner="me", slots=1, capacity=2)
    for _ in range(3):
        slot = journal.open(workspace=W, send=S, chunk_no=1, ns=[1, 2])
        assert bytes(slot.marks) == b"\0\0", "the marks of the chunk before are gone"
        slot.marks[0], slot.marks[1] = ACCEPTED, IN_DOUBT
        slot.close()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_more_than_it_has_room_for_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path, owner="me", slots=1, capacity=2)
    with pytest.raises(ValueError, match="no room"):
        journal.open(workspace=W, send=S, chunk_no=1, ns=[1, 2, 3])
    slot = journal.open(workspace=W, send=S, chunk_no=1, ns=[1])
    with pytest.raises(ValueError, match="no room"):
        journal.open(workspace=W, send=S, chunk_no=2, ns=[1])
    slot.close()
    journal.close()


@pytest.mark.parametrize("rubbish", [b"", b"TDJ1", b"x" * 500])
def test_a_file_that_is_no_journal_holds_no_chunks(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "odd.journal").write_bytes(rubbish)
    (orphan,) = orphans(tmp_path)
    assert orphan.chunks == []
