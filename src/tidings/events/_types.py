"""The facts that are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tidings.core.ids import ContactId, SendId, WorkspaceId


class EventType(StrEnum):
    """What happened."""

    OPENED = "opened"
    """The pixel of a message was fetched."""
    CLICKED = "clicked"
    """A link of a message was followed."""
    SUBSCRIBED = "subscribed"
    """A contact signed up, by their own act."""
    UNSUBSCRIBED = "unsubscribed"
    """A contact left."""
    RESUBSCRIBED = "resubscribed"
    """A contact came back, by their own act."""
    BOUNCED = "bounced"
    """A message was refused for good because of the recipient."""
    COMPLAINED = "complained"
    """A recipient reported a message as spam."""
    DEFERRED = "deferred"
    """A message was refused for now."""


class Agent(StrEnum):
    """Who was behind a hit."""

    HUMAN = "human"
    """Nothing speaks against a person."""
    MACHINE = "machine"
    """A prefetching proxy, a scanner, a crawler."""
    UNKNOWN = "unknown"
    """It could be either."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `send` and `n` are None for facts that belong to no message; `agent` is for hits; `data` is small JSON."""

    workspace: WorkspaceId
    type: EventType
    at: datetime
    send: SendId | None = None
    n: int | None = None
    contact: ContactId | None = None
    agent: Agent | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
