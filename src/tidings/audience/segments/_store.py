"""Segments as they are kept: a name, and conditions that were sound when they were saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tidings.accounts import Principal, audit
from tidings.audience.segments._members import conditions_members
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import SegmentId, WorkspaceId, public_id

NAME_LIMIT = 255
DESCRIPTION_LIMIT = 1000
_COLUMNS = "id, name, description, conditions, created_at, updated_at"


class SegmentNotFound(NotFound):
    """There is no such segment in this workspace."""

    code = "segment_not_found"


class SegmentExists(Conflict):
    """Another segment has this name."""

    code = "segment_exists"


class SegmentInUse(Conflict):
    """Campaigns or other segments still need the segment."""

    code = "segment_in_use"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. Who is in it is found out each time anew."""

    id: SegmentId
    name: str
    description: str
    conditions: Any
    created_at: datetime
    updated_at: datetime


async def create_segment(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    description: str = "",
    conditions: Any,
    by: Principal,
    now: datetime,
) -> Segment:
    """A new segment. Raises Invalid, SegmentInvalid, and SegmentExists if the name is taken."""
    await conditions_members(tx, workspace=workspace, conditions=conditions, first=2, now=now)
    row = await tx.fetchrow(
        f"""INSERT INTO segments (workspace_id, name, description, conditions, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING {_COLUMNS}""",  # noqa: S608
        workspace,
        _checked("name", name, NAME_LIMIT, least=1),
        _checked("description", description, DESCRIPTION_LIMIT),
        conditions,
        now,
    )
    if row is None:
        raise _taken(name.strip())
    await audit(tx, by=by, action="segment.created", subject=public_id("segment", row["id"]), now=now)
    return Segment(**row)


async def get_segment(tx: Tx, *, workspace: WorkspaceId, segment: SegmentId) -> Segment:
    """The segment. Raises SegmentNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM segments WHERE workspace_id = $1 AND id = $2",  # noqa: S608 - our own words
        workspace,
        segment,
    )
    if row is None:
        raise _unknown(segment)
    return Segment(**row)


async def list_segments(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, offset: int = 0, limit: int
) -> list[Segment]:
    """A page of segments, newest first; `before` is the id to continue below."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM segments WHERE workspace_id = $1 AND id < $2
            ORDER BY id DESC OFFSET $3 LIMIT $4""",  # noqa: S608 - our own words
        workspace,
        2**63 - 1 if before is None else before,
        offset,
        limit,
    )
    return [Segment(**row) for row in rows]


async def count_segments(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many segments there are."""
    return await tx.fetchval("SELECT count(*) FROM segments WHERE workspace_id = $1", workspace)


async def update_segment(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    segment: SegmentId,
    name: str | None = None,
    description: str | None = None,
    conditions: Any = None,
    by: Principal,
    now: datetime,
) -> Segment:
    """Change what is given, leave what is None. Raises Invalid, SegmentInvalid, SegmentNotFound, SegmentExists."""
    # Two that would come to contain each other must not be changed at the same moment.
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings segments'), $1::integer)", workspace % 2**31)
    await get_segment(tx, workspace=workspace, segment=segment)
    if conditions is not None:
        await conditions_members(tx, workspace=workspace, conditions=conditions, first=2, now=now, within=[segment])
    try:
        async with tx.transaction():
            row = await tx.fetchrow(
                f"""UPDATE segments SET name = coalesce($3, name), description = coalesce($4, description),
                           conditions = coalesce($5, conditions), updated_at = $6
                    WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}""",  # noqa: S608 - our own words
                workspace,
                segment,
                None if name is None else _checked("name", name, NAME_LIMIT, least=1),
                None if description is None else _checked("description", description, DESCRIPTION_LIMIT),
                conditions,
                now,
            )
    except asyncpg.UniqueViolationError:
        raise _taken(str(name).strip()) from None
    if row is None:
        raise _unknown(segment)
    await audit(tx, by=by, action="segment.updated", subject=public_id("segment", segment), now=now)
    return Segment(**row)


async def delete_segment(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    segment: SegmentId,
    used_by: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> None:
    """Delete a segment. `used_by` names campaigns that still need it. Raises SegmentNotFound, SegmentInUse."""
    await get_segment(tx, workspace=workspace, segment=segment)
    rows = await tx.fetch(
        """SELECT id FROM segments WHERE workspace_id = $1 AND id <> $2
           AND jsonb_path_exists(conditions, '$.** ? (@.field == "segment" || @.field == "segments").value[*] ? (@ == $id)',
                                 jsonb_build_object('id', 'segment_' || $2::bigint)) ORDER BY id LIMIT 20""",
        workspace,
        segment,
    )
    if users := [*used_by, *(public_id("segment", row["id"]) for row in rows)]:
        raise SegmentInUse(
            f"{public_id('segment', segment)} is used by {', '.join(users)}: delete or change those first"
        )
    await tx.execute("DELETE FROM segments WHERE workspace_id = $1 AND id = $2", workspace, segment)
    await audit(tx, by=by, action="segment.deleted", subject=public_id("segment", segment), now=now)


def _unknown(number: SegmentId) -> SegmentNotFound:
    return SegmentNotFound(f"there is no segment {public_id('segment', number)}")


def _taken(name: str) -> SegmentExists:
    message = f"there is a segment named {name!r} already"
    return SegmentExists(message, fields=(FieldProblem("name", message),))


def _checked(field: str, text: str, limit: int, *, least: int = 0) -> str:
    text = text.strip()
    if not least <= len(text) <= limit:
        raise Invalid.at(field, f"must have {least} to {limit} characters")
    return text
