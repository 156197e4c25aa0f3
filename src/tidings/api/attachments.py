"""Files for templates and campaigns over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import campaigns, content
from tidings.api._deps import Call, needs
from tidings.api._fields import AttachmentRef, Line
from tidings.api._multipart import Form, content_type_in, filename_in
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType
from tidings.content import HEAVY, StoredAttachment, wire_size
from tidings.core.errors import Invalid
from tidings.core.ids import AttachmentId, public_id

router = APIRouter(prefix="/attachments", tags=["media"], route_class=Route)

Reading = Annotated[Call, needs("media:read")]

_LIMIT = 10 * 1024 * 1024
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, its name in Content-Disposition; or a form with the part `file`.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "examples": ["terms.pdf"]},
                        "filename": {"type": "string", "maxLength": 255},
                        "content_type": {"type": "string", "description": "left out: told from the name"},
                        "content_id": {
                            "type": "string",
                            "description": "of an image that the HTML shows as `cid:…`, such as logo@example.com",
                        },
                    },
                }
            },
        },
    }
}


class StoredAttachmentOut(BaseModel):
    """A file that templates and campaigns may name in `attachment_ids`. It never changes until it is deleted."""

    id: str
    filename: str
    content_type: str
    size: int = Field(description="bytes")
    content_id: str = Field(description="empty: attached; else the HTML shows it as `cid:…`")
    warnings: list[str] = Field(description="why it may not arrive everywhere")
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, one: StoredAttachment) -> "StoredAttachmentOut":
        """As JSON shows it."""
        warnings: list[str] = []
        if (size := wire_size([one.size])) > HEAVY:
            warnings.append(
                f"it makes a message of {size / 1e6:.0f} MB: many companies' servers refuse more than 10 MB; send a link instead"
            )
        return cls(
            id=public_id("attachment", one.id),
            filename=one.filename,
            content_type=one.content_type,
            size=one.size,
            content_id=one.content_id,
            warnings=warnings,
            created_by=one.created_by,
            created_at=one.created_at,
        )


@router.post("", status_code=201, openapi_extra=_UPLOAD)
async def upload_attachment(call: Annotated[Call, needs("media:write", tx=False)]) -> StoredAttachmentOut:
    """Upload a file, at most 10 MiB, to be named in `attachment_ids` of templates and campaigns."""
    file, told = await _receive(call)
    async with call.app.db.transaction() as tx:
        return StoredAttachmentOut.of(
            await content.add_attachment(
                tx,
                workspace=call.workspace,
                filename=told["filename"],
                content=file,
                content_type=told["content_type"],
                content_id=told["content_id"],
                by=call.principal,
                now=call.now,
            )
        )


@router.get("")
async def list_attachments(
    call: Reading, paging: Paged, search: Annotated[Line, Query(description="part of a file's name")] = ""
) -> Page[StoredAttachmentOut]:
    """Files, newest first, without their bytes."""
    found = await content.list_attachments(
        call.tx,
        workspace=call.workspace,
        search=search,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    total = (
        None
        if paging.before is not None
        else await content.count_attachments(call.tx, workspace=call.workspace, search=search)
    )
    return paging.of(
        [StoredAttachmentOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total
    )


@router.get("/{attachment_id}")
async def get_attachment(attachment_id: AttachmentRef, call: Reading) -> StoredAttachmentOut:
    """One file, without its bytes."""
    return StoredAttachmentOut.of(
        await content.get_attachment(call.tx, workspace=call.workspace, attachment=AttachmentId(attachment_id))
    )


@router.delete("/{attachment_id}", status_code=204)
async def delete_attachment(attachment_id: AttachmentRef, call: Annotated[Call, needs("media:write")]) -> None:
    """Delete a file for ever. Refused while a template, a draft or a message that is still to go out brings it along."""
    await campaigns.delete_attachment(
        call.tx, workspace=call.workspace, attachment=AttachmentId(attachment_id), by=call.principal, now=call.now
    )


async def _receive(call: Call) -> tuple[bytes, dict[str, str]]:
    """The file, and what the request says of it."""
    headers = call.request.headers
    kind, boundary = content_type_in(headers.get("content-type", "application/octet-stream"))
    parts = ("filename", "content_type", "content_id")
    form = Form(boundary, texts=parts) if kind == "multipart/form-data" and boundary else None
    if form is None and kind in {"multipart/form-data", "application/json", "application/x-www-form-urlencoded", ""}:
        raise UnsupportedMediaType(
            "send the file as multipart/form-data with a part named file, or as it is with Content-Type: application/octet-stream"
        )
    file = bytearray()
    async for piece in call.request.stream():
        for data in form.feed(piece) if form else [piece]:
            file += data
            if len(file) > _LIMIT:
                raise BodyTooLarge(f"an attachment may have {_LIMIT >> 20} MiB; send a link instead")
    told = dict.fromkeys(parts, "")
    try:
        told |= {part: raw.decode() for part, raw in (form.end() if form else {}).items()}
    except UnicodeDecodeError:
        raise Invalid.at("filename", "must be text in UTF-8") from None
    if not told["filename"]:
        name = form.filename if form else filename_in(headers.get("content-disposition", ""))
        told["filename"] = name.replace("\\", "/").rpartition("/")[2]
    if form is None and kind != "application/octet-stream":
        told["content_type"] = kind
    return bytes(file), told
