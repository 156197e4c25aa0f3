"""Mail that comes back: return paths, the mailboxes that are read, and what is made of it."""

from tidings.delivery.inbound._inbound import (
    LARGEST_KEPT,
    InboundAddresses,
    InboundMail,
    InboundMessage,
    InboundNotFound,
    InboundState,
    count_inbound,
    find_inbound,
    get_inbound,
    list_inbound,
    store_inbound,
    tidy_inbound,
)
from tidings.delivery.inbound._mailboxes import (
    BounceMailbox,
    BounceMailboxNotFound,
    add_mailbox,
    delete_mailbox,
    get_mailbox,
    list_mailboxes,
    poll_mailbox,
    update_mailbox,
)
from tidings.delivery.inbound._return_paths import Returning
from tidings.delivery.inbound._take import Leaver, leaving_by_mail, settle_leaver, take_inbound

__all__ = [
    "LARGEST_KEPT",
    "BounceMailbox",
    "BounceMailboxNotFound",
    "InboundAddresses",
    "InboundMail",
    "InboundMessage",
    "InboundNotFound",
    "InboundState",
    "Leaver",
    "Returning",
    "add_mailbox",
    "count_inbound",
    "delete_mailbox",
    "find_inbound",
    "get_inbound",
    "get_mailbox",
    "leaving_by_mail",
    "list_inbound",
    "list_mailboxes",
    "poll_mailbox",
    "settle_leaver",
    "store_inbound",
    "take_inbound",
    "tidy_inbound",
    "update_mailbox",
]
