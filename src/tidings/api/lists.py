"""Lists over HTTP, and who is on them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import campaigns, compliance
from tidings.accounts import audit, audit_each
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef, Line, ListRef, Name, Prose
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api.contacts import ContactOut, withdraw
from tidings.audience import forms, lists, search, subscriptions
from tidings.audience.lists import List, ListSettings, OptIn, Visibility
from tidings.audience.states import SubscriptionStatus
from tidings.core.ids import ContactId, ListId, public_id

router = APIRouter(prefix="/lists", tags=["lists"], route_class=Route)

Reading = Annotated[Call, needs("lists:read")]
Writing = Annotated[Call, needs("lists:write")]

Liquid = Annotated[str, Field(max_length=200_000, description="Liquid; it must lead to {{ confirm_url }}")]

_WAITED_FOR = 3000
"""Contacts of a deleted list for whom the answer waits. All are announced to the workers, and screened as off the list."""


class ListOut(BaseModel):
    """A list."""

    id: str
    list_id: str = Field(description="the same")
    name: str
    description: str
    opt_in: OptIn = Field(description="what it takes to be on it after signing up oneself")
    visibility: Visibility = Field(description="public: on everybody's preference page")
    public_name: str = Field(description="what people who get messages see; empty: the name")
    public_description: str
    sender_email: str = Field(description="whom confirmations come from; empty: the workspace's sender")
    sender_name: str
    confirm_subject: str = Field(description="of the confirmation, Liquid; empty: ours, in the person's language")
    confirm_html: str
    confirm_text: str
    confirm_days: int = Field(description="how long a confirmation can be given")
    contact_count: int = Field(description="those subscribed")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, list_: List) -> "ListOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("list", list_.id)),
            list_id=id_,
            name=list_.name,
            description=list_.description,
            opt_in=list_.opt_in,
            visibility=list_.visibility,
            public_name=list_.public_name,
            public_description=list_.public_description,
            sender_email=list_.sender_email,
            sender_name=list_.sender_name,
            confirm_subject=list_.confirm_subject,
            confirm_html=list_.confirm_html,
            confirm_text=list_.confirm_text,
            confirm_days=list_.confirm_days,
            contact_count=list_.contact_count,
            created_at=list_.created_at,
            updated_at=list_.updated_at,
        )


class _Settings(Body):
    opt_in: OptIn | None = None
    visibility: Visibility | None = None
    public_name: Line | None = None
    public_description: Prose | None = None
    sender_email: Annotated[str, Field(max_length=1000, examples=["news@example.com"])] | None = None
    sender_name: Line | None = None
    confirm_subject: Line | None = None
    confirm_html: Liquid | None = None
    confirm_text: Liquid | None = None
    confirm_days: Annotated[int, Field(ge=1, le=90)] | None = None

    def settings(self) -> ListSettings:
        """What is said of them."""
        return ListSettings(**self.model_dump(exclude={"name", "description"}))


class NewList(_Settings):
    """A list to be made. Those who sign up themselves have to confirm, unless `opt_in` is single."""

    name: Name
    description: Prose = ""


class ListChanges(_Settings):
    """What to change; what is left out stays."""

    name: Name | None = None
    description: Prose | None = None


class Contacts(Body):
    """Contacts to add or remove."""

    contact_ids: Annotated[list[ContactRef], Field(min_length=1, max_length=10_000)]


class AddedOut(BaseModel):
    """What became of each contact. Those who left the list, or everything, are refused: only they can come back."""

    added: list[str]
    already: list[str]
    refused: list[str]


class RemovedOut(BaseModel):
    """Who was on the list and is no more."""

    removed: list[str]


@router.post("", status_code=201)
async def create_list(body: NewList, call: Writing) -> ListOut:
    """Create a list. A taken name is a 409."""
    await _check_confirmation(body, call)
    made = await lists.create_list(
        call.tx,
        workspace=call.workspace,
        name=body.name,
        description=body.description,
        settings=body.settings(),
        by=call.principal,
        now=call.now,
    )
    return ListOut.of(made)


@router.get("")
async def list_lists(call: Reading, paging: Paged) -> Page[ListOut]:
    """Lists, newest first."""
    found = await lists.list_lists(
        call.tx, workspace=call.workspace, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    total = None if paging.before is not None else await lists.count_lists(call.tx, workspace=call.workspace)
    return paging.of([ListOut.of(item) for item in found], last_id=found[-1].id if found else None, total=total)


@router.get("/{list_id}")
async def get_list(list_id: ListRef, call: Reading) -> ListOut:
    """One list."""
    return ListOut.of(await lists.get_list(call.tx, workspace=call.workspace, list=ListId(list_id)))


@router.put("/{list_id}", name="put_list")
@router.patch("/{list_id}")
async def update_list(list_id: ListRef, body: ListChanges, call: Writing) -> ListOut:
    """Change what is given."""
    await _check_confirmation(body, call)
    changed = await lists.update_list(
        call.tx,
        workspace=call.workspace,
        list=ListId(list_id),
        name=body.name,
        description=body.description,
        settings=body.settings(),
        by=call.principal,
        now=call.now,
    )
    return ListOut.of(changed)


@router.delete("/{list_id}", status_code=204)
async def delete_list(list_id: ListRef, call: Writing) -> None:
    """Delete a list that no campaign is waiting for or going out to, and no form leads to; its contacts stay.

    It is gone at the answer, however many people are on it.
    """
    used_by = await campaigns.using_list(call.tx, workspace=call.workspace, list_id=ListId(list_id))
    used_by = [*used_by, *await forms.forms_using_list(call.tx, workspace=call.workspace, list=ListId(list_id))]
    gone = await lists.delete_list(
        call.tx, workspace=call.workspace, list=ListId(list_id), used_by=used_by, by=call.principal, now=call.now
    )
    withdraw(call, gone[:_WAITED_FOR])


@router.get("/{list_id}/contacts", summary="List the contacts of a list")
async def list_list_contacts(
    list_id: ListRef,
    call: Annotated[Call, needs("contacts:read")],
    paging: Paged,
    status: Annotated[
        SubscriptionStatus | Literal["all"], Query(description="where they stand with this list")
    ] = SubscriptionStatus.SUBSCRIBED,
) -> Page[ContactOut]:
    """The contacts of a list, newest first: by page, or with a cursor to any depth."""
    wanted = None if status == "all" else status
    list_ = ListId(list_id)
    await lists.require_list(call.tx, workspace=call.workspace, list=list_)
    found = await search.list_members(
        call.tx,
        workspace=call.workspace,
        list=list_,
        status=wanted,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = None
    if paging.before is None:
        total = await search.count_members(call.tx, workspace=call.workspace, list=list_, status=wanted)
    return paging.of([ContactOut.of(c) for c in found], last_id=found[-1].id if found else None, total=total)


@router.post("/{list_id}/contacts", summary="Add contacts to a list")
async def add_to_list(list_id: ListRef, body: Contacts, call: Writing) -> AddedOut:
    """Add contacts to a list."""
    list_ = ListId(list_id)
    await lists.require_list(call.tx, workspace=call.workspace, list=list_)
    done = await subscriptions.subscribe(
        call.tx, workspace=call.workspace, list=list_, contacts=_ids(body), now=call.now
    )
    if done.added:
        await audit(
            call.tx,
            by=call.principal,
            action="list.contacts_added",
            subject=public_id("list", list_),
            detail={"contacts": len(done.added), "refused": len(done.refused)},
            now=call.now,
        )
    return AddedOut(added=_out(done.added), already=_out(done.already), refused=_out(done.refused))


@router.post("/{list_id}/contacts/remove", summary="Take contacts off a list")
async def remove_from_list(list_id: ListRef, body: Contacts, call: Writing) -> RemovedOut:
    """Take contacts off a list. Nothing of a send to this list is handed over to them after the answer."""
    return RemovedOut(removed=_out(await _remove(call, ListId(list_id), _ids(body))))


@router.delete("/{list_id}/contacts/{contact_id}", status_code=204, summary="Take one contact off a list")
async def remove_one_from_list(list_id: ListRef, contact_id: ContactRef, call: Writing) -> None:
    """Take one contact off a list; harmless if they are not on it."""
    await _remove(call, ListId(list_id), [ContactId(contact_id)])


async def _remove(call: Call, list_: ListId, contacts: list[ContactId]) -> list[ContactId]:
    await lists.require_list(call.tx, workspace=call.workspace, list=list_)
    gone = await subscriptions.remove(call.tx, workspace=call.workspace, list=list_, contacts=contacts)
    if gone:
        await audit(
            call.tx,
            by=call.principal,
            action="list.contacts_removed",
            subject=public_id("list", list_),
            detail={"contacts": len(gone)},
            now=call.now,
        )
        await audit_each(
            call.tx,
            by=call.principal,
            action="contact.removed_from_list",
            subjects=[public_id("contact", one) for one in gone],
            detail={"list_id": public_id("list", list_)},
            now=call.now,
        )
    withdraw(call, gone)
    return gone


async def _check_confirmation(body: _Settings, call: Call) -> None:
    await compliance.check_confirmation(
        subject=body.confirm_subject or "",
        html=body.confirm_html or "",
        text=body.confirm_text or "",
        public_url=call.app.public_url,
        now=call.now,
    )


def _ids(body: Contacts) -> list[ContactId]:
    return [ContactId(number) for number in body.contact_ids]


def _out(contacts: list[ContactId]) -> list[str]:
    return [public_id("contact", contact) for contact in contacts]
