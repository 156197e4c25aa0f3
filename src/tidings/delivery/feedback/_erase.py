"""What was reported of people goes when they are deleted: a raw report holds their address, and the words of their server."""

from datetime import datetime, timedelta

from tidings.core.db import Tx, sql

_LATELY = timedelta(days=3)
"""Reports that come after a deletion are erased as well, if they come within these days. Later ones, reports of messages to
single recipients (which go with the contact, so that nothing says whose they were) and those that match no message of ours go
with all others (`_feedback_store.KEPT_FOR`)."""

_AT_ONCE = 2_000

Place = tuple[datetime, int, int]
"""How far a round has come: when the last contact was deleted, its workspace, its number."""


async def erase_feedback(tx: Tx, *, now: datetime, after: Place | None = None) -> Place | None:
    """One step of erasing raw reports about contacts that were deleted lately; returns where to go on, None at the end.

    A round does what the one before it did: there is nothing to remember, and nothing is lost with a process that dies.
    """
    row = await tx.fetchrow(sql(__package__, "_feedback_erase"), *(after or (now - _LATELY, 0, 0)), _AT_ONCE)
    return None if row is None else (row["at"], row["workspace_id"], row["contact_id"])
