"""`tidings block`: shared blocks and their versions from the shell, straight from the database."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tidings import campaigns, content
from tidings.accounts import SYSTEM
from tidings.cli.checking import read_text
from tidings.cli.manage import Desk, at_desk
from tidings.cli.templating import plain
from tidings.content import Block, BlockThen, BlockVersion
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import BlockId, parse_id, public_id
from tidings.core.settings import Settings

_PAGE = 500


async def list_blocks(settings: Settings, *, workspace: str, search: str) -> list[Block]:
    """All blocks, newest first, whose name has `search` in it."""
    found: list[Block] = []
    async with at_desk(settings, workspace) as desk:
        while page := await content.list_blocks(
            desk.tx, workspace=desk.workspace, before=found[-1].id if found else None, limit=_PAGE
        ):
            found += page
    return [one for one in found if search.lower() in one.name.lower()]


async def get_block(
    settings: Settings, *, workspace: str, block: str, version: int | None
) -> tuple[Block, BlockThen | None]:
    """One block, by name or id; with a version, what it said then."""
    async with at_desk(settings, workspace) as desk:
        found = await _find(desk, block)
        then = None
        if version is not None:
            then = await content.get_block_version(desk.tx, workspace=desk.workspace, block=found.id, version=version)
        return found, then


async def save_block(
    settings: Settings, *, workspace: str, file: Path, block: str, name: str | None, text: Path | None
) -> tuple[Block, int]:
    """Save a file as a block: as its next version, or as a new one. Also the version that it had before, 0: none."""
    if file.suffix.lower() not in {".html", ".htm"}:
        raise Invalid.at(
            "FILE", "must end in .html, .htm: blocks are HTML with Liquid, whatever templates are written in"
        )
    told: dict[str, Any] = {
        "name": name,
        "html_content": await asyncio.to_thread(read_text, file),
        "text_content": None if text is None else await asyncio.to_thread(read_text, text),
    }
    changes = {field: value for field, value in told.items() if value is not None}
    async with at_desk(settings, workspace) as desk:
        named = block or file.stem
        known = await _known(desk, named)
        by: dict[str, Any] = {"by": SYSTEM(desk.workspace), "now": utc_now()}
        if known is None:
            if block.startswith("block_"):
                raise Invalid.at("--block", f"there is no {block}; `tidings block list` shows them")
            return await content.create_block(desk.tx, workspace=desk.workspace, **{"name": named, **changes}, **by), 0
        used_by = await _using(desk, known) if name is not None else ()
        after = await content.update_block(
            desk.tx, workspace=desk.workspace, block=known.id, changes=changes, used_by=used_by, **by
        )
        return after, known.version


async def list_versions(settings: Settings, *, workspace: str, block: str) -> list[BlockVersion]:
    """A block's history, newest first."""
    async with at_desk(settings, workspace) as desk:
        found = await _find(desk, block)
        return await content.list_block_versions(desk.tx, workspace=desk.workspace, block=found.id)


async def diff_versions(
    settings: Settings, *, workspace: str, block: str, older: int, newer: int | None
) -> content.BlockDifference:
    """What changed from one version to another; None: to the current one."""
    async with at_desk(settings, workspace) as desk:
        found = await _find(desk, block)
        return await content.diff_block_versions(
            desk.tx, workspace=desk.workspace, block=found.id, older=older, newer=newer or found.version
        )


async def restore_version(settings: Settings, *, workspace: str, block: str, version: int) -> Block:
    """Make an older version's content the newest version."""
    async with at_desk(settings, workspace) as desk:
        found = await _find(desk, block)
        by = SYSTEM(desk.workspace)
        return await content.restore_block_version(
            desk.tx, workspace=desk.workspace, block=found.id, version=version, by=by, now=utc_now()
        )


async def delete_block(settings: Settings, *, workspace: str, block: str) -> str:
    """Delete it, unless something renders it; returns what to tell the person."""
    async with at_desk(settings, workspace) as desk:
        found = await _find(desk, block)
        await content.delete_block(
            desk.tx,
            workspace=desk.workspace,
            block=found.id,
            used_by=await _using(desk, found),
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )
    return f"{public_id('block', found.id)} {found.name}: deleted"


async def _using(desk: Desk, block: Block) -> list[str]:
    """The campaigns that render it themselves; nobody starts to before the transaction ends."""
    await content.lock_block(desk.tx, workspace=desk.workspace, block=block.id)
    return await campaigns.using_block(desk.tx, workspace=desk.workspace, name=block.name)


async def _find(desk: Desk, wanted: str) -> Block:
    found = await _known(desk, wanted)
    if found is None:
        raise Invalid.at("block", f"there is no block {wanted!r}; `tidings block list` shows them")
    return found


async def _known(desk: Desk, wanted: str) -> Block | None:
    named = await content.find_block(desk.tx, workspace=desk.workspace, name=wanted)
    if named is not None:
        return named
    try:
        number = BlockId(parse_id("block", wanted, field="block"))
    except Invalid:
        return None
    try:
        return await content.get_block(desk.tx, workspace=desk.workspace, block=number)
    except content.BlockNotFound:
        return None


def show_list(found: Sequence[Block]) -> None:
    """A table of them."""
    table = Table("id", "name", "version", "renders", "changed (UTC)", "by", box=None, header_style="bold")
    for one in found:
        changed = f"{one.updated_at:%Y-%m-%d %H:%M}"
        table.add_row(
            public_id("block", one.id),
            plain(one.name),
            str(one.version),
            plain(", ".join(one.uses)),
            changed,
            one.updated_by,
        )
    Console().print(table if found else "no blocks")


def show_block(one: Block, then: BlockThen | None) -> None:
    """What is to be known of it, and its HTML."""
    said = then or one
    table = Table(box=None, show_header=False)
    for label, value in (
        ("block", f"{public_id('block', one.id)} {one.name}, version {said.version}"),
        ("renders", ", ".join(one.uses) or "nothing"),
        ("text", "written" if said.text_content else "derived from the HTML"),
        ("changed", f"{one.updated_at if then is None else then.created_at:%Y-%m-%d %H:%M} UTC"),
    ):
        table.add_row(label, plain(value))
    Console().print(table)
    print(f"\n{said.html_content}")


def part_of(one: Block | BlockThen, part: str) -> str:
    """Its HTML or text, as it was written. Raises Invalid."""
    parts = {"html": one.html_content, "text": one.text_content}
    if part not in parts:
        raise Invalid.at("--part", "must be one of html, text")
    return parts[part]


def show_versions(found: Sequence[BlockVersion]) -> None:
    """A table of a history."""
    table = Table("version", "saved (UTC)", "by", box=None, header_style="bold")
    for one in found:
        current = " (current)" if one.current else ""
        table.add_row(f"{one.version}{current}", f"{one.created_at:%Y-%m-%d %H:%M}", one.created_by)
    Console().print(table)
