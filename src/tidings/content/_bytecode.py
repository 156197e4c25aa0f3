"""Python's own `compile`, which keeps the interpreter's lock from its beginning to its end: long sources elsewhere."""

import marshal
import threading
from types import CodeType

from tidings.content._aside import aside_from_thread
from tidings.core.errors import TidingsError

LONG = 40_000
"""Characters: 25 ms. Of 340,000 it is 240 ms, in which nobody else in the process does anything; reading its result 5 ms."""


def python_code(source: str) -> CodeType:
    """The code of a generated module. In a thread, where others are waiting on the loop, long ones are made elsewhere.

    Raises SyntaxError, RecursionError and MemoryError as `compile` does.
    """
    if len(source) > LONG and threading.current_thread() is not threading.main_thread():
        try:
            if made := aside_from_thread(_compiled, source):
                return marshal.loads(made)  # noqa: S302 - the same Python, and our own code, wrote it
        except TidingsError:
            pass  # it is busy, or ended: then here
    return compile(source, "<template>", "exec")


def _compiled(source: str) -> bytes:
    try:
        return marshal.dumps(compile(source, "<template>", "exec"))
    except (SyntaxError, RecursionError, MemoryError):
        return b""
