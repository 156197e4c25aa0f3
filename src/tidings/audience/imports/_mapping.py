"""Where the columns of a file go: what can be said, and what is suggested from their names and values."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.audience.fields import RESERVED
from tidings.audience.imports._synonyms import SOURCES, SYNONYMS
from tidings.audience.imports._values import TYPES, infer_type
from tidings.core.errors import FieldProblem, Invalid

FIELDS = ("email", "first_name", "last_name", "phone", "language", "time_zone")
"""Targets that are a contact's own, one column each."""

OTHERS = (
    *("full_name", "tags", "attributes", "status", "unsubscribed_at", "bounced_at", "complained_at"),
    *("lists", "unsubscribed_lists", "ignore"),
)
"""full_name is split; attributes is a JSON object; a value in …_at means that the person is out; lists names those that they
are on, unsubscribed_lists those that they left."""

REJECTED: tuple[str, ...] = ("rejected_line", "rejected_column", "rejected_reason")
"""Columns behind those of the original in a file of rejected rows."""

SAMPLES = 3
_ONE_FORMAT_ONLY = {"attributes", "pending_lists", "unsubscribed_lists"}  # of our exports: JSON lines; CSV
_REJECTED: dict[str, str] = dict.fromkeys(REJECTED, "ignore")
_NAME_LIMIT = 255
_NAMELESS = re.compile(r"Column \d+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(slots=True)
class Column:
    """One column of a file and its target. A custom field has its `type` (and `choices`) beside it."""

    name: str
    target: str
    type: str | None = None
    choices: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)

    @property
    def custom(self) -> str | None:
        """The custom field this goes to."""
        return self.target.removeprefix("field:") if self.target.startswith("field:") else None

    @property
    def label(self) -> str:
        """What people call this column: its header as written, unless the file gave it none."""
        return "" if _NAMELESS.fullmatch(self.name) else self.name.removeprefix("attributes.")

    def as_json(self) -> dict[str, Any]:
        """What the table keeps and the API shows."""
        kept: dict[str, Any] = {"name": self.name, "target": self.target, "samples": self.samples}
        if self.custom is not None:
            kept |= {"type": self.type or "text", "choices": self.choices}
        return kept

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Column":
        """From what the table keeps."""
        return cls(
            kept["name"], kept["target"], kept.get("type"), list(kept.get("choices", ())), list(kept.get("samples", ()))
        )


def suggest(names: Sequence[str], rows: Sequence[Sequence[Any]], *, declared: Mapping[str, Any]) -> list[Column]:
    """A target for each column, from its name, its values and the fields the workspace has declared.

    Two columns never get the same target of a contact: the first that fits has it, the others become custom fields.
    """
    source = source_of(names)
    known = SOURCES.get(source or "", {})
    taken: set[str] = set()
    columns: list[Column] = []
    for position, name in enumerate(names):
        values = [str(row[position]) for row in rows if position < len(row) and row[position] != ""]
        exact = source == "tidings" or name in declared  # such a header is the name of a field, not a word for one
        target = known.get(name.strip().lower()) or _REJECTED.get(name) or (None if exact else _by_name(name))
        if not values and _NAMELESS.fullmatch(name):
            target = "ignore"  # spreadsheets leave empty columns at the end
        if (
            target is None
            and not exact
            and values
            and sum(_EMAIL.fullmatch(v.strip()) is not None for v in values) > 0.8 * len(values)
        ):
            target = "email"
        if target in taken and target != "ignore":
            target = None
        columns.append(Column(name, target or "", samples=[v[:100] for v in dict.fromkeys(values)][:SAMPLES]))
        taken.add(columns[-1].target)
    if {"first_name", "last_name"} & taken:
        for column in columns:  # beside its parts a full name says nothing new
            column.target = "ignore" if column.target == "full_name" else column.target
    for position, column in enumerate(columns):
        if not column.target:
            _as_custom_field(column, taken, exact=source == "tidings" or column.name in declared)
            taken.add(column.target)
        if (custom := column.custom) is not None:
            _find_type(column, custom, [row[position] for row in rows if position < len(row)], declared)
    return columns


def source_of(names: Sequence[str]) -> str | None:
    """Whose export has these columns: mailchimp, listmonk, mautic, tidings or None."""
    have = {name.strip().lower() for name in names}
    if have >= SOURCES["tidings"].keys() - _ONE_FORMAT_ONLY:
        return "tidings"
    if have >= {"email address", "leid", "euid"} or have >= {"email address", "member_rating"}:
        return "mailchimp"
    if have >= {"uuid", "email", "name", "attributes", "status"}:
        return "listmonk"
    if have >= {"firstname", "lastname", "email"} and have & {
        "preferred_locale",
        "points",
        "attribution_date",
        "dateidentified",
    }:
        return "mautic"
    return None


