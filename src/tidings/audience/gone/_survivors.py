"""Who was merged into whom: mails that went to the merged one still carry their old id."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId
from tidings.events import Event

LOCK = """
SELECT FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""


async def survivor(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> dict[ContactId, ContactId]:
    """For those of `contacts` that were merged into others: whom they are now. Never a chain: one look says it."""
    rows = await tx.fetch(
        "SELECT merged_id, into_id FROM contact_merges WHERE workspace_id = $1 AND merged_id = ANY ($2::bigint[])",
        workspace,
        contacts,
    )
    return {ContactId(row["merged_id"]): ContactId(row["into_id"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Merged:
    """A contact that is no more: who they are now, and the address that they had."""

    contact: ContactId
    into: ContactId
    email: str
    at: datetime


async def merged_contact(
    tx: Tx, *, workspace: WorkspaceId, contact: ContactId | None = None, email: str | None = None
) -> Merged | None:
    """Who was merged under this id, or last under this normalised address; None if nobody was."""
    row = await tx.fetchrow(
        """SELECT merged_id AS contact, into_id AS into, email, at FROM contact_merges
           WHERE workspace_id = $1 AND ($2::bigint IS NULL OR merged_id = $2) AND ($3::text IS NULL OR email = $3)
           ORDER BY at DESC LIMIT 1""",
        workspace,
        contact,
        email,
    )
    return None if row is None else Merged(**row)


async def told_of_survivors(tx: Tx, *, batches: Sequence[tuple[int, Sequence[Event]]]) -> list[tuple[int, list[Event]]]:
    """Facts that links in mails told, of any workspaces: those of merged contacts happened to whoever they are now, and of
    those who were deleted only the fact is kept."""
    told = {(event.workspace, event.contact) for _, batch in batches for event in batch if event.contact is not None}
    rows = await tx.fetch(
        """SELECT t.workspace_id, t.contact_id, m.into_id
           FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, contact_id)
           LEFT JOIN contact_merges AS m ON m.workspace_id = t.workspace_id AND m.merged_id = t.contact_id
           WHERE NOT EXISTS (SELECT FROM contacts AS c WHERE c.workspace_id = t.workspace_id AND c.id = t.contact_id)""",
        [workspace for workspace, _ in told],
        [contact for _, contact in told],
    )
    if not rows:
        return [(number, list(batch)) for number, batch in batches]
    into = {(row["workspace_id"], row["contact_id"]): row["into_id"] for row in rows}
    return [
        (number, [replace(e, contact=into.get((e.workspace, e.contact), e.contact)) for e in batch])
        for number, batch in batches
    ]


async def lock_survivors(
    tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]
) -> dict[ContactId, ContactId]:
    """Lock these people until the transaction ends, and say whom each of `contacts` is now: mostly themselves.

    A merge that is under way is waited for, and then followed: nobody's wish is lost between two ids.
    """
    now = {contact: contact for contact in contacts}
    fresh = set(contacts)
    while fresh:
        await tx.execute(LOCK, workspace, list(fresh))
        merged = await survivor(tx, workspace=workspace, contacts=list(fresh))
        now = {contact: merged.get(person, person) for contact, person in now.items()}
        fresh = set(merged.values())
    return now
