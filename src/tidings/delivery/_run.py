"""A leased chunk in a worker's memory: who is in it, how far it is, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from tidings.core.clock import steady
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._journal import ACCEPTED, IN_DOUBT, NOTHING, Slot
from tidings.delivery._pacing import Pacing
from tidings.delivery._record import Accepted, Told
from tidings.delivery._states import DeliveryState
from tidings.delivery._wire import Wire
from tidings.delivery.providers import (
    Accepted as Yes,
)
from tidings.delivery.providers import (
    Deferred,
    Fault,
    Outcome,
    Outgoing,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
)

# Positions in a row of _fetch.sql: by index, because a name costs a look-up for each recipient.
N, CONTACT, SKIP, ATTEMPTS = 0, 1, 11, 13


@dataclass(slots=True, eq=False)
class Job(Outgoing):
    """One message on its way, and where its outcome belongs."""

    run: "ChunkRun"
    index: int
    n: int
    contact: int


@dataclass(slots=True, eq=False)
class ChunkRun:
    """One leased chunk. Registered before its rows are fetched, so that no withdrawal can fall between the two."""

    workspace: WorkspaceId
    send: SendId
    chunk_no: int
    provider: int
    first_n: int
    last_n: int
    ns: Sequence[int] | None
    epoch: int
    """Which stretch of uninterrupted listening it belongs to (see _ears.py)."""
    leased_until: float
    """Time (`steady`) after which the lease may have gone to another: nothing is transmitted from then on."""
    heard_until: float
    """Likewise after which someone may have left without our hearing of it."""
    urgent: bool = False
    """It is of messages to single recipients, which go before campaigns and have places of their own."""
    begun: float = field(default_factory=steady)
    severed: bool = False
    pacing: Pacing = field(default_factory=Pacing)
    wire: Wire | None = None
    rows: Sequence[asyncpg.Record] = ()
    slot: Slot | None = None
    cursor: int = 0
    flying: int = 0
    """Jobs made and not settled: with the provider, or taken back and waiting to go again."""
    stopping: bool = False
    """Hand out nothing more: its send was paused or cancelled, or the worker is closing."""
    withdrawn: set[int] = field(default_factory=set)
    """Contacts announced as gone since the fetch began: screened anew before anything is sent to them."""
    rescreen: list[int] = field(default_factory=list)
    """n of those that were passed over for it."""
    in_doubt: set[int] = field(default_factory=set)
    """Contacts whose message is being transmitted, reply not read yet."""
    accepted: list[int] = field(default_factory=list)
    told: Told = field(default_factory=Told)

    @property
    def size(self) -> int:
        """The most recipients it can have."""
        return len(self.ns) if self.ns is not None else self.last_n - self.first_n + 1

    @property
    def loaded(self) -> bool:
        """Its rows are here."""
        return self.wire is not None

    @property
    def waiting(self) -> list[int]:
        """n of those of a retry chunk, or of a loaded one, that were not handed out yet."""
        return [row[N] for row in self.rows[self.cursor :]] if self.loaded else list(self.ns or ())

    @property
    def unsent(self) -> int:
        """How many are still to be handed out (all of them, while the rows are being fetched)."""
        return 0 if self.stopping else len(self.rows) - self.cursor if self.loaded else self.size

    @property
    def through(self) -> bool:
        """Nothing more will come of it: once recorded it can be given back."""
        return self.flying == 0 and (self.stopping or (self.loaded and self.cursor >= len(self.rows)))

    def sever(self) -> None:
        """Transmit nothing more of it, not even what a provider holds: we may not know who left, or not own it."""
        self.severed, self.leased_until = True, float("-inf")

    def renew(self) -> list[int]:
        """Forget its rows, to be loaded again for those whose standing has to be looked at anew; returns their n."""
        ns, self.rescreen = self.rescreen, []
        if self.slot is not None:
            self.slot.close()
        self.wire, self.rows, self.slot, self.cursor, self.withdrawn = None, (), None, 0, set()
        return ns

    def mark_transmitting(self, job: Job) -> None:
        """From here on its message may have arrived."""
        assert self.slot is not None
        self.slot.marks[job.index] = IN_DOUBT
        self.in_doubt.add(job.contact)

    def settle(self, job: Job, outcome: Outcome) -> None:
        """Keep what became of a job until it is recorded. `Throttled` is not for here: it burns no attempt."""
        self.flying -= 1
        self.in_doubt.discard(job.contact)
        if isinstance(outcome, Yes):
            assert self.slot is not None
            self.slot.marks[job.index] = ACCEPTED
            self.accepted.append(job.n)
        else:
            self._settle_other(job, outcome)

    def take_back(self, job: Job) -> None:
        """It was not transmitted: forget that it was about to be."""
        assert self.slot is not None
        self.in_doubt.discard(job.contact)
        self.slot.marks[job.index] = NOTHING

    def tell(
        self,
        n: int,
        state: DeliveryState,
        detail: str,
        *,
        attempts: int | None = None,
        wait_seconds: float | None = None,
    ) -> None:
        """Keep an outcome that is not an acceptance until it is recorded."""
        self.told.add(
            self.workspace,
            self.send,
            n,
            state,
            detail,
            attempts=attempts,
            wait_seconds=wait_seconds,
            first_wait_seconds=self.pacing.retry_first_seconds,
            give_up_seconds=self.pacing.give_up_seconds,
        )

    def _settle_other(self, job: Job, outcome: Outcome) -> None:
        assert self.slot is not None
        if not isinstance(outcome, Unknown):
            self.slot.marks[job.index] = NOTHING  # refused for certain: a second try cannot be a second copy
        attempts = self.rows[job.index][ATTEMPTS]
        match outcome:
            case Rejected(reply=reply, fault=Fault.RECIPIENT):
                self.tell(job.n, DeliveryState.BOUNCED, reply, attempts=attempts)
            case Rejected(reply=reply):
                self.tell(job.n, DeliveryState.FAILED, reply, attempts=attempts)
            case Deferred(reply=reply, retry_after_seconds=wait) | Throttled(reply=reply, retry_after_seconds=wait):
                self.tell(job.n, DeliveryState.DEFERRED, reply, attempts=attempts, wait_seconds=wait)
            case Unknown(reason=reason):
                self.tell(job.n, DeliveryState.UNKNOWN, reason, attempts=attempts)
            case Withdrawn():
                self.rescreen.append(job.n)
            case Yes():
                raise AssertionError(outcome)


@dataclass(slots=True)
class Harvest:
    """Outcomes taken from runs for one transaction, and how to put them back when it fails."""

    accepted: Accepted = field(default_factory=Accepted)
    retried: Accepted = field(default_factory=Accepted)
    told: Told = field(default_factory=Told)

    def take(self, run: ChunkRun) -> None:
        """Move a run's outcomes over."""
        if run.accepted:
            targets = [self.accepted] if run.ns is None else [self.accepted, self.retried]
            for target in targets:
                target.workspaces.extend([run.workspace] * len(run.accepted))
                target.sends.extend([run.send] * len(run.accepted))
                target.ns.extend(run.accepted)
            run.accepted = []
        if run.told.ns:
            told, run.told = run.told, Told()
            for name in Told.__slots__:
                getattr(self.told, name).extend(getattr(told, name))

    def __len__(self) -> int:
        return len(self.accepted.ns) + len(self.told.ns)
