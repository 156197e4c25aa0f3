"""Rows checked, a column at a time.

`clean_contact` is the judge of what a contact may be. Plain rows never meet it: whole columns are tested for what it would
let through unchanged, which costs a tenth. Whatever is not plain is asked of it row by row.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from tidings.audience.addresses import plain_address
from tidings.audience.fields import ContactFields, clean_contact
from tidings.audience.imports._mapping import FIELDS
from tidings.audience.imports._plain import (
    as_text,
    plain_emails,
    plain_lists,
    plain_memberships,
    plain_tags,
    plain_texts,
    require_readable,
    storable_text,
)
from tidings.audience.imports._plan import TEXTS, Checked, Plan
from tidings.audience.imports._rows import Values, Writer, stronger
from tidings.audience.imports._tables import Rows, storable
from tidings.audience.imports._values import coercion, read_list_names, read_status, says_no, split_name, split_tags
from tidings.audience.spreadsheets import plain_again
from tidings.core.errors import Invalid

_LEFT_AT = {"unsubscribed_at": "unsubscribed", "bounced_at": "bounced", "complained_at": "complained"}
_STATUS_WORDS = "subscribed, unconfirmed, unsubscribed, bounced, complained"


class Checker:
    """Checks batches of one import."""

    def __init__(self, plan: Plan, key: bytes) -> None:
        self._plan = plan
        self._writer = Writer(plan, key)
        columns = plan.columns or []
        self._at = {c.target: i for i, c in enumerate(columns) if c.target != "ignore"}
        self._customs: list[tuple[int, str, Callable[[Any], Any]]] = [
            (i, c.custom, coercion(c.type, c.choices)) for i, c in enumerate(columns) if c.custom is not None
        ]
        self._left = [(self._at[t], status) for t, status in _LEFT_AT.items() if t in self._at]

    def check(self, rows: Rows, first_row: int) -> Checked:
        """Check a batch whose first row is the `first_row`-th of the import, from 0."""
        done = Checked(first_row, len(rows.cells))
        if self._plan.escaped:
            cells = [[plain_again(c) if isinstance(c, str) else c for c in row] for row in rows.cells]
            rows = replace(rows, cells=cells)
        read = self._objects if self._plan.columns is None else self._table
        values = read(rows, first_row, done)
        if values.emails:
            self._writer.write(values, done)
        return done

    # ── rows of cells ────────────────────────────────────────────────────────────────────────────────────────────────
    def _table(self, rows: Rows, first_row: int, done: Checked) -> Values:
        cells = rows.cells
        doubtful: set[int] = set(rows.faults)
        if doubtful:
            width = len(self._plan.columns or ())
            cells = [row if i not in doubtful else [""] * width for i, row in enumerate(cells)]
        columns = list(zip(*cells, strict=True)) if cells else []
        values = Values([], {})
        values.emails = plain_emails(columns[self._at["email"]], doubtful)
        for name in TEXTS:
            if name in self._at:
                values.texts[name] = plain_texts(name, columns[self._at[name]], doubtful)
        if "full_name" in self._at:
            self._split_names(plain_texts("full_name", columns[self._at["full_name"]], doubtful), values)
        if "tags" in self._at:
            values.tags = plain_tags(columns[self._at["tags"]], doubtful)
        if "unsubscribed_lists" in self._at:
            values.left = plain_lists(columns[self._at["unsubscribed_lists"]], doubtful)
        if "lists" in self._at:
            values.on, left = plain_memberships(columns[self._at["lists"]], doubtful)
            # Whoever left by either column has left.
            values.left = (
                left if values.left is None else [_both(*pair) for pair in zip(values.left, left, strict=True)]
            )
        if self._customs:
            values.attributes = self._attributes(columns, doubtful)
        if "attributes" in self._at:  # a whole object in a cell: always asked of the judge
            doubtful.update(i for i, cell in enumerate(columns[self._at["attributes"]]) if cell != "" and cell != "{}")
            values.attributes = values.attributes or list[dict[str, Any] | None]([None] * len(cells))
        self._statuses(columns, values, doubtful)
        if doubtful:
            self._judge(rows, first_row, doubtful, values, done)
        return values

    def _split_names(self, names: list[str], values: Values) -> None:
        both = [split_name(name) for name in names]
        for position, target in enumerate(("first_name", "last_name")):
            if target not in values.texts:
                values.texts[target] = [pair[position] for pair in both]

    def _attributes(self, columns: Sequence[Sequence[Any]], doubtful: set[int]) -> list[dict[str, Any] | None]:
        made: list[dict[str, Any] | None] = []
        coerced: list[list[Any]] = []
        for at, _, coerce in self._customs:
            values: list[Any] = []
            for position, cell in enumerate(columns[at]):
                try:
                    value = coerce(cell) if cell != "" else None
                except ValueError:
                    value = None
                    doubtful.add(position)
                values.append(None if value == "" else value)
            if any(isinstance(v, (dict, list)) or (isinstance(v, str) and not storable_text(v)) for v in values):
                doubtful.update(
                    i for i, v in enumerate(values) if v is not None and not isinstance(v, (bool, int, float))
                )
            coerced.append(values)
        names = [name for _, name, _ in self._customs]
        for row in zip(*coerced, strict=True):
            told = {name: value for name, value in zip(names, row, strict=True) if value is not None}
            if sum(len(v) for v in told.values() if isinstance(v, str)) > 2000:
                doubtful.add(len(made))
            made.append(told or None)
        return made

    def _statuses(self, columns: Sequence[Sequence[Any]], values: Values, doubtful: set[int]) -> None:
        default = self._plan.status
        if "status" not in self._at and not self._left:
            values.statuses = None if default == "active" else list[str | None]([default] * len(values.emails))
            return
        statuses: list[str | None] = [default] * len(values.emails)
        if "status" in self._at:
            words = [str(word) for word in columns[self._at["status"]]]
            known = {word: read_status(word) for word in set(words) if word}
            for position, word in enumerate(words):
                if word:
                    status = known[word]
                    if status is None:
                        doubtful.add(position)
                    statuses[position] = stronger(status, default)
        for at, status in self._left:
            for position, cell in enumerate(columns[at]):
                if not says_no(cell):
                    statuses[position] = stronger(status, statuses[position])
        values.statuses = [None if status == "active" else status for status in statuses]

    def _judge(self, rows: Rows, first_row: int, doubtful: set[int], values: Values, done: Checked) -> None:
        """Ask `clean_contact` about the rows that are not plain; those it refuses are left out."""
        refused: set[int] = set()
        for position in sorted(doubtful):
            cells = rows.cells[position]
            try:
                if position in rows.faults:
                    raise Invalid.at("", rows.faults[position])
                if str(cells[self._at["email"]]).strip() == "":
                    raise Invalid.at("email", "is empty; every row needs an address")
                fields = clean_contact(self._told(cells), fields=self._plan.declared or None)
                if not fields.email:
                    raise Invalid.at("email", "is required")
            except Invalid as error:
                refused.add(position)
                first = error.fields[0]
                name = self._column_of(first.field)
                shown = [storable(c) if isinstance(c, str) else orjson.dumps(c).decode() for c in cells]
                done.rejects.append([first_row + position, rows.line(position), name, first.message, shown])
                continue
            self._put(values, position, fields)
        if refused:
            keep = [i for i in range(len(values.emails)) if i not in refused]
            values.keep(keep)

    def _told(self, cells: Sequence[Any]) -> dict[str, Any]:
        """The row as the API would tell it. Raises Invalid."""
        told: dict[str, Any] = {name: as_text(cells[self._at[name]]) for name in FIELDS if name in self._at}
        if "full_name" in self._at:
            first, last = split_name(str(as_text(cells[self._at["full_name"]])).strip())
            told.setdefault("first_name", first)
            told.setdefault("last_name", last)
        if "tags" in self._at:
            cell = cells[self._at["tags"]]
            told["tags"] = cell if isinstance(cell, list) else list(split_tags(str(cell)))
        attributes: dict[str, Any] = {}
        if "attributes" in self._at and (cell := cells[self._at["attributes"]]) != "":
            try:
                told_attributes = orjson.loads(cell) if isinstance(cell, str) else cell
            except (ValueError, UnicodeEncodeError):
                raise Invalid.at("attributes", 'must be a JSON object such as {"plan": "gold"}') from None
            if not isinstance(told_attributes, dict):
                raise Invalid.at("attributes", 'must be a JSON object such as {"plan": "gold"}')
            attributes |= told_attributes
        for at, name, coerce in self._customs:
            if cells[at] != "":
                try:
                    value = coerce(cells[at])
                except ValueError as error:
                    raise Invalid.at(f"attributes.{name}", str(error)) from None
                if isinstance(value, str) and ("\0" in value or not storable_text(value)):
                    require_readable(value, f"attributes.{name}")
                if value != "":
                    attributes[name] = value
        if attributes:
            told["attributes"] = attributes
        if "status" in self._at and (word := cells[self._at["status"]]) != "" and read_status(str(word)) is None:
            raise Invalid.at("status", f"{str(word)[:50]!r} is no status we know; use {_STATUS_WORDS}")
        for name in ("lists", "unsubscribed_lists"):
            if name in self._at:
                try:
                    read_list_names(cells[self._at[name]])
                except ValueError as error:
                    raise Invalid.at(name, str(error)) from None
        for name, value in told.items():
            if isinstance(value, str):
                require_readable(value, name)
        return told

    def _column_of(self, path: str) -> str:
        """The name of the column that a field of a contact came from."""
        name = path.split("[", maxsplit=1)[0]
        custom = f"field:{name.removeprefix('attributes.')}"
        at = self._at.get(name, self._at.get(custom))
        if at is None and name in {"first_name", "last_name"}:
            at = self._at.get("full_name")
        if at is None and name.startswith("attributes"):
            at = self._at.get("attributes")
        columns = self._plan.columns or []
        return path if at is None else columns[at].name

    def _put(self, values: Values, position: int, fields: ContactFields) -> None:
        values.emails[position] = fields.email or ""
        for name, column in values.texts.items():
            column[position] = getattr(fields, name) or ""
        if values.tags is not None:
            values.tags[position] = fields.tags or None
        if values.attributes is not None:
            values.attributes[position] = fields.attributes or None

    # ── rows of objects, as the API takes them ───────────────────────────────────────────────────────────────────────
    def _objects(self, rows: Rows, first_row: int, done: Checked) -> Values:
        told: list[ContactFields] = []
        plain, declared = plain_address, self._plan.declared or None
        for position, row in enumerate(rows.cells):
            try:
                if not isinstance(row, dict):
                    raise Invalid.at("", "must be an object with an email")
                if len(row) == 1 and isinstance(email := row.get("email"), str) and plain(email):
                    fields = ContactFields(email=email)
                else:
                    fields = clean_contact(row, fields=declared)
                if not fields.email:
                    raise Invalid.at("email", "is required")
            except Invalid as error:
                first = error.fields[0]
                done.rejects.append([first_row + position, None, first.field, first.message, [row]])
                continue
            told.append(fields)
        values = Values([fields.email or "" for fields in told], {})
        for name in TEXTS:
            if any(getattr(fields, name) for fields in told):
                values.texts[name] = [getattr(fields, name) or "" for fields in told]
        if any(fields.tags for fields in told):
            values.tags = [fields.tags for fields in told]
        if any(fields.attributes for fields in told):
            values.attributes = [fields.attributes for fields in told]
        if self._plan.status != "active":
            values.statuses = list[str | None]([self._plan.status] * len(told))
        return values


def _both(some: list[str] | None, others: list[str] | None) -> list[str] | None:
    return [*dict.fromkeys([*(some or ()), *(others or ())])] or None
