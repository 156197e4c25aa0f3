"""Recording batches exactly once, though the commit's answer may be lost and a batch come again."""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.events._record import record
from tidings.events._types import Event

# Locks the source's row, so a commit that is still under way is waited for, and then says what had been recorded.
_ADVANCE = """
INSERT INTO event_sources AS s (source, batch, before, at) VALUES ($1, $2, 0, now())
ON CONFLICT (source) DO UPDATE SET before = s.batch, batch = greatest(s.batch, excluded.batch), at = excluded.at
RETURNING before
"""


async def record_once(tx: Tx, *, source: str, batches: Sequence[tuple[int, Sequence[Event]]], writer: int) -> int:
    """Record those of these batches that were not recorded before; returns how many events that were.

    `source` names who numbers the batches. They must come in order of their numbers, from 1, in one call or in many.
    """
    if not batches:
        return 0
    before = await tx.fetchval(_ADVANCE, source, batches[-1][0])
    events = [event for number, batch in batches if number > before for event in batch]
    await record(tx, events=events, writer=writer)
    return len(events)
