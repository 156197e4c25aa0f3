"""A bench that is told to end leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil


def test_sigterm_clears_everything(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings.cli", "bench", "import", "--rows", "1000000"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    parent = psutil.Process(process.pid)
    try:
        ends = time.monotonic() + 60
        others: list[psutil.Process] = []
        while not any("postgres" in one.name() for one in others):
            assert time.monotonic() < ends, "no database was started"
            time.sleep(0.1)
            others = parent.children(recursive=True)
        assert list(tmp_path.iterdir())
        folders = {one.cmdline()[2] for one in others if one.cmdline()[1:2] == ["-D"]}
        assert folders
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 143
    assert b"Traceback" not in said
    assert not [one for one in others if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert list(tmp_path.iterdir()) == []
    assert not [folder for folder in folders if Path(folder).exists()]
