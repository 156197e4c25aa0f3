"""Custom events: what contacts do elsewhere, told by the workspace's own programs, each kept once."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tidings.audience.addresses import address_hash, address_key, normalise_email
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ContactId, WorkspaceId, parse_id, public_id

BATCH_LIMIT = 1000
PROPERTIES_LIMIT = 16 * 1024
"""Bytes of an event's properties as JSON."""

NAME_LIMIT = 100
KEY_LIMIT = 200
AHEAD = timedelta(minutes=10)
"""How far an event may lie in the future: clocks differ, and nothing else makes it right."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_PROPERTIES_COUNT = 100
_PROPERTY_LIMIT = 100
_NESTING_LIMIT = 5
_SHARDS = 16
_NAMES_SHOWN = 1000
_HIGHEST = 2**63 - 1
_FIELDS = frozenset({"id", "contact_id", "email", "name", "at", "properties", "create_contact"})


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """One thing that a contact did. `key` is the caller's own id of it, if there was one."""

    id: int
    contact: ContactId
    name: str
    at: datetime
    properties: dict[str, Any]
    key: str | None


@dataclass(frozen=True, slots=True)
class EventName:
    """A name that events were told under: how often ever, and which properties of which JSON types came with it."""

    name: str
    total: int
    first_at: datetime
    last_at: datetime
    properties: dict[str, list[str]]


@dataclass(slots=True)
class Told:
    """What became of one event: `problems` say why it was refused; else `id`, and whether it was there already."""

    id: int | None = None
    contact: ContactId | None = None
    duplicate: bool = False
    problems: list[FieldProblem] = field(default_factory=list)


@dataclass(slots=True)
class _Clean:
    position: int
    path: str
    name: str = ""
    key: str | None = None
    contact: int | None = None
    email: str | None = None
    create: bool = False
    at: datetime | None = None
    properties: str = "{}"
    whose: ContactId | None = None


async def tell_events(
    tx: Tx, *, workspace: WorkspaceId, events: Sequence[Any], paths: Sequence[str], keys: Keyring, now: datetime
) -> list[Told]:
    """Keep events as they were told over the API; what became of each, in order. Those at fault change nothing.

    An event is an object of `contact_id` or `email`, `name`, and if wanted `id`, `at`, `properties`, `create_contact`. An
    `id` told before is kept once: the same event is a duplicate, another under the same `id` is refused. `paths` are put
    before the names of fields in problems. A few statements for the whole batch.
    """
    told = [Told() for _ in events]
    clean = [
        one
        for position, event in enumerate(events)
        if (one := _clean(event, position, paths[position], told[position].problems, now)) is not None
    ]
    clean = await _resolved(tx, workspace, clean, told, keys, now)
    firsts: dict[str, _Clean] = {}
    repeated: list[_Clean] = []
    once: list[_Clean] = []
    for one in clean:
        told[one.position].contact = one.whose
        if one.key is not None and firsts.setdefault(one.key, one) is not one:
            repeated.append(one)
        else:
            once.append(one)
    rows = await tx.fetch(
        sql(__package__, "_tell"),
        workspace,
        *_columns(once, now),
        random.randrange(_SHARDS),  # noqa: S311 - no secret
    )
    for row in rows:
        told[row["position"]].id = row["id"]
    known = repeated + [one for one in once if told[one.position].id is None]
    if known:
        await _compare(tx, workspace, known, told)
    return told


async def list_events(
    tx: Tx, *, workspace: WorkspaceId, contact: ContactId, before: int | None = None, offset: int = 0, limit: int
) -> list[CustomEvent]:
    """A page of a contact's events, the latest first; `before` is the id to continue after."""
    rows = await tx.fetch(
        f"""SELECT id, contact_id AS contact, name, at, properties, key FROM custom_events
            WHERE workspace_id = $1 AND contact_id = $2
            {
            "AND (at, id) < (SELECT e.at, e.id FROM custom_events AS e WHERE e.workspace_id = $1 AND e.id = $5)"
            if before is not None
            else ""
        }
            ORDER BY at DESC, id DESC OFFSET $3 LIMIT $4""",  # noqa: S608 - our own words
        workspace,
        contact,
        offset,
        limit,
        *([] if before is None else [before]),
    )
    return [CustomEvent(**row) for row in rows]


