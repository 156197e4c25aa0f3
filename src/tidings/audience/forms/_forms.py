"""Signup forms: which lists they lead to, what they ask and say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tidings.accounts import Principal, audit
from tidings.audience.forms._questions import FormField, check_fields
from tidings.audience.lists import OptIn, require_lists
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import FormId, ListId, WorkspaceId, public_id

NAME_LIMIT = 255
URL_LIMIT = 2000
ORIGINS_LIMIT = 50
MOST_LISTS = 50
HOURLY_LIMIT = 10_000

_TEXT_LIMITS = {
    "title": 255,
    "intro": 2000,
    "consent": 4000,
    "button": 100,
    "success_text": 2000,
    "confirmed_text": 2000,
    "language": 20,
}


class FormNotFound(NotFound):
    """There is no such form in this workspace."""

    code = "form_not_found"


class FormExists(Conflict):
    """Another form has this name."""

    code = "form_exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormDraft:
    """What a form is made of. Empty texts are replaced by ours, in the reader's language.

    `opt_in` None: as its lists say, double if one of them does. `consent` is what people agree to, word for word, with a box to
    be ticked if `consent_box`. With `choose_lists` they tick which of several lists they want. `redirect_url` and
    `confirmed_url` take the place of our pages after signing up and after confirming. `origins` (`https://shop.example.com`)
    may show the form in a frame and post to it with fetch. `hourly_limit`: sign-ups an hour, from all addresses together.
    """

    name: str
    list_ids: Sequence[ListId]
    fields: Sequence[FormField] = ()
    title: str = ""
    intro: str = ""
    consent: str = ""
    consent_box: bool = False
    button: str = ""
    choose_lists: bool = False
    opt_in: OptIn | None = None
    success_text: str = ""
    redirect_url: str = ""
    confirmed_text: str = ""
    confirmed_url: str = ""
    origins: Sequence[str] = ()
    language: str = ""
    hourly_limit: int = 1000
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(FormDraft):
    """A form that is there."""

    id: FormId
    created_at: datetime
    updated_at: datetime


_COLUMNS = tuple(field.name for field in fields(FormDraft))
_ALL = ", ".join(("id", *_COLUMNS, "created_at", "updated_at"))


async def create_form(tx: Tx, *, workspace: WorkspaceId, draft: FormDraft, by: Principal, now: datetime) -> Form:
    """A new form. Raises Invalid, and FormExists if the name is taken."""
    draft = await _checked(tx, workspace, draft)
    marks = ", ".join(f"${3 + i}" for i in range(len(_COLUMNS)))
    row = await tx.fetchrow(
        f"""INSERT INTO forms (workspace_id, created_at, updated_at, {", ".join(_COLUMNS)}) VALUES ($1, $2, $2, {marks})
            ON CONFLICT (workspace_id, name) DO NOTHING RETURNING {_ALL}""",  # noqa: S608 - our own column names
        workspace,
        now,
        *_values(draft),
    )
    if row is None:
        raise _taken(draft.name)
    await audit(tx, by=by, action="form.created", subject=public_id("form", row["id"]), now=now)
    return _of_row(row)


async def get_form(tx: Tx, *, workspace: WorkspaceId, form: FormId) -> Form:
    """The form. Raises FormNotFound."""
    row = await tx.fetchrow(f"SELECT {_ALL} FROM forms WHERE workspace_id = $1 AND id = $2", workspace, form)  # noqa: S608
    if row is None:
        raise _unknown(form)
    return _of_row(row)


async def list_forms(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, offset: int = 0, limit: int
) -> list[Form]:
    """A page of forms, newest first; `before` is the id to continue below."""
    rows = await tx.fetch(
        f"SELECT {_ALL} FROM forms WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC OFFSET $3 LIMIT $4",  # noqa: S608
        workspace,
        2**63 - 1 if before is None else before,
        offset,
        limit,
    )
    return [_of_row(row) for row in rows]


async def count_forms(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many forms there are."""
    return await tx.fetchval("SELECT count(*) FROM forms WHERE workspace_id = $1", workspace)


async def update_form(
    tx: Tx, *, workspace: WorkspaceId, form: FormId, changes: dict[str, Any], by: Principal, now: datetime
) -> Form:
    """Change what is named in `changes`, fields of FormDraft. Raises Invalid, FormNotFound, FormExists."""
    row = await tx.fetchrow(
        f"SELECT {_ALL} FROM forms WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",  # noqa: S608
        workspace,
        form,
    )
    if row is None:
        raise _unknown(form)
    draft = await _checked(tx, workspace, replace(_of_row(row), **changes))
    try:
        async with tx.transaction():
            row = await tx.fetchrow(
                f"""UPDATE forms SET updated_at = $3, {", ".join(f"{c} = ${4 + i}" for i, c in enumerate(_COLUMNS))}
                    WHERE workspace_id = $1 AND id = $2 RETURNING {_ALL}""",  # noqa: S608
                workspace,
                form,
                now,
                *_values(draft),
            )
    except asyncpg.UniqueViolationError:
        raise _taken(draft.name) from None
    assert row is not None
    await audit(tx, by=by, action="form.updated", subject=public_id("form", form), now=now)
    return _of_row(row)


