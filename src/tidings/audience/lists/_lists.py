"""Lists: what people subscribe to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tidings.accounts import Principal, audit
from tidings.audience.lists._clearing import begin_clearing
from tidings.audience.lists._settings import AS_IT_IS, COLUMNS, ListSettings, OptIn, Visibility
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import ContactId, ListId, WorkspaceId, public_id

NAME_LIMIT = 255
DESCRIPTION_LIMIT = 1000

_SELECT = f"""
SELECT l.id, l.name, l.description, {", ".join(f"l.{name}" for name in COLUMNS)}, l.created_at, l.updated_at,
       (SELECT count(*) FROM subscriptions AS b
        WHERE b.workspace_id = l.workspace_id AND b.list_id = l.id AND b.status = 'subscribed') AS contact_count
FROM lists AS l
"""  # noqa: S608 - our own column names

_TERMS = f"SELECT id, name, {', '.join(COLUMNS)} FROM lists"  # noqa: S608


class ListNotFound(NotFound):
    """There is no such list in this workspace."""

    code = "list_not_found"


class ListExists(Conflict):
    """Another list has this name."""

    code = "list_exists"


class ListInUse(Conflict):
    """Campaigns still need the list."""

    code = "list_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTerms:
    """A list as those see it who sign up: see ListSettings for what the fields mean, and what '' stands for."""

    id: ListId
    name: str
    opt_in: OptIn
    visibility: Visibility
    public_name: str
    public_description: str
    sender_email: str
    sender_name: str
    confirm_subject: str
    confirm_html: str
    confirm_text: str
    confirm_days: int

    @property
    def shown_name(self) -> str:
        """What the people on it call it."""
        return self.public_name or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class List(ListTerms):
    """A list. `contact_count`: those subscribed."""

    description: str
    created_at: datetime
    updated_at: datetime
    contact_count: int


async def create_list(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    description: str = "",
    settings: ListSettings = AS_IT_IS,
    by: Principal,
    now: datetime,
) -> List:
    """A new, empty list. Raises Invalid, and ListExists if the name is taken."""
    chosen = settings.chosen()
    number = await tx.fetchval(
        f"""INSERT INTO lists (workspace_id, name, description, created_at, updated_at{"".join(f", {c}" for c in chosen)})
            VALUES ($1, $2, $3, $4, $4{"".join(f", ${5 + i}" for i in range(len(chosen)))})
            ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id""",  # noqa: S608 - our own column names
        workspace,
        _checked("name", name, NAME_LIMIT, least=1),
        _checked("description", description, DESCRIPTION_LIMIT),
        now,
        *chosen.values(),
    )
    if number is None:
        raise _taken(name.strip())
    await audit(tx, by=by, action="list.created", subject=public_id("list", number), now=now)
    return await get_list(tx, workspace=workspace, list=ListId(number))


async def get_list(tx: Tx, *, workspace: WorkspaceId, list: ListId) -> List:  # noqa: A002 - it is one
    """The list. Raises ListNotFound."""
    row = await tx.fetchrow(f"{_SELECT} WHERE l.workspace_id = $1 AND l.id = $2", workspace, list)
    if row is None:
        raise _unknown(list)
    return List(**_values(row))


async def list_lists(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, offset: int = 0, limit: int
) -> list[List]:
    """A page of lists, newest first; `before` is the id to continue below."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE l.workspace_id = $1 AND l.id < $2 ORDER BY l.id DESC OFFSET $3 LIMIT $4",
        workspace,
        2**63 - 1 if before is None else before,
        offset,
        limit,
    )
    return [List(**_values(row)) for row in rows]


