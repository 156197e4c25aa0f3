"""What became of messages: the journal of a worker, its outcomes on their way into the database, retries, expired leases."""

from tidings.delivery.recording._journal import ACCEPTED, IN_DOUBT, NOTHING, Journal, Slot
from tidings.delivery.recording._record import (
    Accepted,
    Told,
    finish_sends,
    messages_of,
    record_accepted,
    record_others,
    release_chunks,
    settle_late_receipts,
)
from tidings.delivery.recording._recover import replay_orphans
from tidings.delivery.recording._soft_bounces import ADDS_UP, STRANGERS_KEPT_FOR, add_soft_bounces
from tidings.delivery.recording._upkeep import (
    cancel_some,
    close_cancelled,
    expire_leases,
    finish_all,
    hasten_held_back,
    requeue_due,
)

__all__ = [
    "ACCEPTED",
    "ADDS_UP",
    "IN_DOUBT",
    "NOTHING",
    "STRANGERS_KEPT_FOR",
    "Accepted",
    "Journal",
    "Slot",
    "Told",
    "add_soft_bounces",
    "cancel_some",
    "close_cancelled",
    "expire_leases",
    "finish_all",
    "finish_sends",
    "hasten_held_back",
    "messages_of",
    "record_accepted",
    "record_others",
    "release_chunks",
    "replay_orphans",
    "requeue_due",
    "settle_late_receipts",
]
