"""What providers tell us over HTTP."""

from tidings.delivery.notifications._notifications import (
    NOTIFYING_KINDS,
    NotificationTokens,
    Received,
    Receiver,
    notification_receiver,
    store_notifications,
    take_notifications,
)

__all__ = [
    "NOTIFYING_KINDS",
    "NotificationTokens",
    "Received",
    "Receiver",
    "notification_receiver",
    "store_notifications",
    "take_notifications",
]
