"""Some of those whom an audience has, as they are: for looking at what a message would say to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import asyncpg

from tidings.audience.recipients._audience import Audience
from tidings.audience.recipients._recipients import recipients, recipients_among
from tidings.audience.recipients._some import some_of
from tidings.audience.segments import Fragment, SegmentTooSlow, settle_plans
from tidings.core.db import Tx
from tidings.core.errors import Unavailable
from tidings.core.ids import WorkspaceId

SampledRows: TypeAlias = Sequence[asyncpg.Record]

# A recipient's row as delivery's _fetch.sql has it.
_COLUMNS = """
SELECT 1 AS n, c.id, c.email, c.first_name, c.last_name, c.phone, c.language, c.time_zone, c.tags,
       c.attributes::text AS attributes, c.created_at, NULL AS skip, 0 AS unknowns
FROM contacts AS c
"""
_CHOSEN = """
JOIN (SELECT r.contact_id FROM ({who}) AS r WHERE r.skip_reason IS NULL {which} LIMIT $2) AS picked
    ON c.workspace_id = $1 AND c.id = picked.contact_id
ORDER BY c.id
"""
# A mix of the ids: spread over the whole audience, and the same ones each time, so that what was mended is seen.
_SPREAD = "ORDER BY hashint8extended(r.contact_id, 7)"
# The first of them, by the same order: of a large audience a hundredth is enough, and what else there is to know of the others
# need not be found out.
_FIRST_OF_ALL = f"AND hashint8extended(r.contact_id, 7) < {-(2**63) + 2**64 // 100} {_SPREAD}"
_ANY = """
JOIN (SELECT id FROM contacts WHERE workspace_id = $1 AND status = 'active' ORDER BY id DESC LIMIT 20000) AS newest
    ON c.workspace_id = $1 AND c.id = newest.id
ORDER BY hashint8extended(c.id, 7) LIMIT $2
"""
_SPARE = 4
"""So many times as many are looked at as are wanted: some turn out not to be mailed after all."""
_LIMIT_MS = 15_000
_QUICK_MS = 1_500


class SampleTooSlow(Unavailable):
    """Finding contacts of this audience took longer than it may."""

    code = "sample_too_slow"


async def sample_recipients(
    tx: Tx, *, workspace: WorkspaceId, audience: Audience, limit: int, now: datetime, quick: bool = False
) -> SampledRows:
    """Up to `limit` of those who may be mailed, spread over all of them; `quick`: the first that are found.

    Raises SegmentInvalid, SampleTooSlow.
    """
    milliseconds = _QUICK_MS if quick else _LIMIT_MS
    try:
        if audience.segments or audience.excluded_segments:
            rows = await _of_segments(tx, workspace, audience, limit, milliseconds, now, quick=quick)
            if rows is not None:
                return rows
        return await _of_all(tx, workspace, audience, limit, milliseconds, now, quick=quick)
    except (asyncpg.QueryCanceledError, SegmentTooSlow):
        raise SampleTooSlow("looking for contacts of this audience took too long; try again, or ask for less") from None


async def _of_segments(
    tx: Tx, workspace: WorkspaceId, audience: Audience, limit: int, milliseconds: int, now: datetime, *, quick: bool
) -> SampledRows | None:
    """Of those in some stretches of ids, and if that gives too few, of some of all. None: all must be looked at."""
    for everywhere in (False, True):
        some = await some_of(
            tx,
            workspace=workspace,
            audience=audience,
            limit=limit * _SPARE,
            mailable=True,
            milliseconds=milliseconds,
            now=now,
            everywhere=everywhere,
        )
        who = recipients_among(audience, some.ids, first=3)
        rows = await _chosen(tx, workspace, limit, who, "" if quick else _SPREAD)
        if len(rows) == limit or some.all or (quick and rows):
            return rows
        if some.everywhere:
            break  # a small workspace: there is nowhere else to look
    return None


async def _of_all(
    tx: Tx, workspace: WorkspaceId, audience: Audience, limit: int, milliseconds: int, now: datetime, *, quick: bool
) -> SampledRows:
    who = await recipients(tx, workspace=workspace, audience=audience, first=3, now=now)
    rows: SampledRows = ()
    async with tx.transaction():
        await settle_plans(tx)
        await tx.execute(f"SET LOCAL statement_timeout = {milliseconds}")
        for which in _passes(audience, quick=quick):
            rows = await _chosen(tx, workspace, limit, who, which)
            if len(rows) == limit:
                break
        # A savepoint that is kept keeps its settings, too.
        await tx.execute("SET LOCAL statement_timeout = 0")
        return rows


async def _chosen(tx: Tx, workspace: WorkspaceId, limit: int, who: Fragment, which: str) -> SampledRows:
    return await tx.fetch(_COLUMNS + _CHOSEN.format(who=who.sql, which=which), workspace, limit, *who.values)


def _passes(audience: Audience, *, quick: bool) -> Sequence[str]:
    if quick:
        return ("",)
    # Who is in a segment is found out of everybody, whoever is asked about.
    return (_SPREAD,) if audience.segments or audience.excluded_segments else (_FIRST_OF_ALL, _SPREAD)


async def sample_contacts(tx: Tx, *, workspace: WorkspaceId, limit: int) -> SampledRows:
    """Up to `limit` active contacts of the workspace, spread over the newest 20,000 of them."""
    return await tx.fetch(_COLUMNS + _ANY, workspace, limit)


async def one_contact(tx: Tx, *, workspace: WorkspaceId, contact: int) -> SampledRows:
    """One contact's row; none if there is no such contact."""
    return await tx.fetch(f"{_COLUMNS} WHERE c.workspace_id = $1 AND c.id = $2", workspace, contact)
