"""Signing people up through a program, and the proofs of their consent."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import compliance
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ConsentRef, ContactRef, FormRef, Line, ListRef
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.audience import addresses, contacts, lists, subscriptions
from tidings.audience import consents as audience_consents
from tidings.audience.consents import Consent, ConsentRefused, ConsentState, Proof
from tidings.audience.fields import clean_contact, declared_fields
from tidings.audience.lists import OptIn
from tidings.audience.states import SubscriptionStatus
from tidings.compliance import Outcome, SignedUp
from tidings.core.client_address import network_of
from tidings.core.errors import Invalid, RateLimited
from tidings.core.ids import ConsentId, ContactId, FormId, ListId, public_id

router = APIRouter(tags=["subscriptions"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]

Text = Annotated[str, Field(max_length=1000)]


class ConsentOut(BaseModel):
    """One time that somebody asked to be on lists: the proof of it, and where it stands."""

    id: str
    consent_id: str = Field(description="the same")
    state: ConsentState
    email: str
    contact_id: str | None = Field(
        description="null before it is confirmed, if there was no contact: a stranger is none"
    )
    list_ids: list[str]
    source: str = Field(description="form, api or preferences")
    form_id: str | None
    answers: dict[str, Any]
    wording: str = Field(description="what they were shown, word for word")
    language: str
    ip: str
    user_agent: str
    at: datetime
    expires_at: datetime | None = Field(description="null: there was nothing to confirm")
    confirmed_at: datetime | None
    confirm_ip: str
    confirm_user_agent: str
    declined_at: datetime | None = Field(description="the owner of the address said that it was not them")

    @classmethod
    def of(cls, consent: Consent, now: datetime) -> "ConsentOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("consent", consent.id)),
            consent_id=id_,
            state=consent.state(now),
            email=consent.email,
            contact_id=None if consent.contact_id is None else public_id("contact", consent.contact_id),
            list_ids=[public_id("list", one) for one in consent.list_ids],
            source=consent.source,
            form_id=None if consent.form_id is None else public_id("form", consent.form_id),
            answers=consent.answers,
            wording=consent.wording,
            language=consent.language,
            ip=consent.ip,
            user_agent=consent.user_agent,
            at=consent.at,
            expires_at=consent.expires_at,
            confirmed_at=consent.confirmed_at,
            confirm_ip=consent.confirm_ip,
            confirm_user_agent=consent.confirm_user_agent,
            declined_at=consent.declined_at,
        )


class SubscriptionOut(BaseModel):
    """Where a contact stands with one list."""

    list_id: str
    list_name: str
    status: SubscriptionStatus
    subscribed_at: datetime
    unsubscribed_at: datetime | None
    consents: list[ConsentOut] = Field(description="the proofs that name this list, newest first")


class Subscriptions(BaseModel):
    """Every list a contact is or was on."""

    contact_id: str
    items: list[SubscriptionOut]


class NewSubscription(Body):
    """Who asked, and how you know: what they were shown, and where they were."""

    email: Text = Field(examples=["ann@example.com"])
    wording: Annotated[str, Field(min_length=1, max_length=4000, examples=["Yes, send me the newsletter"])]
    ip: Annotated[Line, Field(examples=["203.0.113.7"])] = ""
    user_agent: Text = ""
    language: Line = Field(default="", description="of the confirmation")
    first_name: Text | None = None
    last_name: Text | None = None
    phone: Text | None = None
    attributes: dict[str, Any] | None = None
    opt_in: OptIn | None = Field(
        default=None, description="null: as the list says. Whoever left must confirm in any case"
    )


@router.post("/lists/{list_id}/subscriptions", status_code=202, summary="Sign somebody up for a list")
async def start_subscription(list_id: ListRef, body: NewSubscription, call: Writing) -> ConsentOut:
    """Sign up somebody who asked you to: they are sent a confirmation, or are on the list at once if that is enough for it.

    `state` says which. Whoever complained or was shut out is a 409, asking them more often than thrice a day a 429.
    """
    list_ = ListId(list_id)
    await lists.require_list(call.tx, workspace=call.workspace, list=list_)
    told = body.model_dump(include={"email", "first_name", "last_name", "phone", "attributes"}, exclude_none=True)
    declared = await declared_fields(call.tx, workspace=call.workspace)
    fields = clean_contact(told, fields=declared)
    assert fields.email is not None, "it was told"
    if body.ip and not network_of(body.ip):
        raise Invalid.at("ip", "must be an IPv4 or IPv6 address")
    proof = Proof(source="api", wording=body.wording, language=body.language, ip=body.ip, user_agent=body.user_agent)
    done = await compliance.sign_up(
        call.tx,
        workspace=call.workspace,
        email=fields.email,
        lists=[list_],
        opt_in=body.opt_in,
        answers=fields,
        proof=proof,
        keys=call.app.keys,
        public_url=call.app.public_url,
        now=call.now,
    )
    return await _out(call, done)


@router.post("/consents/{consent_id}/resend", status_code=202, summary="Send a confirmation again")
async def resend_confirmation(consent_id: ConsentRef, call: Writing) -> ConsentOut:
    """Send the confirmation once more, with a new link; the answer is a consent of its own. At most thrice a day."""
    done = await compliance.ask_again(
        call.tx,
        workspace=call.workspace,
        consent=ConsentId(consent_id),
        ip="",
        network="",
        user_agent="",
        keys=call.app.keys,
        public_url=call.app.public_url,
        now=call.now,
    )
    return await _out(call, done)


@router.get("/consents", summary="List consents")
async def list_consents(
    call: Reading,
    paging: Paged,
    list_id: Annotated[ListRef | None, Query()] = None,
    form_id: Annotated[FormRef | None, Query()] = None,
    email: Annotated[str | None, Query(max_length=1000)] = None,
    state: ConsentState | None = None,
) -> Page[ConsentOut]:
    """Who asked to be on lists, newest first: those who have not confirmed yet too. What nobody confirmed is kept for a month."""
    found = await audience_consents.list_consents(
        call.tx,
        workspace=call.workspace,
        list=None if list_id is None else ListId(list_id),
        form=None if form_id is None else FormId(form_id),
        email=None if email is None else addresses.normalise_email(email),
        state=state,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
        now=call.now,
    )
    items = [ConsentOut.of(one, call.now) for one in found]
    return paging.of(items, last_id=found[-1].id if found else None, total=None)


@router.get("/contacts/{contact_id}/subscriptions", summary="Where a contact stands with lists, with proofs")
async def list_subscriptions(contact_id: ContactRef, call: Reading) -> Subscriptions:
    """Every list the contact is or was on, and each consent that names it."""
    contact = ContactId(contact_id)
    await contacts.get_contact(call.tx, workspace=call.workspace, contact=contact)
    found = await subscriptions.contact_subscriptions(call.tx, workspace=call.workspace, contact=contact)
    proofs = await audience_consents.contact_consents(call.tx, workspace=call.workspace, contact=contact)
    return Subscriptions(
        contact_id=public_id("contact", contact),
        items=[
            SubscriptionOut(
                list_id=public_id("list", one.list_id),
                list_name=one.list_name,
                status=one.status,
                subscribed_at=one.subscribed_at,
                unsubscribed_at=one.unsubscribed_at,
                consents=[ConsentOut.of(proof, call.now) for proof in proofs if one.list_id in proof.list_ids],
            )
            for one in found
        ],
    )


async def _out(call: Call, done: SignedUp) -> ConsentOut:
    if done.outcome is Outcome.TOO_OFTEN:
        raise RateLimited("this address was asked often enough: once a minute, thrice a day", retry_after_seconds=3600)
    if done.consent is None:
        raise ConsentRefused("they complained, said that it was not them, or someone of the workspace shut them out")
    consent = await audience_consents.get_consent(call.tx, workspace=call.workspace, consent=done.consent)
    return ConsentOut.of(consent, call.now)
