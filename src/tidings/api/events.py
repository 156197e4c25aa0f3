"""Custom events over HTTP: what contacts did elsewhere."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from tidings.api._deps import Call, needs
from tidings.api._fields import ContactRef
from tidings.api._paging import Page, Paged
from tidings.api._route import BulkRoute
from tidings.audience import contacts, custom_events
from tidings.audience.custom_events import CustomEvent, EventName, Told
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, public_id

router = APIRouter(prefix="/events", tags=["events"], route_class=BulkRoute)
contact_router = APIRouter(prefix="/contacts", tags=["events"], route_class=BulkRoute)

_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": "string",
            "maxLength": custom_events.KEY_LIMIT,
            "description": "your own id of this event: told again, it is kept once",
        },
        "contact_id": {"type": "string", "description": "who did it; or tell their `email`"},
        "email": {"type": "string", "description": "who did it, by address; or tell their `contact_id`"},
        "create_contact": {"type": "boolean", "default": False, "description": "make a contact of an unknown `email`"},
        "name": {"type": "string", "maxLength": custom_events.NAME_LIMIT, "description": "what they did"},
        "at": {"type": "string", "format": "date-time", "description": "when; else now"},
        "properties": {"type": "object", "description": "whatever else is known; up to 16 KB as JSON"},
    },
}


class NewEvents(BaseModel):
    """Up to 1,000 events. One event may be sent by itself, without `events` around it; and an array of them, too."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[
        list[Annotated[Any, WithJsonSchema(_EVENT)]], Field(min_length=1, max_length=custom_events.BATCH_LIMIT)
    ]
    _form: str = "events"

    @model_validator(mode="wrap")
    @classmethod
    def _any_form(cls, value: Any, handler: Any) -> "NewEvents":
        if isinstance(value, dict) and "events" not in value and "name" in value:
            made = handler({"events": [value]})
            made._form = "one"
        elif isinstance(value, list):
            made = handler({"events": value})
            made._form = "array"
        else:
            made = handler(value)
        return made

    def paths(self) -> list[str]:
        """What stands before the names of each event's fields in problems."""
        if self._form == "one":
            return [""]
        name = "events" if self._form == "events" else ""
        return [f"{name}[{position}]." for position in range(len(self.events))]


class Outcome(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventProblem(BaseModel):
    """What is wrong with an event, and how to mend it."""

    field: str
    message: str


class ToldOut(BaseModel):
    """What became of one event: accepted, a duplicate of what was told before, or rejected with what is wrong."""

    status: Outcome
    id: str | None
    contact_id: str | None
    errors: list[EventProblem]

    @classmethod
    def of(cls, told: Told) -> "ToldOut":
        """As JSON shows it."""
        status = Outcome.REJECTED if told.problems else Outcome.DUPLICATE if told.duplicate else Outcome.ACCEPTED
        return cls.model_construct(
            status=status,
            id=None if told.id is None else public_id("event", told.id),
            contact_id=None if told.contact is None else public_id("contact", told.contact),
            errors=[EventProblem(field=p.field, message=p.message) for p in told.problems],
        )


class EventsOut(BaseModel):
    """What became of the events, in the order in which they came."""

    accepted: int
    duplicates: int
    rejected: int
    events: list[ToldOut]


class EventOut(BaseModel):
    """A custom event of a contact. `key` is the id that it was told with."""

    id: str
    key: str | None
    contact_id: str
    name: str
    at: datetime
    properties: dict[str, Any]

    @classmethod
    def of(cls, event: CustomEvent) -> "EventOut":
        """As JSON shows it."""
        return cls.model_construct(
            id=public_id("event", event.id),
            key=event.key,
            contact_id=public_id("contact", event.contact),
            name=event.name,
            at=event.at,
            properties=event.properties,
        )


class EventNameOut(BaseModel):
    """A name that events were told under. `total` counts what was ever told."""

    name: str
    total: int
    first_at: datetime
    last_at: datetime
    properties: dict[str, list[str]] = Field(description="JSON types by name of property")

    @classmethod
    def of(cls, name: EventName) -> "EventNameOut":
        """As JSON shows it."""
        return cls(
            name=name.name,
            total=name.total,
            first_at=name.first_at,
            last_at=name.last_at,
            properties=name.properties,
        )


class EventNames(BaseModel):
    """The names of events, in order."""

    items: list[EventNameOut]


@router.post("", summary="Tell events")
async def tell_events(body: NewEvents, call: Annotated[Call, needs("events:write")]) -> EventsOut:
    """Tell what contacts did. Each event is judged by itself: those that are wrong are rejected, and the others kept.

    With an `id` an event is kept once however often it is told; another event with the same `id` is rejected. If all are
    wrong, the answer is a 422.
    """
    told = await custom_events.tell_events(
        call.tx, workspace=call.workspace, events=body.events, paths=body.paths(), keys=call.app.keys, now=call.now
    )
    problems = [problem for one in told for problem in one.problems]
    rejected = sum(bool(one.problems) for one in told)
    if rejected == len(told):
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems[:1000]))
    duplicates = sum(one.duplicate for one in told)
    return EventsOut.model_construct(
        accepted=len(told) - rejected - duplicates,
        duplicates=duplicates,
        rejected=rejected,
        events=[ToldOut.of(one) for one in told],
    )


@router.get("/names", summary="Names of events")
async def list_event_names(call: Annotated[Call, needs("contacts:read")]) -> EventNames:
    """The names under which events were told, how often, and with which properties: for whoever builds segments."""
    return EventNames(
        items=[EventNameOut.of(one) for one in await custom_events.event_names(call.tx, workspace=call.workspace)]
    )


@contact_router.get("/{contact_id}/events", summary="Events of a contact")
async def list_contact_events(
    contact_id: ContactRef, call: Annotated[Call, needs("contacts:read")], paging: Paged
) -> Page[EventOut]:
    """What a contact did elsewhere, the latest first."""
    contact = ContactId(contact_id)
    await contacts.get_contact(call.tx, workspace=call.workspace, contact=contact)
    found = await custom_events.list_events(
        call.tx,
        workspace=call.workspace,
        contact=contact,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = None
    if paging.before is None:
        total = await custom_events.count_events(call.tx, workspace=call.workspace, contact=contact)
    return paging.of([EventOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)