async def some_lists(tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId]) -> list[ListTerms]:
    """Those of `lists` that exist, in that order."""
    rows = await tx.fetch(f"{_TERMS} WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, lists)
    found = {ListId(row["id"]): ListTerms(**_values(row)) for row in rows}
    return [found[one] for one in dict.fromkeys(lists) if one in found]


async def public_lists(tx: Tx, *, workspace: WorkspaceId) -> list[ListTerms]:
    """The lists that everybody may see, by name."""
    rows = await tx.fetch(
        f"{_TERMS} WHERE workspace_id = $1 AND visibility = 'public' ORDER BY lower(coalesce(nullif(public_name, ''), name)), id"
        " LIMIT 500",
        workspace,
    )
    return [ListTerms(**_values(row)) for row in rows]


async def count_lists(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many lists there are."""
    return await tx.fetchval("SELECT count(*) FROM lists WHERE workspace_id = $1", workspace)


async def update_list(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002
    name: str | None = None,
    description: str | None = None,
    settings: ListSettings = AS_IT_IS,
    by: Principal,
    now: datetime,
) -> List:
    """Change what is given, leave what is None. Raises Invalid, ListNotFound, ListExists."""
    chosen = settings.chosen()
    try:
        async with tx.transaction():
            found = await tx.fetchval(
                f"""UPDATE lists SET name = coalesce($3, name), description = coalesce($4, description), updated_at = $5
                           {"".join(f", {c} = ${6 + i}" for i, c in enumerate(chosen))}
                    WHERE workspace_id = $1 AND id = $2 RETURNING id""",  # noqa: S608 - our own column names
                workspace,
                list,
                None if name is None else _checked("name", name, NAME_LIMIT, least=1),
                None if description is None else _checked("description", description, DESCRIPTION_LIMIT),
                now,
                *chosen.values(),
            )
    except asyncpg.UniqueViolationError:
        raise _taken(str(name).strip()) from None
    if found is None:
        raise _unknown(list)
    await audit(tx, by=by, action="list.updated", subject=public_id("list", list), now=now)
    return await get_list(tx, workspace=workspace, list=list)


async def delete_list(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002
    used_by: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> list[ContactId]:
    """Delete a list, not its contacts; returns who was subscribed, of a large list only some.

    It is gone at once; where many people are on it, their rows go in the background. They are announced to the send workers;
    the caller waits at `compliance.withdraw_barrier` afterwards. `used_by` names campaigns that still need the list. Raises
    ListNotFound, ListInUse.
    """
    if (
        await tx.fetchval("SELECT id FROM lists WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, list)
        is None
    ):
        raise _unknown(list)
    if used_by:
        raise ListInUse(f"{public_id('list', list)} is used by {', '.join(used_by)}: delete or change those first")
    await tx.execute("DELETE FROM lists WHERE workspace_id = $1 AND id = $2", workspace, list)
    await audit(tx, by=by, action="list.deleted", subject=public_id("list", list), now=now)
    return await begin_clearing(tx, workspace=workspace, list=list, now=now)


async def missing_lists(tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId]) -> set[ListId]:
    """Those of `lists` that do not exist here."""
    rows = await tx.fetch("SELECT id FROM lists WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, lists)
    return set(lists) - {ListId(row["id"]) for row in rows}


async def require_list(tx: Tx, *, workspace: WorkspaceId, list: ListId) -> None:  # noqa: A002
    """Raises ListNotFound unless the list exists, and keeps it in existence until the transaction ends."""
    if not await tx.fetchval(
        "SELECT true FROM lists WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE", workspace, list
    ):
        raise _unknown(list)


async def require_lists(tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId], field: str) -> None:
    """Raises Invalid naming each of `lists` that does not exist, as `field[position]`.

    Keeps the others in existence until the transaction ends, and whoever suppresses addresses on them waiting.
    """
    missing = set(lists)
    if lists:
        rows = await tx.fetch(
            "SELECT id FROM lists WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR KEY SHARE",
            workspace,
            lists,
        )
        missing -= {ListId(row["id"]) for row in rows}
    if missing:
        problems = tuple(
            FieldProblem(f"{field}[{position}]", f"there is no list {public_id('list', id_)}")
            for position, id_ in enumerate(lists)
            if id_ in missing
        )
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems)


def _values(row: asyncpg.Record) -> dict[str, Any]:
    return {**row, "opt_in": OptIn(row["opt_in"]), "visibility": Visibility(row["visibility"])}


def _unknown(number: ListId) -> ListNotFound:
    return ListNotFound(f"there is no list {public_id('list', number)}")


def _taken(name: str) -> ListExists:
    message = f"there is a list named {name!r} already"
    return ListExists(message, fields=(FieldProblem("name", message),))


def _checked(field: str, text: str, limit: int, *, least: int = 0) -> str:
    text = text.strip()
    if not least <= len(text) <= limit:
        raise Invalid.at(field, f"must have {least} to {limit} characters")
    return text
