"""SQL in pieces: text with `$n`, and the values that go with it. No word that a user wrote ever becomes SQL."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fragment:
    """Parameterised SQL: text with `$n`, and the values that it adds."""

    sql: str
    values: list[Any]


class Values:
    """Collects the values of a statement; `put` gives back how the SQL text speaks of one, with its type."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.collected: list[Any] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def put(self, value: Any, type_: str) -> str:
        """`$n::type`. A value that is there already is not sent twice."""
        key = (type_, repr(value))
        if key not in self._numbers:
            self._numbers[key] = self._first + len(self.collected)
            self.collected.append(value)
        return f"${self._numbers[key]}::{type_}"
