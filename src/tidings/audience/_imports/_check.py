"""Rows checked and written as PostgreSQL reads them (COPY's text format), a column at a time.

`clean_contact` is the judge of what a contact may be. Plain rows never meet it: whole columns are tested for what it would
let through unchanged, which costs a tenth. Whatever is not plain is asked of it row by row.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import orjson

from tidings.audience._addresses import LIMIT, plain_address
from tidings.audience._export_sql import plain_again
from tidings.audience._field_types import ContactField, FieldType
from tidings.audience._fields import PHONE_LIMIT, TEXT_LIMIT, ContactFields, clean_contact
from tidings.audience._imports._mapping import FIELDS, Column
from tidings.audience._imports._tables import Rows, storable
from tidings.audience._imports._values import coercion, read_status, split_name, split_tags
from tidings.core.errors import Invalid
from tidings.core.ids import FieldId

TEXTS = ("first_name", "last_name", "phone", "language", "time_zone")
STAGED = ("email", "address_hash", *TEXTS, "tags", "attributes", "status")
"""Columns of the staging table, in the order in which rows are written."""

OUT = ("unsubscribed", "bounced", "complained")
_LIMITS = {"phone": PHONE_LIMIT}
_LEFT_AT = {"unsubscribed_at": "unsubscribed", "bounced_at": "bounced", "complained_at": "complained"}
_STRENGTH = {None: 0, "active": 0, "unlisted": 1, "bounced": 2, "unsubscribed": 3, "complained": 4}
_ESCAPED = re.compile("[\\\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NEVER = frozenset({"0", "0000-00-00", "0000-00-00 00:00:00", "false", "no", "null", "none", "never", "-"})


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

    `updated` and `unchanged` count rows that were merged into an earlier one of the batch. `rejects` are [row, line,
    field, message, cells].
    """

    first_row: int
    size: int
    people: int = 0
    updated: int = 0
    unchanged: int = 0
    data: bytes = b""
    rejects: list[list[Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    out: bool = False
    unlisted: bool = False
    bytes_read: int = 0


@dataclass(slots=True)
class _Values:
    """Clean values of a batch by column; None in a list: nothing was said."""

    emails: list[str]
    texts: dict[str, list[str]]
    tags: list[list[str] | None] | None = None
    attributes: list[dict[str, Any] | None] | None = None
    statuses: list[str | None] | None = None


class Checker:
    """Checks batches of one import."""

    def __init__(self, plan: Plan, key: bytes) -> None:
        self._plan = plan
        self._hasher = blake2b(key=key, digest_size=16)
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
            self._write(values, done)
        return done

    # ── rows of cells ────────────────────────────────────────────────────────────────────────────────────────────────
    def _table(self, rows: Rows, first_row: int, done: Checked) -> _Values:
        cells = rows.cells
        doubtful: set[int] = set(rows.faults)
        if doubtful:
            width = len(self._plan.columns or ())
            cells = [row if i not in doubtful else [""] * width for i, row in enumerate(cells)]
        columns = list(zip(*cells, strict=True)) if cells else []
        values = _Values([], {})
        values.emails = _plain_emails(columns[self._at["email"]], doubtful)
        for name in TEXTS:
            if name in self._at:
                values.texts[name] = _plain_texts(name, columns[self._at[name]], doubtful)
        if "full_name" in self._at:
            self._split_names(_plain_texts("full_name", columns[self._at["full_name"]], doubtful), values)
        if "tags" in self._at:
            values.tags = _plain_tags(columns[self._at["tags"]], doubtful)
        if self._customs:
            values.attributes = self._attributes(columns, doubtful)
        if "attributes" in self._at:  # a whole object in a cell: always asked of the judge
            doubtful.update(i for i, cell in enumerate(columns[self._at["attributes"]]) if cell != "" and cell != "{}")
            values.attributes = values.attributes or list[dict[str, Any] | None]([None] * len(cells))
        self._statuses(columns, values, doubtful)
        if doubtful:
            self._judge(rows, first_row, doubtful, values, done)
        return values

    def _split_names(self, names: list[str], values: _Values) -> None:
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
            if any(isinstance(v, (dict, list)) or (isinstance(v, str) and not _storable(v)) for v in values):
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

    def _statuses(self, columns: Sequence[Sequence[Any]], values: _Values, doubtful: set[int]) -> None:
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
                    statuses[position] = _stronger(status, default)
        for at, status in self._left:
            for position, cell in enumerate(columns[at]):
                if cell != "" and str(cell).strip().lower() not in _NEVER:
                    statuses[position] = _stronger(status, statuses[position])
        values.statuses = [None if status == "active" else status for status in statuses]

    def _judge(self, rows: Rows, first_row: int, doubtful: set[int], values: _Values, done: Checked) -> None:
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
            _select(values, keep)

    def _told(self, cells: Sequence[Any]) -> dict[str, Any]:
        """The row as the API would tell it. Raises Invalid."""
        told: dict[str, Any] = {name: _as_text(cells[self._at[name]]) for name in FIELDS if name in self._at}
        if "full_name" in self._at:
            first, last = split_name(str(_as_text(cells[self._at["full_name"]])).strip())
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
                if isinstance(value, str) and ("\0" in value or not _storable(value)):
                    _readable(value, f"attributes.{name}")
                attributes[name] = value
        if attributes:
            told["attributes"] = attributes
        if "status" in self._at and (word := cells[self._at["status"]]) != "" and read_status(str(word)) is None:
            raise Invalid.at("status", f"{str(word)[:50]!r} is no status we know; use {', '.join(_STRENGTH_WORDS)}")
        for name, value in told.items():
            if isinstance(value, str):
                _readable(value, name)
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

    def _put(self, values: _Values, position: int, fields: ContactFields) -> None:
        values.emails[position] = fields.email or ""
        for name, column in values.texts.items():
            column[position] = getattr(fields, name) or ""
        if values.tags is not None:
            values.tags[position] = fields.tags or None
        if values.attributes is not None:
            values.attributes[position] = fields.attributes or None

    # ── rows of objects, as the API takes them ───────────────────────────────────────────────────────────────────────
    def _objects(self, rows: Rows, first_row: int, done: Checked) -> _Values:
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
        values = _Values([fields.email or "" for fields in told], {})
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

    # ── clean values ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _write(self, values: _Values, done: Checked) -> None:
        if len(set(values.emails)) != len(values.emails):
            self._merge(values, done)
        emails, hasher = values.emails, self._hasher
        done.people = len(emails)
        hashes: list[str] = []
        for email in emails:
            one = hasher.copy()
            one.update(email.encode())
            hashes.append("\\\\x" + one.hexdigest())
        nothing = ["\\N"] * len(emails)
        written = [_escape(emails), hashes]
        for name in TEXTS:
            column = values.texts.get(name)
            written.append(nothing if column is None else _escape(column))
        written.append(nothing if values.tags is None else self._tags(values.tags, done))
        written.append(nothing if values.attributes is None else self._objects_of(values.attributes))
        statuses = values.statuses
        if statuses is None:
            written.append(nothing)
        else:
            written.append([status or "\\N" for status in statuses])
            done.out = any(status in OUT for status in statuses)
            done.unlisted = "unlisted" in statuses
        # By address, always: two imports of the same people wait for each other instead of deadlocking.
        lines = sorted(map("\t".join, zip(*written, strict=True)))
        lines.append("")
        done.data = "\n".join(lines).encode()

    def _tags(self, tags: list[list[str] | None], done: Checked) -> list[str]:
        cache: dict[tuple[str, ...], str] = {}
        written: list[str] = []
        empty = "{}" if self._plan.overwrite else "\\N"
        for told in tags:
            if not told:
                written.append(empty)
                continue
            key = tuple(told)
            text = cache.get(key)
            if text is None:
                quoted = ",".join('"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"' for tag in told)
                text = cache[key] = _escape_one("{" + quoted + "}")
            written.append(text)
        done.tags = sorted({tag for key in cache for tag in key})
        return written

    def _objects_of(self, attributes: list[dict[str, Any] | None]) -> list[str]:
        empty = "{}" if self._plan.overwrite else "\\N"
        dumps = orjson.dumps
        return _escape([dumps(told).decode() if told else empty for told in attributes], nulls=True)

    def _merge(self, values: _Values, done: Checked) -> None:
        """Rows of one address become one, by the policy: the first counts, all add up, or the last counts."""
        first: dict[str, int] = {}
        for position, email in enumerate(values.emails):
            known = first.setdefault(email, position)
            if known != position:
                if self._merge_into(values, known, position):
                    done.updated += 1
                else:
                    done.unchanged += 1
        _select(values, list(first.values()))

    def _merge_into(self, values: _Values, known: int, other: int) -> bool:
        changed = False
        if values.statuses is not None:
            values.statuses[known] = _stronger(values.statuses[other], values.statuses[known])
        if self._plan.skip:
            return False
        overwrite = self._plan.overwrite
        for column in values.texts.values():
            if (overwrite or column[other]) and column[other] != column[known]:
                column[known] = column[other]
                changed = True
        if (tags := values.tags) is not None and (overwrite or tags[other]):
            old = [] if overwrite else tags[known] or []
            new = list(dict.fromkeys([*old, *(tags[other] or ())]))
            changed = changed or new != (tags[known] or [])
            tags[known] = new
        if (attributes := values.attributes) is not None and (overwrite or attributes[other]):
            before = attributes[known] or {}
            kept = {k: v for k, v in before.items() if k not in self._plan.customs} if overwrite else before
            now = {**kept, **(attributes[other] or {})}
            changed = changed or now != before
            attributes[known] = now
        return changed


_STRENGTH_WORDS = ("subscribed", "unconfirmed", "unsubscribed", "bounced", "complained")


def _stronger(a: str | None, b: str | None) -> str | None:
    return a if _STRENGTH[a] > _STRENGTH[b] else b


def _plain_emails(cells: Sequence[Any], doubtful: set[int]) -> list[str]:
    try:
        emails = [cell.strip().lower() for cell in cells]
    except AttributeError:  # a JSON value that is no text
        doubtful.update(i for i, cell in enumerate(cells) if not isinstance(cell, str))
        emails = [cell.strip().lower() if isinstance(cell, str) else "" for cell in cells]
    plain = plain_address
    for position, email in enumerate(emails):
        if len(email) > LIMIT or plain(email) is None:
            doubtful.add(position)
    return emails


def _plain_texts(name: str, cells: Sequence[Any], doubtful: set[int]) -> list[str]:
    if any(type(cell) is not str for cell in cells):
        doubtful.update(i for i, cell in enumerate(cells) if not isinstance(cell, str))
        cells = [cell if isinstance(cell, str) else "" for cell in cells]
    texts = list(map(str.strip, cells))
    limit = _LIMITS.get(name, TEXT_LIMIT)
    if name in {"language", "time_zone"}:
        bad = {text for text in set(texts) if text and not _accepted(name, text)}
        if bad:
            doubtful.update(i for i, text in enumerate(texts) if text in bad)
    elif max(map(len, texts), default=0) > limit or not "".join(texts).isprintable():
        doubtful.update(i for i, text in enumerate(texts) if len(text) > limit or not text.isprintable())
    return texts


def _accepted(name: str, text: str) -> bool:
    try:
        return getattr(clean_contact({name: text}), name) == text
    except Invalid:
        return False


def _plain_tags(cells: Sequence[Any], doubtful: set[int]) -> list[list[str] | None]:
    tags: list[list[str] | None] = []
    for position, cell in enumerate(cells):
        if cell == "":
            tags.append(None)
            continue
        if not isinstance(cell, str):
            doubtful.add(position)
            tags.append(None)
            continue
        told = split_tags(cell)
        if len(told) > 20 or len(cell) > 1000 or any(len(t) > 100 or not t.isprintable() for t in told):
            doubtful.add(position)
        tags.append(list(told))
    return tags


def _storable(text: str) -> bool:
    return text.isprintable() or ("\0" not in text and text.isascii())


def _readable(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid.at(name, "has bytes that are not in the file's encoding; save the file as UTF-8") from None


def _as_text(cell: Any) -> Any:
    """Numbers of JSON where text is wanted: a phone number, a name."""
    return str(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) else cell


def _select(values: _Values, keep: list[int]) -> None:
    if not keep:
        values.emails = []
        return
    pick = itemgetter(*keep) if len(keep) > 1 else lambda column: (column[keep[0]],)
    values.emails = list(pick(values.emails))
    values.texts = {name: list(pick(column)) for name, column in values.texts.items()}
    values.tags = None if values.tags is None else list(pick(values.tags))
    values.attributes = None if values.attributes is None else list(pick(values.attributes))
    values.statuses = None if values.statuses is None else list(pick(values.statuses))


def _escape(column: list[str], *, nulls: bool = False) -> list[str]:
    """As COPY's text format wants it (PostgreSQL manual, COPY, "Text Format")."""
    if _ESCAPED.search("".join(column)) is None:
        return column
    return [text if nulls and text == "\\N" else _escape_one(text) for text in column]


def _escape_one(text: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], text)
