"""Where a rendering wrote what was not there: undefined variables, and fields that are empty."""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from liquid import Token, Undefined

_SEEN: ContextVar[dict[tuple[str, int], tuple[str, Token]] | None] = ContextVar("_SEEN", default=None)


class Watched(Undefined):
    """Behaves as python-liquid's Undefined, and takes a note when it is written or looped over."""

    __slots__ = ()

    def __str__(self) -> str:
        note(self.name, self.token)
        return ""

    def __iter__(self) -> Iterator[Any]:
        note(self.name, self.token)
        return iter([])


def note(name: str, token: Token | None) -> None:
    """This was not there."""
    seen = _SEEN.get()
    if seen is not None and token is not None and token.start_index >= 0:
        seen.setdefault((token.source, token.start_index), (name, token))


def note_blank(value: str, name: str, token: Token) -> None:
    """This field was written, and may be empty."""
    if not value:
        note(name, token)


def watch() -> dict[tuple[str, int], tuple[str, Token]]:
    """From now on what this thread misses is in here, by source and index: its name and its token."""
    seen: dict[tuple[str, int], tuple[str, Token]] = {}
    _SEEN.set(seen)
    return seen
