"""What can be wrong with conditions, and where."""

from collections.abc import Generator
from contextlib import contextmanager

from tidings.core.errors import FieldProblem, Invalid


class SegmentInvalid(Invalid):
    """The conditions of a segment mean nothing; `fields` says which and why, by their path in the JSON."""

    code = "segment_invalid"


class Wrong(Exception):
    """One part of a condition is wrong: `part` is its key (`operator`, `value[2]`), or empty for the whole."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message


class Problems:
    """Collects what is wrong, so that everything is told at once."""

    def __init__(self) -> None:
        self.found: list[FieldProblem] = []

    def add(self, path: str, message: str) -> None:
        """Note a problem at this path."""
        self.found.append(FieldProblem(path, message))

    @contextmanager
    def at(self, path: str) -> Generator[None, None, None]:
        """A Wrong from within the block is noted below this path."""
        try:
            yield
        except Wrong as wrong:
            self.add(f"{path}.{wrong.part}" if wrong.part else path, wrong.message)

    def raise_any(self) -> None:
        """Raises SegmentInvalid if anything was noted."""
        if self.found:
            told = "; ".join(f"{p.field}: {p.message}" for p in self.found[:5])
            raise SegmentInvalid(told, fields=tuple(self.found[:100]))
