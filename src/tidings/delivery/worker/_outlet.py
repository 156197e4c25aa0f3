"""One provider in one worker: it pulls from every lane that it is a way out of, and is left alone while it fails."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tidings.core.clock import steady
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.limits import Budget
from tidings.delivery.providers import (
    Accepted,
    Deferred,
    Fault,
    HealthState,
    Outcome,
    Outgoing,
    Provider,
    ProviderHealth,
    Rejected,
    Throttled,
    Unknown,
)
from tidings.delivery.worker._breaker import PROBES, Breaker, BreakerState
from tidings.delivery.worker._run import ChunkRun, Job, Via

_FLUSH_AT = 500
_STALLED_SECONDS = 15.0
_CONNECTING_SECONDS = 5.0
_SUSPECT_SECONDS = 5.0
_MOST_TRIALS = 3
_FORGETS = 0.9  # of the rate a second, every second
_ILL = {HealthState.UNREACHABLE, HealthState.THROTTLED}


class Way(Protocol):
    """A lane, as its providers see it."""

    def take(self, outlet: "Outlet") -> Job | None:
        """The next message that this provider may have."""
        ...

    def give_back(self, job: Job) -> None:
        """It was never transmitted; whichever provider asks first has it."""
        ...

    def divert(self, job: Job, outlet: "Outlet") -> bool:
        """Let another provider have it, which this one refused for a reason of its own. False: there is no other."""
        ...

    def stop(self, run: ChunkRun) -> None:
        """Hand out nothing more of a run."""
        ...

    def wake(self) -> None:
        """Ask those who may have something."""
        ...

    def recent(self) -> list[str]:
        """Domains of those handed out last."""
        ...

    @property
    def urgent(self) -> bool:
        """It has messages to single recipients before it."""
        ...


class Outlet:
    """The `Source` that a provider pulls from. All of it runs on the event loop, without tasks or futures a message.

    `progress` is called when outcomes are there for the worker to look after.
    """

    def __init__(self, *, workspace: WorkspaceId, provider_id: ProviderId, progress: Callable[[], None]) -> None:
        self.workspace = workspace
        self.provider_id = provider_id
        self.configured_at: datetime | None = None
        """Of which moment its provider's settings are."""
        self.budget: Budget | None = None
        """What there is to ask before each message; None while nothing limits it."""
        self.limiter: Budget | None = None
        """The same, also while it limits nothing."""
        self.workers = 1
        """Which share its connections."""
        self._rate = 0.0
        self._counted = 0
        self.lanes: list[Way] = []
        self.idle_since = steady()
        self.flying = 0
        """Messages that the provider has."""
        self.unusable = ""
        """Why its newest settings cannot be used; it goes on with those before."""
        self.deleted = False
        """There is no such provider any more: it is let go, credentials and all, once nothing is under way."""
        self._via: Via
        self._room = 1
        self._progress = progress
        self._provider: Provider | None = None
        self._breaker = Breaker()
        self._shut = False
        """The breaker is not closed."""
        self._suspects: list[tuple[Job, Outcome, float]] = []
        self._unflushed = 0
        self._stalled = False
        self._answers = self._answers_seen = 0
        self._moved_at = steady()

    def open(self, provider: Provider, via: Via, *, connections: int) -> Provider | None:
        """Send through this provider from now on. Returns the one before it, for the caller to close."""
        before, self._provider = self._provider, provider
        self._via, self._room = via, connections
        if before is not None and self._shut:
            self._breaker, self._shut = Breaker(), False  # what was wrong may have been its settings
        provider.start(self)
        return before

    @property
    def provider(self) -> Provider:
        """The provider at present."""
        assert self._provider is not None
        return self._provider

    @property
    def via(self) -> Via:
        """What its acceptances mean."""
        return self._via

    # -- the Source protocol -------------------------------------------------------------------------------------

    def next(self) -> Outgoing | None:
        """The next message; None when there is none for this provider now, or its rate is used up, or it keeps failing."""
        if self._shut and (self._breaker.state is BreakerState.OPEN or self.flying >= PROBES):
            return None
        budget = self.budget
        if budget is not None and not budget.ready():
            return None
        lanes = self.lanes
        job = lanes[0].take(self) if len(lanes) == 1 else self._next_of_several()
        if job is not None:
            self.flying += 1
            if budget is not None:
                budget.spend()
        return job

    def _next_of_several(self) -> Job | None:
        lanes = self.lanes
        for lane in lanes:
            if lane.urgent and (job := lane.take(self)) is not None:
                return job
        for place, lane in enumerate(lanes):
            if (job := lane.take(self)) is not None:
                if place + 1 < len(lanes):  # by turns
                    self.lanes = [*lanes[:place], *lanes[place + 1 :], lane]
                return job
        return None

    def transmitting(self, job: Outgoing) -> bool:
        """Refuses when the recipient left, or when our lease may have ended."""
        assert isinstance(job, Job)
        run = job.run
        if job.contact in run.withdrawn:
            return False
        now = steady()
        if now > run.leased_until or now > run.heard_until:
            run.home.stop(run)  # the rest of it would be refused too, each at the price of a connection
            return False
        run.mark_transmitting(job)
        return True

    def settle(self, job: Outgoing, outcome: Outcome) -> None:
        """Credit an outcome to its delivery."""
        assert isinstance(job, Job)
        self.flying -= 1
        self._answers += 1
        if isinstance(outcome, Accepted):
            if self._breaker.troubled:
                self._worked()
            # As `_settled` does: the call would be felt.
            run = job.run
            run.settle(job, outcome)
            self._unflushed += 1
            if self._unflushed >= _FLUSH_AT or run.through:
                self._unflushed = 0
                self._progress()
            return
        if self._was_ours(job, outcome):
            return
        if isinstance(outcome, Unknown):
            self._failed(outcome.reason)
        elif isinstance(outcome, Deferred) and not outcome.code:  # the connection was lost in the middle of it
            self._failed(outcome.reply)
        elif self._breaker.troubled:
            self._worked()
        self._settled(job, outcome)

    def give_back(self, job: Outgoing) -> None:
        """It was never transmitted: first in line, for whichever provider of its lane asks, unless its run is stopping."""
        assert isinstance(job, Job)
        self.flying -= 1
        self._return(job)

    # -- what a provider's own failures lead to ------------------------------------------------------------------

    def _was_ours(self, job: Job, outcome: Outcome) -> bool:
        """What is no outcome of this recipient: the message goes to another provider, or here again. Burns no attempt."""
        if isinstance(outcome, Throttled):
            if outcome.slower and self.limiter is not None:
                domain = job.recipient.rpartition(b"@")[2].decode().lower() if outcome.one_mailbox_provider else None
                wait = outcome.retry_after_seconds or 0.0
                self.limiter.slow(domain, outcome.reply, rate=self._rate_to, wait_seconds=wait)
                self.limit()
            self._return(job)
            return True
        if not isinstance(outcome, Rejected | Deferred) or outcome.fault is not Fault.SENDER:
            return False
        # Refused for certain, because of us or of the provider: another may have it.
        job.run.take_back(job)
        trial = self._shut
        self._suspects.append((job, outcome, steady()))
        self._failed(outcome.reply)
        if not self._suspects or self._suspects[-1][0] is not job:
            return True  # the breaker has opened, and they all went back
        if trial or job.run.home.divert(job, self):
            self._suspects.pop()
            if trial:
                self._again_after_trial(job, outcome)
        return True

    def _again_after_trial(self, job: Job, outcome: Outcome) -> None:
        job.trials += 1
        if job.trials < _MOST_TRIALS:
            self._return(job)
        else:
            self._settled(job, outcome)

    def _worked(self) -> None:
        """It failed not long ago, and now gave the answer of a provider that works."""
        if self._suspects:
            self.acquit()
        if self._breaker.succeeded():
            self._shut = False
            self.wake()

    def _failed(self, reason: str) -> None:
        if self._breaker.failed(reason, now=steady()):
            self._shut = True
            asyncio.get_running_loop().call_later(self._breaker.until - steady(), self._try_again, self._breaker)
            suspects, self._suspects = self._suspects, []
            for job, outcome, _ in suspects:
                self._again_after_trial(job, outcome)
            for lane in self.lanes:
                lane.wake()  # the others

    def _try_again(self, breaker: Breaker) -> None:
        breaker.half_open()
        if breaker is self._breaker:
            self.wake()

    def acquit(self, run: ChunkRun | None = None) -> None:
        """Settle what waits to be judged, of this run or of all: it was no failure of the provider's own."""
        suspects, self._suspects = self._suspects, []
        for suspect in suspects:
            if run is None or suspect[0].run is run:
                self._settled(suspect[0], suspect[1])
            else:
                self._suspects.append(suspect)

    def _settled(self, job: Job, outcome: Outcome) -> None:
        run = job.run
        run.settle(job, outcome)
        self._unflushed += 1
        if self._unflushed >= _FLUSH_AT or run.through:
            self._unflushed = 0
            self._progress()

    def _return(self, job: Job) -> None:
        run = job.run
        run.take_back(job)
        if run.stopping:
            run.flying -= 1
            if run.through:
                self._progress()
        else:
            run.home.give_back(job)

    def limit(self) -> None:
        """Whether there is something to ask may have changed."""
        limiter = self.limiter
        self.budget = limiter if limiter is not None and limiter.limits_something else None

    def _rate_to(self, scope: str) -> float:
        """Messages a second of late, of all workers as far as is known: what went to a scope, by those handed out last."""
        rate = max(self._rate, float(self._answers - self._counted)) * self.workers
        if not scope or self.limiter is None:
            return rate
        domains = [domain for lane in self.lanes for domain in lane.recent()]
        if not domains:
            return rate
        return rate * sum(self.limiter.scope_of(domain) == scope for domain in domains) / len(domains)

    # -- how it is -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something for it."""
        self.provider.wake()

    @property
    def load(self) -> float:
        """Messages in flight, relative to its connections."""
        return self.flying / self._room

    @property
    def able(self) -> bool:
        """It can send at this moment, as far as is known: nobody need step in for it."""
        if self._shut or self._stalled or self.provider.health.state in _ILL:
            return False
        return self.budget is None or self.budget.used_up is None

    @property
    def stuck(self) -> bool:
        """More work would not move it now."""
        if self._breaker.state is BreakerState.OPEN or self.provider.health.state in _ILL:
            return True
        return self.budget is not None and self.budget.used_up is not None

    @property
    def on_trial(self) -> bool:
        """It failed lately, which must not be forgotten."""
        return self._shut

    @property
    def health(self) -> ProviderHealth:
        """Its state in words, for people."""
        if self.unusable:
            return ProviderHealth(HealthState.UNUSABLE, self.unusable)
        if self._breaker.state is BreakerState.OPEN:
            return ProviderHealth(HealthState.OPEN, self._breaker.reason, max(0.0, self._breaker.until - steady()))
        health = self.provider.health
        if self._breaker.state is BreakerState.HALF_OPEN and health.state not in _ILL:
            return ProviderHealth(HealthState.HALF_OPEN, self._breaker.reason)
        if self._stalled and health.state not in _ILL:
            return ProviderHealth(HealthState.STALLED, f"no answer for {steady() - self._moved_at:.0f} s")
        if health.state not in _ILL and self.budget is not None and (share := self.budget.used_up) is not None:
            return ProviderHealth(HealthState.LIMITED, f"the limit of {share.why} is reached", share.wait_seconds)
        if health.state is HealthState.OK and self.limiter is not None and (slowed := self.limiter.slowed):
            words = "; ".join(f"{scope or 'all'}: {why}" for scope, why in sorted(slowed.items())[:5])
            return ProviderHealth(HealthState.SLOWED, words)
        return health

    def look(self) -> None:
        """To be called every second: is anything moving?"""
        now = steady()
        self._rate = max(float(self._answers - self._counted), self._rate * _FORGETS)
        self._counted = self._answers
        connecting = self.provider.health.state is HealthState.CONNECTING
        if self._answers != self._answers_seen or (not self.flying and not connecting):
            self._answers_seen, self._moved_at = self._answers, now
        was = self._stalled
        self._stalled = now - self._moved_at > (_STALLED_SECONDS if self.flying else _CONNECTING_SECONDS)
        if self._stalled and not was:
            for lane in self.lanes:
                lane.wake()
        if self._suspects and (not self.flying or now - self._suspects[0][2] > _SUSPECT_SECONDS):
            self.acquit()  # nothing else is to come that could tell
