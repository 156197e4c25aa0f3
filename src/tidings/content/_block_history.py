"""What a shared block said before."""

from dataclasses import dataclass
from datetime import datetime

from tidings.accounts import Principal
from tidings.content._blocks import Block, BlockNotFound, get_block, update_block
from tidings.content._differences import differences
from tidings.core.db import Tx
from tidings.core.ids import BlockId, WorkspaceId, public_id


@dataclass(frozen=True, slots=True)
class BlockVersion:
    """One version in a block's history."""

    version: int
    created_by: str
    created_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class BlockThen(BlockVersion):
    """What a block said at one of its versions."""

    html_content: str
    text_content: str


@dataclass(frozen=True, slots=True)
class BlockDifference:
    """Unified diffs, '' where nothing changed."""

    older: int
    newer: int
    html_content: str
    text_content: str


async def list_block_versions(tx: Tx, *, workspace: WorkspaceId, block: BlockId) -> list[BlockVersion]:
    """A block's history, newest first. Raises BlockNotFound."""
    current = await get_block(tx, workspace=workspace, block=block)
    rows = await tx.fetch(
        """
        SELECT version, created_by, created_at FROM block_versions
        WHERE workspace_id = $1 AND block_id = $2 ORDER BY version DESC
        """,
        workspace,
        block,
    )
    return [BlockVersion(**dict(row.items()), current=row["version"] == current.version) for row in rows]


async def get_block_version(tx: Tx, *, workspace: WorkspaceId, block: BlockId, version: int) -> BlockThen:
    """What it said then. Raises BlockNotFound."""
    row = await tx.fetchrow(
        """
        SELECT v.version, v.html_content, v.text_content, v.created_by, v.created_at, v.version = b.version AS current
        FROM block_versions AS v JOIN blocks AS b ON b.workspace_id = v.workspace_id AND b.id = v.block_id
        WHERE v.workspace_id = $1 AND v.block_id = $2 AND v.version = $3
        """,
        workspace,
        block,
        version,
    )
    if row is None:
        raise BlockNotFound(f"there is no {public_id('block', block)} with a version {version}")
    return BlockThen(**dict(row.items()))


async def diff_block_versions(
    tx: Tx, *, workspace: WorkspaceId, block: BlockId, older: int, newer: int
) -> BlockDifference:
    """What became of version `older` in version `newer`. Raises BlockNotFound."""
    one, other = [
        await get_block_version(tx, workspace=workspace, block=block, version=version) for version in (older, newer)
    ]
    return BlockDifference(older, newer, **await differences(one, other, "html_content", "text_content"))


async def restore_block_version(
    tx: Tx, *, workspace: WorkspaceId, block: BlockId, version: int, by: Principal, now: datetime
) -> Block:
    """Make an older version's content the newest version. Raises BlockNotFound, TemplateInvalid."""
    old = await get_block_version(tx, workspace=workspace, block=block, version=version)
    changes = {"html_content": old.html_content, "text_content": old.text_content}
    return await update_block(tx, workspace=workspace, block=block, changes=changes, by=by, now=now)
