"""Two contacts are one person: everything that is known of one goes over to the other, and the one is gone."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from tidings import events
from tidings.accounts import Principal, audit
from tidings.audience.addresses import address_hash, address_key
from tidings.audience.contacts import Contact, get_contact, unknown
from tidings.audience.gone import note_gone, survivor
from tidings.audience.leaving import announce_withdrawn
from tidings.audience.lock_order import lock_lists_of
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, WorkspaceId, public_id

_TEXTS = ("first_name", "last_name", "phone", "language", "time_zone")


class Side(StrEnum):
    """One of the two of a merge."""

    INTO = "into"
    """The one who stays."""
    FROM = "from"
    """The one who is merged, and is gone afterwards."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two contacts that are there, locked until the transaction ends."""

    into: asyncpg.Record
    merged: asyncpg.Record


async def lock_pair(tx: Tx, *, workspace: WorkspaceId, into: ContactId, merged: ContactId) -> Pair | None:
    """The two of a merge; None if it was done already.

    Raises ContactNotFound if `into` is not there, and Invalid, naming `from`, if there is nobody to merge.
    """
    await lock_lists_of(tx, workspace=workspace, contacts=[into, merged])
    rows = await tx.fetch(
        "SELECT * FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR UPDATE",
        workspace,
        [into, merged],
    )
    found = {row["id"]: row for row in rows}
    if into not in found:
        raise await unknown(tx, workspace, into)
    if into == merged:
        raise Invalid.at("from", "is the same contact")
    if merged in found:
        return Pair(found[into], found[merged])
    if (await survivor(tx, workspace=workspace, contacts=[merged])).get(merged) == into:
        return None
    raise Invalid.at("from", (await unknown(tx, workspace, merged)).message)


async def merge_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    pair: Pair,
    prefer: Side = Side.INTO,
    address: Side = Side.INTO,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> Contact:
    """Make one contact of the two, and delete the merged one. Call it through `compliance.merge_contacts`.

    Where both say something, `prefer` says whose counts; gaps are filled from the other. Tags and lists are united, and
    what happened to either happened to the one who stays. Whoever left or complained, as either of the two, has left as both;
    a bounce stays with its address.
    """
    into, merged = pair.into, pair.merged
    ids = [ContactId(into["id"]), ContactId(merged["id"])]
    first, second = (into, merged) if prefer is Side.INTO else (merged, into)
    kept = into if address is Side.INTO else merged
    key = address_key(keys)
    hashes = [address_hash(key, into["email"]), address_hash(key, merged["email"])]
    await tx.execute(sql(__package__, "_suppressions"), workspace, ids, hashes, now)
    await tx.execute(sql(__package__, "_subscriptions"), workspace, *ids, now)
    await tx.execute("UPDATE consents SET contact_id = $2 WHERE workspace_id = $1 AND contact_id = $3", workspace, *ids)
    await tx.execute(
        "UPDATE custom_events SET contact_id = $2 WHERE workspace_id = $1 AND contact_id = $3", workspace, *ids
    )
    await events.hand_over(tx, workspace=workspace, contact=ids[1], into=ids[0])
    await tx.execute("DELETE FROM contacts WHERE workspace_id = $1 AND id = $2", workspace, ids[1])
    await note_gone(tx, workspace=workspace, contacts=ids[1:])
    await tx.execute(
        sql(__package__, "_contact"),
        workspace,
        ids[0],
        kept["email"],
        address_hash(key, kept["email"]),
        *(first[name] or second[name] for name in _TEXTS),
        [*first["tags"], *(tag for tag in second["tags"] if tag not in first["tags"])],
        _united(first["attributes"], second["attributes"]),
        into["status"],
        merged["status"],
        kept["status"],
        min(into["created_at"], merged["created_at"]),
        now,
    )
    await tx.execute(sql(__package__, "_recorded"), workspace, *ids, merged["email"], now)
    await announce_withdrawn(tx, workspace=workspace, contacts=ids)
    detail = {"from": public_id("contact", ids[1]), "prefer": prefer, "address": address}
    await audit(tx, by=by, action="contact.merged", subject=public_id("contact", ids[0]), detail=detail, now=now)
    return await get_contact(tx, workspace=workspace, contact=ids[0])


def _united(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in first.items() if value not in (None, "")}
    return {**first, **second, **said}
