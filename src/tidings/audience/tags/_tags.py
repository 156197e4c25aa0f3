"""Tags: words on contacts, and the colours they are shown in. A contact holds names; this is where they are all known."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from tidings.accounts import Principal, audit, audit_each
from tidings.audience.fields import clean_tags
from tidings.core.db import Tx, sql
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import ContactId, TagId, WorkspaceId, public_id

# The names that are there already are left out first: an id is drawn from the sequence for every row that conflicts.
_REGISTER = """
INSERT INTO tags (workspace_id, name, created_at)
SELECT $1, name, $3 FROM unnest($2::text[]) AS t (name)
WHERE NOT EXISTS (SELECT FROM tags AS k WHERE k.workspace_id = $1 AND k.name = t.name)
ORDER BY name
ON CONFLICT (workspace_id, name) DO NOTHING
"""

_LIST = """
SELECT t.id, t.name, t.colour, t.created_at, coalesce(u.contacts, 0) AS contact_count
FROM tags AS t
LEFT JOIN (SELECT tag, count(*) AS contacts FROM contacts AS c, unnest(c.tags) AS tag
           WHERE c.workspace_id = $1 AND c.tags <> '{}' GROUP BY tag) AS u ON u.tag = t.name
WHERE t.workspace_id = $1
ORDER BY t.name
"""

_GET = """
SELECT t.id, t.name, t.colour, t.created_at,
       (SELECT count(*) FROM contacts AS c WHERE c.workspace_id = $1 AND c.tags @> ARRAY[t.name]) AS contact_count
FROM tags AS t WHERE t.workspace_id = $1 AND t.id = $2
"""

# Who has both keeps the new one once.
_RENAME = """
UPDATE contacts
SET tags = CASE WHEN tags @> ARRAY[$3::text] THEN array_remove(tags, $2) ELSE array_replace(tags, $2, $3) END,
    updated_at = $4
WHERE workspace_id = $1 AND tags @> ARRAY[$2::text]
"""

_COLOUR = re.compile(r"#[0-9a-f]{6}")


class TagNotFound(NotFound):
    """There is no such tag in this workspace."""

    code = "tag_not_found"


class TagExists(Conflict):
    """Another tag has this name."""

    code = "tag_exists"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag. `colour` is #rrggbb, or '' if nobody chose one; `contact_count`: contacts that have it."""

    id: TagId
    name: str
    colour: str
    created_at: datetime
    contact_count: int


async def register_tags(tx: Tx, *, workspace: WorkspaceId, names: Iterable[str], now: datetime) -> None:
    """Whoever puts tags on contacts tells their names, cleaned by `clean_contact`: they appear among the tags."""
    if wanted := sorted(set(names)):
        await tx.execute(_REGISTER, workspace, wanted, now)


async def create_tag(
    tx: Tx, *, workspace: WorkspaceId, name: str, colour: str = "", by: Principal, now: datetime
) -> Tag:
    """A tag that no contact has yet. Raises Invalid, TagExists."""
    row = await tx.fetchrow(
        """INSERT INTO tags (workspace_id, name, colour, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (workspace_id, name) DO NOTHING
           RETURNING id, name, colour, created_at, 0 AS contact_count""",
        workspace,
        name := _name(name),
        _colour(colour),
        now,
    )
    if row is None:
        raise _taken(name)
    await audit(
        tx, by=by, action="tag.created", subject=public_id("tag", row["id"]), detail={"name": row["name"]}, now=now
    )
    return Tag(**row)


async def list_tags(tx: Tx, *, workspace: WorkspaceId) -> list[Tag]:
    """All of them by name. Counting reads every contact's tags once: a few tenths of a second for a million."""
    return [Tag(**row) for row in await tx.fetch(_LIST, workspace)]


async def get_tag(tx: Tx, *, workspace: WorkspaceId, tag: TagId) -> Tag:
    """The tag. Raises TagNotFound."""
    row = await tx.fetchrow(_GET, workspace, tag)
    if row is None:
        raise _unknown(tag)
    return Tag(**row)


