"""Some of an audience that has segments, without finding all of it: those whose ids are in a few stretches, first.

Who is in a segment is found by reading tables whole; of a stretch of ids an index finds them. Eight stretches, spread over all
ids, have a sixteenth of a million contacts: enough for any sample but that of a segment of few.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.audience.recipients._audience import Audience
from tidings.audience.segments import Membership, fetch_of_members, members_between, segment_members
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId

_STRETCHES = 8
_SHORTEST, _LONGEST = 1024, 65_536
_SHARE = 128
"""A stretch has this share of all ids, within the limits above."""

_ENDS = "SELECT min(id), max(id) FROM contacts WHERE workspace_id = $1"

# As in _recipients.sql, less whatever needs more than a look at the contact: that is asked of those who come out.
_SOME = """
SELECT c.id
FROM ({members} UNION
      SELECT b.contact_id FROM subscriptions AS b
      WHERE b.workspace_id = $1 AND b.list_id = ANY ({lists}::bigint[]) AND b.status = 'subscribed' AND {listed}) AS m
JOIN contacts AS c ON c.workspace_id = $1 AND c.id = m.id
WHERE (c.status = 'active' OR NOT {mailable}::boolean)
  AND NOT EXISTS (SELECT FROM subscriptions AS x
                  WHERE x.workspace_id = $1 AND x.list_id = ANY ({excluded_lists}::bigint[]) AND x.contact_id = c.id
                    AND x.status <> 'unsubscribed')
  {apart}
ORDER BY hashint8extended(c.id, 7)
LIMIT {limit}
"""

Stretches = Sequence[tuple[int, int]]
"""Ids from the first number to below the second."""


@dataclass(frozen=True, slots=True)
class Some:
    """Contacts of an audience; `all`: it has no others. `everywhere`: they were looked for among all contacts."""

    ids: Sequence[int]
    all: bool
    everywhere: bool


async def some_of(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    audience: Audience,
    limit: int,
    mailable: bool,
    milliseconds: int,
    now: datetime,
    everywhere: bool = False,
) -> Some:
    """Up to `limit` of an audience, the same ones each time; `mailable`: whose status lets them be mailed, which not all of
    them need be for that. Looked for in some stretches of ids, or `everywhere`.

    Raises SegmentInvalid, SegmentTooSlow.
    """
    stretches, whole = await _stretches(tx, workspace, everywhere=everywhere)
    if not stretches:
        return Some((), all=True, everywhere=True)
    values: list[object] = [workspace]
    members = await segment_members(tx, workspace=workspace, segments=audience.segments, first=2, now=now)
    values += members.values
    asked: list[Membership] = [members]
    apart = ""
    if audience.excluded_segments:
        others = await segment_members(
            tx, workspace=workspace, segments=audience.excluded_segments, first=len(values) + 1, now=now
        )
        values += others.values
        asked.append(others)
        apart = f"AND NOT EXISTS (SELECT FROM ({members_between(others, stretches)}) AS y WHERE y.id = c.id)"
    at = len(values)
    statement = _SOME.format(
        members=members_between(members, stretches),
        lists=f"${at + 1}",
        listed=" OR ".join(f"b.contact_id >= {low} AND b.contact_id < {high}" for low, high in stretches).join("()"),
        mailable=f"${at + 2}",
        excluded_lists=f"${at + 3}",
        apart=apart,
        limit=f"${at + 4}",
    )
    values += [list(audience.lists), mailable, list(audience.excluded_lists), limit]
    rows = await fetch_of_members(tx, members=asked, statement=statement, values=values, milliseconds=milliseconds)
    return Some([row["id"] for row in rows], all=whole and len(rows) < limit, everywhere=whole)


async def _stretches(tx: Tx, workspace: WorkspaceId, *, everywhere: bool) -> tuple[Stretches, bool]:
    """Where to look, and whether that is everywhere."""
    row = await tx.fetchrow(_ENDS, workspace)
    assert row is not None
    low, high = row
    if low is None:
        return [], True
    count = high - low + 1
    width = min(_LONGEST, max(_SHORTEST, count // _SHARE))
    if everywhere or count <= 2 * _STRETCHES * width:
        return [(low, high + 1)], True
    starts = (low + (count - width) * n // (_STRETCHES - 1) for n in range(_STRETCHES))
    return [(start, start + width) for start in starts], False
