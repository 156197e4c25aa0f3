"""Whether there is anyone at all: what a launch asks first."""

from datetime import datetime

from tidings.audience.recipients._audience import Audience
from tidings.audience.recipients._recipients import recipients
from tidings.audience.recipients._some import some_of
from tidings.audience.segments import SegmentTooSlow, settle_plans
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId

# Finds the first in an instant; the whole audience would be joined before one came out.
_ANYONE_LISTED = """
SELECT EXISTS (
    SELECT
    FROM subscriptions AS b
    WHERE b.workspace_id = $1 AND b.list_id = ANY ($2::bigint[]) AND b.status = 'subscribed'
      AND NOT EXISTS (
          SELECT
          FROM subscriptions AS x
          WHERE x.workspace_id = $1 AND x.list_id = ANY ($3::bigint[]) AND x.contact_id = b.contact_id
            AND x.status <> 'unsubscribed'))
"""
_QUICK_MS = 1_500


async def anyone(tx: Tx, *, workspace: WorkspaceId, audience: Audience, now: datetime) -> bool:
    """Whether there is anyone at all to send to, mailable or not. Raises SegmentInvalid."""
    if not audience.segments and not audience.excluded_segments:
        return await tx.fetchval(_ANYONE_LISTED, workspace, list(audience.lists), list(audience.excluded_lists))
    try:
        some = await some_of(
            tx, workspace=workspace, audience=audience, limit=1, mailable=False, milliseconds=_QUICK_MS, now=now
        )
        if some.ids or some.all:
            return bool(some.ids)
    except SegmentTooSlow:
        pass
    who = await recipients(tx, workspace=workspace, audience=audience, first=2, now=now)
    async with tx.transaction():
        await settle_plans(tx)
        return await tx.fetchval(f"SELECT EXISTS ({who.sql})", workspace, *who.values)
