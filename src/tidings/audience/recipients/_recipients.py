"""Who may be mailed: the question that every launch asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.audience.recipients._audience import Audience
from tidings.audience.segments import Fragment, missing_segments, segment_members, settle_plans
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem
from tidings.core.ids import WorkspaceId, public_id

# Whoever is on a list; several lists may hold one person.
_LISTED = """
SELECT contact_id AS id, false AS by_segment, NULL AS objection
FROM subscriptions
WHERE workspace_id = $1 AND list_id = ANY ({lists}::bigint[]) AND status = 'subscribed'
{once}"""

# Whoever is on a list or in a segment. Who left all of these lists is no less gone for being in a segment; nor is who left
# some list and is on none (they left all they had); and who asked to be on a list, never confirmed it and is on no other
# has never agreed to anything.
_LISTED_OR_FOUND = """
SELECT coalesce(l.id, m.id) AS id, l.subscribed IS NOT TRUE AS by_segment,
       CASE
           WHEN l.subscribed IS FALSE OR l.id IS NULL AND m.id IN ({off_unsubscribed}) THEN 'left_list'
           WHEN l.id IS NULL AND m.id IN ({off_pending}) THEN 'not_confirmed'
       END AS objection
FROM (SELECT contact_id AS id, bool_or(status = 'subscribed') AS subscribed
      FROM subscriptions
      WHERE workspace_id = $1 AND list_id = ANY ({lists}::bigint[]) AND status <> 'pending'{among}
      GROUP BY contact_id) AS l
FULL JOIN ({members}) AS m ON m.id = l.id
WHERE l.subscribed OR m.id IS NOT NULL
"""

_OFF = """
               SELECT p.contact_id
               FROM subscriptions AS p
               WHERE p.workspace_id = $1 AND p.status = '{status}'{among} AND NOT EXISTS (
                   SELECT FROM subscriptions AS q
                   WHERE q.workspace_id = $1 AND q.contact_id = p.contact_id AND q.status = 'subscribed')"""

_APART = """
  AND NOT EXISTS (SELECT FROM ({members}) AS y WHERE y.id = c.id)"""


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """How many an audience has: `recipients` = `mailable` + the sum of `skipped`, which counts them by reason."""

    recipients: int
    mailable: int
    skipped: dict[str, int]


async def recipients(tx: Tx, *, workspace: WorkspaceId, audience: Audience, first: int, now: datetime) -> Fragment:
    """A SELECT of (contact_id, by_segment, skip_reason), a row a contact, as of this moment; parameters from `$first`.

    Raises SegmentInvalid if a segment's conditions mean nothing any more, such as after its field was deleted.
    """
    values: list[object] = [list(audience.lists), list(audience.excluded_lists)]
    chosen = _LISTED.replace("{once}", "GROUP BY contact_id" if len(audience.lists) > 1 else "")
    if audience.segments:
        members = await segment_members(
            tx, workspace=workspace, segments=audience.segments, first=first + len(values), now=now
        )
        values += members.values
        chosen = _LISTED_OR_FOUND.replace("{members}", members.sql)
        for status in ("unsubscribed", "pending"):
            chosen = chosen.replace(f"{{off_{status}}}", _OFF.replace("{status}", status))
    apart = ""
    if audience.excluded_segments:
        members = await segment_members(
            tx, workspace=workspace, segments=audience.excluded_segments, first=first + len(values), now=now
        )
        values += members.values
        apart = _APART.replace("{members}", members.sql)
    return Fragment(_filled(chosen.replace("{among}", ""), apart, f"${first}", f"${first + 1}"), values)


def recipients_among(audience: Audience, some: Sequence[int], *, first: int) -> Fragment:
    """The same SELECT for some contacts, of whom is known that they are in the audience; segments are not asked again."""
    chosen = _LISTED_OR_FOUND.replace("{members}", f"SELECT unnest(${first + 2}::bigint[]) AS id")
    for status in ("unsubscribed", "pending"):
        chosen = chosen.replace(f"{{off_{status}}}", _OFF.replace("{status}", status))
    chosen = chosen.replace("{among}", f" AND contact_id = ANY (${first + 2}::bigint[])")
    values = [list(audience.lists), list(audience.excluded_lists), list(some)]
    return Fragment(_filled(chosen, "", f"${first}", f"${first + 1}"), values)


def listed_recipients(*, workspace: str, lists: str, excluded_lists: str) -> str:
    """The same SELECT for audiences of lists alone, many at once: for a LATERAL, whose columns are named here."""
    return _filled(_LISTED.replace("{once}", "GROUP BY contact_id"), "", lists, excluded_lists).replace("$1", workspace)


def _filled(chosen: str, apart: str, lists: str, excluded_lists: str) -> str:
    text = sql(__package__, "_recipients").replace("{chosen}", chosen).replace("{apart}", apart)
    return text.replace("{lists}", lists).replace("{excluded_lists}", excluded_lists)


async def count_recipients(tx: Tx, *, workspace: WorkspaceId, audience: Audience, now: datetime) -> AudienceCount:
    """What a launch at this moment would number: the same question, counted."""
    who = await recipients(tx, workspace=workspace, audience=audience, first=2, now=now)
    async with tx.transaction():
        await settle_plans(tx)
        rows = await tx.fetch(
            f"SELECT skip_reason, count(*) AS n FROM ({who.sql}) AS r GROUP BY skip_reason ORDER BY n DESC",  # noqa: S608 - our own words
            workspace,
            *who.values,
        )
    counts = {row["skip_reason"]: row["n"] for row in rows}
    mailable = counts.pop(None, 0)
    return AudienceCount(mailable + sum(counts.values()), mailable, counts)


async def missing_segments_of(tx: Tx, *, workspace: WorkspaceId, audience: Audience) -> list[FieldProblem]:
    """A problem for each segment of the audience that does not exist, by the fields of a campaign."""
    missing = await missing_segments(
        tx, workspace=workspace, segments=[*audience.segments, *audience.excluded_segments]
    )
    return [
        FieldProblem(f"{field}[{position}]", f"there is no segment {public_id('segment', id_)}")
        for field, ids in (("segment_ids", audience.segments), ("exclude_segment_ids", audience.excluded_segments))
        for position, id_ in enumerate(ids)
        if id_ in missing
    ]
