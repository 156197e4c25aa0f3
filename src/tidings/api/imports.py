"""Imports over HTTP: contacts as JSON, or a file that is uploaded, looked at, tried, and started."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ImportRef, ListRef
from tidings.api._paging import Page, Paged
from tidings.api._route import BulkRoute, Route
from tidings.api._uploads import receive
from tidings.audience import imports
from tidings.audience.imports import Choices, Import, ImportPolicy, ImportStatus
from tidings.core.ids import ImportId, ListId, public_id

router = APIRouter(prefix="/contacts/import", tags=["imports"], route_class=BulkRoute)
status_router = APIRouter(prefix="/imports", tags=["imports"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]
Writing = Annotated[Call, needs("contacts:write")]

_TURN_SECONDS = 0.4
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, or a form with the part `file`.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "options": {
                            "type": "string",
                            "description": "JSON: see UploadOptions in the reference of imports",
                        },
                    },
                }
            },
        },
    }
}


class RowProblem(BaseModel):
    """Why a row was rejected, and how to mend it. `row` counts from 0; null: the import as a whole."""

    row: int | None
    line: int | None = Field(default=None, description="where the row begins in the file, from 1, as editors count")
    field: str = Field(description="the column, or the field of the contact")
    message: str


class ColumnOut(BaseModel):
    """A column of the file, and where it goes: `email`, `first_name`, …, `field:NAME`, or `ignore`."""

    name: str
    target: str
    samples: list[str]
    type: str | None = Field(default=None, description="of a custom field")
    choices: list[str] = []


class AnalysisOut(BaseModel):
    """What a dry run found in the whole file."""

    at: datetime
    rows: int
    rejected: int
    duplicates: int = Field(description="rows whose address an earlier one has")
    new: int = Field(description="people not known yet")
    known: int
    suppressed: int = Field(description="people who left, bounced or complained here: they stay out")
    leaving: int = Field(description="people whom the file says are out, and who are not yet")
    problems: list[RowProblem]
    whole_file: bool


class ImportOut(BaseModel):
    """How far an import is. Rows with problems are rejected one by one; the first hundred problems are kept."""

    id: str
    import_id: str = Field(description="the same")
    status: ImportStatus
    list_id: str | None
    list_ids: list[str]
    tags: list[str]
    policy: ImportPolicy
    dry_run: bool
    filename: str
    size: int = Field(description="bytes")
    total: int
    total_exact: bool = Field(description="false: estimated by the lines of the file")
    processed: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    suppressed: int = Field(description="rows of people who are out, and stay out")
    problems: list[RowProblem]
    source: str | None = Field(description="whose export it was recognised as: mailchimp, listmonk, mautic, tidings")
    format: dict[str, Any] | None
    columns: list[ColumnOut]
    analysis: AnalysisOut | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, import_: Import) -> "ImportOut":
        """As JSON shows it."""
        format_ = import_.format or {}
        return cls(
            id=(id_ := public_id("import", import_.id)),
            import_id=id_,
            status=import_.status,
            list_id=None if import_.list_id is None else public_id("list", import_.list_id),
            list_ids=[public_id("list", list_id) for list_id in import_.list_ids],
            tags=import_.tags,
            policy=import_.policy,
            dry_run=import_.dry_run,
            filename=import_.filename,
            size=import_.size,
            total=import_.total,
            total_exact=import_.total_exact,
            processed=import_.processed,
            created=import_.created,
            updated=import_.updated,
            unchanged=import_.unchanged,
            rejected=import_.rejected,
            suppressed=import_.suppressed,
            problems=[RowProblem(**problem) for problem in import_.problems],
            source=format_.get("source"),
            format={name: value for name, value in format_.items() if name != "source"} or None,
            columns=[ColumnOut(**column) for column in import_.columns],
            analysis=None if import_.analysis is None else AnalysisOut(**import_.analysis),
            created_at=import_.created_at,
            started_at=import_.started_at,
            finished_at=import_.finished_at,
        )


class ImportChoices(Body):
    """What is to be done with an uploaded file. What is left out stays as it was said or suggested."""

    list_ids: list[ListRef] | None = None
    tags: Annotated[list[str], Field(max_length=100)] | None = None
    policy: ImportPolicy | None = None
    mapping: dict[str, str] = Field(
        default={}, description="by column: a field of contacts, `field:NAME`, `field:NAME:TYPE`, or `ignore`"
    )
    status: str | None = Field(
        default=None, description="of rows that say none: active, unlisted, unsubscribed, bounced, complained"
    )

    def choices(self) -> Choices:
        """For `imports.queue_import`."""
        lists = None if self.list_ids is None else [ListId(list_id) for list_id in self.list_ids]
        return Choices(lists=lists, tags=self.tags, policy=self.policy, mapping=self.mapping, status=self.status)


class NewImport(Body):
    """Contacts to take in, and the lists to put them on. Each row has the fields of a contact; only `email` must be there.

    Known addresses are merged: what a row says counts, what it leaves out stays (`update`), or all stays (`skip`). Who left
    stays out.
    """

    list_id: ListRef | None = None
    list_ids: Annotated[list[ListRef], Field(max_length=1000, default_factory=list, description="as well")]
    tags: Annotated[list[str], Field(max_length=100, default_factory=list, description="for everybody")]
    policy: Annotated[ImportPolicy, Field(description="update or skip; files may also be overwritten with")] = (
        ImportPolicy.UPDATE
    )
    contacts: Annotated[
        list[Any],
        Field(min_length=1, max_length=100_000, examples=[[{"email": "ann@example.com", "first_name": "Ann"}]]),
    ]


@router.post("", status_code=202)
async def import_contacts(body: NewImport, call: Annotated[Call, needs("contacts:write")]) -> ImportOut:
    """Accept an import: stored when you read the answer, worked off in the background. Up to 100,000 rows and 32 MB."""
    started = await imports.start_import(
        call.tx,
        workspace=call.workspace,
        list=None if body.list_id is None else ListId(body.list_id),
        lists=[ListId(list_id) for list_id in body.list_ids],
        tags=body.tags,
        policy=body.policy,
        contacts=body.contacts,
        by=call.principal,
        now=call.now,
    )
    return ImportOut.of(started)


@router.get("/{import_id}")
@status_router.get("/{import_id}", name="get_import_by_id", summary="Get import, by its short address")
async def get_import(import_id: ImportRef, call: Reading) -> ImportOut:
    """How far an import is."""
    return ImportOut.of(await imports.get_import(call.tx, workspace=call.workspace, import_=ImportId(import_id)))


@status_router.get("")
async def list_imports(call: Reading, paging: Paged) -> Page[ImportOut]:
    """Imports, newest first."""
    found = await imports.list_imports(
        call.tx, workspace=call.workspace, before=paging.before, limit=paging.limit, offset=paging.offset
    )
    total = None if paging.before else await imports.count_imports(call.tx, workspace=call.workspace)
    return paging.of([ImportOut.of(i) for i in found], last_id=found[-1].id if found else None, total=total)


@status_router.post("", status_code=201, response_model=ImportOut, openapi_extra=_UPLOAD)
async def upload_import(call: Annotated[Call, needs("contacts:write", tx=False)]) -> Response:
    """Upload a file: CSV, XLSX, JSON, JSON lines, or a ZIP with such. It is looked at, and waits to be tried or started.

    The answer has its columns with a suggested target each. A form may also have `options` that start it at once.
    """
    return await receive(
        call,
        lambda done: Response(ImportOut.of(done).model_dump_json(), status_code=201, media_type="application/json"),
    )


@status_router.post("/{import_id}/start", status_code=202)
async def start_import(import_id: ImportRef, body: ImportChoices, call: Writing) -> ImportOut:
    """Work off an uploaded file in the background."""
    return ImportOut.of(await _queue(call, import_id, body, dry_run=False))


@status_router.post("/{import_id}/dry-run", status_code=202)
async def dry_run_import(import_id: ImportRef, body: ImportChoices, call: Writing) -> ImportOut:
    """Read the whole file and count what it would do, in the background; `analysis` has the result. Changes nothing."""
    return ImportOut.of(await _queue(call, import_id, body, dry_run=True))


@status_router.post("/{import_id}/cancel")
async def cancel_import(import_id: ImportRef, call: Writing) -> ImportOut:
    """Stop an import; what was processed stays."""
    return ImportOut.of(
        await imports.cancel_import(
            call.tx, workspace=call.workspace, import_=ImportId(import_id), by=call.principal, now=call.now
        )
    )


@status_router.get("/{import_id}/rejected", response_class=StreamingResponse)
async def get_rejected_rows(
    import_id: ImportRef, call: Annotated[Call, needs("contacts:read", tx=False)]
) -> StreamingResponse:
    """The rejected rows as CSV: the original columns, then line, column and reason. Safe to open in a spreadsheet."""
    parts = imports.rejected_rows(call.app.db, workspace=call.workspace, import_=ImportId(import_id))
    first = await anext(parts)  # raises ImportNotFound before anything is sent

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    name = f"{public_id('import', import_id)}-rejected.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(body(), media_type="text/csv; charset=utf-8", headers=headers)


@status_router.get("/{import_id}/events", response_class=StreamingResponse)
async def follow_import(
    import_id: ImportRef,
    call: Annotated[Call, needs("contacts:read", tx=False)],
    wait_seconds: Annotated[int, Query(ge=0, le=300, description="then the stream ends; ask again")] = 60,
) -> StreamingResponse:
    """Progress as server-sent events: `import` with the import at each change, until it waits or has ended."""
    db, workspace, id_ = call.app.db, call.workspace, ImportId(import_id)
    async with db.connection() as connection:
        await imports.get_import(connection, workspace=workspace, import_=id_)

    async def events() -> AsyncIterator[bytes]:
        last = b""
        ends = asyncio.get_running_loop().time() + wait_seconds
        yield b"retry: 1000\n\n"
        while True:
            async with db.connection() as connection:
                seen = await imports.get_import(connection, workspace=workspace, import_=id_)
            told = orjson.dumps(ImportOut.of(seen).model_dump(mode="json"))
            if told != last:
                yield b"event: import\ndata: " + told + b"\n\n"
                last = told
            moving = seen.status in {ImportStatus.UPLOADING, ImportStatus.QUEUED, ImportStatus.RUNNING}
            if not moving or asyncio.get_running_loop().time() >= ends:
                return
            await asyncio.sleep(_TURN_SECONDS)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _queue(call: Call, import_id: int, body: ImportChoices, *, dry_run: bool) -> Import:
    return await imports.queue_import(
        call.tx,
        workspace=call.workspace,
        import_=ImportId(import_id),
        choices=body.choices(),
        dry_run=dry_run,
        by=call.principal,
        now=call.now,
    )
