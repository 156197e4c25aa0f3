"""Segments over HTTP: contacts by conditions, live."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, WithJsonSchema

from tidings import campaigns
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Flag, Name, Prose, SegmentRef
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api.contacts import ContactOut
from tidings.audience import segments
from tidings.audience.segments import Membership, Segment
from tidings.core.ids import SegmentId, public_id

router = APIRouter(prefix="/segments", tags=["segments"], route_class=Route)

Reading = Annotated[Call, needs("segments:read")]
Writing = Annotated[Call, needs("segments:write")]
SeesContacts = Annotated[Call, needs("contacts:read")]

# Any JSON, so that what is wrong is told by the compiler, with its path; the document shows the language's own schema.
Conditions = Annotated[Any, WithJsonSchema({"x-schema": segments.CONDITIONS_SCHEMA})]
Exactly = Annotated[bool, Query(description="wait for the exact count, however long it takes")]
SampleSize = Annotated[int, Query(ge=0, le=100, description="how many contacts to show")]


class SegmentOut(BaseModel):
    """A segment. Who is in it is found out each time anew: see its preview and its contacts."""

    id: str
    segment_id: str = Field(description="the same")
    name: str
    description: str
    conditions: Conditions
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, segment: Segment) -> "SegmentOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("segment", segment.id)),
            segment_id=id_,
            name=segment.name,
            description=segment.description,
            conditions=segment.conditions,
            created_at=segment.created_at,
            updated_at=segment.updated_at,
        )


class NewSegment(Body):
    """A segment to be made."""

    name: Name
    description: Prose = ""
    conditions: Conditions


class SegmentChanges(Body):
    """What to change; what is left out stays."""

    name: Name | None = None
    description: Prose | None = None
    conditions: Conditions = None


class SegmentToPreview(Body):
    """Conditions that need not be saved."""

    conditions: Conditions
    exact: Flag = Field(False, description="wait for the exact count, however long it takes")
    sample_size: int = Field(10, ge=0, le=100)


class SegmentPreview(BaseModel):
    """How many, and who for instance. Where counting takes longer than 300 ms, an estimate: `exact` is false then."""

    contact_count: int
    mailable_count: int = Field(description="active and not suppressed")
    exact: bool
    error: int = Field(description="of an estimate: with 95 % confidence the truth is no further off than this")
    sample: list[ContactOut] = Field(description="the newest")


@router.post("", status_code=201)
async def create_segment(body: NewSegment, call: Writing) -> SegmentOut:
    """Create a segment. A taken name is a 409; conditions that mean nothing are a 422 that names the place."""
    made = await segments.create_segment(
        call.tx,
        workspace=call.workspace,
        name=body.name,
        description=body.description,
        conditions=body.conditions,
        by=call.principal,
        now=call.now,
    )
    return SegmentOut.of(made)


@router.get("")
async def list_segments(call: Reading, paging: Paged) -> Page[SegmentOut]:
    """Segments, newest first."""
    found = await segments.list_segments(
        call.tx, workspace=call.workspace, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    total = None if paging.before is not None else await segments.count_segments(call.tx, workspace=call.workspace)
    return paging.of([SegmentOut.of(item) for item in found], last_id=found[-1].id if found else None, total=total)


@router.post("/preview", summary="Preview conditions that are not saved")
async def preview_conditions(body: SegmentToPreview, call: SeesContacts) -> SegmentPreview:
    """How many contacts conditions find, and some of them. Nothing is saved."""
    members = await segments.conditions_members(
        call.tx, workspace=call.workspace, conditions=body.conditions, first=2, now=call.now
    )
    return await _preview(call, members, exact=body.exact, sample_size=body.sample_size)


@router.get("/{segment_id}")
async def get_segment(segment_id: SegmentRef, call: Reading) -> SegmentOut:
    """One segment."""
    return SegmentOut.of(await segments.get_segment(call.tx, workspace=call.workspace, segment=SegmentId(segment_id)))


@router.put("/{segment_id}", name="put_segment")
@router.patch("/{segment_id}")
async def update_segment(segment_id: SegmentRef, body: SegmentChanges, call: Writing) -> SegmentOut:
    """Change the name, the description or the conditions."""
    changed = await segments.update_segment(
        call.tx,
        workspace=call.workspace,
        segment=SegmentId(segment_id),
        name=body.name,
        description=body.description,
        conditions=body.conditions,
        by=call.principal,
        now=call.now,
    )
    return SegmentOut.of(changed)


@router.delete("/{segment_id}", status_code=204)
async def delete_segment(segment_id: SegmentRef, call: Writing) -> None:
    """Delete a segment that no campaign and no other segment needs; its contacts stay."""
    segment = SegmentId(segment_id)
    used_by = await campaigns.using_segment(call.tx, workspace=call.workspace, segment=segment)
    await segments.delete_segment(
        call.tx, workspace=call.workspace, segment=segment, used_by=used_by, by=call.principal, now=call.now
    )


@router.get("/{segment_id}/preview", summary="Preview a segment")
async def preview_segment(
    segment_id: SegmentRef, call: SeesContacts, exact: Exactly = False, sample_size: SampleSize = 10
) -> SegmentPreview:
    """How many contacts are in a segment now, and some of them."""
    return await _preview(call, await _members(call, SegmentId(segment_id)), exact=exact, sample_size=sample_size)


@router.get("/{segment_id}/contacts", summary="List the contacts of a segment")
async def list_segment_contacts(segment_id: SegmentRef, call: SeesContacts, paging: Paged) -> Page[ContactOut]:
    """Who is in a segment now, newest first: by page, or with a cursor to any depth."""
    members = await _members(call, SegmentId(segment_id))
    found = await segments.sample_segment(
        call.tx,
        workspace=call.workspace,
        members=members,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = None
    if paging.before is None:
        total = (await segments.count_segment(call.tx, workspace=call.workspace, members=members)).contacts
    return paging.of([ContactOut.of(c) for c in found], last_id=found[-1].id if found else None, total=total)


async def _members(call: Call, segment: SegmentId) -> Membership:
    await segments.get_segment(call.tx, workspace=call.workspace, segment=segment)
    return await segments.segment_members(call.tx, workspace=call.workspace, segments=[segment], first=2, now=call.now)


async def _preview(call: Call, members: Membership, *, exact: bool, sample_size: int) -> SegmentPreview:
    count = await segments.count_segment(call.tx, workspace=call.workspace, members=members, quick=not exact)
    some = (
        await segments.sample_segment(call.tx, workspace=call.workspace, members=members, limit=sample_size)
        if sample_size
        else []
    )
    return SegmentPreview(
        contact_count=count.contacts,
        mailable_count=count.mailable,
        exact=count.exact,
        error=count.error,
        sample=[ContactOut.of(contact) for contact in some],
    )
