"""What happened to a contact, over HTTP, and making one of two."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import campaigns, compliance
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef
from tidings.api._route import Route
from tidings.api.contacts import ContactOut, withdraw
from tidings.audience import contacts
from tidings.audience.merging import Side
from tidings.campaigns import Happening, Position, TimelineKind
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, public_id

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]


class Merge(Body):
    """Whom to merge into the contact of the path. `into` is that contact, `from` the one who is gone afterwards."""

    from_: Annotated[ContactRef, Field(alias="from", description="the contact to merge")]
    prefer: Annotated[Side, Field(description="whose fields count where both say something")] = Side.INTO
    address: Annotated[Side, Field(description="whose address is kept")] = Side.INTO


class HappeningOut(BaseModel):
    """One thing that happened to a contact."""

    at: datetime
    kind: str = Field(description="what `kind` of the query may be, or another deed of someone in the workspace")
    campaign_id: str | None = Field(description="the campaign whose message it was about")
    campaign_name: str | None
    subject: str | None = Field(
        description="of a message of a campaign: as it was written, before anything was filled in"
    )
    url: str | None = Field(description="where a click led")
    data: dict[str, Any] = Field(
        description="whatever else is known, by kind: state, detail, agent, name, properties, actor …"
    )

    @classmethod
    def of(cls, one: Happening) -> "HappeningOut":
        """As JSON shows it."""
        return cls.model_construct(
            at=one.position.at,
            kind=one.kind,
            campaign_id=None if one.campaign is None else public_id("campaign", one.campaign),
            campaign_name=one.campaign_name,
            subject=one.subject,
            url=one.url,
            data=one.data,
        )


class Timeline(BaseModel):
    """What happened to a contact, newest first. `next_cursor` is null at the end."""

    items: list[HappeningOut]
    next_cursor: str | None


@router.get("/{contact_id}/timeline", summary="What happened to a contact")
async def contact_timeline(
    contact_id: ContactRef,
    call: Reading,
    kind: Annotated[
        list[TimelineKind] | None, Query(max_length=50, description="only these kinds; repeat it for several")
    ] = None,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="next_cursor of the page before")] = None,
) -> Timeline:
    """Everything that happened to a contact, newest first: messages, opens and clicks, lists, consents, events, changes."""
    contact = ContactId(contact_id)
    below = campaigns.TOP if cursor is None else _position(cursor)
    await contacts.get_contact(call.tx, workspace=call.workspace, contact=contact)
    found = await campaigns.contact_timeline(
        call.tx, workspace=call.workspace, contact=contact, below=below, kinds=kind, limit=page_size + 1
    )
    page = found[:page_size]
    return Timeline.model_construct(
        items=[HappeningOut.of(one) for one in page],
        next_cursor=_cursor(page[-1].position) if len(found) > page_size else None,
    )


@router.post("/{contact_id}/merge")
async def merge_contacts(contact_id: ContactRef, body: Merge, call: Writing) -> ContactOut:
    """Make one contact of two, with the history of both. Whoever left, as either of the two, stays out.

    Links in messages that were sent to the merged one go on working. Nothing is sent twice by a send that has both, and
    nothing is handed over to the merged one after the answer. Repeating it is harmless.
    """
    into, merged = ContactId(contact_id), ContactId(body.from_)
    contact = await compliance.merge_contacts(
        call.tx,
        workspace=call.workspace,
        into=into,
        merged=merged,
        prefer=body.prefer,
        address=body.address,
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    withdraw(call, [into, merged])
    return ContactOut.of(contact)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"(-?[0-9]{1,17}):([0-9]{1,2}):([0-9]{1,19})", re.ASCII)


def _cursor(place: Position) -> str:
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds}:{place.source}:{place.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = _PLACE.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
        if found is not None and int(found[3]) < 2**63:
            return Position(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]), int(found[3]))
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise Invalid.at("cursor", "must be the next_cursor of a page before")
