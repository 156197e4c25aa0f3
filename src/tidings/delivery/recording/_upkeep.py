"""What must happen to sends in the background, in small idempotent steps: retries, expired leases, cancellations, ends.

Each step is one statement in one transaction, and safe with any number of conductors at work.
"""

from datetime import datetime

from tidings.core.db import Tx, sql
from tidings.delivery.recording._record import UNKNOWN_RESENDS, UNKNOWN_WAIT_SECONDS, finish_sends
from tidings.delivery.sends import CHUNKS, LARGEST_CHUNK

_CHUNKS_AT_ONCE = 20
_SURELY_SEEN_SECONDS = 3.0
"""Workers follow new settings within a second."""

_WITHOUT_CHUNKS = """
SELECT s.workspace_id, s.id FROM sends AS s
WHERE s.status = 'running' AND s.campaign_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.state <> 'done')
"""


async def requeue_due(tx: Tx, *, now: datetime) -> int:
    """Queue the deferred and the unknown whose time has come, one chunk a send; returns how many recipients.

    One conductor at a time: the number of a new chunk is the next that is free.
    """
    if not await tx.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('tidings requeue'))"):
        return 0
    rows = await tx.fetch(sql(__package__, "_requeue"), now, LARGEST_CHUNK)
    if rows:
        await tx.execute("SELECT pg_notify($1, '')", CHUNKS)
    return sum(row["queued"] for row in rows)


async def hasten_held_back(tx: Tx, *, now: datetime) -> int:
    """Those whom a provider's old limits held back come at once, some thousand of them; returns how many."""
    return await tx.fetchval(sql(__package__, "_hasten"), now, LARGEST_CHUNK, _SURELY_SEEN_SECONDS)


async def expire_leases(tx: Tx, *, now: datetime) -> int:
    """Settle the chunks of workers that vanished; returns how many chunks.

    Call it only when this process has seen the database up for a whole lease: a worker that lost the database with us
    must get its chance to renew.
    """
    rows = await tx.fetch(sql(__package__, "_expire"), now, UNKNOWN_WAIT_SECONDS, UNKNOWN_RESENDS)
    return len(rows)


async def cancel_some(tx: Tx, *, now: datetime) -> int:
    """Carry some cancellations on; returns how many chunks, 0 when there is nothing to do."""
    return await tx.fetchval(sql(__package__, "_cancel"), _CHUNKS_AT_ONCE, now)


async def close_cancelled(tx: Tx, *, now: datetime) -> None:
    """End the cancelled sends of which nothing is left in any worker's hands."""
    await tx.execute(sql(__package__, "_cancelled"), now)


async def finish_all(tx: Tx, *, now: datetime) -> int:
    """End the running sends with nothing left to do whose worker died between its two commits; returns how many."""
    sends = [(row["workspace_id"], row["id"]) for row in await tx.fetch(_WITHOUT_CHUNKS)]
    return await finish_sends(tx, sends=sends, now=now)
