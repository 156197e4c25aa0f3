"""How many are in a segment, and who, for instance. Exact; where that takes long, an estimate with its error first."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tidings.audience._contacts import SELECT, Contact, of_row
from tidings.audience._segments._fragment import Fragment
from tidings.audience._segments._members import settle_plans
from tidings.core.db import Tx
from tidings.core.errors import Unavailable
from tidings.core.ids import WorkspaceId

EXACT_MS = 300
"""How long an exact count may take where an estimate would do."""

_LIMIT_MS = 15_000
_SAMPLED = 64  # of 1024 parts of all contacts
_PARTS = 1024

# Whoever is suppressed has a status that says so. Few have one, so that looking them up costs next to nothing.
_UNMAILABLE = """LEFT JOIN (SELECT o.id FROM contacts AS o WHERE o.workspace_id = $1 AND o.status <> 'active') AS u"""
_COUNT = f"""
SELECT count(*) AS contacts, count(*) - count(u.id) AS mailable
FROM ({{members}}) AS m {_UNMAILABLE} ON u.id = m.id
"""  # noqa: S608 - our own words

# Whole domains are suppressed in hardly any workspace, and their contacts have a status like any other.
_ANY_DOMAIN = "SELECT EXISTS (SELECT FROM suppressions WHERE workspace_id = $1 AND domain IS NOT NULL)"
_OF_DOMAINS = """
SELECT count(*) AS contacts
FROM ({members}) AS m
JOIN contacts AS c ON c.workspace_id = $1 AND c.id = m.id
WHERE c.status = 'active' AND split_part(c.email, '@', -1) IN (
    SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)
"""

_IDS = "SELECT c.id FROM"
_BOTH = "SELECT count(*) AS contacts, count(*) FILTER (WHERE c.status = 'active') AS mailable FROM"
_READS_CONTACTS = re.compile(r"\bc\.(?!id\b|workspace_id\b)")


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """How many contacts a segment has, and how many of them may be mailed, going by their status.

    `exact`, or else an estimate: with 95 % confidence the truth lies within `error` of `contacts`.
    """

    contacts: int
    mailable: int
    exact: bool
    error: int


class SegmentTooSlow(Unavailable):
    """The question took longer than any segment should."""

    code = "segment_too_slow"


async def count_segment(tx: Tx, *, workspace: WorkspaceId, members: Fragment, quick: bool = False) -> SegmentCount:
    """Count the members (numbered from 2). `quick`: give an estimate if the exact count takes longer than EXACT_MS.

    Raises SegmentTooSlow.
    """
    try:
        contacts, mailable = await _counted(
            tx, EXACT_MS if quick else _LIMIT_MS, workspace, members.sql, members.values
        )
    except asyncpg.QueryCanceledError:
        if not quick:
            raise SegmentTooSlow("counting took too long; ask for less at once, or for an estimate") from None
        return await _estimate(tx, workspace, members)
    return SegmentCount(contacts, mailable, exact=True, error=0)


async def sample_segment(
    tx: Tx, *, workspace: WorkspaceId, members: Fragment, before: int | None = None, offset: int = 0, limit: int
) -> Sequence[Contact]:
    """Some members, newest first; `before` is the id to continue below. Raises SegmentTooSlow."""
    at = 2 + len(members.values)
    # The page of ids first: the contacts themselves are read for those alone.
    statement = f"""{SELECT}
        JOIN (SELECT m.id FROM ({members.sql}) AS m WHERE m.id < ${at} ORDER BY m.id DESC OFFSET ${at + 1} LIMIT ${at + 2}) AS page
            ON c.workspace_id = $1 AND c.id = page.id
        ORDER BY c.id DESC"""  # noqa: S608 - our own words
    values = [workspace, *members.values, 2**63 - 1 if before is None else before, offset, limit]
    try:
        async with tx.transaction():
            await settle_plans(tx, merging=_merging(members.sql))
            await tx.execute(f"SET LOCAL statement_timeout = {_LIMIT_MS}")
            return [of_row(row) for row in await tx.fetch(statement, *values)]
    except asyncpg.QueryCanceledError:
        raise SegmentTooSlow("looking for contacts took too long") from None


async def _estimate(tx: Tx, workspace: WorkspaceId, members: Fragment) -> SegmentCount:
    """From a sixteenth of the contacts, chosen by a mix of their ids: the error is that of a proportion (Wald, 95 %)."""
    part = f"c.id % 1000003 * 7919 % {_PARTS} < {_SAMPLED}"
    text = members.sql.replace("WHERE c.workspace_id = $1", f"WHERE c.workspace_id = $1 AND {part}", 1)
    try:
        contacts, mailable = await _counted(tx, _LIMIT_MS, workspace, text, members.values)
    except asyncpg.QueryCanceledError:
        raise SegmentTooSlow("even an estimate took too long; ask for less at once") from None
    share = _PARTS / _SAMPLED
    error = math.ceil(1.96 * share * math.sqrt(max(contacts, 1) * (1 - 1 / share)))
    return SegmentCount(round(contacts * share), round(mailable * share), exact=False, error=error)


async def _counted(
    tx: Tx, milliseconds: int, workspace: WorkspaceId, members: str, values: Sequence[object]
) -> tuple[int, int]:
    """How many members there are, and how many of them may be mailed."""
    row = await _within(tx, milliseconds, _counting(members), workspace, *values)
    contacts, mailable = row["contacts"], row["mailable"]
    if mailable and await tx.fetchval(_ANY_DOMAIN, workspace):
        row = await _within(tx, _LIMIT_MS, _OF_DOMAINS.format(members=members), workspace, *values)
        mailable -= row["contacts"]
    return contacts, mailable


def _counting(members: str) -> str:
    """The SELECT of members as a count. If it reads contacts anyway, it may look at their status as well; where it joins
    nothing but ids, which an index has, the few who may not be mailed are joined to them."""
    if _READS_CONTACTS.search(members):
        return members.replace(_IDS, _BOTH, 1)
    return _COUNT.format(members=members)


def _merging(statement: str) -> bool:
    """Whether its sets had better be merged (see `settle_plans`): as measured, where a set is nearly as large as the contacts
    are many and comes from an index in their order. Elsewhere hashing is faster, by far where a small set is left out."""
    dense = any(
        table in statement for table in ("contact_activity", "contact_receipts", "FROM subscriptions", "engagements")
    )
    choosing = "LEFT JOIN (SELECT" in statement.replace(_UNMAILABLE, "")
    leaving_out = "NOT EXISTS (SELECT FROM (SELECT contact_id AS id FROM e" in statement
    return dense and not choosing and not leaving_out


async def _within(tx: Tx, milliseconds: int, statement: str, *values: object) -> asyncpg.Record:
    async with tx.transaction():
        await settle_plans(tx, merging=_merging(statement))
        await tx.execute(f"SET LOCAL statement_timeout = {milliseconds}")
        row = await tx.fetchrow(statement, *values)
        # A savepoint that is kept keeps its settings, too.
        await tx.execute("SET LOCAL statement_timeout = 0")
        assert row is not None
        return row
