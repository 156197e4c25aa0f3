"""How every command runs: its settings read, its work done on a loop, what went wrong said in a sentence."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import typer

from tidings.core.settings import Settings, read_settings

T = TypeVar("T")


def settings() -> Settings:
    """From the environment, with the log on standard error. What is wrong with it is said, and ends the command."""
    with in_sentences():
        found = read_settings(os.environ)
    logging.basicConfig(
        level=found.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return found.model_copy(update={"data_dir": Path(found.data_dir).absolute()})


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the command's work. What went wrong is said in a sentence, and ends the command.

    SIGTERM ends it as Ctrl-C does: what it started (servers, folders of a bench) is stopped and cleared. Work that means to end
    in another way listens for the signal itself.
    """
    import uvloop

    told: list[int] = []

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None

        def end() -> None:
            told.append(signal.SIGTERM)
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        return await work

    with in_sentences():
        try:
            return uvloop.run(main())
        except asyncio.CancelledError:
            if not told:
                raise
            raise typer.Exit(128 + signal.SIGTERM) from None


def print_json(told: Any) -> None:
    """For programs: one value on a line of standard output."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


@contextlib.contextmanager
def in_sentences() -> Generator[None, None, None]:
    """What went wrong as a sentence and a status, not as a traceback. Defects still show theirs."""
    from tidings.core.errors import TidingsError

    try:
        yield
    except TidingsError as error:
        typer.secho(error.message, fg="red", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
