"""Where one person stands with an audience at this moment: what an answer to "why did they not get it?" is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.audience.recipients._audience import Audience
from tidings.audience.segments import segment_members
from tidings.audience.states import ContactStatus, SubscriptionStatus, SuppressionReason
from tidings.core.db import Tx
from tidings.core.ids import ContactId, ListId, SegmentId, WorkspaceId

_CONTACT = """
SELECT c.id, c.email, c.status::text AS status, c.created_at, s.reason::text AS suppressed,
       EXISTS (SELECT FROM suppressions AS y
               WHERE y.workspace_id = $1 AND y.domain = split_part(c.email, '@', -1)) AS domain_suppressed,
       (SELECT CASE
                   WHEN bool_or(b.status = 'subscribed') THEN NULL
                   WHEN bool_or(b.status = 'unsubscribed') THEN 'left_list'
                   WHEN bool_or(b.status = 'pending') THEN 'not_confirmed'
               END
        FROM subscriptions AS b WHERE b.workspace_id = $1 AND b.contact_id = c.id) AS objection
FROM contacts AS c
LEFT JOIN suppressions AS s ON s.workspace_id = $1 AND s.address_hash = c.address_hash
WHERE c.workspace_id = $1 AND c.id = $2
"""

_SUBSCRIPTIONS = """
SELECT list_id, status::text AS status, coalesce(unsubscribed_at, subscribed_at) AS since
FROM subscriptions WHERE workspace_id = $1 AND contact_id = $2 AND list_id = ANY ($3::bigint[])
"""


@dataclass(frozen=True, slots=True)
class OnList:
    """Where a contact stands with one list, and since when."""

    list: ListId
    status: SubscriptionStatus
    since: datetime


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where a contact stands: by themselves, with the lists of an audience, and in which of its segments they are.

    `objection`: why no segment may bring them: they left some list, or never confirmed one, and are on no other.
    """

    contact: ContactId
    email: str
    status: ContactStatus
    suppressed: SuppressionReason | None
    domain_suppressed: bool
    objection: str | None
    created_at: datetime
    lists: Sequence[OnList]
    excluded_lists: Sequence[ListId]
    segments: Sequence[SegmentId]
    excluded_segments: Sequence[SegmentId]


async def belonging(
    tx: Tx, *, workspace: WorkspaceId, audience: Audience, contact: ContactId, now: datetime
) -> Belonging | None:
    """Where this contact stands now; None if there is no such contact. Raises SegmentInvalid."""
    row = await tx.fetchrow(_CONTACT, workspace, contact)
    if row is None:
        return None
    wanted = [*audience.lists, *audience.excluded_lists]
    found = {
        ListId(r["list_id"]): OnList(ListId(r["list_id"]), SubscriptionStatus(r["status"]), r["since"])
        for r in (await tx.fetch(_SUBSCRIPTIONS, workspace, contact, wanted) if wanted else [])
    }
    within = await _segments(tx, workspace, [*audience.segments, *audience.excluded_segments], contact, now)
    return Belonging(
        contact=contact,
        email=row["email"],
        status=ContactStatus(row["status"]),
        suppressed=None if row["suppressed"] is None else SuppressionReason(row["suppressed"]),
        domain_suppressed=row["domain_suppressed"],
        objection=row["objection"],
        created_at=row["created_at"],
        lists=[found[id_] for id_ in audience.lists if id_ in found],
        excluded_lists=[
            id_
            for id_ in audience.excluded_lists
            if id_ in found and found[id_].status is not SubscriptionStatus.UNSUBSCRIBED
        ],
        segments=[id_ for id_ in audience.segments if id_ in within],
        excluded_segments=[id_ for id_ in audience.excluded_segments if id_ in within],
    )


async def _segments(
    tx: Tx, workspace: WorkspaceId, segments: Sequence[SegmentId], contact: ContactId, now: datetime
) -> set[SegmentId]:
    """Those of the segments that hold the contact: one statement, each segment a column."""
    values: list[object] = [contact]
    columns: list[str] = []
    for id_ in dict.fromkeys(segments):
        members = await segment_members(tx, workspace=workspace, segments=[id_], first=2 + len(values), now=now)
        columns.append(f"EXISTS (SELECT FROM ({members.sql}) AS m WHERE m.id = $2) AS s{int(id_)}")
        values += members.values
    if not columns:
        return set()
    row = await tx.fetchrow(f"SELECT {', '.join(columns)}", workspace, *values)
    assert row is not None
    return {id_ for id_ in segments if row[f"s{int(id_)}"]}
