"""The suppression list over HTTP."""

import tempfile
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from tidings import compliance
from tidings.accounts import audit
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ListRef, Prose, SuppressionRef, Words
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api.contacts import withdraw
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType
from tidings.audience import addresses, lists
from tidings.audience import suppressions as audience_suppressions
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions import Suppression, ToSuppress, Wanted
from tidings.core.ids import ListId, public_id

router = APIRouter(prefix="/suppressions", tags=["suppressions"], route_class=Route)

Reading = Annotated[Call, needs("suppressions:read")]
Writing = Annotated[Call, needs("suppressions:write")]

Source = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,49}$")]

_FILE_LIMIT = 128 * 1024 * 1024
_IN_MEMORY = 1024 * 1024
_FILES = frozenset({"text/csv", "text/plain", "application/csv", "application/octet-stream"})
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "UTF-8: one address or @domain a line, or CSV with a column `email`, and `reason` and `detail` if need be.",
        "content": {"text/csv": {"schema": {"type": "string"}}, "text/plain": {"schema": {"type": "string"}}},
    }
}


class SuppressionOut(BaseModel):
    """An address that is never to be mailed: anywhere, or through one list; or every address of a domain."""

    id: str
    email: str | None = Field(
        description="`@example.com`: the whole domain; null: it was erased, and is still kept from being mailed by its hash"
    )
    list_id: str | None = Field(description="null: everywhere")
    reason: SuppressionReason
    detail: str = Field(description="in the words of the person, of their server, or of whoever added it")
    source: str
    created_at: datetime

    @classmethod
    def of(cls, one: Suppression) -> "SuppressionOut":
        """As JSON shows it."""
        return cls.model_construct(
            id=public_id("suppression", one.id),
            email=one.email,
            list_id=None if one.list_id is None else public_id("list", one.list_id),
            reason=one.reason,
            detail=one.detail,
            source=one.source,
            created_at=one.created_at,
        )


class Addresses(Body):
    """Addresses to suppress, of contacts or of anyone; everywhere, or on one list.

    `@example.com` is every address of that domain (not of domains below it): everywhere, and with the reason `manual`.
    """

    emails: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=10_000)]
    list_id: ListRef | None = None
    reason: SuppressionReason = SuppressionReason.MANUAL
    detail: Prose = ""
    source: Source = "api"


class SuppressedOut(BaseModel):
    """What became of the addresses: new, raised to a stronger reason, or there already; each with its suppression."""

    added: int
    raised: int
    already: int
    suppressions: dict[str, str] = Field(description="ids by address")


class Lifting(Body):
    """Which suppressions to lift and why; both texts are kept in the audit trail."""

    suppression_ids: Annotated[list[SuppressionRef], Field(min_length=1, max_length=1000)]
    reason: Words
    consent: Prose = Field(
        default="",
        description="how, when and where the person asked to be mailed again; required where they unsubscribed or complained",
    )


class LiftedOut(BaseModel):
    """What was lifted, as it was. Contacts are active again; subscriptions that a person left stay left."""

    lifted: list[SuppressionOut]


class Forgetting(Body):
    """Addresses to erase."""

    emails: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=10_000)]


class ForgottenOut(BaseModel):
    """How many suppressions lost their address."""

    forgotten: int


class FileProblem(BaseModel):
    """Why a row was refused. `line` counts from 1, as editors do."""

    line: int
    field: str
    value: str
    message: str


class FileOut(BaseModel):
    """What became of a file: total = added + raised + already + repeated + rejected. The first 1,000 problems are told."""

    total: int
    added: int
    raised: int
    already: int
    repeated: int
    rejected: int
    problems: list[FileProblem]


