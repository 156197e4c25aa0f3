"""Doing the same to many contacts at once: all of them, or none."""

from collections.abc import Sequence
from datetime import datetime

from tidings.accounts import Principal, audit_each
from tidings.audience.fields import ContactFields
from tidings.audience.gone import delete_people
from tidings.audience.leaving import announce_withdrawn
from tidings.audience.tags import register_tags
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ContactId, WorkspaceId, public_id


async def update_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contacts: Sequence[ContactId],
    fields: ContactFields,
    by: Principal,
    now: datetime,
) -> int:
    """Say the same of many contacts; returns of how many it changed anything. Attributes merge, null takes one away.

    `fields` come from `clean_contact`, without an address. Raises Invalid naming contacts that do not exist.
    """
    if fields.email is not None:
        raise Invalid.at("email", "cannot be the same for many contacts")
    attributes = fields.attributes or {}
    rows = await tx.fetch(
        sql(__package__, "_update_contacts"),
        workspace,
        list(contacts),
        fields.first_name,
        fields.last_name,
        fields.phone,
        fields.language,
        fields.time_zone,
        fields.tags,
        {name: value for name, value in attributes.items() if value is not None},
        [name for name, value in attributes.items() if value is None],
        now,
    )
    _require_all(contacts, {row["id"] for row in rows})
    await register_tags(tx, workspace=workspace, names=fields.tags or (), now=now)
    changed = [public_id("contact", row["id"]) for row in rows if row["changed"]]
    texts = ("first_name", "last_name", "phone", "language", "time_zone", "tags")
    told = [name for name in texts if getattr(fields, name) is not None] + [
        f"attributes.{n}" for n in sorted(attributes)
    ]
    await audit_each(tx, by=by, action="contact.updated", subjects=changed, detail={"changed": told}, now=now)
    return len(changed)


async def delete_contacts(
    tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId], by: Principal, now: datetime
) -> None:
    """Delete many contacts; suppressions of their addresses stay, also from lists that they left.

    The caller waits at `compliance.withdraw_barrier` afterwards.

    Raises Invalid naming contacts that do not exist.
    """
    gone = await delete_people(tx, workspace=workspace, contacts=contacts, now=now)
    _require_all(contacts, set(gone))
    await announce_withdrawn(tx, workspace=workspace, contacts=gone)
    subjects = [public_id("contact", contact) for contact in gone]
    await audit_each(tx, by=by, action="contact.deleted", subjects=subjects, now=now)


def _require_all(contacts: Sequence[ContactId], found: set[int]) -> None:
    problems = tuple(
        FieldProblem(f"contact_ids[{position}]", f"there is no contact {public_id('contact', contact)}")
        for position, contact in enumerate(contacts)
        if contact not in found
    )
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems[:100])
