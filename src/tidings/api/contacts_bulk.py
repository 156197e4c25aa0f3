"""Doing something to many contacts at once, over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef, ListRef, SegmentRef
from tidings.api._route import Route
from tidings.api.contacts import ContactFieldsBody, Tags, withdraw
from tidings.audience import bulk, tags
from tidings.core.ids import ContactId, ListId, SegmentId

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=Route)
lists_router = APIRouter(prefix="/lists", tags=["lists"], route_class=Route)
segments_router = APIRouter(prefix="/segments", tags=["segments"], route_class=Route)

Writing = Annotated[Call, needs("contacts:write")]

ManyContacts = Annotated[list[ContactRef], Field(min_length=1, max_length=10_000)]


class Tagging(Body):
    """Tags to put on contacts, and tags to take off them. A tag in both is on them afterwards."""

    contact_ids: ManyContacts
    add: Annotated[Tags, Field(default_factory=list)]
    remove: Annotated[Tags, Field(default_factory=list)]


class TaggingAll(Body):
    """Tags to put on everybody, and tags to take off. A tag in both is on them afterwards."""

    add: Annotated[Tags, Field(default_factory=list)]
    remove: Annotated[Tags, Field(default_factory=list)]


class TaggedAllOut(BaseModel):
    """How many contacts there were, of how many anything changed, and how many were left out as they have 100 tags."""

    contacts: int
    changed: int
    full: int


class ManyChanges(Body):
    """What to say of all these contacts. What is left out or null stays; attributes merge, null takes one away."""

    contact_ids: ManyContacts
    changes: ContactFieldsBody


class ManyToDelete(Body):
    """Contacts to delete."""

    contact_ids: ManyContacts


class Changed(BaseModel):
    """Of how many contacts something changed."""

    changed: int


class Deleted(BaseModel):
    """How many contacts were deleted."""

    deleted: int


@router.post("/tags", summary="Tag and untag contacts")
async def tag_contacts(body: Tagging, call: Writing) -> Changed:
    """Put tags on contacts and take others off, at once. If one of the contacts does not exist, nothing changes."""
    changed = await tags.tag_contacts(
        call.tx,
        workspace=call.workspace,
        contacts=_ids(body.contact_ids),
        add=body.add,
        remove=body.remove,
        by=call.principal,
        now=call.now,
    )
    return Changed(changed=changed)


@lists_router.post("/{list_id}/tags", summary="Tag and untag everybody on a list")
async def tag_list(
    list_id: ListRef, body: TaggingAll, call: Annotated[Call, needs("contacts:write", tx=False)]
) -> TaggedAllOut:
    """Tag whoever is subscribed to a list now. Worked off some thousand at a time; the same call again is harmless."""
    return await _tag_all(call, ListId(list_id), body, segment=False)


@segments_router.post("/{segment_id}/tags", summary="Tag and untag everybody in a segment")
async def tag_segment(
    segment_id: SegmentRef, body: TaggingAll, call: Annotated[Call, needs("contacts:write", tx=False)]
) -> TaggedAllOut:
    """Tag whoever is in a segment now. Worked off some thousand at a time; the same call again is harmless."""
    return await _tag_all(call, SegmentId(segment_id), body, segment=True)


@router.post("/update")
async def update_contacts(body: ManyChanges, call: Writing) -> Changed:
    """Say the same of many contacts, at once. If one of them does not exist, nothing changes."""
    changed = await bulk.update_contacts(
        call.tx,
        workspace=call.workspace,
        contacts=_ids(body.contact_ids),
        fields=await body.changes.clean(call, at="changes."),
        by=call.principal,
        now=call.now,
    )
    return Changed(changed=changed)


@router.post("/delete")
async def delete_contacts(body: ManyToDelete, call: Writing) -> Deleted:
    """Delete contacts; suppressed addresses stay so. If one of them does not exist, nothing is deleted."""
    contacts = list(dict.fromkeys(_ids(body.contact_ids)))
    await bulk.delete_contacts(call.tx, workspace=call.workspace, contacts=contacts, by=call.principal, now=call.now)
    withdraw(call, contacts)
    return Deleted(deleted=len(contacts))


async def _tag_all(call: Call, of: ListId | SegmentId, body: TaggingAll, *, segment: bool) -> TaggedAllOut:
    done = await bulk.tag_everybody(
        call.app.db,
        workspace=call.workspace,
        of=of,
        segment=segment,
        add=body.add,
        remove=body.remove,
        by=call.principal,
        now=call.now,
    )
    return TaggedAllOut(contacts=done.contacts, changed=done.changed, full=done.full)


def _ids(numbers: list[int]) -> list[ContactId]:
    return [ContactId(number) for number in numbers]
