"""The closed sets of states of sends, deliveries and chunks."""

from enum import StrEnum


class SendStatus(StrEnum):
    """Where one launch of a campaign stands."""

    PREPARING = "preparing"
    """Launched; its audience is not numbered yet."""
    RUNNING = "running"
    """Its chunks are being sent."""
    PAUSED = "paused"
    """Stopped by a person, or by itself (`reason` says why); can go on."""
    DONE = "done"
    """Everyone was attempted; deferred recipients may still be retried."""
    CANCELLED = "cancelled"
    """Stopped for good."""


class DeliveryState(StrEnum):
    """What became of one recipient of a send. Each recipient is in exactly one of these at any moment."""

    PENDING = "pending"
    """Not attempted yet, or queued again."""
    SENT = "sent"
    """Accepted by a provider that will tell us more later."""
    DELIVERED = "delivered"
    """Accepted by the server we hand over to, when that is the last word we get, or confirmed by the provider."""
    DEFERRED = "deferred"
    """Refused for now; a retry is scheduled."""
    BOUNCED = "bounced"
    """Refused for good, by or because of the recipient."""
    FAILED = "failed"
    """Refused for good because of the message or the sender, given up after deferrals, or could not be rendered."""
    SKIPPED = "skipped"
    """Not attempted: the recipient left, or is suppressed; `detail` says which."""
    UNKNOWN = "unknown"
    """Handed over, but the reply was never read: may or may not have arrived."""
    CANCELLED = "cancelled"
    """The send was cancelled before its turn came."""


class ChunkState(StrEnum):
    """Where a run of deliveries stands in the queue."""

    PENDING = "pending"
    """Free to be leased."""
    LEASED = "leased"
    """A worker has it, until `lease_until`."""
    HELD = "held"
    """Its send is paused or cancelled."""
    DONE = "done"
    """Nothing left to do."""


_TELLS_MORE_LATER = {"ses", "sendgrid", "mailgun"}


def final_state(provider_kind: str) -> DeliveryState:
    """What an acceptance means: the last word (SMTP), or the first of several (providers that notify us later)."""
    return DeliveryState.SENT if provider_kind in _TELLS_MORE_LATER else DeliveryState.DELIVERED
