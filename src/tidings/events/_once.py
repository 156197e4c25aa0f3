"""Recording a batch exactly once, though the commit's answer may be lost and the batch come again."""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.events._record import record
from tidings.events._types import Event


async def record_once(tx: Tx, *, source: str, batch: int, events: Sequence[Event], writer: int) -> bool:
    """Record a batch unless it was recorded before. False if it was.

    `source` names who numbers the batches; each source's batches must come in order of their numbers, from 1.
    """
    new = await tx.fetchval(
        """
        INSERT INTO event_sources AS s (source, batch, at) VALUES ($1, $2, now())
        ON CONFLICT (source) DO UPDATE SET batch = excluded.batch, at = excluded.at WHERE s.batch < excluded.batch
        RETURNING true
        """,
        source,
        batch,
    )
    if new:
        await record(tx, events=events, writer=writer)
    return bool(new)
