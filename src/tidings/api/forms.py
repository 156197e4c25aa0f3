"""Signup forms over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import compliance
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Flag, FormRef, Line, ListRef, Name, Prose
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.audience import forms
from tidings.audience.forms import Form, FormDraft, FormField
from tidings.audience.lists import OptIn
from tidings.core.ids import FormId, ListId, public_id

router = APIRouter(prefix="/forms", tags=["forms"], route_class=Route)

Reading = Annotated[Call, needs("forms:read")]
Writing = Annotated[Call, needs("forms:write")]

Url = Annotated[str, Field(max_length=2000, examples=["https://example.com/thanks"])]
Wording = Annotated[str, Field(max_length=4000)]


class FieldOut(Body):
    """One question beside the address: first_name, last_name, phone, language, time_zone, or a declared contact field."""

    name: Line
    label: Line = Field(default="", description="empty: the field's own")
    required: Flag = False


class FormOut(BaseModel):
    """A signup form. Empty texts are replaced by ours, in the reader's language."""

    id: str
    form_id: str = Field(description="the same")
    name: str
    list_ids: list[str]
    fields: list[FieldOut]
    title: str
    intro: str
    consent: str = Field(
        description="what people agree to, word for word; kept as proof with everything else they were shown"
    )
    consent_box: bool = Field(description="they tick a box to agree")
    button: str
    choose_lists: bool = Field(description="they tick which of the lists they want, at least one")
    opt_in: OptIn | None = Field(description="null: double if one of the lists wants it")
    success_text: str
    redirect_url: str = Field(description="where they go after signing up; empty: our page")
    confirmed_text: str
    confirmed_url: str = Field(description="where they go after confirming; empty: our page")
    origins: list[str] = Field(description="sites that may show it in a frame or post to it with fetch")
    language: str = Field(description="empty: what the browser asks for")
    hourly_limit: int = Field(description="sign-ups an hour")
    active: bool
    url: str = Field(description="the hosted page")
    created_at: datetime
    updated_at: datetime


class FormProblemOut(BaseModel):
    """Why a form does not work, and how to mend it. Visitors read only that it is not ready, or closed."""

    code: str = Field(description="list_missing, field_missing, no_lists, no_sender or no_provider")
    message: str


class FormDetail(FormOut):
    """A form with its code for other pages."""

    problems: list[FormProblemOut] = Field(description="what keeps it from signing people up; empty: nothing")
    embed_html: str = Field(description="plain HTML for any page, without a script")
    embed_script: str = Field(description="the same with a small script: the answer appears in place. Needs `origins`")


class _Said(Body):
    fields: Annotated[list[FieldOut], Field(max_length=30)] | None = None
    title: Line | None = None
    intro: Wording | None = None
    consent: Wording | None = None
    consent_box: Flag | None = None
    button: Line | None = None
    choose_lists: Flag | None = None
    opt_in: OptIn | None = None
    success_text: Prose | None = None
    redirect_url: Url | None = None
    confirmed_text: Prose | None = None
    confirmed_url: Url | None = None
    origins: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=50)] | None = None
    language: Line | None = None
    hourly_limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    active: Flag | None = None

    def changes(self) -> dict[str, Any]:
        """Fields of a draft that were given; null gives `opt_in` back to the lists and leaves all others."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        changes = {name: value for name, value in said.items() if value is not None or name == "opt_in"}
        if self.fields is not None:
            changes["fields"] = [FormField(one.name, one.label, one.required) for one in self.fields]
        if "list_ids" in changes:
            changes["list_ids"] = [ListId(number) for number in said["list_ids"]]
        return changes


class NewForm(_Said):
    """A form to be made."""

    name: Name
    list_ids: Annotated[list[ListRef], Field(min_length=1, max_length=50)]


class FormChanges(_Said):
    """What to change; what is left out stays."""

    name: Name | None = None
    list_ids: Annotated[list[ListRef], Field(min_length=1, max_length=50)] | None = None


@router.post("", status_code=201)
async def create_form(body: NewForm, call: Writing) -> FormDetail:
    """Create a signup form. If signing up has to be confirmed, the workspace or the list must have a sender."""
    draft = FormDraft(**body.changes())
    made = await forms.create_form(call.tx, workspace=call.workspace, draft=draft, by=call.principal, now=call.now)
    await compliance.require_sender(call.tx, workspace=call.workspace, lists=made.list_ids, opt_in=made.opt_in)
    return await _detail(call, made)


@router.get("")
async def list_forms(call: Reading, paging: Paged) -> Page[FormOut]:
    """Signup forms, newest first."""
    found = await forms.list_forms(
        call.tx, workspace=call.workspace, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    total = None if paging.before is not None else await forms.count_forms(call.tx, workspace=call.workspace)
    items = [FormOut(**_values(call, form)) for form in found]
    return paging.of(items, last_id=found[-1].id if found else None, total=total)


@router.get("/{form_id}")
async def get_form(form_id: FormRef, call: Reading) -> FormDetail:
    """One form, with its code for other pages."""
    return await _detail(call, await forms.get_form(call.tx, workspace=call.workspace, form=FormId(form_id)))


@router.put("/{form_id}", name="put_form")
@router.patch("/{form_id}")
async def update_form(form_id: FormRef, body: FormChanges, call: Writing) -> FormDetail:
    """Change what is given. Whoever has the page open is shown the new wording before they can agree to it."""
    changed = await forms.update_form(
        call.tx,
        workspace=call.workspace,
        form=FormId(form_id),
        changes=body.changes(),
        by=call.principal,
        now=call.now,
    )
    await compliance.require_sender(call.tx, workspace=call.workspace, lists=changed.list_ids, opt_in=changed.opt_in)
    return await _detail(call, changed)


@router.delete("/{form_id}", status_code=204)
async def delete_form(form_id: FormRef, call: Writing) -> None:
    """Delete a form. What was agreed to through it stays, and whoever has not confirmed yet still can."""
    await forms.delete_form(call.tx, workspace=call.workspace, form=FormId(form_id), by=call.principal, now=call.now)


async def _detail(call: Call, form: Form) -> FormDetail:
    shown = await compliance.shown_form(call.tx, workspace=call.workspace, form=form, keys=call.app.keys)
    problems = await compliance.form_problems(call.tx, workspace=call.workspace, form=form)
    values = _values(call, form)
    return FormDetail(
        **values,
        problems=[FormProblemOut(code=one.code, message=one.message) for one in problems],
        embed_html=compliance.embed_html(shown, address=values["url"]),
        embed_script=compliance.embed_script(shown, address=values["url"]),
    )


def _values(call: Call, form: Form) -> dict[str, Any]:
    token = compliance.form_token(call.app.keys, workspace=call.workspace, form=form.id)
    named = {name: getattr(form, name) for name in FormOut.model_fields if hasattr(form, name)}
    return named | {
        "id": public_id("form", form.id),
        "form_id": public_id("form", form.id),
        "list_ids": [public_id("list", id_) for id_ in form.list_ids],
        "fields": [FieldOut(name=one.name, label=one.label, required=one.required) for one in form.fields],
        "url": f"{call.app.public_url}/f/{token}",
    }
