"""`tidings` in a shell."""

from pathlib import Path
from typing import Any

import orjson

from cli_forked import clean_environment, tidings
from tidings.core.settings import Settings


class Shell:
    """Runs `tidings` where the installation is."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.settings = Settings(database_url=database_url, data_dir=folder, secret="for tests only")
        self.folder = folder

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        told = {"TIDINGS_DATABASE_URL": str(self.settings.database_url), "TIDINGS_DATA_DIR": str(self.folder)}
        env = clean_environment() | told | {"TIDINGS_SECRET": "for tests only"}
        status, out, err = await tidings(*words, env=env)
        assert b"Traceback" not in err, err.decode()
        return status, out.decode(), " ".join(err.decode().split())

    async def json(self, *words: str) -> Any:
        status, out, err = await self(*words, "--json")
        assert (status, err) == (0, ""), err
        return orjson.loads(out)

    async def refused(self, *words: str) -> str:
        """What it says on standard error; nothing on standard output."""
        status, out, err = await self(*words)
        assert status != 0
        assert out == ""
        return err
