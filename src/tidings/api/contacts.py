"""Contacts over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from tidings import campaigns, compliance, events
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef, ListRef, Prose
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.audience import addresses, fields, lists
from tidings.audience import contacts as audience_contacts
from tidings.audience import search as audience_search
from tidings.audience.contacts import Contact
from tidings.audience.states import ContactStatus
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, ListId, public_id

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]

Email = Annotated[str, Field(max_length=1000, examples=["ann@example.com"])]
Text = Annotated[str, Field(max_length=1000)]
Tags = Annotated[list[str], Field(description="up to 100, each up to 100 characters")]
Attributes = Annotated[dict[str, Any], Field(description="whatever else is known; up to 16 KB as JSON")]


class ContactOut(BaseModel):
    """A person, known by one address. `list_ids` are the lists they are on."""

    id: str
    contact_id: str = Field(description="the same")
    email: str
    first_name: str
    last_name: str
    phone: str
    language: str
    time_zone: str
    tags: list[str]
    attributes: dict[str, Any]
    status: ContactStatus
    list_ids: list[str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, contact: Contact) -> "ContactOut":
        """As JSON shows it."""
        return cls.model_construct(
            id=(id_ := public_id("contact", contact.id)),
            contact_id=id_,
            email=contact.email,
            first_name=contact.first_name,
            last_name=contact.last_name,
            phone=contact.phone,
            language=contact.language,
            time_zone=contact.time_zone,
            tags=contact.tags,
            attributes=contact.attributes,
            status=contact.status,
            list_ids=[public_id("list", id_) for id_ in contact.list_ids],
            created_at=contact.created_at,
            updated_at=contact.updated_at,
        )


class ContactFieldsBody(Body):
    """What can be said of any contact. What is left out or null stays; empty text clears."""

    first_name: Text | None = None
    last_name: Text | None = None
    phone: Text | None = None
    language: Annotated[Text | None, Field(examples=["pt-BR"])] = None
    time_zone: Annotated[Text | None, Field(examples=["Europe/Berlin"])] = None
    tags: Tags | None = None
    attributes: Attributes | None = None

    async def clean(self, call: Call, *, at: str = "") -> fields.ContactFields:
        """Checked and tidied, attributes by the types that the workspace declared. Raises Invalid."""
        declared = await fields.declared_fields(call.tx, workspace=call.workspace) if self.attributes else None
        told = self.model_dump(exclude_unset=True, exclude={"list_ids"})
        return fields.clean_contact(told, at=at, fields=declared)


class NewContact(ContactFieldsBody):
    """A new contact, put on lists at once."""

    email: Email
    list_ids: Annotated[list[ListRef], Field(max_length=1000, default_factory=list)]


class ContactChanges(ContactFieldsBody):
    """What to say of a contact. What is left out or null stays; empty text clears. Attributes merge, null takes one away."""

    email: Email | None = None


class Leaving(Body):
    """Why they leave, in their own words."""

    reason: Prose = ""


class SendEngagement(BaseModel):
    """What a contact did with the message of one campaign."""

    campaign_id: str | None = Field(description="null: the campaign was deleted")
    campaign_name: str | None
    n: int = Field(description="the number of this recipient in the send, from 1")
    opens: int
    clicks: int
    first_open_at: datetime | None
    first_human_open_at: datetime | None
    first_click_at: datetime | None
    first_human_click_at: datetime | None
    unsubscribed_at: datetime | None


class ContactEngagement(BaseModel):
    """What a contact did with the latest messages they did anything with, newest first."""

    contact_id: str
    opened: int = Field(description="messages opened")
    clicked: int = Field(description="messages clicked in")
    opens: int
    clicks: int
    sends: list[SendEngagement]


@router.post("", status_code=201)
async def create_contact(body: NewContact, call: Writing) -> ContactOut:
    """Create a contact. A taken address is a 409 naming who has it. A suppressed address stays suppressed: see `status`."""
    made = await audience_contacts.create_contact(
        call.tx,
        workspace=call.workspace,
        fields=await body.clean(call),
        lists=[ListId(number) for number in body.list_ids],
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return ContactOut.of(made)


@router.put("", openapi_extra={"responses": {"201": {"description": "Created"}}})
async def upsert_contact(body: NewContact, call: Writing) -> Response:
    """Create the contact with this address, or say this of whoever has it: 201 or 200.

    Of a known contact what is left out or null stays, attributes merge, and the lists are added. Whoever left stays out.
    """
    contact, made = await audience_contacts.put_contact(
        call.tx,
        workspace=call.workspace,
        fields=await body.clean(call),
        lists=[ListId(number) for number in body.list_ids],
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return Response(
        ContactOut.of(contact).model_dump_json(), status_code=201 if made else 200, media_type="application/json"
    )


@router.get("")
async def list_contacts(
    call: Reading,
    paging: Paged,
    search: Annotated[
        str, Query(max_length=1000, description="words that address or name have, whatever their case and accents")
    ] = "",
    email: Annotated[str | None, Query(max_length=1000)] = None,
    status: ContactStatus | None = None,
    tag: Annotated[str | None, Query(max_length=1000, description="the name of a tag they have")] = None,
    list_id: Annotated[ListRef | None, Query(description="a list they are subscribed to")] = None,
) -> Page[ContactOut]:
    """Contacts, newest first, narrowed by any of these. With `search`, `tag` or `list_id` at most 1000 are counted."""
    for name, text in (("search", search), ("tag", tag)):
        if text and "\0" in text:
            raise Invalid.at(name, "must not hold the character NUL")
    if email is None and (search.strip() or tag is not None or list_id is not None):
        list_ = None if list_id is None else ListId(list_id)
        if list_ is not None:
            await lists.require_list(call.tx, workspace=call.workspace, list=list_)
        page = await audience_search.search_contacts(
            call.tx,
            workspace=call.workspace,
            search=search,
            status=status,
            tag=tag,
            list=list_,
            before=paging.before,
            offset=paging.offset,
            limit=paging.limit,
        )
        last = page.contacts[-1].id if page.contacts else None
        return paging.of([ContactOut.of(c) for c in page.contacts], last_id=last, total=page.total, capped=page.capped)
    normal = None if email is None else addresses.normalise_email(email)
    found = await audience_search.list_contacts(
        call.tx,
        workspace=call.workspace,
        email=normal,
        status=status,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = None
    if paging.before is None:
        total = await audience_search.count_contacts(call.tx, workspace=call.workspace, email=normal, status=status)
    return paging.of([ContactOut.of(c) for c in found], last_id=found[-1].id if found else None, total=total)


@router.get("/by-email/{email}")
async def get_contact_by_email(
    email: Annotated[str, Path(max_length=1000, examples=["ann@example.com"])], call: Reading
) -> ContactOut:
    """The contact with this address."""
    normal = addresses.normalise_email(email)
    return ContactOut.of(await audience_contacts.find_contact(call.tx, workspace=call.workspace, email=normal))


@router.get("/{contact_id}")
async def get_contact(contact_id: ContactRef, call: Reading) -> ContactOut:
    """One contact."""
    found = await audience_contacts.get_contact(call.tx, workspace=call.workspace, contact=ContactId(contact_id))
    return ContactOut.of(found)


@router.put("/{contact_id}", name="put_contact")
@router.patch("/{contact_id}")
async def update_contact(contact_id: ContactRef, body: ContactChanges, call: Writing) -> ContactOut:
    """Change what is given."""
    contact = ContactId(contact_id)
    changed, moved = await audience_contacts.update_contact(
        call.tx,
        workspace=call.workspace,
        contact=contact,
        fields=await body.clean(call),
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    if moved:
        withdraw(call, [contact])
    return ContactOut.of(changed)


@router.delete("/{contact_id}", status_code=204)
async def delete_contact(contact_id: ContactRef, call: Writing) -> None:
    """Delete a contact. If the address is suppressed, it stays so. Nothing is handed over to them after the answer."""
    contact = ContactId(contact_id)
    await audience_contacts.delete_contact(
        call.tx, workspace=call.workspace, contact=contact, by=call.principal, now=call.now
    )
    withdraw(call, [contact])


@router.post("/{contact_id}/unsubscribe")
async def unsubscribe_contact(
    contact_id: ContactRef, call: Annotated[Call, needs("contacts:write", tx=False)], body: Leaving | None = None
) -> ContactOut:
    """Take a contact off everything, as they wished. Nothing is handed over to them after the answer."""
    contact = ContactId(contact_id)
    async with call.app.db.connection() as connection:
        await audience_contacts.get_contact(connection, workspace=call.workspace, contact=contact)
    await compliance.leave(
        call.app.db,
        call.app.withdrawals,
        workspace=call.workspace,
        contact=contact,
        reason=body.reason if body else "",
        source="api",
        by=call.principal,
        now=call.now,
    )
    async with call.app.db.connection() as connection:
        return ContactOut.of(await audience_contacts.get_contact(connection, workspace=call.workspace, contact=contact))


@router.get("/{contact_id}/engagement", summary="What a contact did with messages")
async def contact_engagement(contact_id: ContactRef, call: Reading) -> ContactEngagement:
    """What the contact did with messages: opens, clicks, leaving. Machine hits count in opens and clicks, not as human."""
    contact = ContactId(contact_id)
    await audience_contacts.get_contact(call.tx, workspace=call.workspace, contact=contact)
    sends = await events.contact_engagement(call.tx, workspace=call.workspace, contact=contact)
    known = await campaigns.of_sends(call.tx, workspace=call.workspace, sends=[s.send for s in sends])
    return ContactEngagement(
        contact_id=public_id("contact", contact),
        opened=sum(s.first_open_at is not None for s in sends),
        clicked=sum(s.first_click_at is not None for s in sends),
        opens=sum(s.opens for s in sends),
        clicks=sum(s.clicks for s in sends),
        sends=[
            SendEngagement(
                campaign_id=public_id("campaign", campaign.id) if (campaign := known.get(s.send)) else None,
                campaign_name=campaign.name if campaign else None,
                n=s.n,
                opens=s.opens,
                clicks=s.clicks,
                first_open_at=s.first_open_at,
                first_human_open_at=s.first_human_open_at,
                first_click_at=s.first_click_at,
                first_human_click_at=s.first_human_click_at,
                unsubscribed_at=s.unsubscribed_at,
            )
            for s in sends
        ],
    )


def withdraw(call: Call, contacts: list[ContactId]) -> None:
    """After the commit, wait until no send worker still holds these contacts."""

    async def wait() -> None:
        await compliance.withdraw_barrier(call.app.withdrawals, workspace=call.workspace, contacts=contacts)

    if contacts:
        call.after_commit(wait)
