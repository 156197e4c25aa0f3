"""What an export reads, as one statement: PostgreSQL itself writes every line, so that a million cost us only their passing on."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.audience.spreadsheets import neutralised, safe_cell
from tidings.core.errors import FieldProblem, Invalid

_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""

STANDARD: Mapping[str, str] = {
    "id": "'contact_' || c.id",
    "email": "c.email",
    "first_name": "c.first_name",
    "last_name": "c.last_name",
    "phone": "c.phone",
    "language": "c.language",
    "time_zone": "c.time_zone",
    "status": "c.status::text",
    "tags": "(SELECT string_agg({tag}, ',' ORDER BY o) FROM unnest(c.tags) WITH ORDINALITY AS t (tag, o))",
    "lists": "b.subscribed",
    "pending_lists": "b.pending",
    "unsubscribed_lists": "b.left",
    "created_at": f"to_char(c.created_at AT TIME ZONE 'UTC', {_TIME})",
    "updated_at": f"to_char(c.updated_at AT TIME ZONE 'UTC', {_TIME})",
}
"""The columns of every export, in order: custom fields follow."""

_JSON = {
    "tags": "to_json(c.tags)",
    "lists": "coalesce(b.lists, '[]')",
    "attributes": "c.attributes",
}

# Inside a cell, as in a row of CSV: a name with a comma or a quote is quoted.
_WORD = """CASE WHEN {x} ~ '[,"\\n\\r]' THEN '"' || replace({x}, '"', '""') || '"' ELSE {x} END"""

_SUBSCRIPTIONS_CSV = """
LEFT JOIN LATERAL (
    SELECT string_agg({name}, ',' ORDER BY l.name) FILTER (WHERE m.status = 'subscribed') AS subscribed,
           string_agg({name}, ',' ORDER BY l.name) FILTER (WHERE m.status = 'pending') AS pending,
           string_agg({name}, ',' ORDER BY l.name) FILTER (WHERE m.status = 'unsubscribed') AS left
    FROM subscriptions AS m
    JOIN lists AS l ON l.workspace_id = $1 AND l.id = m.list_id
    WHERE m.workspace_id = $1 AND m.contact_id = c.id
) AS b ON true
""".replace("{name}", _WORD.replace("{x}", "l.name"))

_SUBSCRIPTIONS_JSON = """
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('id', 'list_' || l.id, 'name', l.name, 'status', m.status) ORDER BY l.id) AS lists
    FROM subscriptions AS m
    JOIN lists AS l ON l.workspace_id = $1 AND l.id = m.list_id
    WHERE m.workspace_id = $1 AND m.contact_id = c.id
) AS b ON true
"""


@dataclass(slots=True)
class Reading:
    """A SELECT for COPY, its values ($1 is the workspace), and what stands before its first row."""

    sql: str
    values: list[Any] = field(default_factory=list)
    head: bytes = b""


def chosen_fields(told: Sequence[str], declared: Sequence[str]) -> list[str]:
    """The columns that are wanted: standard ones, `attributes`, and single attributes. Raises Invalid at `fields`.

    A declared field may be named by itself; what was never declared is `attributes.name`.
    """
    names = [name.strip() for name in told]
    known = {*STANDARD, *declared, "attributes"}
    wrong = [name for name in names if name not in known and not re.fullmatch(r"attributes\..{1,255}", name)]
    if wrong or not names or len(names) > _MOST:
        message = (
            f"{wrong[0][:60]!r} is no field; there are {', '.join(STANDARD)}, attributes, the declared fields by name, and"
            " attributes.NAME for any other"
            if wrong
            else f"must name 1 to {_MOST} fields"
        )
        raise Invalid(f"fields: {message}", fields=(FieldProblem("fields", message),))
    plain = [
        n if n in STANDARD or n == "attributes" or n.startswith("attributes.") else f"attributes.{n}" for n in names
    ]
    return list(dict.fromkeys(plain))


def csv_reading(fields: Sequence[str], *, source: str, values: Sequence[Any], safe: bool, bom: bool) -> Reading:
    """CSV (RFC 4180, line feeds between rows). `source` selects ids; `safe` keeps spreadsheets from seeing formulas."""
    made = Reading("", list(values))
    cells: list[str] = []
    heads: list[str] = []
    for name in fields:
        attribute = name.removeprefix("attributes.") if name.startswith("attributes.") else None
        if attribute is not None:
            made.values.append(attribute)
            cell = f"(c.attributes ->> ${len(made.values)}::text)"
            heads.append(name if attribute in STANDARD or attribute == "attributes" else attribute)
        else:
            cell = "nullif(c.attributes, '{}')::text" if name == "attributes" else STANDARD[name]
            cell = cell.replace("{tag}", _WORD.replace("{x}", "tag"))
            heads.append(name)
        cells.append(safe_cell(cell) if safe and name not in _OURS else f"nullif({cell}, '')")
    needs = any(name in fields for name in ("lists", "pending_lists", "unsubscribed_lists"))
    made.sql = _statement(
        ", ".join(f"{cell} AS c{n}" for n, cell in enumerate(cells)), needs, _SUBSCRIPTIONS_CSV, source
    )
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([neutralised(head) for head in heads] if safe else heads)
    made.head = (b"\xef\xbb\xbf" if bom else b"") + line.getvalue().encode()
    return made


def jsonl_reading(fields: Sequence[str], *, source: str, values: Sequence[Any]) -> Reading:
    """An object a line, in the form of the API's contacts; single attributes stand inside `attributes`."""
    made = Reading("", list(values))
    single = [name.removeprefix("attributes.") for name in fields if name.startswith("attributes.")]
    parts = [
        f"'{name}', {_JSON.get(name, STANDARD.get(name, ''))}"
        for name in fields
        if (name in STANDARD or name == "attributes") and name not in {"pending_lists", "unsubscribed_lists"}
    ]
    if single and "attributes" not in fields:
        made.values.append(single)
        parts.append(
            f"""'attributes', coalesce((SELECT jsonb_object_agg(a.key, a.value) FROM jsonb_each(c.attributes) AS a
                                       WHERE a.key = ANY (${len(made.values)}::text[])), '{{}}')"""  # noqa: S608 - values are parameters
        )
    made.sql = _statement(
        f"json_build_object({', '.join(parts)})::text", "lists" in fields, _SUBSCRIPTIONS_JSON, source
    )
    return made


def _statement(columns: str, subscriptions: bool, join: str, source: str) -> str:
    return f"""
        SELECT {columns}
        FROM contacts AS c
        {join if subscriptions else ""}
        WHERE c.workspace_id = $1 AND {source}
        ORDER BY c.id
    """  # noqa: S608 - our own words; values are parameters


_OURS = frozenset({"id", "status", "created_at", "updated_at"})
_MOST = 1000
