"""Rows by the batch, bounded by what they weigh as well as by how many they are: rows of a megabyte must not fill memory."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import orjson

HEAVY = 16 * 1024 * 1024
"""Characters after which a batch ends, whatever its rows. The usual ones never weigh as much."""

_STEP = 16
"""Rows that are read before they are weighed: as many of the largest may be too many."""

T = TypeVar("T")


def fill(taken: list[T], source: Iterator[T], size: int, weigh: Callable[[Sequence[T]], int]) -> None:
    """Add what comes next to `taken` until it has `size` or is `HEAVY`; what came before an error in `source` is in it."""
    weight = weigh(taken)
    while len(taken) < size and weight < HEAVY:
        before = len(taken)
        taken.extend(islice(source, min(_STEP, size - before)))
        if len(taken) == before:
            return
        weight += weigh(taken[before:])


def weight_of_cells(rows: Sequence[Sequence[str]]) -> int:
    """Characters of rows of cells."""
    return sum(map(len, chain.from_iterable(rows)))


def weight_of_objects(rows: Sequence[tuple[int, Any]]) -> int:
    """About the characters of numbered JSON values."""
    return sum(_weight(value) for _, row in rows for value in (row.values() if isinstance(row, dict) else (row,)))


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return len(orjson.dumps(value)) if isinstance(value, (dict, list)) else 8


def weight_of_lines(lines: Sequence[bytes]) -> int:
    """Bytes of lines."""
    return sum(map(len, lines))
