"""Custom fields as a workspace declares them: made, changed and given up together with the values that contacts have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidings.accounts import Principal, audit
from tidings.audience.fields._declared import COLUMNS, NAME_LIMIT, name_problem, of_row
from tidings.audience.fields._types import ContactField, FieldType
from tidings.core.db import Tx, sql
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import FieldId, WorkspaceId, public_id

CHOICES_LIMIT = 500
CHOICE_LIMIT = 255


class FieldNotFound(NotFound):
    """There is no such custom field in this workspace."""

    code = "contact_field_not_found"


class FieldExists(Conflict):
    """Another custom field has this name."""

    code = "contact_field_exists"


class FieldInUse(Conflict):
    """Segments ask for the field."""

    code = "contact_field_in_use"


class ValuesDoNotFit(Conflict):
    """Contacts have values that cannot become what the field is to hold; nothing was changed."""

    code = "contact_field_values_do_not_fit"


async def create_contact_field(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    label: str = "",
    type: FieldType,  # noqa: A002 - it is one
    choices: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> ContactField:
    """Declare a field. Values that contacts have under the name already become its type.

    Raises Invalid, FieldExists, and ValuesDoNotFit saying how many values cannot.
    """
    name = name.strip()
    if problem := name_problem(name):
        raise Invalid.at("name", problem)
    kept = _choices(type, choices)
    row = await tx.fetchrow(
        f"""INSERT INTO contact_fields (workspace_id, name, label, type, choices, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING {COLUMNS}""",  # noqa: S608 - our own words
        workspace,
        name,
        _label(label),
        type,
        kept,
        now,
    )
    if row is None:
        message = f"there is a field named {name!r} already"
        raise FieldExists(message, fields=(FieldProblem("name", message),))
    field = of_row(row)
    await _convert(tx, workspace, field, at="type", now=now)
    await audit(tx, by=by, action="contact_field.created", subject=_ref(field.id), detail={"name": name}, now=now)
    return field


async def get_contact_field(tx: Tx, *, workspace: WorkspaceId, field: FieldId) -> ContactField:
    """The field. Raises FieldNotFound."""
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM contact_fields WHERE workspace_id = $1 AND id = $2",  # noqa: S608 - our own words
        workspace,
        field,
    )
    if row is None:
        raise FieldNotFound(f"there is no field {_ref(field)}")
    return of_row(row)


async def update_contact_field(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    field: FieldId,
    label: str | None = None,
    type: FieldType | None = None,  # noqa: A002
    choices: Sequence[str] | None = None,
    by: Principal,
    now: datetime,
) -> ContactField:
    """Change what is given. All values that contacts have become the new type, or nothing changes.

    Raises FieldNotFound, Invalid, and ValuesDoNotFit saying how many values cannot.
    """
    await tx.execute("SELECT FROM contact_fields WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, field)
    old = await get_contact_field(tx, workspace=workspace, field=field)
    wanted = old.type if type is None else type
    told = choices if choices is not None else old.choices if wanted is FieldType.CHOICE else ()
    row = await tx.fetchrow(
        f"""UPDATE contact_fields SET label = $3, type = $4, choices = $5, updated_at = $6
            WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}""",  # noqa: S608 - our own words
        workspace,
        field,
        old.label if label is None else _label(label),
        wanted,
        _choices(wanted, told),
        now,
    )
    assert row is not None
    new = of_row(row)
    if (new.type, new.choices) != (old.type, old.choices):
        await _convert(tx, workspace, new, at="choices" if new.type is old.type else "type", now=now)
    detail = {"name": old.name} | ({"type": new.type} if new.type is not old.type else {})
    await audit(tx, by=by, action="contact_field.updated", subject=_ref(field), detail=detail, now=now)
    return new


async def delete_contact_field(
    tx: Tx, *, workspace: WorkspaceId, field: FieldId, values: bool, by: Principal, now: datetime
) -> None:
    """Declare a field no more. With `values` what contacts have under its name goes too; else it stays, of any type.

    Raises FieldNotFound, and FieldInUse naming the segments that ask for it: their conditions would mean nothing any more.
    """
    declared = await get_contact_field(tx, workspace=workspace, field=field)
    if users := await _segments_using(tx, workspace, declared.name):
        raise FieldInUse(f"{_ref(field)} ({declared.name}) is used by {', '.join(users)}: change or delete those first")
    name = await tx.fetchval(
        "DELETE FROM contact_fields WHERE workspace_id = $1 AND id = $2 RETURNING name", workspace, field
    )
    if name is None:
        raise FieldNotFound(f"there is no field {_ref(field)}")
    if values:
        await tx.execute(
            """UPDATE contacts SET attributes = attributes - $2::text, updated_at = $3
               WHERE workspace_id = $1 AND attributes ? $2""",
            workspace,
            name,
            now,
        )
    detail = {"name": name, "values": values}
    await audit(tx, by=by, action="contact_field.deleted", subject=_ref(field), detail=detail, now=now)


async def _segments_using(tx: Tx, workspace: WorkspaceId, name: str) -> list[str]:
    rows = await tx.fetch(
        """SELECT id FROM segments
           WHERE workspace_id = $1 AND jsonb_path_exists(
               conditions, '$.** ? (@.field == $name || @.field == $path)',
               jsonb_build_object('name', $2::text, 'path', 'attributes.' || $2::text))
           ORDER BY id LIMIT 20""",
        workspace,
        name,
    )
    return [public_id("segment", row["id"]) for row in rows]


async def _convert(tx: Tx, workspace: WorkspaceId, field: ContactField, *, at: str, now: datetime) -> None:
    values: list[Any] = [workspace, [field.name], [field.type], list(field.choices)]
    found = await tx.fetchrow(sql(__package__, "_misfits"), *values)
    if found is not None and found["misfits"]:
        kind = f"one of {', '.join(field.choices[:10])}" if field.type is FieldType.CHOICE else f"a {field.type}"
        message = (
            f"{found['misfits']} of the {found['stored']} values that contacts have cannot become {kind}, the first that of"
            f" {public_id('contact', found['first'])}; change those first"
        )
        raise ValuesDoNotFit(message, fields=(FieldProblem(at, message),))
    # Also what says nothing: empty text under a name that is to hold numbers.
    await tx.execute(sql(__package__, "_convert"), *values, now)


def _choices(type_: FieldType, choices: Sequence[str]) -> list[str]:
    if type_ is not FieldType.CHOICE:
        if choices:
            raise Invalid.at("choices", f"belong to a field of type choice, not {type_}")
        return []
    kept = [choice.strip() for choice in choices]
    if not 1 <= len(kept) <= CHOICES_LIMIT:
        raise Invalid.at("choices", f"must have 1 to {CHOICES_LIMIT} choices")
    for position, choice in enumerate(kept):
        if not 1 <= len(choice) <= CHOICE_LIMIT or not choice.isprintable():
            raise Invalid.at(f"choices[{position}]", f"must have 1 to {CHOICE_LIMIT} printable characters")
        if choice in kept[:position]:
            raise Invalid.at(f"choices[{position}]", "is there twice")
    return kept


def _label(label: str) -> str:
    label = label.strip()
    if len(label) > NAME_LIMIT:
        raise Invalid.at("label", f"must have at most {NAME_LIMIT} characters")
    return label


def _ref(field: FieldId) -> str:
    return public_id("field", field)
