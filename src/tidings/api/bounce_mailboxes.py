"""Mailboxes that reports come back to, read over IMAP."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Flag, MailboxRef
from tidings.api._route import Route
from tidings.core.ids import BounceMailboxId, public_id
from tidings.delivery import BounceMailbox

router = APIRouter(prefix="/bounce-mailboxes", tags=["bounce mailboxes"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]
Text = Annotated[str, Field(min_length=1, max_length=255)]


Password = Annotated[
    str,
    Field(min_length=1, max_length=10_000, description="Or an access token. Kept encrypted, and never shown again."),
]
Auth = Annotated[
    Literal["password", "xoauth2"],
    Field(description="`xoauth2`: the password is an OAuth 2.0 access token, as Google and Microsoft 365 want it."),
]


InClear = Annotated[
    Flag,
    Field(description="With `tls` none: send the password unencrypted to a host that is not this machine."),
]


class NewMailbox(Body):
    """A mailbox to read."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    allow_plaintext_auth: InClear = False
    username: Text
    password: Password
    auth: Auth = "password"
    folder: Text = "INBOX"
    move_to: Annotated[
        str, Field(max_length=255, description="A folder for reports that were read; empty: they are deleted.")
    ] = ""
    every_seconds: Annotated[int, Field(ge=60, le=86_400, description="How often to look.")] = 300


class MailboxChanges(Body):
    """What is to be another."""

    host: Text | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["implicit", "starttls", "none"] | None = None
    allow_plaintext_auth: InClear | None = None
    username: Text | None = None
    password: Password | None = None
    auth: Auth | None = None
    folder: Text | None = None
    move_to: Annotated[str, Field(max_length=255)] | None = None
    every_seconds: Annotated[int, Field(ge=60, le=86_400)] | None = None


class MailboxOut(BaseModel):
    """A mailbox, and how it goes."""

    id: str
    host: str
    port: int
    tls: str
    allow_plaintext_auth: bool
    username: str
    auth: str
    folder: str
    move_to: str
    every_seconds: int
    checked_at: Annotated[datetime | None, Field(description="when it was last read, or tried")]
    health: Annotated[str, Field(description="what is wrong, in the words of the server; empty: nothing")]
    created_at: datetime

    @classmethod
    def of(cls, one: BounceMailbox) -> "MailboxOut":
        """As JSON shows it."""
        return cls(
            id=public_id("mailbox", one.id),
            host=one.host,
            port=one.port,
            tls=one.tls,
            allow_plaintext_auth=one.allow_plaintext_auth,
            username=one.username,
            auth=one.auth,
            folder=one.folder,
            move_to=one.move_to,
            every_seconds=one.every_seconds,
            checked_at=one.checked_at,
            health=one.health,
            created_at=one.created_at,
        )


class Mailboxes(BaseModel):
    """All of a workspace's."""

    items: list[MailboxOut]


@router.post("", status_code=201)
async def add_bounce_mailbox(body: NewMailbox, call: Writing) -> MailboxOut:
    """Read reports out of a mailbox, from now on. Mail of people in it is neither touched nor marked as read."""
    made = await delivery.add_mailbox(
        call.tx,
        workspace=call.workspace,
        **body.model_dump(),
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return MailboxOut.of(made)


@router.get("")
async def list_bounce_mailboxes(call: Reading) -> Mailboxes:
    """All of them, and how they go."""
    found = await delivery.list_mailboxes(call.tx, workspace=call.workspace)
    return Mailboxes(items=[MailboxOut.of(one) for one in found])


@router.get("/{mailbox_id}")
async def get_bounce_mailbox(mailbox_id: MailboxRef, call: Reading) -> MailboxOut:
    """One of them."""
    found = await delivery.get_mailbox(call.tx, workspace=call.workspace, mailbox=BounceMailboxId(mailbox_id))
    return MailboxOut.of(found)


@router.patch("/{mailbox_id}")
async def update_bounce_mailbox(mailbox_id: MailboxRef, body: MailboxChanges, call: Writing) -> MailboxOut:
    """Change settings; it is read at once. How far it was read stays, unless it is another folder now."""
    changed = await delivery.update_mailbox(
        call.tx,
        workspace=call.workspace,
        mailbox=BounceMailboxId(mailbox_id),
        changes={name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None},
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return MailboxOut.of(changed)


@router.delete("/{mailbox_id}", status_code=204)
async def delete_bounce_mailbox(mailbox_id: MailboxRef, call: Writing) -> None:
    """Read it no more. What is in it stays there."""
    await delivery.delete_mailbox(
        call.tx, workspace=call.workspace, mailbox=BounceMailboxId(mailbox_id), by=call.principal, now=call.now
    )
