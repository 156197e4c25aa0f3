"""Which custom fields a workspace has declared, and declaring those that an import brings."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from tidings.audience.fields._types import ContactField, FieldType
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import FieldId, WorkspaceId

NAME_LIMIT = 255

RESERVED = frozenset(
    {
        "id",
        "contact_id",
        "email",
        "name",
        "first_name",
        "last_name",
        "phone",
        "language",
        "time_zone",
        "tags",
        "attributes",
        "status",
        "lists",
        "list_ids",
        "created_at",
        "updated_at",
    }
)
"""Names that a contact has already: a template could not tell them apart."""

COLUMNS = "id, name, label, type::text AS type, choices"


async def declared_fields(tx: Tx, *, workspace: WorkspaceId) -> dict[str, ContactField]:
    """The custom fields of the workspace by name, in order of their names."""
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM contact_fields WHERE workspace_id = $1 ORDER BY name", workspace)  # noqa: S608
    return {row["name"]: of_row(row) for row in rows}


async def declare_fields(
    tx: Tx, *, workspace: WorkspaceId, fields: Sequence[tuple[str, FieldType, str]], now: datetime
) -> Mapping[str, ContactField]:
    """Declare what an import inferred (name, type, label), and give back every declared field by name.

    What is declared already stays as it is. Values that contacts have under a new name become its type; where one of them
    cannot, the name is not declared. Raises Invalid, naming `fields[position].name`, for names that no field can have.
    """
    problems = [
        FieldProblem(f"fields[{position}].name", problem)
        for position, (name, _, _) in enumerate(fields)
        if (problem := name_problem(name))
    ]
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems))
    known = await declared_fields(tx, workspace=workspace)
    new = {name: type_ for name, type_, _ in fields if name not in known}
    labels = {name: _one_line(label) for name, _, label in fields}
    if not new:
        return known
    stored = await tx.fetch(sql(__package__, "_misfits"), workspace, list(new), list(new.values()), [])
    types = {name: type_ for name, type_ in new.items() if name not in {r["name"] for r in stored if r["misfits"]}}
    await tx.execute(
        """INSERT INTO contact_fields (workspace_id, name, type, label, created_at, updated_at)
           SELECT $1, name, type, label, $5, $5
           FROM unnest($2::text[], $3::field_type[], $4::text[]) AS t (name, type, label)
           ON CONFLICT (workspace_id, name) DO NOTHING""",
        workspace,
        list(types),
        list(types.values()),
        [labels[name] for name in types],
        now,
    )
    if converting := [r["name"] for r in stored if r["name"] in types]:
        await tx.execute(
            sql(__package__, "_convert"), workspace, converting, [types[name] for name in converting], [], now
        )
    return await declared_fields(tx, workspace=workspace)


def name_problem(name: str) -> str | None:
    """Why no field can have this name; None if one can."""
    if not 1 <= len(name) <= NAME_LIMIT or not name.isprintable() or name != name.strip():
        return f"must have 1 to {NAME_LIMIT} printable characters, with no space at either end"
    if name.lower() in RESERVED:
        return f"every contact has {name.lower()} already: choose another name"
    return None


def _one_line(label: str) -> str:
    """Headers of spreadsheets have line breaks."""
    return "".join(c for c in " ".join(label.split()) if c.isprintable())[:NAME_LIMIT]


def of_row(row: asyncpg.Record) -> ContactField:
    """A field from a row of `COLUMNS`."""
    return ContactField(FieldId(row["id"]), row["name"], row["label"], FieldType(row["type"]), tuple(row["choices"]))
