"""What can become of one message handed to a provider: a closed union of values, never exceptions."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Because of whom was a message refused for good? Only `recipient` may suppress an address."""

    RECIPIENT = "recipient"
    """The mailbox does not exist, is closed or has changed hands: never mail it again."""
    MESSAGE = "message"
    """Its size, content or encoding; another message to the same address may pass."""
    SENDER = "sender"
    """Our authentication, rate, reputation or set-up. Says nothing about the recipient, so it never suppresses."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took responsibility for the message."""

    reply: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good. `code` is the SMTP code, `status` the RFC 3463 status ("5.1.1", "" if the server gave none)."""

    reply: str
    code: int
    status: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Deferred:
    """Refused for now, this recipient or this message only: an attempt was made, try again later."""

    reply: str
    code: int
    status: str
    retry_after_seconds: float | None = None
    fault: Fault = Fault.RECIPIENT
    """`sender`: the provider itself is out of order, and another may have the message at once."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Refused for now because of all we send, whoever the recipient: slow down. Burns no attempt of the recipient."""

    reply: str
    code: int
    status: str
    retry_after_seconds: float | None = None
    slower: bool = False
    """It is about how fast we send: not a server that is out of order, a quota that is used up, or a door that is shut."""
    one_mailbox_provider: bool = False
    """The words are those of a mailbox provider: who has an address elsewhere need not wait."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Handed over, but the reply was never read: it may or may not have arrived."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`Source.transmitting` said no at the last moment: it was not handed over, and never will be."""


Outcome = Accepted | Rejected | Deferred | Throttled | Unknown | Withdrawn
