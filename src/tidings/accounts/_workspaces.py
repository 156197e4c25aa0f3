"""Workspaces: one tenant each."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import asyncpg

from tidings.accounts._audit import audit
from tidings.accounts._principal import Principal
from tidings.core.db import Tx
from tidings.core.errors import Invalid, NotFound
from tidings.core.ids import WorkspaceId, public_id

_Share = TypeVar("_Share", int, float)

NAME_LIMIT = 255
ADDRESS_LIMIT = 1000


class WorkspaceNotFound(NotFound):
    """There is no such workspace."""

    code = "workspace_not_found"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant. `postal_address` goes into every commercial message (CAN-SPAM, 16 CFR 316.2(p)).

    `sender_email` and `sender_name`: whom what belongs to no campaign comes from, such as confirmations; '' if nobody was named.
    A campaign pauses if more than `pause_failed_percent` of its attempts fail or `pause_bounced_percent` bounce, or if more than
    `pause_complained_percent` (with two decimals) of those it went to complain; 0: never.
    An address dies of `soft_bounce_limit` soft bounces, over `soft_bounce_days` or more, with nothing delivered between; 0: never.
    """

    id: WorkspaceId
    name: str
    postal_address: str
    created_at: datetime
    sender_email: str = ""
    sender_name: str = ""
    pause_failed_percent: int = 20
    pause_bounced_percent: int = 8
    pause_complained_percent: float = 0.3
    soft_bounce_limit: int = 5
    soft_bounce_days: int = 7


async def create_workspace(tx: Tx, *, name: str, postal_address: str, now: datetime) -> WorkspaceId:
    """A new, empty workspace. Raises Invalid for a blank or too long name."""
    return WorkspaceId(
        await tx.fetchval(
            "INSERT INTO workspaces (name, postal_address, created_at) VALUES ($1, $2, $3) RETURNING id",
            _name(name),
            _address(postal_address),
            now,
        )
    )


async def get_workspace(tx: Tx, *, workspace: WorkspaceId) -> Workspace:
    """The workspace. Raises WorkspaceNotFound."""
    return _workspace(await tx.fetchrow("SELECT * FROM workspaces WHERE id = $1", workspace))


async def all_workspaces(tx: Tx) -> list[Workspace]:
    """Every workspace of the installation, oldest first: for its operator, never for a tenant."""
    return [_workspace(row) for row in await tx.fetch("SELECT * FROM workspaces ORDER BY id")]


async def update_workspace(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str | None = None,
    postal_address: str | None = None,
    sender_email: str | None = None,
    sender_name: str | None = None,
    pause_failed_percent: int | None = None,
    pause_bounced_percent: int | None = None,
    pause_complained_percent: float | None = None,
    soft_bounce_limit: int | None = None,
    soft_bounce_days: int | None = None,
    by: Principal,
    now: datetime,
) -> Workspace:
    """Change what is given, leave what is None; `sender_email` is a normalised address or ''. Raises Invalid, WorkspaceNotFound."""
    row = await tx.fetchrow(
        """UPDATE workspaces SET name = coalesce($2, name), postal_address = coalesce($3, postal_address),
                  sender_email = coalesce($4, sender_email), sender_name = coalesce($5, sender_name),
                  pause_failed_percent = coalesce($6, pause_failed_percent),
                  pause_bounced_percent = coalesce($7, pause_bounced_percent),
                  soft_bounce_limit = coalesce($8, soft_bounce_limit), soft_bounce_days = coalesce($9, soft_bounce_days),
                  pause_complained_percent = coalesce($10, pause_complained_percent)
           WHERE id = $1 RETURNING *""",
        workspace,
        None if name is None else _name(name),
        None if postal_address is None else _address(postal_address),
        sender_email,
        None if sender_name is None else sender_name.strip()[:NAME_LIMIT],
        None if pause_failed_percent is None else _percent("pause_failed_percent", pause_failed_percent),
        None if pause_bounced_percent is None else _percent("pause_bounced_percent", pause_bounced_percent),
        None if soft_bounce_limit is None else _at_most("soft_bounce_limit", soft_bounce_limit, 100),
        None if soft_bounce_days is None else _at_most("soft_bounce_days", soft_bounce_days, 365),
        None
        if pause_complained_percent is None
        else Decimal(str(round(_percent("pause_complained_percent", pause_complained_percent), 2))),
    )
    changed = _workspace(row)
    await audit(tx, by=by, action="workspace.updated", subject=public_id("workspace", workspace), now=now)
    return changed


def _workspace(row: asyncpg.Record | None) -> Workspace:
    if row is None:
        raise WorkspaceNotFound("there is no such workspace")
    return Workspace(
        WorkspaceId(row["id"]),
        row["name"],
        row["postal_address"],
        row["created_at"],
        row["sender_email"],
        row["sender_name"],
        row["pause_failed_percent"],
        row["pause_bounced_percent"],
        float(row["pause_complained_percent"]),
        row["soft_bounce_limit"],
        row["soft_bounce_days"],
    )


def _name(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= NAME_LIMIT:
        raise Invalid.at("name", f"must have 1 to {NAME_LIMIT} characters")
    return text


def _percent(field: str, share: _Share) -> _Share:
    if not 0 <= share <= 100:
        raise Invalid.at(field, "must be between 0 (never) and 100")
    return share


def _at_most(field: str, number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise Invalid.at(field, f"must be between 0 and {most}")
    return number


def _address(text: str) -> str:
    text = text.strip()
    if len(text) > ADDRESS_LIMIT:
        raise Invalid.at("postal_address", f"must have at most {ADDRESS_LIMIT} characters")
    return text