async def count_events(tx: Tx, *, workspace: WorkspaceId, contact: ContactId) -> int:
    """How many events a contact has."""
    return await tx.fetchval(
        "SELECT count(*) FROM custom_events WHERE workspace_id = $1 AND contact_id = $2", workspace, contact
    )


async def event_names(tx: Tx, *, workspace: WorkspaceId) -> list[EventName]:
    """The names that events were told under, the first thousand in order, for whoever builds segments."""
    rows = await tx.fetch(
        """SELECT n.name, n.total, n.first_at, n.last_at,
                  coalesce((SELECT jsonb_object_agg(p.property, p.types)
                            FROM (SELECT property, jsonb_agg(type ORDER BY type) AS types FROM custom_event_properties
                                  WHERE workspace_id = $1 AND name = n.name GROUP BY property
                                  ORDER BY property LIMIT 1000) AS p), '{}') AS properties
           FROM (SELECT name, sum(total)::bigint AS total, min(first_at) AS first_at, max(last_at) AS last_at
                 FROM custom_event_names WHERE workspace_id = $1 GROUP BY name ORDER BY name LIMIT $2) AS n
           ORDER BY n.name""",
        workspace,
        _NAMES_SHOWN,
    )
    return [EventName(**row) for row in rows]


async def _resolved(
    tx: Tx, workspace: WorkspaceId, clean: list[_Clean], told: list[Told], keys: Keyring, now: datetime
) -> list[_Clean]:
    """Those whose contact is known, or was made as they asked."""
    await _find(tx, workspace, clean)
    if new := sorted({one.email for one in clean if one.whose is None and one.create and one.email is not None}):
        key = address_key(keys)
        await tx.execute(sql(__package__, "_create"), workspace, new, [address_hash(key, email) for email in new], now)
        await _find(tx, workspace, [one for one in clean if one.whose is None])
    for one in clean:
        if one.whose is None and one.contact is not None:
            message = f"there is no contact {public_id('contact', one.contact)}"
            told[one.position].problems.append(FieldProblem(f"{one.path}contact_id", message))
        elif one.whose is None:
            message = f"there is no contact {one.email}; send create_contact: true to make one"
            told[one.position].problems.append(FieldProblem(f"{one.path}email", message))
    return [one for one in clean if one.whose is not None]


async def _find(tx: Tx, workspace: WorkspaceId, clean: list[_Clean]) -> None:
    ids = {one.contact for one in clean if one.contact is not None}
    emails = {one.email for one in clean if one.email is not None}
    if not ids and not emails:
        return
    rows = await tx.fetch(sql(__package__, "_resolve"), workspace, list(ids), list(emails))
    by_id = {row["told_id"]: ContactId(row["id"]) for row in rows if row["told_id"] is not None}
    by_email = {row["told_email"]: ContactId(row["id"]) for row in rows if row["told_email"] is not None}
    for one in clean:
        one.whose = by_id.get(one.contact) if one.contact is not None else by_email.get(one.email)


async def _compare(tx: Tx, workspace: WorkspaceId, known: list[_Clean], told: list[Told]) -> None:
    """Say of each whether it is the event that its key stands for."""
    for row in await tx.fetch(sql(__package__, "_again"), workspace, *_columns(known, None)):
        one = told[row["position"]]
        if row["same"]:
            one.id, one.duplicate = row["id"], True
    for one in known:
        if not told[one.position].duplicate:
            message = "was told before, for another event: same name, contact, time and properties, or a new id"
            told[one.position].problems.append(FieldProblem(f"{one.path}id", message))


