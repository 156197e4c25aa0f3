"""Shared blocks: pieces of content that templates render by name, kept in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.accounts import Principal, audit
from tidings.content._aside import aside
from tidings.content._block_graph import too_deep
from tidings.content._media import hold_media
from tidings.content._parse import TemplateInvalid, parse
from tidings.content._parts import NAME
from tidings.content._shared import Shared, load_shared, names_in, with_shared
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import BlockId, WorkspaceId, public_id

MAX_BLOCK = 200_000
"""Characters of HTML or text."""
_COLUMNS = "id, name, version, html_content, text_content, uses, updated_by, created_at, updated_at"


class BlockNotFound(NotFound):
    """There is no such block in this workspace."""

    code = "block_not_found"


class BlockInUse(Conflict):
    """Templates or other blocks render this block."""

    code = "block_in_use"


class BlockExists(Conflict):
    """There is a block of this name already."""

    code = "block_exists"


@dataclass(frozen=True, slots=True)
class Block:
    """A shared block. `text_content` is '' where the text is derived from the HTML."""

    id: BlockId
    name: str
    version: int
    html_content: str
    text_content: str
    uses: list[str]
    """Blocks that it renders itself."""
    updated_by: str
    created_at: datetime
    updated_at: datetime


async def create_block(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    html_content: str,
    text_content: str = "",
    by: Principal,
    now: datetime,
) -> Block:
    """Create a block. Raises TemplateInvalid for broken Liquid, Invalid for an unusable name, BlockExists."""
    _check_name(name)
    await _one_at_a_time(tx, workspace)
    uses = await _check(tx, workspace, name, html_content, text_content)
    number = await tx.fetchval(
        """
        INSERT INTO blocks
            (workspace_id, name, version, html_content, text_content, uses, updated_by, created_at, updated_at)
        VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $7) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id
        """,
        workspace,
        name,
        html_content,
        text_content,
        uses,
        by.actor,
        now,
    )
    if number is None:
        raise BlockExists(f"there is a block named '{name}' already")
    block = BlockId(number)
    await _keep(tx, workspace, block)
    await hold_media(tx, workspace=workspace, texts=(html_content, text_content))
    await audit(tx, by=by, action="block.created", subject=public_id("block", block), now=now)
    return await get_block(tx, workspace=workspace, block=block)


async def get_block(tx: Tx, *, workspace: WorkspaceId, block: BlockId, lock: bool = False) -> Block:
    """One block. `lock`: nobody changes or starts to use it before the transaction ends. Raises BlockNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM blocks WHERE workspace_id = $1 AND id = $2" + (" FOR UPDATE" if lock else ""),  # noqa: S608 - our own words
        workspace,
        block,
    )
    if row is None:
        raise BlockNotFound(f"there is no {public_id('block', block)}")
    return Block(**dict(row.items()))


async def find_block(tx: Tx, *, workspace: WorkspaceId, name: str) -> Block | None:
    """The block of this name."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM blocks WHERE workspace_id = $1 AND name = $2",  # noqa: S608 - our own words
        workspace,
        name,
    )
    return Block(**dict(row.items())) if row else None


async def list_blocks(
    tx: Tx, *, workspace: WorkspaceId, before: int | None = None, offset: int = 0, limit: int = 50
) -> list[Block]:
    """Blocks, newest first: `limit` after `offset`, or of those with ids below `before`."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM blocks WHERE workspace_id = $1 AND ($2::bigint IS NULL OR id < $2)
        ORDER BY id DESC OFFSET $3 LIMIT $4
        """,  # noqa: S608 - our own words
        workspace,
        before,
        offset,
        limit,
    )
    return [Block(**dict(row.items())) for row in rows]


async def count_blocks(tx: Tx, *, workspace: WorkspaceId) -> int:
    """How many there are."""
    return await tx.fetchval("SELECT count(*) FROM blocks WHERE workspace_id = $1", workspace)


async def lock_block(tx: Tx, *, workspace: WorkspaceId, block: BlockId) -> Block:
    """One block, before it is asked who uses it: nobody changes or starts to use it before the transaction ends.

    Raises BlockNotFound.
    """
    await _one_at_a_time(tx, workspace)
    return await get_block(tx, workspace=workspace, block=block, lock=True)


async def update_block(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    block: BlockId,
    changes: Mapping[str, Any],
    used_by: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> Block:
    """Change what is named (`name`, `html_content`, `text_content`). What is launched keeps the block as it was.

    New content is a new version; a new name alone is not. `used_by`: ids of campaigns whose own subject or preheader renders
    it, as `lock_block` lets one ask, for a new name. Raises BlockNotFound, BlockInUse for a new name of a block that is used,
    BlockExists, TemplateInvalid, Invalid.
    """
    before = await lock_block(tx, workspace=workspace, block=block)
    name = changes.get("name", before.name)
    html, text = changes.get("html_content", before.html_content), changes.get("text_content", before.text_content)
    changed = (html, text) != (before.html_content, before.text_content)
    if not changed and name == before.name:
        return before
    if name != before.name:
        _check_name(name)
        await _refuse_if_used(tx, workspace, before, used_by)
        if await tx.fetchval("SELECT true FROM blocks WHERE workspace_id = $1 AND name = $2", workspace, name):
            raise BlockExists(f"there is a block named '{name}' already")
    uses = await _check(tx, workspace, name, html, text)
    await tx.execute(
        """
        UPDATE blocks SET name = $3, html_content = $4, text_content = $5, uses = $6, version = version + $9::integer,
            updated_by = $7, updated_at = $8
        WHERE workspace_id = $1 AND id = $2
        """,
        workspace,
        block,
        name,
        html,
        text,
        uses,
        by.actor,
        now,
        int(changed),
    )
    if changed:
        await _keep(tx, workspace, block)
        await hold_media(tx, workspace=workspace, texts=(html, text))
    await audit(tx, by=by, action="block.updated", subject=public_id("block", block), now=now)
    return await get_block(tx, workspace=workspace, block=block)


async def delete_block(
    tx: Tx, *, workspace: WorkspaceId, block: BlockId, used_by: Sequence[str], by: Principal, now: datetime
) -> None:
    """Delete a block and its history. `used_by`: as `update_block` has it.

    Raises BlockNotFound; BlockInUse while a template's current version, another block or one of those campaigns renders it.
    """
    before = await lock_block(tx, workspace=workspace, block=block)
    await _refuse_if_used(tx, workspace, before, used_by)
    await tx.execute("DELETE FROM blocks WHERE workspace_id = $1 AND id = $2", workspace, block)
    await audit(tx, by=by, action="block.deleted", subject=public_id("block", block), now=now)


async def _one_at_a_time(tx: Tx, workspace: WorkspaceId) -> None:
    """Two blocks saved at once could come to render each other."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('tidings blocks', $1))", workspace)


