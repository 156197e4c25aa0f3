"""What happened to a contact, over HTTP, and making one of two."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from tidings import compliance
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ContactRef
from tidings.api._route import Route
from tidings.api.contacts import ContactOut, withdraw
from tidings.audience import Side
from tidings.core.ids import ContactId

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]


class Merge(Body):
    """Whom to merge into the contact of the path. `into` is that contact, `from` the one who is gone afterwards."""

    from_: Annotated[ContactRef, Field(alias="from", description="the contact to merge")]
    prefer: Annotated[Side, Field(description="whose fields count where both say something")] = Side.INTO
    address: Annotated[Side, Field(description="whose address is kept")] = Side.INTO


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
