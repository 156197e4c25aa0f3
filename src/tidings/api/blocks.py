"""Shared blocks over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import content
from tidings.api._deps import Call, needs
from tidings.api._fields import BlockRef, Body
from tidings.api._paging import Page, Paged
from tidings.api._route import Route
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
    return BlockOut.of(
        await content.update_block(
            call.tx,
            workspace=call.workspace,
            block=BlockId(block_id),
            changes=changes,
            by=call.principal,
            now=call.now,
        )
    )


@router.delete("/{block_id}", status_code=204)
async def delete_block(block_id: BlockRef, call: Writing) -> None:
    """Delete a block. Refused while a template or another block renders it."""
    await content.delete_block(
        call.tx, workspace=call.workspace, block=BlockId(block_id), by=call.principal, now=call.now
    )
