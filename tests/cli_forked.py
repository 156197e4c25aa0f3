"""`tidings` in processes of its own that begin with everything imported: a fork each, 20 ms in place of a second.

Run as a program it is the process that is forked: it takes requests on the socket that it is given, until its standard input
ends. test_cli.py starts real ones, so what a command imports, and when, is tried as well.
"""

import asyncio
import atexit
import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_SECONDS = 60


async def tidings(*words: str, env: Mapping[str, str], given: bytes = b"") -> tuple[int, bytes, bytes]:
    """Exit status, standard output and standard error of `tidings WORDS`, with exactly this environment."""
    return await asyncio.to_thread(_ask, words, dict(env), given)


def clean_environment() -> dict[str, str]:
    """Ours, without what would configure Tidings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}


def _ask(words: tuple[str, ...], env: dict[str, str], given: bytes) -> tuple[int, bytes, bytes]:
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(_forker())
            line.settimeout(_SECONDS)
            request = json.dumps({"words": words, "env": env, "cwd": str(Path.cwd())}).encode()
            socket.send_fds(line, [request], [stdin.fileno(), stdout.fileno(), stderr.fileno()])
            pid = int(line.recv(64))
            try:
                status = line.recv(64)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        stdout.seek(0)
        stderr.seek(0)
        out, err = stdout.read(), stderr.read()
    assert status, f"`tidings {' '.join(words)}` died: {err.decode()}"
    return int(status), out, err


@cache
def _forker() -> str:
    """The socket of the process that is forked; one for each process of tests, which it does not outlive."""
    folder = tempfile.mkdtemp(prefix="tidings-cli-")
    path = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment()
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(process.wait)
    assert process.stdin is not None
    assert process.stdout is not None
    atexit.register(process.stdin.close)
    assert process.stdout.readline() == b"ready\n"
    return path


def _serve(path: str) -> None:
    import pkgutil

    import tidings.bootstrap
    import tidings.cli

    for module in pkgutil.iter_modules(tidings.cli.__path__, "tidings.cli."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children: they tell how they ended
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(16)
        print("ready", flush=True)
        while door in select.select([door, sys.stdin], [], [])[0]:
            line = door.accept()[0]
            request, fds, _, _ = socket.recv_fds(line, 1_000_000, 3)
            if not os.fork():
                _become(json.loads(request), fds, line, door)
            for fd in (*fds, line.detach()):
                os.close(fd)


def _become(told: dict[str, object], fds: list[int], line: socket.socket, door: socket.socket) -> None:
    """Be that command; does not return."""
    from tidings.cli import main

    status = 1
    try:
        door.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.send(str(os.getpid()).encode())
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
            os.close(fd)
        os.environ.clear()
        os.environ.update(told["env"])  # type: ignore[arg-type]
        os.chdir(str(told["cwd"]))
        sys.argv = ["tidings", *told["words"]]  # type: ignore[misc]
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - as at the end of any process
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        line.send(str(status).encode())
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
