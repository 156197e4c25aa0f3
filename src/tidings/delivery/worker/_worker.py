"""The send worker: claim → screen → render → transmit → record, several chunks in flight.

`SendWorker.run` keeps one loop going for each of the things that happen at once. Each can lose the database at any
moment and goes on when it is back. Nothing is transmitted without a lease that certainly still holds, nor while the
worker cannot hear who leaves. Rendering and transmitting happen in `_lane.py`, whenever the provider asks for more.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tidings.core.clock import steady, utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database, sql
from tidings.core.errors import TidingsError
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.loops import RETRYABLE, every, forever
from tidings.delivery.inbound import Returning
from tidings.delivery.limits import MailboxProviders
from tidings.delivery.recording import Journal, release_chunks, replay_orphans
from tidings.delivery.sends import LARGEST_CHUNK, SendNotFound, pause_send, send_counts
from tidings.delivery.signing import Signing
from tidings.delivery.states import DeliveryState, SendStatus
from tidings.delivery.worker._contents import Contents
from tidings.delivery.worker._ears import Ears
from tidings.delivery.worker._lane import domains_of
from tidings.delivery.worker._lanes import Lanes
from tidings.delivery.worker._outlets import Outlets
from tidings.delivery.worker._recorder import Recorder
from tidings.delivery.worker._run import ChunkRun, Key
from tidings.delivery.worker._turns import TURN_SECONDS, Turns
from tidings.tracking import Tokens

_log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""How long a chunk stays ours without a word from us."""
_FENCE_SECONDS = 50.0  # after which we no longer trust it, counted from before the request
_RENEW_SECONDS = 15.0
_FLUSH_SECONDS = 0.25
_RECOVER_SECONDS = 5.0
_GRACE_SECONDS = 8.0
_COMPLAIN_SECONDS = 600.0
_MAX_RUNS = 64
_MAX_URGENT = 32  # places that only messages to single recipients take
_URGENT, _USUAL = (0, 0), (1, 32767)  # from which priority to which
_AHEAD = 1.5  # chunks a lane should have before it
_OTHERS_WAIT = """
SELECT DISTINCT workspace_id || ':' || coalesce(provider_id, 0) || ':' || coalesce(route_id, 0) AS way FROM chunks
WHERE state = 'pending' AND priority BETWEEN $3 AND $4
  AND (workspace_id || ':' || coalesce(provider_id, 0) || ':' || coalesce(route_id, 0)) = ANY ($1::text[])
  AND (workspace_id || ':' || send_id) <> ALL ($2::text[])
"""
_WAITING = """
SELECT count(*) FROM (
    SELECT DISTINCT workspace_id, provider_id, route_id FROM chunks
    WHERE state = 'pending' AND priority BETWEEN $3 AND $4
      AND (workspace_id || ':' || coalesce(provider_id, 0) || ':' || coalesce(route_id, 0)) <> ALL ($1::text[])
    LIMIT $2
) AS w
"""


