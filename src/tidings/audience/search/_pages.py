"""Leafing through contacts, newest first: by page near the beginning, by the last id seen at any depth."""

from collections.abc import Sequence
from typing import Any

from tidings.audience.contacts import SELECT, Contact, of_row
from tidings.audience.states import ContactStatus, SubscriptionStatus
from tidings.core.db import Tx
from tidings.core.ids import ListId, WorkspaceId

_HIGHEST = 2**63 - 1


async def list_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str | None = None,
    status: ContactStatus | None = None,
    before: int | None = None,
    offset: int = 0,
    limit: int,
) -> list[Contact]:
    """A page of the workspace's contacts; `email` is a normalised address, `before` the id to continue below."""
    where, values = _filters(workspace, email, status)
    values += [_HIGHEST if before is None else before, offset, limit]
    at = len(values)
    rows = await tx.fetch(
        f"{SELECT} WHERE {where} AND c.id < ${at - 2} ORDER BY c.id DESC OFFSET ${at - 1} LIMIT ${at}", *values
    )
    return [of_row(row) for row in rows]


async def count_contacts(
    tx: Tx, *, workspace: WorkspaceId, email: str | None = None, status: ContactStatus | None = None
) -> int:
    """How many contacts `list_contacts` has in all."""
    where, values = _filters(workspace, email, status)
    return await tx.fetchval(f"SELECT count(*) FROM contacts AS c WHERE {where}", *values)  # noqa: S608 - our own words


def members_sql(*, status: bool) -> str:
    """The page of a list's contacts: $1 workspace, $2 list, $3 below this id, $4 offset, $5 limit, $6 subscription status.

    The page is cut from the subscriptions' primary key before any contact is read.
    """
    only = "AND m.status = $6" if status else ""
    return f"""
        {SELECT}
        JOIN (SELECT m.contact_id
              FROM subscriptions AS m
              WHERE m.workspace_id = $1 AND m.list_id = $2 AND m.contact_id < $3 {only}
              ORDER BY m.contact_id DESC
              OFFSET $4 LIMIT $5) AS page ON c.workspace_id = $1 AND c.id = page.contact_id
        ORDER BY c.id DESC
    """  # noqa: S608 - our own words


async def list_members(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002 - it is one
    status: SubscriptionStatus | None = SubscriptionStatus.SUBSCRIBED,
    before: int | None = None,
    offset: int = 0,
    limit: int,
) -> Sequence[Contact]:
    """A page of the contacts of a list with this subscription status (None: all, also those who left)."""
    values: Sequence[Any] = [workspace, list, _HIGHEST if before is None else before, offset, limit]
    rows = await tx.fetch(members_sql(status=status is not None), *values, *([] if status is None else [status]))
    return [of_row(row) for row in rows]


async def count_members(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId,  # noqa: A002
    status: SubscriptionStatus | None = SubscriptionStatus.SUBSCRIBED,
) -> int:
    """How many contacts `list_members` has in all."""
    only = "" if status is None else "AND status = $3"
    return await tx.fetchval(
        f"SELECT count(*) FROM subscriptions WHERE workspace_id = $1 AND list_id = $2 {only}",  # noqa: S608 - our own words
        workspace,
        list,
        *([] if status is None else [status]),
    )


def _filters(workspace: WorkspaceId, email: str | None, status: ContactStatus | None) -> tuple[str, list[Any]]:
    where = "c.workspace_id = $1"
    values: list[Any] = [workspace]
    for column, value in (("email", email), ("status", status)):
        if value is not None:
            values.append(value)
            where += f" AND c.{column} = ${len(values)}"
    return where, values
