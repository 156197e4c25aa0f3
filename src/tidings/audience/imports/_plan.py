"""What is to be done with the rows of an import, and what became of a batch of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidings.audience.fields import ContactField, FieldType
from tidings.audience.imports._mapping import Column
from tidings.core.ids import FieldId

TEXTS = ("first_name", "last_name", "phone", "language", "time_zone")
STAGED = ("email", "address_hash", *TEXTS, "tags", "attributes", "status")
"""Columns of the staging table, in the order in which rows are written. Behind them stand `left_lists` and `on_lists`, each where
a batch has any."""

OUT = ("unsubscribed", "bounced", "complained")


@dataclass(slots=True)
class Plan:
    """What is to be done with each column. `columns` None: rows are contacts as the API takes them, objects of fields.

    `escaped`: the file is of ours, with an apostrophe before what looks like a formula.
    """

    columns: list[Column] | None
    status: str
    overwrite: bool
    skip: bool
    declared: dict[str, ContactField]
    escaped: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the other process."""
        return {
            "columns": None if self.columns is None else [c.as_json() for c in self.columns],
            "status": self.status,
            "overwrite": self.overwrite,
            "skip": self.skip,
            "declared": [[f.name, str(f.type), list(f.choices)] for f in self.declared.values()],
            "escaped": self.escaped,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Plan":
        """From the other process."""
        columns = told["columns"]
        declared = {
            name: ContactField(FieldId(0), name, "", FieldType(type_), tuple(choices))
            for name, type_, choices in told["declared"]
        }
        return cls(
            None if columns is None else [Column.of(c) for c in columns],
            told["status"],
            told["overwrite"],
            told["skip"],
            declared,
            told["escaped"],
        )

    @property
    def customs(self) -> list[str]:
        """Custom fields that have a column of their own."""
        return [c.custom for c in self.columns or () if c.custom is not None]


@dataclass(slots=True)
class Checked:
    """A batch, ready to be stored: `data` for COPY, one line a person, sorted by address.

    `left` are the lists that anyone left, by name, `on` those that anyone is on. `updated` and `unchanged` count rows that were
    merged into an earlier one of the batch. `rejects` are [row, line, field, message, cells].
    """

    first_row: int
    size: int
    people: int = 0
    updated: int = 0
    unchanged: int = 0
    data: bytes = b""
    rejects: list[list[Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    on: list[str] = field(default_factory=list)
    out: bool = False
    unlisted: bool = False
    bytes_read: int = 0


def no_such_list(name: str) -> dict[str, Any]:
    """The problem of a file that names a list which is not there, told once; its row is None."""
    message = f"there is no list {name!r}: nobody was put on it. Make it, and import the file again"
    return {"row": None, "line": None, "field": "lists", "message": message}
