"""The process that reads large templates: a request on standard input, its answer on standard output, and so on."""

import os
import pickle
import select
import signal
import sys
import traceback
from typing import Any, BinaryIO

from tidings.core.errors import TidingsError

_IDLE_SECONDS = 120


def main() -> None:
    """Answer until the input ends, or nothing was asked for a while."""
    # Who stops a server at its terminal stops this with it: by the end of the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints no answer
    while select.select([requests], [], [], _IDLE_SECONDS)[0]:
        head = _exactly(requests, 8)
        if head is None or (request := _exactly(requests, int.from_bytes(head, "big"))) is None:
            return
        answers.write(_answer(request))
        answers.flush()


def _exactly(source: BinaryIO, size: int) -> bytes | None:
    pieces: list[bytes] = []
    while size > 0:
        piece = source.read(min(size, 1_000_000))
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _answer(request: bytes) -> bytes:
    try:
        work, arguments, named = pickle.loads(request)  # noqa: S301 - our own parent wrote it
        told: tuple[str, Any] = ("value", work(*arguments, **named))
        return pickle.dumps(told)
    except TidingsError as error:
        return pickle.dumps(("error", (type(error), error.message, error.fields)))
    except Exception:  # noqa: BLE001 - the parent raises it
        return pickle.dumps(("crash", traceback.format_exc()))


if __name__ == "__main__":
    sys.exit(main())
