"""Images over HTTP."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tidings import campaigns, content
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Line, MediaRef, Name
from tidings.api._multipart import Form, content_type_in, filename_in
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType
from tidings.content import Media, MediaLibrary, MediaTooLarge, MediaUpload
from tidings.core.errors import Invalid
from tidings.core.ids import MediaId, public_id

router = APIRouter(prefix="/media", tags=["media"], route_class=Route)

Reading = Annotated[Call, needs("media:read")]
Writing = Annotated[Call, needs("media:write")]
AltText = Annotated[Line, Field(description="what it shows, for those who do not see it")]

_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The image itself, its name in Content-Disposition; or a form with the part `file`.",
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "examples": ["logo.png"]},
                        "name": {"type": "string", "maxLength": 255},
                        "alt_text": {"type": "string", "maxLength": 255},
                    },
                }
            },
        },
    }
}


class MediaOut(BaseModel):
    """An image. The same bytes are the same image, at the same address for ever."""

    id: str
    name: str
    alt_text: str
    url: str = Field(description="for the src of an <img>: everybody sees it, and nobody guesses it")
    content_type: str = Field(examples=["image/png"])
    size: int = Field(description="bytes")
    width: int = Field(description="pixels")
    height: int
    animated: bool
    created_by: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, media: Media, library: MediaLibrary) -> "MediaOut":
        """As JSON shows it."""
        return cls.at(media, library.url(media.path))

    @classmethod
    def at(cls, media: Media, url: str) -> "MediaOut":
        """The same, of an image at this address."""
        return cls(
            id=public_id("media", media.id),
            name=media.name,
            alt_text=media.alt_text,
            url=url,
            content_type=media.content_type,
            size=media.size,
            width=media.width,
            height=media.height,
            animated=media.frames > 1,
            created_by=media.created_by,
            created_at=media.created_at,
            updated_at=media.updated_at,
            deleted_at=media.deleted_at,
        )


class MediaChanges(Body):
    """What to change; what is left out stays."""

    name: Name | None = None
    alt_text: AltText | None = None


@router.post("", status_code=201, response_model=MediaOut, responses={200: {"model": MediaOut}}, openapi_extra=_UPLOAD)
async def upload_media(call: Annotated[Call, needs("media:write", tx=False)]) -> Response:
    """Upload a PNG, JPEG, GIF or WebP image. What is known already is answered as it is there, with 200."""
    library = call.app.media
    upload = MediaUpload(library.limit, call.app.data_dir / "uploads")
    try:
        told = await _receive(call, upload)
        received = await upload.end()
        media, is_new = await content.add_media(
            call.app.db,
            library,
            workspace=call.workspace,
            received=received,
            name=told["name"] or f"image.{received.picture.kind.suffix}",
            alt_text=told["alt_text"],
            by=call.principal,
            now=call.now,
        )
    except MediaTooLarge as error:
        raise BodyTooLarge(error.message) from None
    finally:
        await upload.close()
    shown = MediaOut.of(media, library)
    return Response(shown.model_dump_json(), status_code=201 if is_new else 200, media_type="application/json")


@router.get("")
async def list_media(
    call: Reading,
    paging: Paged,
    search: Annotated[Line, Query(description="part of a name or an alt text")] = "",
    deleted: Annotated[bool, Query(description="those that were deleted, instead")] = False,
) -> Page[MediaOut]:
    """Images, newest first."""
    found = await content.list_media(
        call.tx,
        workspace=call.workspace,
        search=search,
        deleted=deleted,
        before=paging.before,
        offset=paging.offset,
        limit=paging.limit,
    )
    walking = paging.before is not None
    total = (
        None
        if walking
        else await content.count_media(call.tx, workspace=call.workspace, search=search, deleted=deleted)
    )
    return paging.of(
        [MediaOut.of(one, call.app.media) for one in found], last_id=found[-1].id if found else None, total=total
    )


@router.get("/{media_id}")
async def get_media(media_id: MediaRef, call: Reading) -> MediaOut:
    """One image, also one that was deleted."""
    return MediaOut.of(
        await content.get_media(call.tx, workspace=call.workspace, media=MediaId(media_id)), call.app.media
    )


@router.patch("/{media_id}")
async def update_media(media_id: MediaRef, body: MediaChanges, call: Writing) -> MediaOut:
    """Change an image's name or alt text. Its address stays."""
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    return MediaOut.of(
        await content.update_media(
            call.tx,
            workspace=call.workspace,
            media=MediaId(media_id),
            changes=changes,
            by=call.principal,
            now=call.now,
        ),
        call.app.media,
    )


@router.delete("/{media_id}", status_code=204)
async def delete_media(
    media_id: MediaRef,
    call: Writing,
    erase: Annotated[
        bool, Query(description="its file, too, within minutes: mails that were sent show it no more")
    ] = False,
) -> None:
    """Take an image out of the library. Mails that were sent show it still. Refused while a template or block shows it.

    With `erase` also while a campaign or message shows it that is still to go out.
    """
    await campaigns.delete_media(
        call.tx, workspace=call.workspace, media=MediaId(media_id), erase=erase, by=call.principal, now=call.now
    )


async def _receive(call: Call, upload: MediaUpload) -> dict[str, str]:
    """Take the file in; what else the request says of it: `name` and `alt_text`, '' where it says nothing."""
    headers = call.request.headers
    kind, boundary = content_type_in(headers.get("content-type", "application/octet-stream"))
    form = Form(boundary, texts=("name", "alt_text")) if kind == "multipart/form-data" and boundary else None
    if form is None and not kind.startswith("image/") and kind != "application/octet-stream":
        raise UnsupportedMediaType(
            "send the image as multipart/form-data with a part named file, or as it is with Content-Type: image/png"
        )
    async for data in _pieces(call, form):
        await upload.write(data)
    texts = {} if form is None else {part: _text(part, raw) for part, raw in form.end().items()}
    filename = form.filename if form else filename_in(headers.get("content-disposition", ""))
    # Browsers of old tell the whole path.
    own_name = filename.replace("\\", "/").rpartition("/")[2].strip()[:255]
    return {"name": texts.get("name") or own_name, "alt_text": texts.get("alt_text", "")}


async def _pieces(call: Call, form: Form | None) -> AsyncIterator[bytes]:
    async for piece in call.request.stream():
        for data in form.feed(piece) if form else [piece]:
            yield data


def _text(part: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid.at(part, "must be text in UTF-8") from None
