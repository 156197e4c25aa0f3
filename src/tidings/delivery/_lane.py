"""One way out of a worker: a provider, and the chunks whose messages go through it."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from tidings.content import RenderError
from tidings.core.clock import steady
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery._budgets import Budget
from tidings.delivery._pacing import Pacing
from tidings.delivery._run import ATTEMPTS, CONTACT, SKIP, ChunkRun, Job, N
from tidings.delivery._states import DeliveryState
from tidings.delivery._wire import TemplateTooDear, Wire
from tidings.delivery.providers import HealthState, Outcome, Outgoing, Provider, Throttled


class Lane:
    """The `Source` that a provider pulls from. All of it runs on the event loop, without tasks or futures a message.

    `progress` is called when outcomes or room are there for the worker to look after, `unusable` with a reason why
    nothing more of a run's send should be tried: it is to stop the run.
    """

    def __init__(
        self,
        *,
        workspace: WorkspaceId,
        provider_id: ProviderId,
        progress: Callable[[], None],
        unusable: Callable[[ChunkRun, str], None],
    ) -> None:
        self.workspace = workspace
        self.provider_id = provider_id
        self.final_state = DeliveryState.DELIVERED
        self.pacing = Pacing()
        self.configured_at: datetime | None = None
        """Of which moment its provider's settings are."""
        self.budget: Budget | None = None
        self.runs: deque[ChunkRun] = deque()
        self._progress = progress
        self._unusable = unusable
        self._again: deque[Job] = deque()
        self._provider: Provider | None = None
        self.idle_since = steady()
        self._unflushed = 0

    def open(self, provider: Provider) -> Provider | None:
        """Pull through this provider from now on. Returns the one before it, for the caller to close."""
        before, self._provider = self._provider, provider
        provider.start(self)
        return before

    @property
    def provider(self) -> Provider:
        """The provider of this lane."""
        assert self._provider is not None
        return self._provider

    def add(self, run: ChunkRun) -> None:
        """A run whose rows have come. Messages go before campaigns: at once, even when a chunk has been begun."""
        place = sum(one.urgent for one in self.runs) if run.urgent else len(self.runs)
        self.runs.insert(place, run)
        self.provider.wake()

    def remove(self, run: ChunkRun) -> None:
        """A run that is over, or that will be added again with other rows."""
        if run in self.runs:
            self.runs.remove(run)
        self.idle_since = steady()

    def stop(self, run: ChunkRun) -> None:
        """Hand out nothing more of a run; what is being transmitted goes through."""
        run.stopping = True
        ours = [job for job in self._again if job.run is run]
        if ours:
            run.flying -= len(ours)
            self._again = deque(job for job in self._again if job.run is not run)
        self._progress()

    @property
    def stuck(self) -> bool:
        """More work would not move it now."""
        return self.provider.health.state in {HealthState.UNREACHABLE, HealthState.THROTTLED}

    # -- the Source protocol -------------------------------------------------------------------------------------

    def next(self) -> Outgoing | None:
        """The next message, rendered now; None when there is nothing, or the rate is used up."""
        if self.budget is not None and not self.budget.ready():
            return None
        job = self._taken_back() or self._rendered()
        if job is not None and self.budget is not None:
            self.budget.spend()
        return job

    def transmitting(self, job: Outgoing) -> bool:
        """Refuses when the recipient left, or when our lease may have ended."""
        assert isinstance(job, Job)
        run = job.run
        if job.contact in run.withdrawn:
            return False
        now = steady()
        if now > run.leased_until or now > run.heard_until:
            self.stop(run)  # the rest of it would be refused too, each at the price of a connection
            return False
        run.mark_transmitting(job)
        return True

    def settle(self, job: Outgoing, outcome: Outcome) -> None:
        """Credit an outcome to its delivery."""
        assert isinstance(job, Job)
        if isinstance(outcome, Throttled):
            self.give_back(job)
            return
        run = job.run
        run.settle(job, outcome)
        self._unflushed += 1
        if self._unflushed >= 500 or run.through:
            self._unflushed = 0
            self._progress()

    def give_back(self, job: Outgoing) -> None:
        """It was never transmitted: first in line, unless its run is stopping."""
        assert isinstance(job, Job)
        run = job.run
        run.take_back(job)
        if run.stopping:
            run.flying -= 1
            if run.through:
                self._progress()
        else:
            self._again.append(job)
            self.provider.wake()  # it came from one that was replaced, or everybody else has gone to rest meanwhile

    # -- where messages come from --------------------------------------------------------------------------------

    def _taken_back(self) -> Job | None:
        return self._again.popleft() if self._again else None

    def _rendered(self) -> Job | None:
        for run in self.runs:
            wire = run.wire
            if wire is None or run.stopping:
                continue
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
                try:
                    message = wire.build(row, date=_date_header())
                    sender, recipient, utf8 = wire.envelope(row)
                except TemplateTooDear as error:
                    # It is no fault of theirs: this one and those just before it stay pending.
                    run.cursor = index
                    self._set_aside(wire, str(error))
                    return self._rendered()
                except RenderError as error:
                    failed.append((row[N], f"could not be rendered: {error}"))
                    continue
                _tell_failed(run, failed)
                run.flying += 1
                if run.cursor == len(rows):
                    self._progress()  # room for the next chunk
                return Job(sender, recipient, message, utf8, run, index, row[N], row[CONTACT])
            _tell_failed(run, failed)
            if run.through:
                self._progress()
        return None

    def _set_aside(self, wire: Wire, reason: str) -> None:
        """Nothing more of what this message goes to, until the worker has stopped it."""
        for run in [run for run in self.runs if run.wire == wire]:
            self.remove(run)
            self._unusable(run, reason)


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
