"""`tidings up`: the embedded PostgreSQL and one process a role, each started anew when it dies.

The supervisor holds nothing that matters: killed, it leaves a database that the next one adopts, and roles that notice
(their standard input ends) and stop in good order.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tidings.core.db import LOST
from tidings.core.errors import Conflict, Unavailable
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_STEADY_SECONDS = 10.0
_GIVE_UP_SECONDS = 45.0  # longer than the roles of a killed supervisor need to let go of their ports


class RoleFailed(Unavailable):
    """A role could not start; what it said is above."""

    code = "role_failed"


class AlreadyRunning(Conflict):
    """Another supervisor holds this data folder."""

    code = "already_running"


@dataclass(slots=True, eq=False)
class Role:
    """One process to keep alive: `tidings role NAME ARGUMENTS`."""

    name: str
    arguments: Sequence[str] = ()
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    @property
    def label(self) -> str:
        """For logs: `send 1`."""
        return " ".join([self.name, *self.arguments])


@dataclass(slots=True)
class Supervisor:
    """What runs. `environment` is what each role's process is given on top of ours."""

    data_dir: Path
    database_url: str
    environment: dict[str, str]
    roles: list[Role]
    postgres: EmbeddedPostgres | None

    async def until_ready(self) -> None:
        """Wait until every role has said once that it is at work. Raises RoleFailed when one keeps ending before that."""
        waiting = asyncio.gather(*(role.ready.wait() for role in self.roles))
        begun = asyncio.get_running_loop().time()
        while not waiting.done():
            await asyncio.wait([waiting], timeout=0.5)
            failing = [role.label for role in self.roles if not role.ready.is_set() and role.restarts > 2]
            if failing and asyncio.get_running_loop().time() - begun > _GIVE_UP_SECONDS:
                waiting.cancel()
                raise RoleFailed(f"could not start: {', '.join(failing)}; the reason is in the lines above")


@asynccontextmanager
async def supervise(
    *, data_dir: Path, database_url: str | None, roles: Sequence[Role], environment: dict[str, str]
) -> AsyncGenerator[Supervisor, None]:
    """Bring everything up, migrated, and keep it up while the block runs; then take it down in good order.

    Without `database_url` an embedded PostgreSQL is run in `data_dir`. Raises AlreadyRunning, Unavailable.
    """
    with _lock(data_dir):
        postgres = None
        if database_url is None:
            postgres = EmbeddedPostgres(data_dir / "postgres")
            database_url = await postgres.start()
        try:
            await _migrate(database_url)
            supervisor = Supervisor(data_dir, database_url, environment, list(roles), postgres)
            closing = asyncio.Event()
            tasks = [asyncio.ensure_future(_keep(supervisor, role, closing)) for role in roles]
            if postgres is not None:
                tasks.append(asyncio.ensure_future(_keep_postgres(postgres)))
            try:
                yield supervisor
            finally:
                closing.set()
                for task in tasks[len(roles) :]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            if postgres is not None:
                await postgres.stop()


async def _migrate(url: str) -> None:
    try:
        await migrate(url)
    except LOST as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {error}; look at TIDINGS_DATABASE_URL") from error


async def _keep(supervisor: Supervisor, role: Role, closing: asyncio.Event) -> None:
    pause = _FIRST_PAUSE_SECONDS
    clock = asyncio.get_running_loop().time
    while not closing.is_set():
        started = clock()
        try:
            process = await _start(supervisor, role)
        except OSError:  # no memory, no processes left: it may pass
            _log.exception("%s could not be started", role.label)
            await asyncio.sleep(1)
            continue
        role.process = process
        listening = asyncio.ensure_future(_hear_ready(role, process))
        ended = asyncio.ensure_future(process.wait())
        closed = asyncio.ensure_future(closing.wait())
        await asyncio.wait([ended, closed], return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        if closing.is_set():
            await _stop(process)
        listening.cancel()
        if closing.is_set():
            return
        role.restarts += 1
        pause = _FIRST_PAUSE_SECONDS if clock() - started > _STEADY_SECONDS else min(2 * pause, _LONGEST_PAUSE_SECONDS)
        _log.warning("%s ended with status %s; starting it anew in %.1f s", role.label, process.returncode, pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), pause)


async def _start(supervisor: Supervisor, role: Role) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tidings.cli",
        "role",
        role.name,
        *role.arguments,
        # Its end tells the role that we are gone, even when we were killed.
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            **supervisor.environment,
            "TIDINGS_DATABASE_URL": supervisor.database_url,
            "TIDINGS_DATA_DIR": str(supervisor.data_dir),
        },
        # Ctrl-C in the terminal is for us; we tell the roles.
        start_new_session=True,
    )


async def _hear_ready(role: Role, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.strip() == b"ready":
            role.ready.set()


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _keep_postgres(postgres: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(0.2)
        if postgres.process_id() is None:
            _log.warning("PostgreSQL ended; starting it anew")
            try:
                await postgres.start()
            except Exception:  # noqa: BLE001 - whatever it is, trying again is all that can be done
                _log.exception("PostgreSQL did not start")
                await asyncio.sleep(1)


def is_running(data_dir: Path) -> bool:
    """Is there a supervisor at work in this folder?"""
    try:
        with _lock(data_dir):
            return False
    except AlreadyRunning:
        return True


@contextlib.contextmanager
def _lock(data_dir: Path):
    data_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Tidings is running in {data_dir} already: stop it, or set TIDINGS_DATA_DIR"
            ) from None
        yield
    finally:
        os.close(file)