async def delete_form(tx: Tx, *, workspace: WorkspaceId, form: FormId, by: Principal, now: datetime) -> None:
    """Delete a form. What was consented to through it stays, and who has not confirmed yet still can. Raises FormNotFound."""
    found = await tx.fetchval("DELETE FROM forms WHERE workspace_id = $1 AND id = $2 RETURNING id", workspace, form)
    if found is None:
        raise _unknown(form)
    await audit(tx, by=by, action="form.deleted", subject=public_id("form", form), now=now)


async def forms_using_list(tx: Tx, *, workspace: WorkspaceId, list: ListId) -> list[str]:  # noqa: A002 - it is one
    """The public ids of forms that lead to the list."""
    rows = await tx.fetch(
        "SELECT id FROM forms WHERE workspace_id = $1 AND list_ids @> ARRAY[$2::bigint] ORDER BY id", workspace, list
    )
    return [public_id("form", row["id"]) for row in rows]


async def _checked(tx: Tx, workspace: WorkspaceId, draft: FormDraft) -> FormDraft:
    """The draft, tidied. Raises Invalid."""
    name = draft.name.strip()
    if not 1 <= len(name) <= NAME_LIMIT:
        raise Invalid.at("name", f"must have 1 to {NAME_LIMIT} characters")
    lists = [*dict.fromkeys(draft.list_ids)]
    if not 1 <= len(lists) <= MOST_LISTS:
        raise Invalid.at("list_ids", f"a form leads to 1 to {MOST_LISTS} lists")
    await require_lists(tx, workspace=workspace, lists=lists, field="list_ids")
    await check_fields(tx, workspace=workspace, fields=draft.fields)
    texts: dict[str, Any] = {}
    for field, limit in _TEXT_LIMITS.items():
        texts[field] = getattr(draft, field).strip()
        if len(texts[field]) > limit:
            raise Invalid.at(field, f"must have at most {limit} characters")
    if len(draft.origins) > ORIGINS_LIMIT:
        raise Invalid.at("origins", f"must have at most {ORIGINS_LIMIT}")
    if not 1 <= draft.hourly_limit <= HOURLY_LIMIT:
        raise Invalid.at("hourly_limit", f"must be between 1 and {HOURLY_LIMIT}")
    return replace(
        draft,
        name=name,
        list_ids=lists,
        origins=[*dict.fromkeys(_origin(o, f"origins[{i}]") for i, o in enumerate(draft.origins))],
        redirect_url=_web_address(draft.redirect_url, "redirect_url"),
        confirmed_url=_web_address(draft.confirmed_url, "confirmed_url"),
        **texts,
    )


def _web_address(text: str, field: str) -> str:
    """'' or an absolute address. Anything else after signing up would be a way to run scripts on our page."""
    text = text.strip()
    if not text:
        return ""
    if len(text) > URL_LIMIT or not text.isprintable() or any(c in text for c in " <>\"'\\`"):
        raise Invalid.at(
            field, f"must be a web address of up to {URL_LIMIT} characters, with nothing in it to be quoted"
        )
    _origin_of(text, field)
    return text


def _origin(text: str, field: str) -> str:
    origin = _origin_of(text.strip(), field)
    if text.strip().rstrip("/").lower() != origin:
        raise Invalid.at(field, "must be an origin such as https://shop.example.com, without a path")
    return origin


def _origin_of(text: str, field: str) -> str:
    """Scheme, host and port (RFC 6454 §6.1). Raises Invalid."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    good = parts is not None and parts.scheme in {"https", "http"} and parts.username is None and parts.password is None
    if parts is None or not good or not host or not host.isascii() or any(c in host for c in "*;, "):
        raise Invalid.at(field, "must begin with https:// or http:// and a host name in ASCII")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port is not None else ''}"


def origin_of(url: str) -> str:
    """The origin of an address that was checked before; '' for ''."""
    return _origin_of(url, "url") if url else ""


def _values(draft: FormDraft) -> list[Any]:
    values = {name: getattr(draft, name) for name in _COLUMNS}
    values["fields"] = [asdict(field) for field in draft.fields]
    values["list_ids"] = list(draft.list_ids)
    values["origins"] = list(draft.origins)
    return list(values.values())


def _of_row(row: asyncpg.Record) -> Form:
    values: dict[str, Any] = dict(row)
    values["fields"] = [FormField(**field) for field in row["fields"]]
    values["opt_in"] = None if row["opt_in"] is None else OptIn(row["opt_in"])
    return Form(**values)


def _unknown(form: FormId) -> FormNotFound:
    return FormNotFound(f"there is no form {public_id('form', form)}")


def _taken(name: str) -> FormExists:
    message = f"there is a form named {name!r} already"
    return FormExists(message, fields=(FieldProblem("name", message),))
