"""Segments: contacts by conditions, live. (Interface only so far: the owner of this package replaces this file.)"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.core.db import Tx
from tidings.core.ids import SegmentId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Fragment:
    """Parameterised SQL: text with `$n`, and the values that it adds."""

    sql: str
    values: list[Any]


async def missing_segments(tx: Tx, *, workspace: WorkspaceId, segments: Sequence[SegmentId]) -> set[SegmentId]:
    """Those of these segments that do not exist."""
    rows = await tx.fetch(
        "SELECT id FROM segments WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, segments
    )
    return set(segments) - {SegmentId(row["id"]) for row in rows}


async def segment_members(
    tx: Tx, *, workspace: WorkspaceId, segments: Sequence[SegmentId], first: int, now: datetime
) -> Fragment:
    """A SELECT of one column `id`."""
    raise NotImplementedError
