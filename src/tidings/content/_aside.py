"""Where templates are read: small ones at once, large ones in another process.

A megabyte takes a second of Python and of compilers that keep the interpreter's lock, so that a thread would make everybody
wait as well. There are at most two such processes beside each of ours; they end when they have had nothing to do for a
while, and whatever a source does to one of them, the next source gets a new one.
"""

import asyncio
import atexit
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, ParamSpec, TypeVar

from tidings.core.errors import Invalid, TidingsError, Unavailable

SMALL = 10_000
"""Characters of all texts together: reading them takes milliseconds, as asking another process does."""
_AT_ONCE = 2
_MOST_WAITING = 30
_SECONDS = 40.0
"""From being asked for to being answered. What is within the limits of size takes one or two."""

P = ParamSpec("P")
T = TypeVar("T")


class TooSlow(Invalid):
    """Content takes too long to read."""

    code = "content_too_slow"


async def aside(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `work` makes of texts, without keeping others on the loop waiting for it.

    `work` is a function of a module, and what it takes and gives can be pickled. Raises what it raises, TooSlow, and Unavailable.
    """
    if sum(_size(one) for one in (*arguments, *named.values())) <= SMALL:
        return work(*arguments, **named)
    return await _CHILDREN.ask(work, arguments, named)


async def apart(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """As `aside`, for what takes a while with small texts, too: that is done in a thread."""
    if sum(_size(one) for one in (*arguments, *named.values())) <= SMALL:
        return await asyncio.to_thread(work, *arguments, **named)
    return await _CHILDREN.ask(work, arguments, named)


def aside_from_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """As `aside`, for a thread that waits; nothing is small. Raises what it raises."""
    return _CHILDREN.ask_and_wait(work, arguments, named)


def _size(told: Any) -> int:
    if isinstance(told, str):
        return len(told)
    if is_dataclass(told):
        return sum(len(value) for one in fields(told) if isinstance(value := getattr(told, one.name), str))
    return 0


class _Died(Exception):
    """The other process ended before it answered."""


class _Child:
    def __init__(self) -> None:
        # Its errors are ours; it ends when we do, since its input ends then.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tidings.content._aside_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ended(self) -> bool:
        """It is no more."""
        return self._process.poll() is not None

    def ask(self, request: bytes, seconds: float) -> Any:
        """Raises TooSlow and _Died; then it is no more."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(request)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.end()
            if late.is_set():
                told = f"reading this took more than {_SECONDS:.0f} seconds; make it smaller or simpler"
                raise TooSlow(told) from None
            raise _Died from None
        finally:
            timer.cancel()
        return answer

    def _exchange(self, request: bytes) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(len(request).to_bytes(8, "big"))
        self._process.stdin.write(request)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)  # noqa: S301 - our own code wrote it

    def end(self) -> None:
        """Kill it, and leave nothing of it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                # What was not written yet cannot be any more.
                with suppress(OSError):
                    pipe.close()


class _Children:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="aside")
        """Each has a process of its own, and waits for it."""
        self._own = threading.local()
        self._all: set[_Child] = set()
        self._waiting = 0

    async def ask(self, work: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
        """What `work` says, there."""
        if self._waiting >= _AT_ONCE + _MOST_WAITING:
            raise Unavailable("too many large templates are being read; try again in a moment")
        self._waiting += 1
        try:
            until = time.monotonic() + _SECONDS
            done = self._threads.submit(self._ask, work, arguments, named, until)
            # Whoever asked may go away; what was begun is finished all the same.
            return await asyncio.shield(asyncio.wrap_future(done))
        finally:
            self._waiting -= 1

    def ask_and_wait(self, work: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
        """What `work` says, there; not to be called on a loop."""
        return self._threads.submit(self._ask, work, arguments, named, time.monotonic() + _SECONDS).result()

    def _ask(self, work: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any], until: float) -> T:
        request = pickle.dumps((work, arguments, named))
        for _ in range(2):
            seconds = until - time.monotonic()
            if seconds <= 0:
                raise Unavailable("too many large templates are being read; try again in a moment")
            try:
                kind, told = self._child().ask(request, seconds)
            except _Died:
                continue
            if kind == "value":
                return told
            if kind == "error":
                error: type[TidingsError] = told[0]
                raise error(told[1], fields=told[2])
            raise RuntimeError(f"reading content failed:\n{told}")
        raise Unavailable("the process that reads large templates was ended twice; try again, with a smaller one")

    def _child(self) -> _Child:
        child: _Child | None = getattr(self._own, "child", None)
        if child is None or child.ended():
            if child is not None:
                child.end()
                self._all.discard(child)
            child = self._own.child = _Child()
            self._all.add(child)
        return child

    def end(self) -> None:
        """All of them."""
        for child in self._all:
            child.end()


_CHILDREN = _Children()
atexit.register(_CHILDREN.end)
"""After the threads have ended."""
