"""Tagging everybody of a list or a segment: a million at a time, some thousand a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.accounts import Principal, audit
from tidings.audience.fields import clean_tags
from tidings.audience.lists import require_list
from tidings.audience.segments import get_segment, segment_members, settle_plans
from tidings.audience.tags import put_tags, register_tags
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, SegmentId, WorkspaceId, public_id

_BATCH = 5000

_ON_LIST = """
SELECT contact_id AS id FROM subscriptions
WHERE workspace_id = $1 AND list_id = $2 AND status = 'subscribed' ORDER BY contact_id
"""


@dataclass(frozen=True, slots=True)
class TaggedMany:
    """How many there were, of how many anything changed, and how many were left out: they would have more than 100 tags."""

    contacts: int
    changed: int
    full: int


async def tag_everybody(
    db: Database,
    *,
    workspace: WorkspaceId,
    of: ListId | SegmentId,
    segment: bool,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> TaggedMany:
    """Put tags on whoever is on a list or (`segment`) in a segment at this moment, and take others off.

    Whoever comes later is not tagged. What a crash leaves undone the same call again does: tags that are there stay.
    Raises Invalid, ListNotFound, SegmentNotFound, SegmentInvalid.
    """
    adding, removing = clean_tags(add, at="add"), clean_tags(remove, at="remove")
    if not adding and not removing:
        raise Invalid.at("add", "say which tags to add, or to remove")
    async with db.transaction() as tx:
        people = await (
            _in_segment(tx, workspace, SegmentId(of), now) if segment else _on_list(tx, workspace, ListId(of))
        )
    changed = full = 0
    for start in range(0, len(people), _BATCH):
        async with db.transaction() as tx:
            some = people[start : start + _BATCH]
            outcome = await put_tags(tx, workspace=workspace, contacts=some, add=adding, remove=removing, now=now)
            await register_tags(tx, workspace=workspace, names=adding, now=now)
        changed += sum(word == "changed" for word in outcome.values())
        full += sum(word == "full" for word in outcome.values())
    subject = public_id("segment" if segment else "list", of)
    detail = {"add": adding, "remove": removing, "contacts": len(people), "changed": changed}
    async with db.transaction() as tx:
        await audit(tx, by=by, action="contacts.tagged", subject=subject, detail=detail, now=now)
    return TaggedMany(len(people), changed, full)


async def _on_list(tx: Tx, workspace: WorkspaceId, list_: ListId) -> list[int]:
    await require_list(tx, workspace=workspace, list=list_)
    return [row["id"] for row in await tx.fetch(_ON_LIST, workspace, list_)]


async def _in_segment(tx: Tx, workspace: WorkspaceId, segment: SegmentId, now: datetime) -> list[int]:
    await get_segment(tx, workspace=workspace, segment=segment)
    members = await segment_members(tx, workspace=workspace, segments=[segment], first=2, now=now)
    await settle_plans(tx)
    rows = await tx.fetch(f"SELECT m.id FROM ({members.sql}) AS m ORDER BY m.id", workspace, *members.values)  # noqa: S608
    return [row["id"] for row in rows]
