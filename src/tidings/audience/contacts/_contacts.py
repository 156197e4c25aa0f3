"""Contacts: people, one per address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tidings.accounts import Principal, audit
from tidings.audience.addresses import address_hash, address_key
from tidings.audience.fields import ContactFields
from tidings.audience.gone import delete_people, survivor
from tidings.audience.leaving import announce_withdrawn
from tidings.audience.lists import require_lists
from tidings.audience.states import ContactStatus
from tidings.audience.tags import register_tags
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import ContactId, ListId, WorkspaceId, public_id

SELECT = """
SELECT c.id, c.email, c.first_name, c.last_name, c.phone, c.language, c.time_zone, c.tags, c.attributes, c.status,
       c.created_at, c.updated_at,
       ARRAY(SELECT b.list_id FROM subscriptions AS b
             WHERE b.workspace_id = c.workspace_id AND b.contact_id = c.id AND b.status <> 'unsubscribed'
               AND NOT EXISTS (SELECT FROM lists_gone AS g
                               WHERE g.workspace_id = b.workspace_id AND g.list_id = b.list_id)
             ORDER BY b.list_id) AS list_ids
FROM contacts AS c
"""

# Nobody who left, and no address that is suppressed, on that list or on all.
_PUT_ON_LISTS = """
INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at)
SELECT DISTINCT c.workspace_id, l.id, c.id, $4::timestamptz
FROM contacts AS c, unnest($3::bigint[]) AS l (id)
WHERE c.workspace_id = $1 AND c.id = $2 AND c.status < 'unsubscribed'
  AND NOT EXISTS (SELECT FROM list_suppressions AS s
                  WHERE s.workspace_id = $1 AND s.list_id = l.id AND s.address_hash = c.address_hash)
ON CONFLICT (workspace_id, list_id, contact_id) DO NOTHING
"""

_TEXTS = ("first_name", "last_name", "phone", "language", "time_zone")


class ContactNotFound(NotFound):
    """There is no such contact in this workspace."""

    code = "contact_not_found"


class ContactExists(Conflict):
    """Another contact has this address."""

    code = "contact_exists"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person. `list_ids` are the lists they are on (not those they left)."""

    id: ContactId
    email: str
    first_name: str
    last_name: str
    phone: str
    language: str
    time_zone: str
    tags: list[str]
    attributes: dict[str, Any]
    status: ContactStatus
    created_at: datetime
    updated_at: datetime
    list_ids: list[ListId]


def of_row(row: asyncpg.Record) -> Contact:
    """A contact from a row of `SELECT`."""
    values: dict[str, Any] = dict(row)
    values["status"] = ContactStatus(row["status"])
    return Contact(**values)


