"""What happened, and how often? Facts, hourly rollups, and each delivery's firsts.

Owns: events, rollups, engagements, event_sources, contact_activity, contact_receipts. Everything that happens to
a message or a contact is told here.
"""

from tidings.events._forget import forget_people
from tidings.events._hand_over import hand_over
from tidings.events._once import record_once
from tidings.events._partitions import ensure_partitions
from tidings.events._record import record
from tidings.events._reports import (
    Engagement,
    Hour,
    SendEngagement,
    contact_engagement,
    lately_complained,
    send_engagement,
    send_engagements,
    send_timeline,
)
from tidings.events._types import Agent, Event, EventType

__all__ = [
    "Agent",
    "Engagement",
    "Event",
    "EventType",
    "Hour",
    "SendEngagement",
    "contact_engagement",
    "ensure_partitions",
    "forget_people",
    "hand_over",
    "lately_complained",
    "record",
    "record_once",
    "send_engagement",
    "send_engagements",
    "send_timeline",
]
