"""The audit trail: who did what to what. Written in the deed's transaction: neither exists without the other."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidings.accounts._principal import Principal
from tidings.core.db import Tx


async def audit(
    tx: Tx,
    *,
    by: Principal,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Note that `by` did `action` (`contact.deleted`) to `subject` (a public id). Put nothing secret in `detail`."""
    await tx.execute(
        "INSERT INTO audit_entries (workspace_id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        by.workspace,
        now,
        by.actor,
        action,
        subject,
        dict(detail or {}),
    )


async def audit_each(
    tx: Tx,
    *,
    by: Principal,
    action: str,
    subjects: Sequence[str],
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """As `audit`, for one deed that was done to many things: an entry each, in one statement."""
    await tx.execute(
        """INSERT INTO audit_entries (workspace_id, at, actor, action, subject, detail)
           SELECT $1, $2, $3, $4, subject, $6 FROM unnest($5::text[]) AS s (subject)""",
        by.workspace,
        now,
        by.actor,
        action,
        subjects,
        dict(detail or {}),
    )


async def audit_all(
    tx: Tx,
    *,
    deeds: Sequence[tuple[Principal, str]],
    action: str,
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """As `audit`, for the same deed done by many, in whatever workspaces: (by, subject) each, in one statement."""
    await tx.execute(
        """INSERT INTO audit_entries (workspace_id, at, actor, action, subject, detail)
           SELECT workspace_id, $4, actor, $5, subject, $6
           FROM unnest($1::bigint[], $2::text[], $3::text[]) AS d (workspace_id, actor, subject)""",
        [by.workspace for by, _ in deeds],
        [by.actor for by, _ in deeds],
        [subject for _, subject in deeds],
        now,
        action,
        dict(detail or {}),
    )