def written_here(names: Sequence[str]) -> bool:
    """Whether a table with these columns is an export or rejected rows of ours: an apostrophe stands before formulas."""
    return source_of(names) == "tidings" or set(names) >= _REJECTED.keys()


def apply_mapping(
    columns: Sequence[Column], mapping: Mapping[str, str], *, declared: Mapping[str, Any]
) -> list[Column]:
    """The columns with what the caller says of some: `{"Kundennummer": "field:customer_no:number", "Notes": "ignore"}`.

    Raises Invalid naming the entry: no such column, no such target, one target twice, no email at all.
    """
    by_name = {column.name: column for column in columns}
    changed = {name: Column(c.name, c.target, c.type, list(c.choices), list(c.samples)) for name, c in by_name.items()}
    problems: list[FieldProblem] = []
    for name, target in mapping.items():
        at = f"mapping.{name}"
        if name not in changed:
            problems.append(FieldProblem(at, f"the file has no such column; it has {', '.join(by_name)[:500]}"))
            continue
        try:
            _retarget(changed[name], target, declared)
        except ValueError as error:
            problems.append(FieldProblem(at, str(error)))
    seen: dict[str, str] = {}
    for column in changed.values():
        if column.target == "ignore":
            continue
        if column.target in seen and column.name in mapping and seen[column.target] not in mapping:
            changed[seen[column.target]].target = "ignore"  # what was suggested makes way for what is said
        elif column.target in seen and column.name not in mapping:
            column.target = "ignore"
            continue
        elif column.target in seen:
            message = f"{column.target} comes from {seen[column.target]!r} already; ignore one of them"
            problems.append(FieldProblem(f"mapping.{column.name}", message))
        seen[column.target] = column.name
    if not problems and "email" not in seen:
        message = f"no column is mapped to email; say which: the file has {', '.join(by_name)[:500]}"
        problems.append(FieldProblem("mapping", message))
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems))
    return list(changed.values())


def field_name(header: str) -> str:
    """The name of a custom field for a header: `Kunden-Nr. (alt)` becomes `kunden_nr_alt`."""
    plain = unicodedata.normalize("NFKC", header).strip().lower()
    return re.sub(r"\W+", "_", plain).strip("_")[:100]


def _retarget(column: Column, target: str, declared: Mapping[str, Any]) -> None:
    if target in FIELDS or target in OTHERS:
        column.target, column.type, column.choices = target, None, []
        return
    kind, _, rest = target.partition(":")
    name, _, type_ = rest.rpartition(":") if rest.rpartition(":")[2] in TYPES else (rest, "", "")
    if kind != "field" or not name:
        choices = ", ".join((*FIELDS, *OTHERS))
        raise ValueError(f"must be one of {choices}, field:NAME or field:NAME:TYPE (TYPE is {', '.join(TYPES)})")
    unsaid, _, word = name.rpartition(":")
    if unsaid and not type_ and name not in declared and name != column.custom:
        raise ValueError(f"{word} is no type; a field {unsaid} may be {', '.join(TYPES)}, as in field:{unsaid}:text")
    if len(name) > _NAME_LIMIT or not name.isprintable():
        raise ValueError(f"the name of a field has at most {_NAME_LIMIT} printable characters")
    if name in RESERVED:
        raise ValueError(f"a custom field cannot be called {name}: contacts have that already")
    known = declared.get(name)
    if known is not None and type_ and str(known.type) != type_:
        raise ValueError(f"the field {name} is declared as {known.type}, not {type_}")
    if known is not None:
        column.type, column.choices = str(known.type), list(known.choices)
    elif type_ or column.custom is None:
        column.type, column.choices = type_ or "text", column.choices if type_ == "choice" else []
    column.target = f"field:{name}"


def _as_custom_field(column: Column, taken: set[str], *, exact: bool) -> None:
    header = column.name.removeprefix("attributes.")
    name = base = (exact and header) or field_name(header) or "column"
    if name in RESERVED:
        name = base = f"original_{name}"
    number = 2
    while f"field:{name}" in taken:
        name, number = f"{base}_{number}", number + 1
    column.target = f"field:{name}"


def _find_type(column: Column, name: str, values: Sequence[Any], declared: Mapping[str, Any]) -> None:
    if name in declared:
        column.type, column.choices = str(declared[name].type), list(declared[name].choices)
    else:
        column.type = infer_type(values)


def _by_name(name: str) -> str | None:
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return SYNONYMS.get(re.sub(r"[\W_]+", "", plain))
