"""Messages to single recipients."""

from tidings.delivery.messages._messages import Message, MessageInvalid, queue_message
from tidings.delivery.messages._upkeep import gather_messages, tidy_messages
from tidings.delivery.messages._views import (
    MessageEvent,
    MessageNotFound,
    MessageView,
    count_messages,
    get_message,
    list_messages,
    message_events,
)

__all__ = [
    "Message",
    "MessageEvent",
    "MessageInvalid",
    "MessageNotFound",
    "MessageView",
    "count_messages",
    "gather_messages",
    "get_message",
    "list_messages",
    "message_events",
    "queue_message",
    "tidy_messages",
]
