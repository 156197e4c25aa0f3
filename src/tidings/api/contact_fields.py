"""Custom fields of contacts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from tidings.api._deps import Call, needs
from tidings.api._fields import Body, FieldRef, Line, Name
from tidings.api._route import Route
from tidings.audience import fields
from tidings.audience.fields import ContactField, FieldType
from tidings.core.ids import FieldId, public_id

router = APIRouter(prefix="/contact-fields", tags=["contact fields"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]

Choices = Annotated[
    list[Annotated[str, StringConstraints(max_length=1000)]],
    Field(description="of a field of type choice: 1 to 500, each up to 255 characters"),
]


class ContactFieldOut(BaseModel):
    """A custom field. Its values are among a contact's `attributes`, under `name`."""

    id: str
    field_id: str = Field(description="the same")
    name: str
    label: str = Field(description="what people read; empty: the name")
    type: FieldType
    choices: list[str]

    @classmethod
    def of(cls, field: ContactField) -> "ContactFieldOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("field", field.id)),
            field_id=id_,
            name=field.name,
            label=field.label,
            type=field.type,
            choices=list(field.choices),
        )


class ContactFields(BaseModel):
    """All custom fields of a workspace."""

    items: list[ContactFieldOut]


class NewContactField(Body):
    """A custom field to declare. The name cannot be that of a standard field, and stays for good."""

    name: Name
    label: Line = ""
    type: FieldType
    choices: Annotated[Choices, Field(default_factory=list)]


class ContactFieldChanges(Body):
    """What to change; what is left out stays."""

    label: Line | None = None
    type: FieldType | None = None
    choices: Choices | None = None


@router.post("", status_code=201)
async def create_contact_field(body: NewContactField, call: Writing) -> ContactFieldOut:
    """Declare a custom field. Values that contacts have under the name become its type; a 409 says how many cannot."""
    made = await fields.create_contact_field(
        call.tx,
        workspace=call.workspace,
        name=body.name,
        label=body.label,
        type=body.type,
        choices=body.choices,
        by=call.principal,
        now=call.now,
    )
    return ContactFieldOut.of(made)


@router.get("")
async def list_contact_fields(call: Reading) -> ContactFields:
    """All custom fields, by name."""
    found = await fields.declared_fields(call.tx, workspace=call.workspace)
    return ContactFields(items=[ContactFieldOut.of(field) for field in found.values()])


@router.get("/{field_id}")
async def get_contact_field(field_id: FieldRef, call: Reading) -> ContactFieldOut:
    """One custom field."""
    return ContactFieldOut.of(
        await fields.get_contact_field(call.tx, workspace=call.workspace, field=FieldId(field_id))
    )


@router.patch("/{field_id}")
async def update_contact_field(field_id: FieldRef, body: ContactFieldChanges, call: Writing) -> ContactFieldOut:
    """Change the label, the type or the choices. All stored values become the new type; a 409 says how many cannot."""
    changed = await fields.update_contact_field(
        call.tx,
        workspace=call.workspace,
        field=FieldId(field_id),
        label=body.label,
        type=body.type,
        choices=body.choices,
        by=call.principal,
        now=call.now,
    )
    return ContactFieldOut.of(changed)


@router.delete("/{field_id}", status_code=204)
async def delete_contact_field(
    field_id: FieldRef,
    call: Writing,
    values: Annotated[bool, Query(description="also take away what contacts have under this name")] = False,
) -> None:
    """Declare a field no more. What contacts have under its name stays, as attributes of any type, unless `values` is true."""
    await fields.delete_contact_field(
        call.tx, workspace=call.workspace, field=FieldId(field_id), values=values, by=call.principal, now=call.now
    )
