"""A worker's outcomes on their way into the database."""

from collections.abc import Callable

from tidings.core.clock import utc_now
from tidings.core.db import Database, sql
from tidings.delivery.recording import finish_sends, record_accepted, record_others, release_chunks
from tidings.delivery.worker._lanes import Lanes
from tidings.delivery.worker._run import ChunkRun, Harvest


class Recorder:
    """Writes what the runs have gathered: one transaction for all of it, and nothing lost when that fails."""

    def __init__(
        self,
        db: Database,
        *,
        owner: str,
        writer: int,
        runs: dict[tuple[int, int, int], ChunkRun],
        lanes: Lanes,
        again: Callable[[ChunkRun], None],
    ) -> None:
        self._db = db
        self._owner = owner
        self._writer = writer
        self._runs = runs
        self._lanes = lanes
        self._again = again
        self._harvest = Harvest()
        """Stays when a transaction fails, and goes with the next: recording a thing twice changes nothing."""

    async def write(self) -> None:
        """Record all outcomes known by now, and give back the chunks that are through. Raises one of `LOST`."""
        runs = list(self._runs.values())
        through = [run for run in runs if run.through]
        for run in runs:
            self._harvest.take(run)
        harvest = self._harvest
        if not through and not harvest:
            return
        over = [run for run in through if run.stopping or not run.rescreen]
        now = utc_now()
        async with self._db.transaction() as tx:
            for state, accepted in harvest.accepted.items():
                retried = harvest.retried.get(state)
                await record_accepted(tx, accepted=accepted, retried=retried, state=state, writer=self._writer, now=now)
            if harvest.told.ns:
                await record_others(tx, told=harvest.told, writer=self._writer, now=now)
            chunks = [(run.workspace, run.send, run.chunk_no) for run in over]
            if turned := [(run.workspace, run.send, run.chunk_no) for run in over if run.turned]:
                await tx.execute(sql(__package__, "_turn"), self._owner, *map(list, zip(*turned, strict=True)))
            finished = await release_chunks(tx, chunks=chunks, owner=self._owner)
        self._harvest = Harvest()
        for run in through:
            self._put_away(run)
            if run in over:
                self._forget(run)
            else:
                self._again(run)
        if finished:
            async with self._db.connection() as connection:
                await finish_sends(connection, sends=finished, now=now)

    def _put_away(self, run: ChunkRun) -> None:
        lane = self._lanes.get(run.key)
        if lane is not None:
            lane.remove(run)

    def _forget(self, run: ChunkRun) -> None:
        if run.slot is not None:
            run.slot.close()
        # The chunk may be ours again already: claimed between the commit and our hearing of it.
        key = (run.workspace, run.send, run.chunk_no)
        if self._runs.get(key) is run:
            del self._runs[key]
