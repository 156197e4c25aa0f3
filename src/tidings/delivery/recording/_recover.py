"""After `kill -9` of a send worker: what its journal knows goes into the database, and its chunks go back to the queue."""

from datetime import datetime
from pathlib import Path

from tidings.core.db import Database, Tx
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.recording._journal import Orphan, discard, orphans
from tidings.delivery.recording._record import (
    Accepted,
    Told,
    finish_sends,
    record_accepted,
    record_others,
    release_chunks,
)
from tidings.delivery.states import DeliveryState, final_state

_HELD = "SELECT workspace_id, send_id, chunk_no FROM chunks WHERE state = 'leased' AND owner = $1"
_KINDS = """
SELECT p.workspace_id, p.id, p.kind FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, id)
JOIN providers AS p ON p.workspace_id = t.workspace_id AND p.id = t.id
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
    held = {tuple(row) for row in await tx.fetch(_HELD, orphan.owner)}
    # The others were recorded and given back; the crash came before the slot was cleared.
    chunks = [chunk for chunk in orphan.chunks if (chunk.workspace, chunk.send, chunk.chunk_no) in held]
    used = {(chunk.workspace, provider) for chunk in chunks for _, provider in chunk.accepted}
    kinds = await tx.fetch(_KINDS, [workspace for workspace, _ in used], [provider for _, provider in used])
    states = {(row["workspace_id"], row["id"]): final_state(row["kind"]) for row in kinds}
    accepted: dict[DeliveryState, Accepted] = {}
    told = Told()
    for chunk in chunks:
        for n, provider in chunk.accepted:
            state = states.get((chunk.workspace, provider), DeliveryState.DELIVERED)
            yes = accepted.setdefault(state, Accepted())
            yes.workspaces.append(chunk.workspace)
            yes.sends.append(chunk.send)
            yes.ns.append(n)
            yes.providers.append(provider)
        for n, provider in chunk.in_doubt:
            _doubt(told, chunk.workspace, chunk.send, n, provider)
    for state, columns in accepted.items():
        await record_accepted(tx, accepted=columns, state=state, retried=columns, writer=writer, now=now)
    if told.ns:
        await record_others(tx, told=told, writer=writer, now=now)
    return await release_chunks(tx, chunks=sorted(held), owner=orphan.owner)


def _doubt(told: Told, workspace: WorkspaceId, send: SendId, n: int, provider: int) -> None:
    told.add(workspace, send, n, DeliveryState.UNKNOWN, "the worker died before it read the reply", provider=provider)
