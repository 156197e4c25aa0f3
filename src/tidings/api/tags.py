"""Tags over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Flag, TagRef
from tidings.api._route import Route
from tidings.audience import tags
from tidings.audience.tags import Tag
from tidings.core.ids import TagId, public_id

router = APIRouter(prefix="/tags", tags=["tags"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]

TagName = Annotated[str, StringConstraints(max_length=1000), Field(description="1 to 100 characters")]
Colour = Annotated[str, StringConstraints(max_length=100), Field(description="`#rrggbb`, or empty: none chosen")]


class TagOut(BaseModel):
    """A tag. Contacts show it by its name."""

    id: str
    tag_id: str = Field(description="the same")
    name: str
    colour: str = Field(description="`#rrggbb`; empty: none chosen")
    contact_count: int = Field(description="contacts that have it")
    created_at: datetime

    @classmethod
    def of(cls, tag: Tag) -> "TagOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("tag", tag.id)),
            tag_id=id_,
            name=tag.name,
            colour=tag.colour,
            contact_count=tag.contact_count,
            created_at=tag.created_at,
        )


class Tags(BaseModel):
    """All tags of a workspace."""

    items: list[TagOut]


class NewTag(Body):
    """A tag to make. Tags that contacts are given make themselves."""

    name: TagName
    colour: Colour = ""


class TagChanges(Body):
    """What to change; what is left out stays. `merge`: if another tag has the new name, make one of the two."""

    name: TagName | None = None
    colour: Colour | None = None
    merge: Flag = False


@router.post("", status_code=201)
async def create_tag(body: NewTag, call: Writing) -> TagOut:
    """Make a tag, and choose its colour. A taken name is a 409."""
    return TagOut.of(
        await tags.create_tag(
            call.tx, workspace=call.workspace, name=body.name, colour=body.colour, by=call.principal, now=call.now
        )
    )


@router.get("")
async def list_tags(call: Reading) -> Tags:
    """All tags by name, with how many contacts have each."""
    return Tags(items=[TagOut.of(tag) for tag in await tags.list_tags(call.tx, workspace=call.workspace)])


@router.get("/{tag_id}")
async def get_tag(tag_id: TagRef, call: Reading) -> TagOut:
    """One tag."""
    return TagOut.of(await tags.get_tag(call.tx, workspace=call.workspace, tag=TagId(tag_id)))


@router.patch("/{tag_id}")
async def update_tag(tag_id: TagRef, body: TagChanges, call: Writing) -> TagOut:
    """Rename a tag on all its contacts, or recolour it. A taken name is a 409 unless `merge` is true."""
    changed = await tags.update_tag(
        call.tx,
        workspace=call.workspace,
        tag=TagId(tag_id),
        name=body.name,
        colour=body.colour,
        merge=body.merge,
        by=call.principal,
        now=call.now,
    )
    return TagOut.of(changed)


@router.delete("/{tag_id}", status_code=204)
async def delete_tag(tag_id: TagRef, call: Writing) -> None:
    """Delete a tag, and take it off every contact."""
    await tags.delete_tag(call.tx, workspace=call.workspace, tag=TagId(tag_id), by=call.principal, now=call.now)
