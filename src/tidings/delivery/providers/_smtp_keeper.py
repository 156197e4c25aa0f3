"""What a connection and the pool that keeps it ask of each other."""

from typing import Protocol

from tidings.delivery.providers._interface import Source
from tidings.delivery.providers._outcomes import Throttled
from tidings.delivery.providers._smtp_config import SmtpTimeouts


class Connection(Protocol):
    """A session, as its pool sees it."""

    progress: bool
    """Has a message got its reply on this connection?"""
    wanted: bool
    """Does its end say nothing against the server (goodbye, worn out, withdrawn, unused)?"""

    def begin(self) -> None:
        """Announce the next message, if the source has one and nothing is under way."""
        ...

    def leave(self) -> None:
        """Say goodbye, if nothing is under way."""
        ...

    def drop(self, reason: str) -> None:
        """Hang up now, and settle what is in flight."""
        ...

    def check_time(self, now: float, limits: SmtpTimeouts) -> None:
        """Hang up on a server that has been silent for too long."""
        ...


class Keeper(Protocol):
    """What a session asks of the pool that it belongs to."""

    source: Source
    tick: float
    """The time of the last sweep: a clock that costs nothing to read."""
    may_pull: bool
    """False while throttled or closing."""
    growing: bool
    """True while another connection may be opened."""
    throttles: int
    """Times in a row that the server told us to slow down."""

    def grow(self) -> None:
        """There is more to send than this connection carries."""
        ...

    def progressed(self) -> None:
        """The first reply to a message on this connection."""
        ...

    def accepted_after_throttle(self) -> None:
        """A message was accepted while `throttles` was not 0."""
        ...

    def throttle(self, outcome: Throttled) -> None:
        """The server told us to slow down."""
        ...

    def parked(self, session: Connection) -> None:
        """It has nothing to send and nothing in flight."""
        ...

    def lost(self, session: Connection, reason: str, *, gave_back: bool) -> None:
        """The connection is gone and its messages are settled or given back. Told exactly once."""
        ...
