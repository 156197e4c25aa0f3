"""Pages of a list: `page` and `page_size` to leaf, `cursor` to walk to the end at the same speed throughout."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from tidings.core.errors import Invalid

T = TypeVar("T")

SIZE_LIMIT = 1000
DEPTH_LIMIT = 100_000
"""Leafing costs what it skips; beyond this, use the cursor."""


class Page(BaseModel, Generic[T]):
    """Some items, newest first. `next_cursor` is null on the last page; `total` is counted only when leafing by page."""

    items: list[T]
    page: int | None = Field(description="null when walking by cursor")
    page_size: int
    total: int | None = Field(description="of all pages; null when walking by cursor")
    total_capped: bool = Field(default=False, description="there are more than `total`: counting stopped there")
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """What page is wanted: `limit` items after `offset`, or those with ids below `before`."""

    page: int
    limit: int
    before: int | None

    @property
    def offset(self) -> int:
        """Items to skip; 0 when walking by cursor."""
        return 0 if self.before is not None else (self.page - 1) * self.limit

    def of(self, items: list[T], *, last_id: int | None, total: int | None, capped: bool = False) -> Page[T]:
        """The answer: `last_id` is the id of the last item, `total` how many there are in all, or at least if `capped`."""
        walking = self.before is not None
        more = len(items) == self.limit and (total is None or capped or self.offset + len(items) < total)
        return Page[T].model_construct(
            items=items,
            page=None if walking else self.page,
            page_size=self.limit,
            total=None if walking else total,
            total_capped=capped and not walking,
            next_cursor=_cursor(last_id) if more and last_id is not None else None,
        )


async def _paging(
    page: Annotated[int, Query(ge=1, le=DEPTH_LIMIT)] = 1,
    page_size: Annotated[int, Query(ge=1, le=SIZE_LIMIT)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="next_cursor of the page before")] = None,
) -> Paging:
    if cursor is not None:
        return Paging(1, page_size, _id(cursor))
    if page * page_size > DEPTH_LIMIT:
        raise Invalid.at("page", f"pages end at item {DEPTH_LIMIT}; go on with next_cursor as cursor")
    return Paging(page, page_size, None)


Paged = Annotated[Paging, Depends(_paging)]
"""The parameter of an endpoint that lists: `paging: Paged`."""


def _cursor(last_id: int) -> str:
    return base64.urlsafe_b64encode(f"before:{last_id}".encode()).decode().rstrip("=")


def _id(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        word, _, number = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        word, number = "", ""
    if word != "before" or not number.isdecimal() or not 0 < int(number) < 2**63:
        raise Invalid.at("cursor", "must be the next_cursor of a page before")
    return int(number)
