"""One way out of a worker: a provider or a route, and the chunks whose messages go that way."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tidings.content import RenderError
from tidings.core.clock import steady
from tidings.delivery.states import DeliveryState
from tidings.delivery.ways import RouteMember, Strategy
from tidings.delivery.wire import TemplateTooDear, Wire
from tidings.delivery.worker._choosing import Chooser
from tidings.delivery.worker._held import Held
from tidings.delivery.worker._outlet import Outlet
from tidings.delivery.worker._run import ATTEMPTS, CONTACT, EMAIL, SKIP, ChunkRun, Job, Key, N


class Lane:
    """Hands out the messages of its chunks to the providers that ask, if it is their turn.

    `progress` is called when outcomes or room are there for the worker to look after, `unusable` with a reason why
    nothing more of a run's send should be tried: it is to stop the run.
    """

    def __init__(self, key: Key, *, progress: Callable[[], None], unusable: Callable[[ChunkRun, str], None]) -> None:
        self.key = key
        self.outlets: Sequence[Outlet] = ()
        self.configured_at: datetime | None = None
        """Of which moment its route's settings are."""
        self.runs: deque[ChunkRun] = deque()
        self.idle_since = steady()
        self._chooser: Chooser | None = None
        """None: there is only one provider."""
        self._progress = progress
        self._unusable = unusable
        self._again: deque[Job] = deque()
        self._diverted: list[Job] = []
        """Refused by one of its providers, and waiting for another."""
        self._held = Held()

    def go_through(self, strategy: Strategy, members: Sequence[tuple[Outlet, RouteMember]]) -> None:
        """Send through these providers from now on."""
        before, self.outlets = self.outlets, [outlet for outlet, _ in members]
        for outlet in before:
            outlet.lanes = [lane for lane in outlet.lanes if lane is not self]
            outlet.idle_since = steady()
        for outlet in self.outlets:
            outlet.lanes = [*outlet.lanes, self]
        self._chooser = None
        if len(members) > 1:
            self._chooser = Chooser(strategy, [(outlet, one.weight, one.priority) for outlet, one in members])
            self._chooser.begin()
        self._release_diverted()

    def add(self, run: ChunkRun) -> None:
        """A run whose rows have come. Messages go before campaigns: at once, even when a chunk has been begun."""
        run.home = self
        if self._chooser is not None and not self.busy:
            self._chooser.begin()
        place = sum(one.urgent for one in self.runs) if run.urgent else len(self.runs)
        self.runs.insert(place, run)
        self.wake()

    def remove(self, run: ChunkRun) -> None:
        """A run that is over, or that will be added again with other rows."""
        if run in self.runs:
            self.runs.remove(run)
        self.idle_since = steady()

    def turn(self) -> list[ChunkRun]:
        """The next send's turn: those of the campaign that has had it go behind all others. Returns them."""
        first = next((run for run in self.runs if not run.urgent), None)
        if first is None:
            return []
        mine = [
            run for run in self.runs if not run.urgent and (run.workspace, run.send) == (first.workspace, first.send)
        ]
        for run in mine:
            self.runs.remove(run)
            self.runs.append(run)
        return mine

    def stop(self, run: ChunkRun) -> None:
        """Hand out nothing more of a run; what is being transmitted goes through."""
        run.stopping = True
        self._held.forget(run)
        before = len(self._again) + len(self._diverted)
        self._again = deque(job for job in self._again if job.run is not run)
        self._diverted = [job for job in self._diverted if job.run is not run]
        run.flying -= before - len(self._again) - len(self._diverted)
        for outlet in self.outlets:
            outlet.acquit(run)
        self._progress()

    def wake(self) -> None:
        """There is something for one of its providers."""
        if self._chooser is None:
            for outlet in self.outlets:
                outlet.wake()
        else:
            self._chooser.wake()

    def look(self) -> None:
        """To be called every second: providers wait for each other no longer than they must."""
        if self._diverted:
            self._release_diverted()
        if self._chooser is not None and self.busy:
            self._chooser.look()
        if self._held and self._held.put_off(self.runs, self.outlets):
            self._progress()

    @property
    def by_domain(self) -> bool:
        """Some provider of it has limits by mailbox provider."""
        return any(outlet.budget is not None and outlet.budget.by_domain for outlet in self.outlets)

    @property
    def busy(self) -> bool:
        """It has something to hand out."""
        return bool(self._again) or any(run.unsent or run.aside for run in self.runs)

    @property
    def stuck(self) -> bool:
        """More work would not move it now."""
        return all(outlet.stuck for outlet in self.outlets)

    @property
    def urgent(self) -> bool:
        """It has messages to single recipients before it."""
        return bool(self.runs) and self.runs[0].urgent

    def recent(self) -> list[str]:
        """Domains of those handed out last."""
        return [one for run in self.runs for one in domains_of(run.rows[max(0, run.cursor - 200) : run.cursor])]

    # -- what its providers ask ----------------------------------------------------------------------------------

    def take(self, outlet: Outlet) -> Job | None:
        """The next message, rendered now; None when there is nothing, or it is another provider's turn."""
        if self._diverted and (job := self._diverted_to(outlet)) is not None:
            return job
        chooser = self._chooser
        if chooser is None:
            return (self._taken_back(outlet) if self._again else None) or self._rendered(outlet)
        if not chooser.may(outlet):
            return None
        job = (self._taken_back(outlet) if self._again else None) or self._rendered(outlet)
        if job is not None:
            chooser.took(outlet)
        return job

    def give_back(self, job: Job) -> None:
        """It was never transmitted: first in line."""
        self._again.append(job)
        self.wake()  # it came from one that was replaced, or everybody else has gone to rest meanwhile

    def divert(self, job: Job, outlet: Outlet) -> bool:
        """Let another provider have what this one refused for a reason of its own. False: there is no other."""
        if self._chooser is None or job.run.stopping:
            return False
        refused = job.refused_by = (job.refused_by or set()) | {outlet.provider_id}
        others = [one for one in self.outlets if one.able and one.provider_id not in refused]
        if not others:
            return False
        self._diverted.append(job)
        for one in others:
            one.wake()
        return True

    # -- where messages come from --------------------------------------------------------------------------------

    def _taken_back(self, outlet: Outlet) -> Job | None:
        while self._again:
            job = self._again.popleft()
            if self._within(job, outlet):
                job.part = job.run.part(outlet.via)
                return job
            job.run.flying -= 1
            self._hold(job.run, job.index, outlet)
        return None

    @staticmethod
    def _within(job: Job, outlet: Outlet) -> bool:
        """Its mailbox provider may have one more."""
        budget = outlet.budget
        if budget is None or not budget.by_domain:
            return True
        domain = domain_of(job.run.rows[job.index])
        if not budget.may(domain):
            return False
        budget.spend_on(domain)
        return True

    def _diverted_to(self, outlet: Outlet) -> Job | None:
        for place, job in enumerate(self._diverted):
            refused = job.refused_by is not None and outlet.provider_id in job.refused_by
            if not refused and self._within(job, outlet):
                del self._diverted[place]
                job.part = job.run.part(outlet.via)
                return job
        return None

    def _release_diverted(self) -> None:
        """Those for whom nobody is left that could: whoever asks first, even one that refused it before."""
        able = {outlet.provider_id for outlet in self.outlets if outlet.able}
        jobs, self._diverted = self._diverted, []
        for job in jobs:
            (self._diverted if able - (job.refused_by or set()) else self._again).append(job)
        self.wake()

    def _rendered(self, outlet: Outlet) -> Job | None:
        via, budget = outlet.via, outlet.budget
        if budget is not None and not budget.by_domain:
            budget = None
        for run in self.runs:
            wire = run.wire
            if wire is None or run.stopping:
                continue
            if run.aside and (job := self._held_back(run, wire, outlet)) is not None:
                return job
            rows = run.rows
            failed: list[tuple[int, str]] = []
            while run.cursor < len(rows):
                index = run.cursor
                row = rows[index]
                run.cursor = index + 1
                if row[SKIP] is not None:
                    run.tell(row[N], DeliveryState.SKIPPED, row[SKIP], attempts=row[ATTEMPTS])
                    continue
                if run.withdrawn and row[CONTACT] in run.withdrawn:
                    run.rescreen.append(row[N])
                    continue
                if budget is not None and not budget.may(domain_of(row)):
                    self._hold(run, index, outlet)
                    continue
                try:
                    message = wire.build(row, date=_date_header())
                    sender, recipient, utf8 = wire.envelope(row)
                except TemplateTooDear as error:
                    # It is no fault of theirs: this one and those just before it stay pending.
                    run.cursor = index
                    self._set_aside(wire, str(error))
                    return self._rendered(outlet)
                except RenderError as error:
                    failed.append((row[N], f"could not be rendered: {error}"))
                    continue
                _tell_failed(run, failed)
                if budget is not None:
                    budget.spend_on(domain_of(row))
                run.flying += 1
                if run.cursor == len(rows):
                    self._progress()  # room for the next chunk
                part = run.parts.get(via) or run.part(via)
                return Job(sender, recipient, message, utf8, run, index, row[N], row[CONTACT], part)
            _tell_failed(run, failed)
            if run.through:
                self._progress()
        if budget is not None:
            budget.fresh = False
        return None

    # -- what a limit by mailbox provider holds back -------------------------------------------------------------

    def _hold(self, run: ChunkRun, index: int, outlet: Outlet) -> None:
        """Its mailbox provider gets nothing from this provider now: others go on, and it goes later."""
        self._held.add(run, index, domain_of(run.rows[index]), self.outlets)
        for other in self.outlets if len(self.outlets) > 1 else ():
            if other is not outlet:
                if other.budget is not None:
                    other.budget.fresh = True
                other.wake()
        if run.cursor == len(run.rows):
            self._progress()  # room for the next chunk, or it is through

    def _held_back(self, run: ChunkRun, wire: Wire, outlet: Outlet) -> Job | None:
        """One that was held back and may go now."""
        budget = outlet.budget
        while (index := self._held.next(run, budget)) is not None:
            row = run.rows[index]
            if run.withdrawn and row[CONTACT] in run.withdrawn:
                run.rescreen.append(row[N])
                continue
            try:
                message = wire.build(row, date=_date_header())
                sender, recipient, utf8 = wire.envelope(row)
            except TemplateTooDear as error:
                self._held.keep(run, index, domain_of(row))  # it is no fault of theirs: all of them stay pending
                self._set_aside(wire, str(error))
                return None
            except RenderError as error:
                run.tell(row[N], DeliveryState.FAILED, f"could not be rendered: {error}")
                continue
            if budget is not None and budget.by_domain:
                budget.spend_on(domain_of(row))
            run.flying += 1
            return Job(sender, recipient, message, utf8, run, index, row[N], row[CONTACT], run.part(outlet.via))
        if run.through:
            self._progress()
        return None

    def _set_aside(self, wire: Wire, reason: str) -> None:
        """Nothing more of what this message goes to, until the worker has stopped it."""
        for run in [run for run in self.runs if run.wire == wire]:
            self.remove(run)
            self._unusable(run, reason)


def domains_of(rows: Sequence[Any]) -> list[str]:
    """Of those that may be mailed: whoever was deleted meanwhile has no address any more."""
    return [domain_of(row) for row in rows if row[SKIP] is None]


def domain_of(row: Any) -> str:
    address: str = row[EMAIL]
    return address.rpartition("@")[2].lower()


def _tell_failed(run: ChunkRun, failed: list[tuple[int, str]]) -> None:
    for n, reason in failed:
        run.tell(n, DeliveryState.FAILED, reason)


_second, _header = 0, b""


def _date_header() -> bytes:
    """The present moment as RFC 5322 §3.3 wants it, made once a second."""
    global _second, _header
    now = int(time.time())
    if now != _second:
        _second, _header = now, time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(now)).encode()
    return _header
