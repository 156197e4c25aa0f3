"""`tidings media` and `tidings attachment`: images and files that templates need."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tidings.cli._running import print_json
from tidings.cli._running import run as _run
from tidings.cli._running import settings as _settings

media = typer.Typer(no_args_is_help=True, help="Images for templates.")
attachments = typer.Typer(no_args_is_help=True, help="Files that templates and campaigns bring along.")

Workspace = Annotated[str, typer.Option(help="the workspace's name or id")]
Json = Annotated[bool, typer.Option("--json", help="JSON, as the API has it, on standard output")]


@media.command("add")
def media_add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PNG, JPEG, GIF or WebP")],
    name: Annotated[str, typer.Option(help="the file's, if not given")] = "",
    alt: Annotated[str, typer.Option(help="what it shows, for those who do not see it")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Put an image into the library, and print its address. The same image again is the same address."""
    from tidings.cli import uploading

    added, url, is_new = _run(uploading.add_media(_settings(), workspace=workspace, file=file, name=name, alt_text=alt))
    if json:
        print_json(_media_json(added, url))
    else:
        typer.echo(f"media_{added.id} {added.name}{'' if is_new else ' (was there)'}: {url}")


@media.command("list")
def media_list(
    search: Annotated[str, typer.Option(help="part of a name or a description")] = "",
    deleted: Annotated[bool, typer.Option("--deleted", help="those that were deleted, instead")] = False,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """List images, newest first."""
    from tidings.cli import uploading

    found = _run(uploading.list_media(_settings(), workspace=workspace, search=search, deleted=deleted))
    if json:
        print_json({"items": [_media_json(one, url) for one, url in found]})
    else:
        uploading.show_media(found)


@media.command("delete")
def media_delete(
    media: Annotated[str, typer.Argument(metavar="MEDIA", help="its id, such as media_1")],
    erase: Annotated[bool, typer.Option("--erase", help="out of mails that were sent, too")] = False,
    workspace: Workspace = "",
) -> None:
    """Take an image out of the library. Refused while a template or block shows it."""
    from tidings.cli import uploading

    typer.echo(_run(uploading.delete_media(_settings(), workspace=workspace, media=media, erase=erase)))


@attachments.command("add")
def attachment_add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="at most 10 MiB")],
    name: Annotated[str, typer.Option(help="as recipients see it; the file's, if not given")] = "",
    content_type: Annotated[str, typer.Option(help="told from the name, if not given")] = "",
    content_id: Annotated[str, typer.Option(help="of an image that the HTML shows as cid:…")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Keep a file that templates and campaigns may name by its id."""
    from tidings.cli import uploading

    added = _run(
        uploading.add_attachment(
            _settings(),
            workspace=workspace,
            file=file,
            filename=name,
            content_type=content_type,
            content_id=content_id,
        )
    )
    if json:
        print_json(_attachment_json(added))
    else:
        typer.echo(f"attachment_{added.id} {added.filename}: {added.content_type}, {added.size:,} bytes")


@attachments.command("list")
def attachment_list(
    search: Annotated[str, typer.Option(help="part of a file's name")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """List files, newest first."""
    from tidings.cli import uploading

    found = _run(uploading.list_attachments(_settings(), workspace=workspace, search=search))
    if json:
        print_json({"items": [_attachment_json(one) for one in found]})
    else:
        uploading.show_attachments(found)


@attachments.command("delete")
def attachment_delete(
    attachment: Annotated[str, typer.Argument(metavar="ATTACHMENT", help="its id, such as attachment_1")],
    workspace: Workspace = "",
) -> None:
    """Delete a file for ever. Refused while a template, a draft or a message that is still to go out brings it along."""
    from tidings.cli import uploading

    typer.echo(_run(uploading.delete_attachment(_settings(), workspace=workspace, attachment=attachment)))


def _media_json(media: Any, url: str) -> Any:
    from tidings.api.media import MediaOut

    return MediaOut.at(media, url).model_dump(mode="json")


def _attachment_json(attachment: Any) -> Any:
    from tidings.api.attachments import StoredAttachmentOut

    return StoredAttachmentOut.of(attachment).model_dump(mode="json")
