"""Imports over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import audience
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ImportRef, ListRef
from tidings.api._route import BulkRoute, Route
from tidings.audience import Import, ImportStatus
from tidings.core.ids import ImportId, ListId, public_id

router = APIRouter(prefix="/contacts/import", tags=["imports"], route_class=BulkRoute)
status_router = APIRouter(prefix="/imports", tags=["imports"], route_class=Route)

Reading = Annotated[Call, needs("contacts:read")]


class RowProblem(BaseModel):
    """Why a row was rejected, and how to mend it. `row` counts from 0; null: the import as a whole."""

    row: int | None
    field: str
    message: str


class ImportOut(BaseModel):
    """How far an import is. Rows with problems are rejected one by one; the first hundred problems are kept."""

    id: str
    import_id: str = Field(description="the same")
    status: ImportStatus
    list_id: str | None
    total: int
    processed: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    problems: list[RowProblem]
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, import_: Import) -> "ImportOut":
        """As JSON shows it."""
        return cls(
            id=(id_ := public_id("import", import_.id)),
            import_id=id_,
            status=import_.status,
            list_id=None if import_.list_id is None else public_id("list", import_.list_id),
            total=import_.total,
            processed=import_.processed,
            created=import_.created,
            updated=import_.updated,
            unchanged=import_.unchanged,
            rejected=import_.rejected,
            problems=[RowProblem(**problem) for problem in import_.problems],
            created_at=import_.created_at,
            finished_at=import_.finished_at,
        )


class NewImport(Body):
    """Contacts to take in, and the list to put them on. Each row has the fields of a contact; only `email` must be there.

    Known addresses are merged: what a row says counts, what it leaves out stays. Who left stays out.
    """

    list_id: ListRef | None = None
    contacts: Annotated[
        list[Any],
        Field(min_length=1, max_length=100_000, examples=[[{"email": "ann@example.com", "first_name": "Ann"}]]),
    ]


@router.post("", status_code=202)
async def import_contacts(body: NewImport, call: Annotated[Call, needs("contacts:write")]) -> ImportOut:
    """Accept an import: stored when you read the answer, worked off in the background. Up to 100,000 rows and 32 MB."""
    started = await audience.start_import(
        call.tx,
        workspace=call.workspace,
        list=None if body.list_id is None else ListId(body.list_id),
        contacts=body.contacts,
        by=call.principal,
        now=call.now,
    )
    return ImportOut.of(started)


@router.get("/{import_id}")
@status_router.get("/{import_id}", name="get_import_by_id", summary="Get import, by its short address")
async def get_import(import_id: ImportRef, call: Reading) -> ImportOut:
    """How far an import is."""
    return ImportOut.of(await audience.get_import(call.tx, workspace=call.workspace, import_=ImportId(import_id)))