async def update_tag(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    tag: TagId,
    name: str | None = None,
    colour: str | None = None,
    merge: bool = False,
    by: Principal,
    now: datetime,
) -> Tag:
    """Rename a tag on all its contacts, or recolour it. With `merge` a name that is taken makes one tag of the two.

    Of a merged pair the one that had the name stays, with its colour unless one is given. Raises TagNotFound, Invalid, and
    TagExists if the name is taken and not to be merged.
    """
    old = await tx.fetchrow(
        "SELECT id, name, colour FROM tags WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, tag
    )
    if old is None:
        raise _unknown(tag)
    new_name = old["name"] if name is None else _name(name)
    stays = tag
    if new_name != old["name"]:
        other = await tx.fetchval(
            "SELECT id FROM tags WHERE workspace_id = $1 AND name = $2 FOR UPDATE", workspace, new_name
        )
        if other is not None:
            if not merge:
                raise _taken(new_name)
            stays = TagId(other)
            await tx.execute("DELETE FROM tags WHERE workspace_id = $1 AND id = $2", workspace, tag)
        await tx.execute(_RENAME, workspace, old["name"], new_name, now)
    try:
        async with tx.transaction():
            await tx.execute(
                "UPDATE tags SET name = $3, colour = coalesce($4, colour) WHERE workspace_id = $1 AND id = $2",
                workspace,
                stays,
                new_name,
                None if colour is None else _colour(colour),
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new_name) from None
    detail = {"name": new_name} | ({"from": old["name"]} if new_name != old["name"] else {})
    await audit(tx, by=by, action="tag.updated", subject=public_id("tag", stays), detail=detail, now=now)
    return await get_tag(tx, workspace=workspace, tag=stays)


async def delete_tag(tx: Tx, *, workspace: WorkspaceId, tag: TagId, by: Principal, now: datetime) -> None:
    """Delete a tag, and take it off every contact. Raises TagNotFound."""
    name = await tx.fetchval("DELETE FROM tags WHERE workspace_id = $1 AND id = $2 RETURNING name", workspace, tag)
    if name is None:
        raise _unknown(tag)
    await tx.execute(
        """UPDATE contacts SET tags = array_remove(tags, $2), updated_at = $3
           WHERE workspace_id = $1 AND tags @> ARRAY[$2::text]""",
        workspace,
        name,
        now,
    )
    await audit(tx, by=by, action="tag.deleted", subject=public_id("tag", tag), detail={"name": name}, now=now)


async def tag_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contacts: Sequence[ContactId],
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> int:
    """Put tags on contacts and take others off, all at once; returns how many contacts it changed.

    A tag in both is on them afterwards. Raises Invalid naming contacts that do not exist, or would have too many tags.
    """
    adding, removing = clean_tags(add, at="add"), clean_tags(remove, at="remove")
    if not adding and not removing:
        raise Invalid.at("add", "say which tags to add, or to remove")
    outcome = await put_tags(tx, workspace=workspace, contacts=contacts, add=adding, remove=removing, now=now)
    problems = [
        FieldProblem(f"contact_ids[{position}]", problem)
        for position, contact in enumerate(contacts)
        if (problem := _BULK_PROBLEMS.get(outcome.get(contact, "missing")))
    ]
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems[:100]))
    await register_tags(tx, workspace=workspace, names=adding, now=now)
    changed = [public_id("contact", contact) for contact, word in outcome.items() if word == "changed"]
    detail = {"add": adding, "remove": removing}
    await audit_each(tx, by=by, action="contact.tagged", subjects=changed, detail=detail, now=now)
    return len(changed)


async def put_tags(
    tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[int], add: Sequence[str], remove: Sequence[str], now: datetime
) -> dict[int, str]:
    """Put clean tags on those of these contacts that exist, and take others off: changed, same or full, for each.

    The caller registers the tags (`register_tags`) and writes the audit.
    """
    rows = await tx.fetch(sql(__package__, "_tag_contacts"), workspace, list(contacts), add, remove, now)
    return {row["id"]: row["outcome"] for row in rows}


_BULK_PROBLEMS = {"missing": "there is no such contact", "full": "would have more than 100 tags"}


def _unknown(tag: TagId) -> TagNotFound:
    return TagNotFound(f"there is no tag {public_id('tag', tag)}")


def _taken(name: str) -> TagExists:
    message = f"there is a tag named {name!r} already; send merge: true to make one of the two"
    return TagExists(message, fields=(FieldProblem("name", message),))


def _name(text: str) -> str:
    try:
        return clean_tags([text], at="name")[0]
    except Invalid as error:
        raise Invalid.at("name", error.fields[0].message) from None


def _colour(text: str) -> str:
    colour = text.strip().lower()
    if colour and not _COLOUR.fullmatch(colour):
        raise Invalid.at("colour", "must be a colour such as #1c7ed6, or empty")
    return colour
