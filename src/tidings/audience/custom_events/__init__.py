"""What did contacts do elsewhere? Events that programs of the workspace tell us, for segments to ask about.

Owns: custom_events, custom_event_names, custom_event_properties.
"""

from tidings.audience.custom_events._custom_events import (
    BATCH_LIMIT,
    KEY_LIMIT,
    NAME_LIMIT,
    CustomEvent,
    EventName,
    Told,
    count_events,
    event_names,
    list_events,
    tell_events,
)

__all__ = [
    "BATCH_LIMIT",
    "KEY_LIMIT",
    "NAME_LIMIT",
    "CustomEvent",
    "EventName",
    "Told",
    "count_events",
    "event_names",
    "list_events",
    "tell_events",
]