async def create_contact(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    fields: ContactFields,
    lists: Sequence[ListId] = (),
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> Contact:
    """A new contact, put on `lists`. An address that is suppressed stays so, and the contact's status says it.

    `fields` come from `clean_contact`. Raises Invalid, and ContactExists naming whoever has the address.
    """
    if fields.email is None:
        raise Invalid.at("email", "is required")
    await require_lists(tx, workspace=workspace, lists=lists, field="list_ids")
    contact = await insert_contact(
        tx,
        workspace=workspace,
        email=fields.email,
        texts=[getattr(fields, name) or "" for name in _TEXTS],
        tags=fields.tags or [],
        attributes={name: value for name, value in (fields.attributes or {}).items() if value is not None},
        keys=keys,
        now=now,
    )
    if contact is None:
        raise await _exists(tx, workspace, fields.email)
    await register_tags(tx, workspace=workspace, names=fields.tags or (), now=now)
    if lists:
        await tx.execute(_PUT_ON_LISTS, workspace, contact, lists, now)
    await audit(tx, by=by, action="contact.created", subject=public_id("contact", contact), now=now)
    return await get_contact(tx, workspace=workspace, contact=contact)


async def insert_contact(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str,
    texts: Sequence[str],
    tags: Sequence[str],
    attributes: Mapping[str, Any],
    keys: Keyring,
    now: datetime,
) -> ContactId | None:
    """The row of a new contact, whose status is what a suppression of the address says; None if the address is taken.

    `texts`: first name, last name, phone, language, time zone.
    """
    hashed = address_hash(address_key(keys), email)
    number = await tx.fetchval(
        sql(__package__, "_create"), workspace, email, hashed, *texts, list(tags), dict(attributes), now
    )
    return None if number is None else ContactId(number)


async def get_contact(tx: Tx, *, workspace: WorkspaceId, contact: ContactId) -> Contact:
    """The contact. Raises ContactNotFound."""
    row = await tx.fetchrow(f"{SELECT} WHERE c.workspace_id = $1 AND c.id = $2", workspace, contact)
    if row is None:
        raise await unknown(tx, workspace, contact)
    return of_row(row)


async def find_contact(tx: Tx, *, workspace: WorkspaceId, email: str) -> Contact:
    """The contact with this normalised address. Raises ContactNotFound."""
    row = await tx.fetchrow(f"{SELECT} WHERE c.workspace_id = $1 AND c.email = $2", workspace, email)
    if row is None:
        raise ContactNotFound(f"there is no contact with the address {email}")
    return of_row(row)


async def update_contact(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    fields: ContactFields,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> tuple[Contact, bool]:
    """Change what is told; attributes are merged by name, and null takes one away (RFC 7396).

    The second value is True when the address changed: then the caller waits at `compliance.withdraw_barrier` after the
    commit. Whoever left or complained stays out under the new address too. Raises ContactNotFound, ContactExists.
    """
    old = await tx.fetchrow(
        "SELECT * FROM contacts WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE", workspace, contact
    )
    if old is None:
        raise await unknown(tx, workspace, contact)
    email = fields.email or old["email"]
    moved = email != old["email"]
    attributes = old["attributes"]
    if fields.attributes is not None:
        attributes = {k: v for k, v in {**attributes, **fields.attributes}.items() if v is not None}
    try:
        async with tx.transaction():
            await tx.execute(
                sql(__package__, "_update"),
                workspace,
                contact,
                email,
                address_hash(address_key(keys), email),
                *(old[name] if getattr(fields, name) is None else getattr(fields, name) for name in _TEXTS),
                old["tags"] if fields.tags is None else fields.tags,
                attributes,
                now,
            )
    except asyncpg.UniqueViolationError:
        raise await _exists(tx, workspace, email) from None
    await register_tags(tx, workspace=workspace, names=fields.tags or (), now=now)
    if moved:
        await tx.execute(sql(__package__, "_move"), workspace, contact, now)
        await announce_withdrawn(tx, workspace=workspace, contacts=[contact])
    if changed := _changed(old, fields, attributes):
        # Names alone: what is erased must not live on in the trail.
        detail = {"changed": changed} | ({"address_changed": True} if moved else {})
        await audit(tx, by=by, action="contact.updated", subject=public_id("contact", contact), detail=detail, now=now)
    return await get_contact(tx, workspace=workspace, contact=contact), moved


def _changed(old: asyncpg.Record, fields: ContactFields, attributes: Mapping[str, Any]) -> list[str]:
    """The names of what changes: `first_name`, `attributes.plan` …"""
    names = [
        name
        for name in ("email", *_TEXTS, "tags")
        if (value := getattr(fields, name)) is not None and value != old[name]
    ]
    was = old["attributes"]
    both = [(name, was.get(name), attributes.get(name)) for name in sorted({*was, *attributes})]
    return names + [f"attributes.{name}" for name, a, b in both if (type(a), a) != (type(b), b)]  # 1 == True in Python


async def put_contact(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    fields: ContactFields,
    lists: Sequence[ListId] = (),
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> tuple[Contact, bool]:
    """The contact with this address, made if there is none; the second value says whether it was.

    Of one who is there already what is told changes, as with `update_contact`, and the lists are added to those they are
    on. Whoever left stays out. Raises Invalid.
    """
    if fields.email is None:
        raise Invalid.at("email", "is required")
    # Lists before people, as whoever suppresses addresses on a list locks them.
    await require_lists(tx, workspace=workspace, lists=lists, field="list_ids")
    find = "SELECT id FROM contacts WHERE workspace_id = $1 AND email = $2 FOR NO KEY UPDATE"
    found = await tx.fetchval(find, workspace, fields.email)
    if found is None:
        try:
            made = await create_contact(tx, workspace=workspace, fields=fields, lists=lists, keys=keys, by=by, now=now)
            return made, True
        except ContactExists:  # someone else made them in this moment
            found = await tx.fetchval(find, workspace, fields.email)
            if found is None:
                raise
    contact = ContactId(found)
    if lists:
        await tx.execute(_PUT_ON_LISTS, workspace, contact, lists, now)
    changed, _ = await update_contact(
        tx, workspace=workspace, contact=contact, fields=fields, keys=keys, by=by, now=now
    )
    return changed, False


async def delete_contact(tx: Tx, *, workspace: WorkspaceId, contact: ContactId, by: Principal, now: datetime) -> None:
    """Delete a contact; a suppression of the address stays, also from lists that they left.

    The caller waits at `compliance.withdraw_barrier` afterwards.

    Raises ContactNotFound.
    """
    if not await delete_people(tx, workspace=workspace, contacts=[contact], now=now):
        raise await unknown(tx, workspace, contact)
    await announce_withdrawn(tx, workspace=workspace, contacts=[contact])
    await audit(tx, by=by, action="contact.deleted", subject=public_id("contact", contact), now=now)


async def unknown(tx: Tx, workspace: WorkspaceId, contact: ContactId) -> ContactNotFound:
    """What to raise for an id that no contact has: it says so if they were merged into another."""
    now_known_as = (await survivor(tx, workspace=workspace, contacts=[contact])).get(contact)
    merged = "" if now_known_as is None else f": it was merged into {public_id('contact', now_known_as)}"
    return ContactNotFound(f"there is no contact {public_id('contact', contact)}{merged}")


async def _exists(tx: Tx, workspace: WorkspaceId, email: str) -> ContactExists:
    number = await tx.fetchval("SELECT id FROM contacts WHERE workspace_id = $1 AND email = $2", workspace, email)
    holder = "another contact" if number is None else public_id("contact", number)
    problem = Invalid.at("email", f"belongs to {holder}; update that contact instead")
    return ContactExists(f"{holder} has the address {email}", fields=problem.fields)