async def _keep(tx: Tx, workspace: WorkspaceId, block: BlockId) -> None:
    """What it says now is a version of it."""
    await tx.execute(
        """
        INSERT INTO block_versions (workspace_id, block_id, version, html_content, text_content, created_by, created_at)
        SELECT workspace_id, id, version, html_content, text_content, updated_by, updated_at FROM blocks
        WHERE workspace_id = $1 AND id = $2
        """,
        workspace,
        block,
    )


async def _refuse_if_used(tx: Tx, workspace: WorkspaceId, block: Block, used_by: Sequence[str]) -> None:
    rows = await tx.fetch(
        """
        SELECT 'template_' || t.id AS user FROM templates AS t
        JOIN template_versions AS v
            ON v.workspace_id = t.workspace_id AND v.template_id = t.id AND v.version = t.version
        WHERE t.workspace_id = $1 AND t.deleted_at IS NULL AND $2 = ANY(v.blocks)
        UNION ALL
        SELECT 'block_' || id FROM blocks WHERE workspace_id = $1 AND $2 = ANY(uses)
        LIMIT 10
        """,
        workspace,
        block.name,
    )
    if users := [*(row["user"] for row in rows), *used_by]:
        raise BlockInUse(f"{public_id('block', block.id)} is used by {', '.join(users)}")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Invalid.at(
            "name", "must have 1 to 100 letters, digits, '_', '-' and '.', and begin with one of the first three"
        )


async def _check(tx: Tx, workspace: WorkspaceId, name: str, html: str, text: str) -> list[str]:
    """The blocks that this one renders. Raises TemplateInvalid with every field that is not in order."""
    problems = [
        FieldProblem(field, f"must have at most {MAX_BLOCK:,} characters")
        for field, value in (("html_content", html), ("text_content", text))
        if len(value) > MAX_BLOCK
    ]
    if not html.strip():
        problems.append(FieldProblem("html_content", "must not be empty"))
    uses = [] if problems else await aside(names_in, html, text)
    rows = await tx.fetch("SELECT name, uses FROM blocks WHERE workspace_id = $1", workspace)
    graph: Mapping[str, Sequence[str]] = {row["name"]: row["uses"] for row in rows} | {name: uses}
    if trouble := too_deep(graph, name):
        problems.append(FieldProblem("html_content", trouble))
    if not problems:
        shared = await load_shared(tx, workspace=workspace, names=uses)
        for field, source, is_html in (("html_content", html, True), ("text_content", text, False)):
            try:
                await aside(_read, source, shared, html=is_html, field=field)
            except TemplateInvalid as error:
                problems += error.fields
    if problems:
        raise TemplateInvalid("; ".join(f"{one.field}: {one.message}" for one in problems), fields=tuple(problems))
    return uses


def _read(source: str, shared: Mapping[str, Shared], *, html: bool, field: str) -> None:
    parse(with_shared(source, shared, html=html, strict=False, field=field), html=html, field=field)
