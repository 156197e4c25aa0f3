"""A bench that is told to end leaves nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil


async def test_sigterm_clears_everything(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidings.cli", "bench", "import", "--rows", "1000000"),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    parent = psutil.Process(process.pid)
    try:
        async with asyncio.timeout(60):
            while not (others := parent.children(recursive=True)) or not any("postgres" in o.name() for o in others):
                await asyncio.sleep(0.1)
        assert list(tmp_path.iterdir())
        folders = {o.cmdline()[2] for o in others if o.cmdline()[1:2] == ["-D"]}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 143
    assert b"Traceback" not in said
    assert not [one for one in others if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert list(tmp_path.iterdir()) == []
    assert not [folder for folder in folders if Path(folder).exists()]
