"""Who is on which list?

Owns: subscriptions. Emits: unsubscribed.
"""

from tidings.audience.subscriptions._members import (
    Added,
    Subscription,
    contact_subscriptions,
    leave_lists,
    remove,
    subscribe,
)

__all__ = [
    "Added",
    "Subscription",
    "contact_subscriptions",
    "leave_lists",
    "remove",
    "subscribe",
]
