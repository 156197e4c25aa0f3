"""Shared blocks over HTTP."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import campaigns, content
from tidings.api._deps import Call, needs
from tidings.api._fields import BlockRef, Body
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
from tidings.api._versions import DifferenceOut, InPath, VersionOut, Versions
from tidings.core.ids import BlockId, public_id

router = APIRouter(prefix="/blocks", tags=["templates"], route_class=Route)

Reading = Annotated[Call, needs("templates:read")]
Writing = Annotated[Call, needs("templates:write")]
BlockName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$", description="what templates call it", examples=["footer"]),
]
Html = Annotated[str, Field(max_length=200_000, description="Liquid; values are escaped unless `| safe`")]
Text = Annotated[str, Field(max_length=200_000, description="Liquid, for text parts; empty: derived from the HTML")]


class NewBlock(Body):
    """A piece of content that templates render by name: `{% render 'footer' %}`."""

    name: BlockName
    html_content: Html
    text_content: Text = ""


class BlockChanges(Body):
    """What to change; what is left out stays."""

    name: BlockName | None = None
    html_content: Html | None = None
    text_content: Text | None = None


class BlockOut(BaseModel):
    """A shared block."""

    id: str
    name: str
    version: int
    html_content: str
    text_content: str
    uses: list[str]
    updated_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, block: content.Block) -> "BlockOut":
        """As JSON shows it."""
        return cls(
            id=public_id("block", block.id),
            name=block.name,
            version=block.version,
            html_content=block.html_content,
            text_content=block.text_content,
            uses=block.uses,
            updated_by=block.updated_by,
            created_at=block.created_at,
            updated_at=block.updated_at,
        )


class BlockThenOut(VersionOut):
    """What a block said at one of its versions."""

    html_content: str
    text_content: str


@router.post("", status_code=201)
async def create_block(body: NewBlock, call: Writing) -> BlockOut:
    """Create a block. Its Liquid is checked, and blocks may not come to render each other for ever."""
    return BlockOut.of(
        await content.create_block(
            call.tx,
            workspace=call.workspace,
            name=body.name,
            html_content=body.html_content,
            text_content=body.text_content,
            by=call.principal,
            now=call.now,
        )
    )


@router.get("")
async def list_blocks(call: Reading, paging: Paged) -> Page[BlockOut]:
    """Blocks, newest first."""
    found = await content.list_blocks(
        call.tx, workspace=call.workspace, before=paging.before, offset=paging.offset, limit=paging.limit
    )
    walking = paging.before is not None
    total = None if walking else await content.count_blocks(call.tx, workspace=call.workspace)
    return paging.of([BlockOut.of(one) for one in found], last_id=found[-1].id if found else None, total=total)


@router.get("/{block_id}")
async def get_block(block_id: BlockRef, call: Reading) -> BlockOut:
    """One block."""
    return BlockOut.of(await content.get_block(call.tx, workspace=call.workspace, block=BlockId(block_id)))


@router.put("/{block_id}", name="put_block")
@router.patch("/{block_id}")
async def update_block(block_id: BlockRef, body: BlockChanges, call: Writing) -> BlockOut:
    """Change a block. Campaigns that were launched keep it as it was; a block in use keeps its name."""
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    used_by = await _used_by(call, BlockId(block_id)) if "name" in changes else ()
    return BlockOut.of(
        await content.update_block(
            call.tx,
            workspace=call.workspace,
            block=BlockId(block_id),
            changes=changes,
            used_by=used_by,
            by=call.principal,
            now=call.now,
        )
    )


@router.delete("/{block_id}", status_code=204)
async def delete_block(block_id: BlockRef, call: Writing) -> None:
    """Delete a block and its history. Refused while a template, another block, or the own subject or preheader of a
    campaign that is still to be launched renders it.
    """
    block = BlockId(block_id)
    used_by = await _used_by(call, block)
    await content.delete_block(
        call.tx, workspace=call.workspace, block=block, used_by=used_by, by=call.principal, now=call.now
    )


@router.get("/{block_id}/versions")
async def list_block_versions(block_id: BlockRef, call: Reading) -> Versions[VersionOut]:
    """Every version a block has had: one for each save that changed what it says."""
    found = await content.list_block_versions(call.tx, workspace=call.workspace, block=BlockId(block_id))
    return Versions(items=[VersionOut(**asdict(one)) for one in found])


@router.get("/{block_id}/versions/{version}")
async def get_block_version(block_id: BlockRef, version: InPath, call: Reading) -> BlockThenOut:
    """What a block said at one of its versions."""
    found = await content.get_block_version(call.tx, workspace=call.workspace, block=BlockId(block_id), version=version)
    return BlockThenOut(**asdict(found))


@router.get("/{block_id}/versions/{version}/diff/{other}")
async def diff_block_versions(block_id: BlockRef, version: InPath, other: InPath, call: Reading) -> DifferenceOut:
    """What changed from one version to another, as unified diffs of HTML and text."""
    found = await content.diff_block_versions(
        call.tx, workspace=call.workspace, block=BlockId(block_id), older=version, newer=other
    )
    return DifferenceOut(**asdict(found))


@router.post("/{block_id}/versions/{version}/restore")
async def restore_block_version(block_id: BlockRef, version: InPath, call: Writing) -> BlockOut:
    """Make an older version's content the newest version. Its name stays as it is."""
    return BlockOut.of(
        await content.restore_block_version(
            call.tx,
            workspace=call.workspace,
            block=BlockId(block_id),
            version=version,
            by=call.principal,
            now=call.now,
        )
    )


async def _used_by(call: Call, block: BlockId) -> list[str]:
    """Campaigns that render it themselves; it is locked before they are looked for."""
    found = await content.lock_block(call.tx, workspace=call.workspace, block=block)
    return await campaigns.using_block(call.tx, workspace=call.workspace, name=found.name)
