"""A leased chunk in a worker's memory: who is in it, how far it is, and what became of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from tidings.core.clock import steady
from tidings.core.ids import SendId, WorkspaceId
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
from tidings.delivery.recording import ACCEPTED, IN_DOUBT, NOTHING, Accepted, Slot, Told
from tidings.delivery.states import DeliveryState
from tidings.delivery.ways import Pacing
from tidings.delivery.wire import Wire

# Positions in a row of _fetch.sql: by index, because a name costs a look-up for each recipient.
N, CONTACT, EMAIL, SKIP, ATTEMPTS = 0, 1, 2, 11, 13

_PLAIN = Pacing()


Key = tuple[int, int, int]
"""Which way a chunk goes: workspace, provider or 0, route or 0."""


@dataclass(slots=True, eq=False, frozen=True)
class Via:
    """A provider as it is while its settings stay: what an acceptance means, and how it is tried again. Compared by identity."""

    provider: int
    state: DeliveryState
    pacing: Pacing


@dataclass(slots=True, eq=False)
class Part:
    """What of a chunk went through one provider."""

    via: Via
    in_doubt_mark: int
    accepted_mark: int
    accepted: list[int] = field(default_factory=list)
    """n of those that it took, until they are recorded."""


@dataclass(slots=True, eq=False)
class Job(Outgoing):
    """One message on its way, and where its outcome belongs."""

    run: "ChunkRun"
    index: int
    n: int
    contact: int
    part: Part
    """Of the provider that has it now."""
    refused_by: set[int] | None = None
    """Providers that would not have it for a reason of their own."""
    trials: int = 0
    """How often it was refused like that while its provider was on trial."""


class Home(Protocol):
    """The lane that a run is in."""

    def give_back(self, job: Job) -> None:
        """It was never transmitted."""
        ...

    def divert(self, job: Job, outlet: Any) -> bool:
        """Let another provider have it. False: there is none."""
        ...

    def stop(self, run: "ChunkRun") -> None:
        """Hand out nothing more of it."""
        ...


@dataclass(slots=True, eq=False)
class ChunkRun:
    """One leased chunk. Registered before its rows are fetched, so that no withdrawal can fall between the two."""

    workspace: WorkspaceId
    send: SendId
    chunk_no: int
    key: Key
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
    home: Home = field(init=False)
    """Its lane, from the moment it was added to one."""
    wire: Wire | None = None
    rows: Sequence[asyncpg.Record] = ()
    slot: Slot | None = None
    cursor: int = 0
    aside: dict[str, deque[int]] = field(default_factory=dict)
    """Places in `rows` that a limit holds back for a moment, by domain."""
    flying: int = 0
    """Jobs made and not settled: with the provider, or taken back and waiting to go again."""
    stopping: bool = False
    """Hand out nothing more: its send was paused or cancelled, its turn is over, or the worker is closing."""
    turned: bool = False
    """Its turn is over: it is given back behind the first of another send."""
    withdrawn: set[int] = field(default_factory=set)
    """Contacts announced as gone since the fetch began: screened anew before anything is sent to them."""
    rescreen: list[int] = field(default_factory=list)
    """n of those that were passed over for it."""
    in_doubt: set[int] = field(default_factory=set)
    """Contacts whose message is being transmitted, reply not read yet."""
    parts: dict[Via, Part] = field(default_factory=dict)
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
        if not self.loaded:
            return list(self.ns or ())
        aside = [self.rows[index][N] for indices in self.aside.values() for index in indices]
        return aside + [row[N] for row in self.rows[self.cursor :]]

    @property
    def unsent(self) -> int:
        """How many are still to be handed out, besides those held back (all of them, while the rows are being fetched)."""
        return 0 if self.stopping else len(self.rows) - self.cursor if self.loaded else self.size

    @property
    def through(self) -> bool:
        """Nothing more will come of it: once recorded it can be given back."""
        if self.flying:
            return False
        return self.stopping or (self.loaded and self.cursor >= len(self.rows) and not self.aside)

    def sever(self) -> None:
        """Transmit nothing more of it, not even what a provider holds: we may not know who left, or not own it."""
        self.severed, self.leased_until = True, float("-inf")

    def renew(self) -> list[int]:
        """Forget its rows, to be loaded again for those whose standing has to be looked at anew; returns their n."""
        ns, self.rescreen = self.rescreen, []
        if self.slot is not None:
            self.slot.close()
        self.wire, self.rows, self.slot, self.cursor, self.withdrawn = None, (), None, 0, set()
        self.aside = {}
        self.parts = {}  # recorded, or it would not be loaded again
        return ns

    def part(self, via: Via) -> Part:
        """What of it goes through this provider, made when the first message does."""
        found = self.parts.get(via)
        if found is None:
            assert self.slot is not None
            place = self.slot.provider(via.provider)
            found = self.parts[via] = Part(via, IN_DOUBT + place, ACCEPTED + place)
        return found

    def mark_transmitting(self, job: Job) -> None:
        """From here on its message may have arrived."""
        assert self.slot is not None
        self.slot.marks[job.index] = job.part.in_doubt_mark
        self.in_doubt.add(job.contact)

    def settle(self, job: Job, outcome: Outcome) -> None:
        """Keep what became of a job until it is recorded. `Throttled` is not for here: it burns no attempt."""
        self.flying -= 1
        self.in_doubt.discard(job.contact)
        if isinstance(outcome, Yes):
            assert self.slot is not None
            part = job.part
            self.slot.marks[job.index] = part.accepted_mark
            part.accepted.append(job.n)
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
        via: Via | None = None,
        held: bool = False,
    ) -> None:
        """Keep an outcome that is not an acceptance until it is recorded. `via`: whom it was tried through; `held`: it was not."""
        pacing = _PLAIN if via is None else via.pacing
        self.told.add(
            self.workspace,
            self.send,
            n,
            state,
            detail,
            attempts=attempts,
            wait_seconds=wait_seconds,
            first_wait_seconds=pacing.retry_first_seconds,
            give_up_seconds=pacing.give_up_seconds,
            provider=0 if via is None else via.provider,
            held=held,
        )

    def _settle_other(self, job: Job, outcome: Outcome) -> None:
        assert self.slot is not None
        if not isinstance(outcome, Unknown):
            self.slot.marks[job.index] = NOTHING  # refused for certain: a second try cannot be a second copy
        attempts, via = self.rows[job.index][ATTEMPTS], job.part.via
        match outcome:
            case Rejected(reply=reply, fault=Fault.RECIPIENT):
                self.tell(job.n, DeliveryState.BOUNCED, reply, attempts=attempts, via=via)
            case Rejected(reply=reply):
                self.tell(job.n, DeliveryState.FAILED, reply, attempts=attempts, via=via)
            case Deferred(reply=reply, retry_after_seconds=wait) | Throttled(reply=reply, retry_after_seconds=wait):
                self.tell(job.n, DeliveryState.DEFERRED, reply, attempts=attempts, wait_seconds=wait, via=via)
            case Unknown(reason=reason):
                self.tell(job.n, DeliveryState.UNKNOWN, reason, attempts=attempts, via=via)
            case Withdrawn():
                self.rescreen.append(job.n)
            case Yes():
                raise AssertionError(outcome)


class Harvest:
    """Outcomes taken from runs for one transaction; they stay in it while that fails."""

    def __init__(self) -> None:
        self.accepted: dict[DeliveryState, Accepted] = {}
        """By the state they get."""
        self.retried: dict[DeliveryState, Accepted] = {}
        self.told = Told()

    def take(self, run: ChunkRun) -> None:
        """Move a run's outcomes over."""
        for part in run.parts.values():
            if part.accepted:
                ns, part.accepted = part.accepted, []
                via = part.via
                targets = [self.accepted] if run.ns is None else [self.accepted, self.retried]
                for target in targets:
                    columns = target.setdefault(via.state, Accepted())
                    columns.workspaces.extend([run.workspace] * len(ns))
                    columns.sends.extend([run.send] * len(ns))
                    columns.ns.extend(ns)
                    columns.providers.extend([via.provider] * len(ns))
        if run.told.ns:
            told, run.told = run.told, Told()
            for name in Told.__slots__:
                getattr(self.told, name).extend(getattr(told, name))

    def __bool__(self) -> bool:
        return bool(self.accepted or self.told.ns)
