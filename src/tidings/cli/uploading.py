"""`tidings media` and `tidings attachment`: images and files for templates, from the shell."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tidings import campaigns, content
from tidings.accounts import SYSTEM
from tidings.cli.manage import at_desk
from tidings.cli.templating import plain
from tidings.content import Media, MediaUpload, StoredAttachment
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import AttachmentId, MediaId, parse_id, public_id
from tidings.core.settings import Settings

_PAGE = 500
_LARGEST = 10 * 1024 * 1024  # of an attachment, as the API has it


async def add_media(
    settings: Settings, *, workspace: str, file: Path, name: str, alt_text: str
) -> tuple[Media, str, bool]:
    """Put an image into the library: it, its address, and whether it is new. Raises Invalid."""
    async with at_desk(settings, workspace, transaction=False) as desk:
        library = desk.app.media
        data = await asyncio.to_thread(_read, file, library.limit)
        upload = MediaUpload(library.limit)
        try:
            await upload.write(data)
            media, is_new = await content.add_media(
                desk.app.db,
                library,
                workspace=desk.workspace,
                received=await upload.end(),
                name=name or file.name,
                alt_text=alt_text,
                by=SYSTEM(desk.workspace),
                now=utc_now(),
            )
        finally:
            await upload.close()
        return media, library.url(media.path), is_new


async def list_media(settings: Settings, *, workspace: str, search: str, deleted: bool) -> list[tuple[Media, str]]:
    """Images with their addresses, newest first."""
    found: list[Media] = []
    async with at_desk(settings, workspace) as desk:
        while page := await content.list_media(
            desk.tx,
            workspace=desk.workspace,
            search=search,
            deleted=deleted,
            before=found[-1].id if found else None,
            limit=_PAGE,
        ):
            found += page
        return [(one, desk.app.media.url(one.path)) for one in found]


async def delete_media(settings: Settings, *, workspace: str, media: str, erase: bool) -> str:
    """Take an image out of the library, with `erase` out of mails that were sent, too. Returns what to tell the person."""
    number = MediaId(parse_id("media", media, field="media"))
    async with at_desk(settings, workspace) as desk:
        await campaigns.delete_media(
            desk.tx,
            workspace=desk.workspace,
            media=number,
            erase=erase,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )
    how = "erased; its file goes within minutes, while `tidings up` runs" if erase else "deleted; mails show it still"
    return f"{media}: {how}"


async def add_attachment(
    settings: Settings, *, workspace: str, file: Path, filename: str, content_type: str, content_id: str
) -> StoredAttachment:
    """Keep a file that templates and campaigns may name. Raises Invalid."""
    data = await asyncio.to_thread(_read, file, _LARGEST)
    async with at_desk(settings, workspace) as desk:
        return await content.add_attachment(
            desk.tx,
            workspace=desk.workspace,
            filename=filename or file.name,
            content=data,
            content_type=content_type,
            content_id=content_id,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )


async def list_attachments(settings: Settings, *, workspace: str, search: str) -> list[StoredAttachment]:
    """Files, newest first."""
    found: list[StoredAttachment] = []
    async with at_desk(settings, workspace) as desk:
        while page := await content.list_attachments(
            desk.tx,
            workspace=desk.workspace,
            search=search,
            before=found[-1].id if found else None,
            limit=_PAGE,
        ):
            found += page
    return found


async def delete_attachment(settings: Settings, *, workspace: str, attachment: str) -> str:
    """Delete a file for ever, unless something still brings it along. Returns what to tell the person."""
    number = AttachmentId(parse_id("attachment", attachment, field="attachment"))
    async with at_desk(settings, workspace) as desk:
        await campaigns.delete_attachment(
            desk.tx, workspace=desk.workspace, attachment=number, by=SYSTEM(desk.workspace), now=utc_now()
        )
    return f"{attachment}: deleted for ever"


def show_media(found: Sequence[tuple[Media, str]]) -> None:
    """A table of images."""
    table = Table("id", "name", "pixels", "size", "address", box=None, header_style="bold")
    for one, url in found:
        table.add_row(
            public_id("media", one.id), plain(one.name), f"{one.width} × {one.height}", _size(one.size), plain(url)
        )
    _print(table, found, "no images")


def show_attachments(found: Sequence[StoredAttachment]) -> None:
    """A table of files."""
    table = Table("id", "name", "type", "size", "shown as", box=None, header_style="bold")
    for one in found:
        shown = f"cid:{one.content_id}" if one.content_id else ""
        table.add_row(
            public_id("attachment", one.id), plain(one.filename), one.content_type, _size(one.size), plain(shown)
        )
    _print(table, found, "no attachments")


def _print(table: Table, found: Sequence[object], otherwise: str) -> None:
    console = Console()
    # Addresses and ids are there to be copied: into a pipe they go whole.
    if not console.is_terminal:
        console.width = 500
    console.print(table if found else otherwise)


def _size(size: int) -> str:
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1000:,.0f} KB"


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as source:
            data = source.read(limit + 1)
    except OSError as error:
        raise Invalid.at(str(file), f"cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise Invalid.at(str(file), f"may have at most {limit >> 20} MB")
    return data
