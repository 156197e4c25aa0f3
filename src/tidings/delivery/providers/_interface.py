"""How a worker and a provider talk: the worker is the `Source` of messages, a `Provider` pulls, sends and settles them.

Everything here is synchronous and called from one event loop. A provider that sends ten thousand messages a second
cannot afford a task, a future or a lock for each of them.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tidings.delivery.providers._outcomes import Outcome

EVERY_KIND = (
    "rate_per_second", "rate_per_minute", "rate_per_hour", "rate_per_day", "limits", "retry_first_seconds", "give_up_seconds",
)  # fmt: skip
"""Settings that providers of every kind have beside their own; they are enforced by whoever hands messages out."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message for one recipient. Workers subclass it to carry their own bookkeeping.

    `sender` and `recipient` are envelope paths without angle brackets. `message` is complete: headers and body, CRLF
    line ends, dot-stuffed, ends with CRLF, without the dot line that ends it on the wire. `utf8`: a path or a header
    holds non-ASCII characters, so the server must offer SMTPUTF8.
    """

    sender: bytes
    recipient: bytes
    message: bytes
    utf8: bool
    losses: int = field(default=0, init=False)
    """Connections lost with this message's envelope in flight: kept by the provider, so that a message which makes a
    server hang up is deferred in the end rather than given back for ever."""


class Source(Protocol):
    """What a provider pulls from. Each job that `next` handed out ends in exactly one `settle` or `give_back`."""

    def next(self) -> Outgoing | None:
        """The provider is ready for one more. None: nothing now, it will ask again after `Provider.wake()`."""
        ...

    def transmitting(self, job: Outgoing) -> bool:
        """The last moment before the message is written: note that it is in doubt from here on.

        False means the recipient left meanwhile: the provider writes nothing and settles the job as `Withdrawn`.
        """
        ...

    def settle(self, job: Outgoing, outcome: Outcome) -> None:
        """What became of exactly this job."""
        ...

    def give_back(self, job: Outgoing) -> None:
        """Pulled, but certainly not transmitted (no connection, connection lost, closing): no attempt was made."""
        ...


class HealthState(StrEnum):
    """Can a provider send?"""

    OK = "ok"
    """Connected, or will connect when there is something to send."""
    CONNECTING = "connecting"
    """The first connection is being opened."""
    UNREACHABLE = "unreachable"
    """No connection could be opened: network, TLS, authentication. Tried again in `retry_in_seconds`."""
    THROTTLED = "throttled"
    """The server told us to slow down; nothing is pulled for `retry_in_seconds`."""
    # The others are not for providers to say: workers conclude them.
    STALLED = "stalled"
    """It has messages and says nothing."""
    LIMITED = "limited"
    """A limit of its settings is reached: nothing is pulled for `retry_in_seconds`."""
    SLOWED = "slowed"
    """The receiving side asked for less: it sends, more slowly for now."""
    OPEN = "open"
    """It kept failing: it is given nothing for `retry_in_seconds`."""
    HALF_OPEN = "half_open"
    """It kept failing, and a few messages try whether it still does."""
    UNUSABLE = "unusable"
    """Its settings or credentials cannot be used."""


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """A provider's state in words fit for a person. `retry_in_seconds` is None when nothing is being waited for."""

    state: HealthState
    detail: str = ""
    retry_in_seconds: float | None = None


class Provider(Protocol):
    """A way out for messages. All methods are called on the event loop that `start` was called on."""

    def start(self, source: Source) -> None:
        """Begin to pull from `source`, which may be asked at once."""
        ...

    def wake(self) -> None:
        """The source has something again. Cheap; may be called from within a callback of the source."""
        ...

    async def close(self, *, grace_seconds: float) -> None:
        """Stop pulling, finish what is in flight, say goodbye.

        What is not finished after the grace is settled as `Unknown` (already transmitted) or given back.
        """
        ...

    @property
    def health(self) -> ProviderHealth:
        """Its state at this moment."""
        ...
