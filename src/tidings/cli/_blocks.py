"""`tidings block`: what several templates say."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tidings.cli._content import At, Json, Workspace
from tidings.cli._running import print_json
from tidings.cli._running import run as _run
from tidings.cli._running import settings as _settings

blocks = typer.Typer(no_args_is_help=True, help="Shared blocks, which templates render by name, and their versions.")

Which = Annotated[str, typer.Argument(metavar="BLOCK", help="its name or id")]


@blocks.command("list")
def block_list(
    search: Annotated[str, typer.Option(help="part of a name")] = "", workspace: Workspace = "", json: Json = False
) -> None:
    """List blocks, newest first."""
    from tidings.cli import blocking

    found = _run(blocking.list_blocks(_settings(), workspace=workspace, search=search))
    if json:
        print_json({"items": [_block_json(one) for one in found]})
    else:
        blocking.show_list(found)


@blocks.command("show")
def block_show(
    block: Which,
    version: At = None,
    part: Annotated[str, typer.Option(help="write this alone, as it is: html or text")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show a block, as it is now or at an older version."""
    from tidings.cli import blocking

    async def wanted() -> Any:
        found, then = await blocking.get_block(_settings(), workspace=workspace, block=block, version=version)
        return found, then, blocking.part_of(then or found, part) if part else ""

    found, then, alone = _run(wanted())
    if part:
        typer.echo(alone, nl=not alone.endswith("\n"))
    elif json:
        print_json(_block_json(found) if then is None else asdict(then))
    else:
        blocking.show_block(found, then)


@blocks.command("save")
def block_save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".html: a piece of HTML with Liquid")],
    block: Annotated[str, typer.Option(help="its name or id; else the file's name without its ending")] = "",
    name: Annotated[str | None, typer.Option(help="call it so from now on; refused while it is used")] = None,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="for text parts; else it is derived from the HTML")
    ] = None,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Save a file as a block: as the next version of the one with this name, or as a new one. Templates say the new one."""
    from tidings.cli import blocking

    saved, before = _run(
        blocking.save_block(_settings(), workspace=workspace, file=file, block=block, name=name, text=text)
    )
    if json:
        print_json(_block_json(saved))
        return
    what = "new" if not before else "nothing changed" if saved.version == before else f"was version {before}"
    typer.echo(f"block_{saved.id} {saved.name}: version {saved.version} ({what})")


@blocks.command("versions")
def block_versions(block: Which, workspace: Workspace = "", json: Json = False) -> None:
    """List every version, newest first: when it was saved, and by whom."""
    from tidings.cli import blocking

    found = _run(blocking.list_versions(_settings(), workspace=workspace, block=block))
    if json:
        print_json({"items": [asdict(one) for one in found]})
    else:
        blocking.show_versions(found)


@blocks.command("diff")
def block_diff(
    block: Which,
    older: Annotated[int, typer.Argument(min=1)],
    newer: Annotated[int | None, typer.Argument(min=1, help="the current one, if not given")] = None,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show what changed from one version to another, as unified diffs."""
    from tidings.cli import blocking, templating

    found = _run(blocking.diff_versions(_settings(), workspace=workspace, block=block, older=older, newer=newer))
    if json:
        print_json(asdict(found))
    else:
        templating.show_diffs(found.html_content, found.text_content)


@blocks.command("restore")
def block_restore(
    block: Which,
    version: Annotated[int, typer.Argument(min=1)],
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Make an older version's content the newest version."""
    from tidings.cli import blocking

    restored = _run(blocking.restore_version(_settings(), workspace=workspace, block=block, version=version))
    if json:
        print_json(_block_json(restored))
    else:
        typer.echo(f"block_{restored.id} {restored.name}: version {restored.version}, as version {version} had it")


@blocks.command("delete")
def block_delete(block: Which, workspace: Workspace = "") -> None:
    """Delete a block and its history. Refused while a template, another block or a campaign renders it."""
    from tidings.cli import blocking

    typer.echo(_run(blocking.delete_block(_settings(), workspace=workspace, block=block)))


def _block_json(block: Any) -> Any:
    from tidings.api.blocks import BlockOut

    return BlockOut.of(block).model_dump(mode="json")