class SendWorker:
    """One process's share of all sending.

    `folder` holds the journals, `writer` (≥ 1) is the process's counter slot, `share` how many workers split a
    provider's connections.
    """

    def __init__(
        self, db: Database, *, keys: Keyring, public_url: str, folder: Path, writer: int, chunk_size: int, share: int
    ) -> None:
        self._owner = f"{socket.gethostname()[:20]}-{secrets.token_hex(6)}"
        self._db = db
        self._folder = folder
        self._writer = writer
        self._chunk_size = chunk_size
        self._journal = Journal(folder, owner=self._owner, slots=2 * (_MAX_RUNS + _MAX_URGENT), capacity=LARGEST_CHUNK)
        self._contents = Contents(db, Tokens(keys, public_url))
        self._signing = Signing(db, keys)
        self._returning = Returning(db, keys)
        self._runs: dict[tuple[int, int, int], ChunkRun] = {}
        self._room, self._flush = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._groups = MailboxProviders(db)
        self._outlets = Outlets(
            db, keys=keys, owner=self._owner, share=share, progress=self._progress, groups=self._groups
        )
        self._lanes = Lanes(
            db,
            self._outlets,
            progress=self._progress,
            unusable=lambda run, reason: self._spawn(self._pause(run, reason)),
        )
        self._ears = Ears(
            db,
            owner=self._owner,
            runs=self._runs,
            stop=self._stop,
            room=self._room.set,
            provider_changed=lambda workspace, provider: self._spawn(self._lanes.provider_changed(workspace, provider)),
            route_changed=lambda workspace, route: self._spawn(self._lanes.route_changed(workspace, route)),
            spawn=self._spawn,
        )
        self._recorder = Recorder(
            db, owner=self._owner, writer=writer, runs=self._runs, lanes=self._lanes, again=self._load_again
        )
        ahead = _AHEAD * chunk_size
        self._turns = (
            Turns(self._runs, self._lanes, places=_MAX_URGENT, ahead=ahead, urgent=True),
            Turns(self._runs, self._lanes, places=_MAX_RUNS, ahead=ahead),
        )
        self._usual_size = [1.0, float(chunk_size)]
        """Recipients in a chunk of late, of messages and of campaigns."""
        self._astray = False
        """Chunks seem to be leased in our name that we know nothing of."""
        self._complained: dict[tuple[int, str], float] = {}
        self._closing = False
        self._claiming = False
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; then finish what is being transmitted, record it, and give the rest back."""
        loops = [
            forever(self._ears.listen),
            forever(self._claim),
            forever(self._record),
            every(_RENEW_SECONDS, self._renew),
            every(_RECOVER_SECONDS, self._recover),
            every(1, self._lanes.mind),
            every(TURN_SECONDS, self._turn),
        ]
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([stopping, self._fault, *tasks], return_when=asyncio.FIRST_COMPLETED)
            await self._close()
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        if self._fault.done():
            self._fault.result()
        for fault in ended:
            if isinstance(fault, Exception):
                raise fault

    # -- claim -----------------------------------------------------------------------------------------------------

    async def _claim(self) -> None:
        """Lease chunks whenever a lane runs low, about one and a half chunks ahead of it; messages before campaigns."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._room.wait()
            self._room.clear()
            if self._astray:
                await self._give_back_strays()
            some = True
            while some:
                some = any([await self._claim_some(turns) for turns in self._turns])

    async def _claim_some(self, turns: Turns) -> bool:
        """Lease some chunks for places that are free; False when there are none, or while we are deaf."""
        if not self._ears.listening or self._closing:
            return False
        if turns.free <= 0:
            await self._make_room(turns)
            return False
        enough, usual_size = _names(turns.sated()), self._usual_size[not turns.urgent]
        # No more than half of what is free: it may all go to one lane.
        wanted = min(max(1, turns.free // 2), max(1, int(_AHEAD * self._chunk_size / usual_size)))
        # Both from before we ask: should we go deaf meanwhile, the runs belong to a stretch that is over.
        epoch, leased_until = self._ears.epoch, steady() + _FENCE_SECONDS
        self._claiming = True
        try:
            async with self._db.connection() as connection:
                rows = await connection.fetch(
                    sql(__package__, "_claim"), self._owner, LEASE_SECONDS, wanted, enough, *_priorities(turns)
                )
        except BaseException:
            # Never cleared by an answer: that one came says nothing of another that did not.
            self._astray = True
            raise
        finally:
            self._claiming = False
        for row in rows:
            self._begin(row, epoch, leased_until, urgent=turns.urgent)
        if rows:
            self._usual_size[not turns.urgent] = max(1.0, sum(map(_size, rows)) / len(rows))
        return bool(rows)

    async def _make_room(self, turns: Turns) -> None:
        """All places are taken: whoever waits without one gets one of those that do little with theirs."""
        held = _names(turns.holders | turns.sated())
        async with self._db.connection() as connection:
            waiting = await connection.fetchval(_WAITING, held, _MAX_RUNS, *_priorities(turns))
        for run in turns.give_way(waiting):
            self._stop(run)

    async def _turn(self) -> None:
        """Sends whose chunks take long take turns: within a lane, and with those that wait for what this worker has leased."""
        turns = self._turns[1]
        long = turns.long()
        if not long:
            return
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                _OTHERS_WAIT,
                _names(long),
                [f"{workspace}:{send}" for sends in long.values() for workspace, send in sends],
                *_priorities(turns),
            )
        waited_for = {row["way"] for row in rows}
        for key in long:
            lane = self._lanes.get(key)
            had = lane.turn() if lane is not None else []
            if _names([key])[0] in waited_for:
                for run in had:
                    run.turned = True
                    self._stop(run)

    async def _give_back_strays(self) -> None:
        """The answer to a claim was lost: give back what it leased. Only here, where no claim of ours is under way."""
        async with self._db.transaction() as tx:
            rows = await tx.fetch(
                "SELECT workspace_id, send_id, chunk_no FROM chunks WHERE owner = $1 AND state = 'leased'", self._owner
            )
            strays = [key for row in rows if (key := tuple(row)) not in self._runs]
            await release_chunks(tx, chunks=strays, owner=self._owner)
        self._astray = False
        self._room.set()

    def _begin(self, row: asyncpg.Record, epoch: int, leased_until: float, *, urgent: bool) -> None:
        run = ChunkRun(
            WorkspaceId(row["workspace_id"]),
            SendId(row["send_id"]),
            row["chunk_no"],
            (row["workspace_id"], row["provider_id"] or 0, row["route_id"] or 0),
            row["first_n"],
            row["last_n"],
            row["ns"],
            epoch,
            leased_until,
            self._ears.heard_until,
            urgent,
        )
        # Registered before anything is fetched: whoever leaves too late for the fetch to see is announced to the run.
        self._runs[run.workspace, run.send, run.chunk_no] = run
        run.stopping = self._closing
        self._spawn(self._load(run, run.ns))

    # -- screen ----------------------------------------------------------------------------------------------------

    async def _load(self, run: ChunkRun, ns: Sequence[int] | None) -> None:
        """Fetch a run's recipients as they are now, and what they are to be sent, and hand it to its lane."""
        try:
            wire = await self._contents.get(workspace=run.workspace, send=run.send)
            statement = sql(__package__, "_fetch_messages" if wire is None else "_fetch")
            async with self._db.connection() as connection:
                rows = await connection.fetch(
                    statement, run.workspace, run.send, run.first_n, run.last_n, ns, run.chunk_no
                )
            if wire is None:
                hashes = [row["content_hash"] for row in rows]
                wire = await self._contents.of_messages(workspace=run.workspace, send=run.send, hashes=hashes)
            wire = await self._signing.sign(wire, workspace=run.workspace)
            wire = await self._returning.address(wire, workspace=run.workspace, send=run.send)
            lane = await self._lanes.open(run.key)
            if lane.by_domain:
                await self._groups.learn(set(domains_of(rows)))
            # Last: between this and `lane.add` nothing else happens, so that it cannot be closed for being idle.
            lane = await self._lanes.open(run.key)
        except (*RETRYABLE, SendNotFound):
            self._stop(run)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, this send cannot go on and the others must
            told = isinstance(error, TidingsError)
            reason = error.message if told else f"{type(error).__name__}: {error}"
            self._complain(run, reason, trace=not told)
            await self._pause(run, reason)
            return
        if run.epoch != self._ears.epoch:
            self._stop(run)
        if run.stopping:
            return
        run.slot = self._journal.open(
            workspace=run.workspace, send=run.send, chunk_no=run.chunk_no, ns=[row[0] for row in rows]
        )
        run.rows, run.wire = rows, wire
        lane.add(run)
        if not rows:
            self._flush.set()

    def _complain(self, run: ChunkRun, reason: str, *, trace: bool) -> None:
        """Say it once a while: messages to single recipients bring a chunk each."""
        now = steady()
        if now - self._complained.get((run.workspace, reason), float("-inf")) > _COMPLAIN_SECONDS:
            self._complained = {one: at for one, at in self._complained.items() if now - at <= _COMPLAIN_SECONDS}
            self._complained[run.workspace, reason] = now
            _log.error("send %s of workspace %s cannot go on: %s", run.send, run.workspace, reason, exc_info=trace)

    def _load_again(self, run: ChunkRun) -> None:
        self._spawn(self._load(run, run.renew()))

    async def _pause(self, run: ChunkRun, reason: str) -> None:
        with contextlib.suppress(*RETRYABLE):
            async with self._db.transaction() as tx:
                await pause_send(tx, workspace=run.workspace, send=run.send, reason=reason[:500])
                counts = await send_counts(tx, workspace=run.workspace, sends=[run.send])
            if counts and counts[run.send].status in {SendStatus.DONE, SendStatus.RUNNING}:
                # Only retries are left of it, or it is of messages to single recipients, which one of them must not stop:
                # there is nothing to pause. They are put off, or they would come back at once.
                for n in run.waiting:
                    run.tell(n, DeliveryState.DEFERRED, reason)
        self._stop(run)

    def _stop(self, run: ChunkRun) -> None:
        lane = self._lanes.get(run.key)
        if lane is None:
            run.stopping = True
        else:
            lane.stop(run)
        self._progress()

    # -- record ----------------------------------------------------------------------------------------------------

    async def _record(self) -> None:
        while True:
            # Whoever is leaving waits for us: look often while someone does.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01 if self._ears.asked else _FLUSH_SECONDS):
                    await self._flush.wait()
            self._flush.clear()
            self._ears.answer()
            await self._recorder.write()

    def _progress(self) -> None:
        self._room.set()
        self._flush.set()

    # -- leases ----------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        held = dict(self._runs)
        leased_until = steady() + _FENCE_SECONDS
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                """
                UPDATE chunks SET lease_until = now() + make_interval(secs => $2)
                WHERE owner = $1 AND state = 'leased' RETURNING workspace_id, send_id, chunk_no
                """,
                self._owner,
                LEASE_SECONDS,
            )
        kept = {tuple(row) for row in rows}
        if not kept <= self._runs.keys():
            self._astray = True
            self._room.set()
        for key, run in held.items():
            if key in kept:
                if not run.severed:
                    run.leased_until = max(run.leased_until, leased_until)
            elif self._runs.get(key) is run:
                _log.warning("lost the lease of chunk %s of send %s", run.chunk_no, run.send)
                run.sever()
                self._stop(run)

    async def _recover(self) -> None:
        count = await replay_orphans(self._db, folder=self._folder, writer=self._writer, now=utc_now())
        if count:
            _log.warning("replayed %d journals of workers that died", count)
            self._room.set()

    # -- housekeeping ----------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None and not self._fault.done():
            self._fault.set_exception(fault)  # a defect: end, and let the next process recover from our journal

    async def _close(self) -> None:
        self._closing = True
        for run in list(self._runs.values()):
            self._stop(run)
        await self._outlets.close(grace_seconds=_GRACE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                while self._runs or self._claiming:  # the record loop is still at work
                    self._flush.set()
                    await asyncio.sleep(0.02)
        if not self._runs and not self._claiming and not self._astray:
            self._journal.close()  # else the next one finds in it what we hold


def _priorities(turns: Turns) -> tuple[int, int]:
    return _URGENT if turns.urgent else _USUAL


def _size(row: asyncpg.Record) -> int:
    return len(row["ns"]) if row["ns"] is not None else row["last_n"] - row["first_n"] + 1


def _names(keys: Iterable[Key]) -> list[str]:
    return [f"{workspace}:{provider}:{route}" for workspace, provider, route in keys]