@router.get("", summary="List suppressions")
async def list_suppressions(
    call: Reading,
    paging: Paged,
    list_id: Annotated[ListRef | None, Query(description="of this list; else those that hold everywhere")] = None,
    email: Annotated[str | None, Query(max_length=1000)] = None,
    reason: SuppressionReason | None = None,
    source: Annotated[Source | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> Page[SuppressionOut]:
    """Suppressed addresses, newest first. `email` finds one, also after its address was erased; `@example.com` a domain."""
    list_ = None if list_id is None else ListId(list_id)
    if list_ is not None:
        await lists.require_list(call.tx, workspace=call.workspace, list=list_)
    normal = None if email is None else addresses.normalise_suppressed(email)
    wanted = Wanted(list_, normal, reason, source, since, until)
    found = await audience_suppressions.list_suppressions(
        call.tx,
        workspace=call.workspace,
        wanted=wanted,
        keys=call.app.keys,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = None
    if paging.before is None:
        total = await audience_suppressions.count_suppressions(
            call.tx, workspace=call.workspace, wanted=wanted, keys=call.app.keys
        )
    return paging.of([SuppressionOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)


@router.post("", summary="Suppress addresses")
async def suppress_addresses(body: Addresses, call: Writing) -> SuppressedOut:
    """Suppress addresses. Nothing is handed over to them after the answer, also in the middle of a send."""
    emails = audience_suppressions.clean_emails(body.emails, domains=True)
    done = await audience_suppressions.suppress_addresses(
        call.tx,
        workspace=call.workspace,
        addresses=[ToSuppress(email, body.reason, body.detail) for email in emails],
        list=None if body.list_id is None else ListId(body.list_id),
        source=body.source,
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    detail: dict[str, Any] = {"addresses": len(emails), "reason": body.reason}
    if body.list_id is not None:
        detail["list"] = public_id("list", body.list_id)
    await audit(
        call.tx, by=call.principal, action="suppressions.added", subject="suppressions", detail=detail, now=call.now
    )
    withdraw(call, done.withdrawn)
    ids = {email: public_id("suppression", id_) for email, id_ in done.ids.items()}
    return SuppressedOut(added=done.added, raised=done.raised, already=done.already, suppressions=ids)


@router.post("/import", summary="Suppress the addresses of a file", openapi_extra=_FILE)
async def import_suppressions(
    call: Annotated[Call, needs("suppressions:write", tx=False)],
    list_id: Annotated[ListRef | None, Query(description="on this list only")] = None,
    reason: Annotated[SuppressionReason, Query(description="of rows that name none")] = SuppressionReason.MANUAL,
    source: Annotated[Source, Query()] = "import",
) -> FileOut:
    """Suppress every address of a file, up to 1,000,000 rows. Rows that are wrong are told one by one and change nothing.

    The answer comes when all is done, and nothing is handed over to those addresses after it. The same file again is harmless.
    """
    kind = call.request.headers.get("content-type", "text/csv").partition(";")[0].strip().lower()
    if kind not in _FILES:
        raise UnsupportedMediaType("send the file as it is, with Content-Type: text/csv or text/plain")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        size = 0
        async for part in call.request.stream():
            size += len(part)
            if size > _FILE_LIMIT:
                raise BodyTooLarge(f"the file may have {_FILE_LIMIT} bytes; send it in parts")
            file.write(part)
        file.seek(0)
        done = await compliance.import_suppressions(
            call.app.db,
            call.app.withdrawals,
            workspace=call.workspace,
            file=file,  # pyright: ignore[reportArgumentType] - it is one of bytes
            list=None if list_id is None else ListId(list_id),
            reason=reason,
            detail="",
            source=source,
            keys=call.app.keys,
            by=call.principal,
            now=call.now,
        )
    return FileOut(
        total=done.total,
        added=done.added,
        raised=done.raised,
        already=done.already,
        repeated=done.repeated,
        rejected=done.rejected,
        problems=[
            FileProblem(line=one.line, field=one.field, value=one.value, message=one.message) for one in done.problems
        ],
    )


@router.post("/lift", summary="Lift suppressions")
async def lift_suppressions(body: Lifting, call: Writing) -> LiftedOut:
    """Let addresses be mailed again. Manual and bounced ones for a reason; where the person left, only with their consent."""
    lifted = await audience_suppressions.lift_suppressions(
        call.tx,
        workspace=call.workspace,
        ids=body.suppression_ids,
        reason=body.reason,
        consent=body.consent,
        by=call.principal,
        now=call.now,
    )
    return LiftedOut(lifted=[SuppressionOut.of(one) for one in lifted])


@router.post("/forget", summary="Erase addresses from the suppression list")
async def forget_suppressed_addresses(body: Forgetting, call: Writing) -> ForgottenOut:
    """Erase addresses, and what was said of them, from the list. They stay suppressed: a keyed hash is kept (GDPR art. 17)."""
    emails = audience_suppressions.clean_emails(body.emails)
    forgotten = await audience_suppressions.forget_addresses(
        call.tx, workspace=call.workspace, emails=emails, keys=call.app.keys
    )
    await audit(
        call.tx,
        by=call.principal,
        action="suppressions.forgotten",
        subject="suppressions",
        detail={"suppressions": forgotten},
        now=call.now,
    )
    return ForgottenOut(forgotten=forgotten)


@router.get("/{suppression_id}")
async def get_suppression(suppression_id: SuppressionRef, call: Reading) -> SuppressionOut:
    """One suppression."""
    return SuppressionOut.of(
        await audience_suppressions.get_suppression(call.tx, workspace=call.workspace, id=suppression_id)
    )