def _columns(events: list[_Clean], now: datetime | None) -> tuple[list[Any], ...]:
    return (
        [one.position for one in events],
        [one.key for one in events],
        [one.whose for one in events],
        [one.name for one in events],
        [one.at or now for one in events],
        [one.properties for one in events],
    )


def _clean(event: Any, position: int, path: str, problems: list[FieldProblem], now: datetime) -> _Clean | None:
    """The event checked; None, with `problems`, if anything is wrong with it."""
    if not isinstance(event, dict):
        problems.append(
            FieldProblem(path.rstrip(".") or "body", "must be an object with a contact_id or email, and a name")
        )
        return None
    one = _Clean(position, path)

    def wrong(name: str, message: str) -> None:
        problems.append(FieldProblem(f"{path}{name}", message))

    for name in event:
        if name not in _FIELDS:
            wrong(
                name,
                f"is not a field of an event; put it into properties, or check its spelling: {', '.join(sorted(_FIELDS))}",
            )
    one.name = _line(event.get("name"), "name", NAME_LIMIT, wrong)
    if event.get("id") is not None:
        one.key = _line(event["id"], "id", KEY_LIMIT, wrong)
    create = event.get("create_contact", False)
    if not isinstance(create, bool):
        wrong("create_contact", "must be true or false")
    one.create = create is True
    _whose(event, one, wrong)
    _when(event.get("at"), one, wrong, now)
    if event.get("properties") is not None:
        one.properties = _properties(event["properties"], wrong)
    return None if problems else one


def _line(value: Any, name: str, limit: int, wrong: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= limit or not text.isprintable():
        wrong(name, "is required" if value is None else f"must be text of 1 to {limit} printable characters")
    return text


def _whose(event: Mapping[str, Any], one: _Clean, wrong: Any) -> None:
    contact, email = event.get("contact_id"), event.get("email")
    if (contact is None) == (email is None):
        wrong("contact_id", "tell either contact_id or email" if contact is None else "leave out contact_id or email")
    elif contact is not None:
        try:
            one.contact = parse_id("contact", contact if isinstance(contact, str) else str(contact), field="contact_id")
        except Invalid as error:
            wrong("contact_id", error.fields[0].message)
    else:
        try:
            one.email = normalise_email(email) if isinstance(email, str) else None
        except Invalid as error:
            wrong("email", error.fields[0].message)
        else:
            if one.email is None:
                wrong("email", "must be text")


def _when(told: Any, one: _Clean, wrong: Any, now: datetime) -> None:
    if told is None:
        return
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) and len(told) <= 40 else None
    except ValueError:
        at = None
    if at is None:
        wrong("at", "must be a time such as 2026-03-01T12:00:00Z (RFC 3339)")
    elif at.tzinfo is None:
        wrong("at", "must say its offset from UTC, such as 2026-03-01T12:00:00+01:00")
    elif not _EARLIEST <= at <= now + AHEAD:
        wrong("at", f"must lie between 1970 and now; it is {now.isoformat(timespec='seconds')} now")
    else:
        one.at = at


def _properties(value: Any, wrong: Any) -> str:
    if not isinstance(value, dict):
        wrong("properties", "must be an object of names and values")
        return "{}"
    dumped = orjson.dumps(value)
    if len(dumped) > PROPERTIES_LIMIT:
        wrong("properties", f"must have at most {PROPERTIES_LIMIT} bytes as JSON, not {len(dumped)}")
    elif len(value) > _PROPERTIES_COUNT:
        wrong("properties", f"must have at most {_PROPERTIES_COUNT} names")
    elif any(not 1 <= len(name) <= _PROPERTY_LIMIT or not name.isprintable() for name in value):
        wrong("properties", f"a name must have 1 to {_PROPERTY_LIMIT} printable characters")
    elif _deep(value) > _NESTING_LIMIT:
        wrong("properties", f"must not nest deeper than {_NESTING_LIMIT} levels")
    else:
        return dumped.decode()
    return "{}"


def _deep(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_deep(child) for child in children if isinstance(child, (dict, list))), default=0)
