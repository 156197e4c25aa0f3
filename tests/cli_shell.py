"""`tidings` in a shell."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from tidings.core.settings import Settings


class Shell:
    """Runs `tidings` where the installation is."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.settings = Settings(database_url=database_url, data_dir=folder, secret="for tests only")
        self.folder = folder

    async def __call__(self, *words: str) -> tuple[int | None, str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        told = {"TIDINGS_DATABASE_URL": str(self.settings.database_url), "TIDINGS_DATA_DIR": str(self.folder)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tidings.cli",
            *words,
            env=clean | told | {"TIDINGS_SECRET": "for tests only"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out.decode(), " ".join(err.decode().split())

    async def json(self, *words: str) -> Any:
        status, out, err = await self(*words, "--json")
        assert (status, err) == (0, ""), err
        return orjson.loads(out)

    async def refused(self, *words: str) -> str:
        """What it says on standard error; nothing on standard output."""
        status, out, err = await self(*words)
        assert status not in {0, None}
        assert out == ""
        return err
