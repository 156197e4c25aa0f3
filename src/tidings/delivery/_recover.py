"""After `kill -9` of a send worker: what its journal knows goes into the database, and its chunks go back to the queue."""

from datetime import datetime
from pathlib import Path

from tidings.core.db import Database, Tx
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._journal import Orphan, discard, orphans
from tidings.delivery._record import Accepted, Told, finish_sends, record_accepted, record_others, release_chunks
from tidings.delivery._states import DeliveryState, final_state

_HELD = """
SELECT c.workspace_id, c.send_id, c.chunk_no, p.kind
FROM chunks AS c JOIN providers AS p ON p.workspace_id = c.workspace_id AND p.id = c.provider_id
WHERE c.state = 'leased' AND c.owner = $1
"""


async def replay_orphans(db: Database, *, folder: Path, writer: int, now: datetime) -> int:
    """Replay the journals in `folder` whose workers are dead; returns how many. Safe to be killed in the middle.

    Accepted recipients are recorded as such, those whose reply was never read as unknown, the others are queued again.
    """
    count = 0
    for orphan in orphans(folder):
        async with db.transaction() as tx:
            finished = await _replay(tx, orphan, writer, now)
        async with db.connection() as connection:
            await finish_sends(connection, sends=finished, now=now)
        discard(orphan)
        count += 1
    return count


async def _replay(tx: Tx, orphan: Orphan, writer: int, now: datetime) -> list[tuple[int, int]]:
    if orphan.stale:
        # As if its host were lost: the leases end now, and the conductor takes whoever is left as unknown.
        await tx.execute("UPDATE chunks SET lease_until = now() WHERE state = 'leased' AND owner = $1", orphan.owner)
        return []
    held = {
        (row["workspace_id"], row["send_id"], row["chunk_no"]): row["kind"]
        for row in await tx.fetch(_HELD, orphan.owner)
    }
    accepted: dict[DeliveryState, Accepted] = {}
    told = Told()
    for chunk in orphan.chunks:
        kind = held.get((chunk.workspace, chunk.send, chunk.chunk_no))
        if kind is None:
            continue  # recorded and given back; the crash came before the slot was cleared
        yes = accepted.setdefault(final_state(kind), Accepted())
        yes.workspaces.extend([chunk.workspace] * len(chunk.accepted))
        yes.sends.extend([chunk.send] * len(chunk.accepted))
        yes.ns.extend(chunk.accepted)
        for n in chunk.in_doubt:
            _doubt(told, chunk.workspace, chunk.send, n)
    for state, columns in accepted.items():
        await record_accepted(tx, accepted=columns, state=state, retried=columns, writer=writer, now=now)
    if told.ns:
        await record_others(tx, told=told, writer=writer, now=now)
    return await release_chunks(tx, chunks=sorted(held), owner=orphan.owner)


def _doubt(told: Told, workspace: WorkspaceId, send: SendId, n: int) -> None:
    told.add(workspace, send, n, DeliveryState.UNKNOWN, "the worker died before it read the reply")
