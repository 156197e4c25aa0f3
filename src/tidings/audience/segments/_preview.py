"""How many are in a segment, and who, for instance. Exact; where that takes long, an estimate with its error first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tidings.audience.contacts import SELECT, Contact, of_row
from tidings.audience.segments._blocks import count_of, ids_of, newest_of
from tidings.audience.segments._members import Membership, settle_plans, unsettle_plans
from tidings.audience.segments._nodes import All, Node, sets_of
from tidings.core.db import Tx
from tidings.core.errors import Unavailable
from tidings.core.ids import WorkspaceId

EXACT_MS = 300
"""How long an exact count may take where an estimate would do."""

_LIMIT_MS = 15_000
_SHARE = 16
_WINDOW = 65_536
"""Ids, from the newest down, among which a page is looked for first."""

# Whole domains are suppressed in hardly any workspace, and their contacts have a status like any other.
_ANY_DOMAIN = "SELECT EXISTS (SELECT FROM suppressions WHERE workspace_id = $1 AND domain IS NOT NULL)"


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


async def count_segment(tx: Tx, *, workspace: WorkspaceId, members: Membership, quick: bool = False) -> SegmentCount:
    """Count the members (numbered from 2). `quick`: give an estimate if the exact count takes longer than EXACT_MS.

    Raises SegmentTooSlow.
    """
    try:
        statement = count_of(members.node, domains=await tx.fetchval(_ANY_DOMAIN, workspace))
        rows = await _within(tx, EXACT_MS if quick else _LIMIT_MS, statement, members.node, workspace, *members.values)
    except asyncpg.QueryCanceledError:
        if not quick:
            raise SegmentTooSlow("counting took too long; ask for less at once, or for an estimate") from None
        return await estimate_segment(tx, workspace=workspace, members=members)
    return SegmentCount(rows[0]["contacts"], rows[0]["mailable"], exact=True, error=0)


async def estimate_segment(tx: Tx, *, workspace: WorkspaceId, members: Membership) -> SegmentCount:
    """From a sixteenth of the contacts, chosen by a hash of their ids: the error is that of a proportion (Wald, 95 %).

    Raises SegmentTooSlow.
    """
    statement = count_of(
        members.node,
        lambda id_: f"hashint8({id_}) & {_SHARE - 1} = 0",
        domains=await tx.fetchval(_ANY_DOMAIN, workspace),
    )
    try:
        rows = await _within(tx, _LIMIT_MS, statement, members.node, workspace, *members.values)
    except asyncpg.QueryCanceledError:
        raise SegmentTooSlow("even an estimate took too long; ask for less at once") from None
    found = rows[0]["contacts"]
    error = math.ceil(1.96 * _SHARE * math.sqrt(max(found, 1) * (1 - 1 / _SHARE)))
    return SegmentCount(found * _SHARE, rows[0]["mailable"] * _SHARE, exact=False, error=error)


async def sample_segment(
    tx: Tx, *, workspace: WorkspaceId, members: Membership, before: int | None = None, offset: int = 0, limit: int
) -> Sequence[Contact]:
    """Some members, newest first; `before` is the id to continue below. Raises SegmentTooSlow."""
    at = 2 + len(members.values)
    ids = newest_of(
        members.node,
        lambda id_: f"{id_} >= ${at}::bigint AND {id_} < ${at + 1}::bigint",
        offset=f"${at + 2}::bigint",
        limit=f"${at + 3}::bigint",
    )
    newest: int = await tx.fetchval(_NEWEST, workspace, before)
    rows: list[asyncpg.Record] = []
    try:
        for oldest in (newest + 1 - _WINDOW, 0):
            rows = await _within(
                tx, _LIMIT_MS, ids, members.node, workspace, *members.values, oldest, newest + 1, offset, limit
            )
            if len(rows) == limit or oldest <= 0:
                break
    except asyncpg.QueryCanceledError:
        raise SegmentTooSlow("looking for contacts took too long") from None
    page = [row["id"] for row in rows]
    return [of_row(row) for row in await tx.fetch(_PAGE, workspace, page)]


def members_between(members: Membership, stretches: Sequence[tuple[int, int]]) -> str:
    """A SELECT of one column `id`, each once: the members whose ids are in one of the stretches [from, to)."""

    def narrowed(id_: str) -> str:
        return f"({' OR '.join(f'{id_} >= {int(low)} AND {id_} < {int(high)}' for low, high in stretches)})"

    return ids_of(members.node, narrowed)


async def fetch_of_members(
    tx: Tx, *, members: Sequence[Membership], statement: str, values: Sequence[object], milliseconds: int
) -> list[asyncpg.Record]:
    """The rows of a statement that is made of these members. Raises SegmentTooSlow."""
    try:
        return await _within(tx, milliseconds, statement, All(tuple(one.node for one in members)), *values)
    except asyncpg.QueryCanceledError:
        raise SegmentTooSlow("looking for contacts took too long") from None


_PAGE = f"{SELECT} WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[]) ORDER BY c.id DESC"
_NEWEST = """
SELECT coalesce(max(id), 0) FROM contacts WHERE workspace_id = $1 AND ($2::bigint IS NULL OR id < $2)
"""


async def _within(tx: Tx, milliseconds: int, statement: str, node: Node, *values: object) -> list[asyncpg.Record]:
    async with tx.transaction():
        await settle_plans(tx)
        # All workers read one table, then the next; each makes blocks of what it read, and hands over those. Rows themselves
        # are not worth handing over: one process that adds up a million of them is as fast.
        await tx.execute(
            f"""SET LOCAL enable_parallel_append = off; SET LOCAL parallel_tuple_cost = 0.2;
                SET LOCAL statement_timeout = {milliseconds}"""
        )
        if any(part.scattered for part in sets_of(node)):
            # As if what an index points at were never in memory: bitmaps, then, which read each page once.
            await tx.execute("SET LOCAL effective_cache_size = '16MB'")
        rows = await tx.fetch(statement, *values)
        # A savepoint that is kept keeps its settings, too: what comes next in this transaction may want other plans.
        await unsettle_plans(tx)
        await tx.execute(
            """SET LOCAL enable_parallel_append TO DEFAULT; SET LOCAL effective_cache_size TO DEFAULT;
                SET LOCAL statement_timeout = 0"""
        )
        return rows
