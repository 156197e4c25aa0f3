"""Everything that happened to one contact, newest first: here, because campaigns are the highest that it speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tidings.core.db import Tx, sql
from tidings.core.ids import CampaignId, ContactId, WorkspaceId


class TimelineKind(StrEnum):
    """What can have happened to a contact."""

    OPENED = "opened"
    """The pixel of a message was fetched."""
    CLICKED = "clicked"
    """A link of a message was followed."""
    UNSUBSCRIBED = "unsubscribed"
    """They left, a list or everything."""
    RESUBSCRIBED = "resubscribed"
    """They came back, by their own act."""
    BOUNCED = "bounced"
    """Their server refused a message for good."""
    COMPLAINED = "complained"
    """They reported a message as spam."""
    DEFERRED = "deferred"
    """Their server refused a message for now."""
    MESSAGE = "message"
    """A message of a campaign; `data.state` says what became of it."""
    TRANSACTIONAL = "transactional"
    """A message to them alone."""
    CUSTOM_EVENT = "custom_event"
    """Something that a program of the workspace told."""
    SUBSCRIBED = "subscribed"
    """They came on a list."""
    CONSENT_ASKED = "consent_asked"
    """They, or someone with their address, signed up."""
    CONSENT_GIVEN = "consent_given"
    """They confirmed it."""
    CONSENT_DECLINED = "consent_declined"
    """They said that it was not them."""
    CREATED = "created"
    """They became a contact; `data.actor` says by whom, unless an import or a form brought them."""
    UPDATED = "updated"
    """Someone changed their fields; `data.changed` says which."""
    TAGGED = "tagged"
    """Someone tagged or untagged them among others."""
    MERGED = "merged"
    """Another contact was merged into this one."""
    TAKEN_OUT = "taken_out"
    """Someone unsubscribed them from everything."""
    REMOVED_FROM_LIST = "removed_from_list"
    """Someone took them off a list."""
    SUPPRESSED = "suppressed"
    """Their address, or everybody of its domain, was put on the suppression list, everywhere or for one list."""
    LIFTED = "lifted"
    """Their address was taken off the suppression list."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a timeline: what comes next is older."""

    at: datetime
    source: int
    id: int


TOP = Position(datetime.max.replace(tzinfo=UTC), 99, 0)
"""Before everything that happened."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. `campaign…`, `subject` and `url` are None where they mean nothing; `data` is as kept."""

    position: Position
    kind: str
    campaign: CampaignId | None
    campaign_name: str | None
    subject: str | None
    url: str | None
    data: dict[str, Any]


async def contact_timeline(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    below: Position = TOP,
    kinds: Sequence[TimelineKind] | None = None,
    limit: int,
) -> list[Happening]:
    """What happened to a contact, and to those merged into them, newest first, of these kinds or all."""
    rows = await tx.fetch(
        sql(__package__, "_contact_timeline"),
        workspace,
        contact,
        below.at,
        below.source,
        below.id,
        limit,
        kinds,
    )
    return [
        Happening(
            Position(row["at"], row["source"], row["id"]),
            row["kind"],
            row["campaign_id"],
            row["campaign_name"],
            row["subject"],
            row["url"],
            row["data"],
        )
        for row in rows
    ]
