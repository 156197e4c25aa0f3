"""Who is in a segment, now: the SELECT that counts, previews, exports and launches are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.audience.fields import declared_fields
from tidings.audience.segments._compile import Compiler
from tidings.audience.segments._condition import Context
from tidings.audience.segments._fragment import Fragment, Values
from tidings.audience.segments._nodes import Node, Some
from tidings.audience.segments._render import select_ids
from tidings.core.db import Tx
from tidings.core.ids import SegmentId, WorkspaceId, public_id

# Those named, those that their conditions name, and so on. What is no segment's number is left for the compiler to refuse.
_WITH_NAMED = """
WITH RECURSIVE found AS (
    SELECT id, conditions FROM segments WHERE workspace_id = $1 AND id = ANY ($2::bigint[])
    UNION
    SELECT s.id, s.conditions
    FROM found AS f
    CROSS JOIN LATERAL jsonb_path_query(f.conditions, '$.** ? (@.field == "segment" || @.field == "segments").value') AS v (told)
    CROSS JOIN LATERAL jsonb_path_query(v.told, '$[*]') AS one (told)
    JOIN segments AS s ON s.workspace_id = $1 AND 'segment_' || s.id = one.told #>> '{}'
)
SELECT id, conditions FROM found
"""


@dataclass(frozen=True, slots=True)
class Membership(Fragment):
    """A SELECT of one column `id`, and the `node` that it was made of: counts are made of that as well."""

    node: Node


async def segment_members(
    tx: Tx, *, workspace: WorkspaceId, segments: Sequence[SegmentId], first: int, now: datetime
) -> Membership:
    """A SELECT of one column `id`: contacts, whatever their status, in ANY of the segments, each once.

    Its parameters are numbered from `$first`; `$1` is the workspace. Raises SegmentInvalid where conditions mean nothing any
    more, such as after a field was deleted; a segment that is gone has nobody in it.
    """
    values = Values(first)
    known = await _segments(tx, workspace, segments)
    compiler = Compiler(await _context(tx, workspace, values, now), known)
    node = Some(tuple(compiler.segment(id_) for id_ in segments if id_ in known))
    compiler.problems.raise_any()
    return Membership(select_ids(node), values.collected, node)


async def conditions_members(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    conditions: Any,
    first: int,
    now: datetime,
    within: Sequence[SegmentId] = (),
) -> Membership:
    """The same for conditions that are not saved, or not yet: `within` is the segment that they are to be saved in.

    Raises SegmentInvalid naming everything that is wrong with them, lists and campaigns that do not exist included.
    """
    values = Values(first)
    known = await _segments(tx, workspace, _named(conditions))
    context = await _context(tx, workspace, values, now)
    compiler = Compiler(context, known)
    node = compiler.compile(conditions, within=tuple(within))
    for table, kind, named in (("lists", "list", context.lists), ("campaigns", "campaign", context.campaigns)):
        if named:
            rows = await tx.fetch(
                f"SELECT id FROM {table} WHERE workspace_id = $1 AND id = ANY ($2::bigint[])",  # noqa: S608 - our own words
                workspace,
                list({id_ for id_, _ in named}),
            )
            there = {row["id"] for row in rows}
            for id_, path in named:
                if id_ not in there:
                    compiler.problems.add(path, f"there is no {public_id(kind, id_)}")
    compiler.problems.raise_any()
    return Membership(select_ids(node), values.collected, node)


async def missing_segments(tx: Tx, *, workspace: WorkspaceId, segments: Sequence[SegmentId]) -> set[SegmentId]:
    """Those of these segments that do not exist."""
    rows = await tx.fetch(
        "SELECT id FROM segments WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, segments
    )
    return set(segments) - {SegmentId(row["id"]) for row in rows}


async def settle_plans(tx: Tx) -> None:
    """For the rest of the transaction, plans that do not depend on how well conditions were estimated. Call it before a
    statement that is made of members. Joins are hashed, with memory for a million contacts.
    """
    await tx.execute(
        "SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS s (name, value)", *_SETTINGS
    )


async def unsettle_plans(tx: Tx) -> None:
    """What settle_plans set for the rest of the transaction is as it is usually."""
    await tx.execute(";".join(f"SET LOCAL {name} TO DEFAULT" for name in _SETTINGS[0]))


_SETTINGS = (
    ["enable_nestloop", "jit", "work_mem", "parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size",
     "min_parallel_index_scan_size", "plan_cache_mode", "random_page_cost"],
    ["off", "off", "128MB", "100", "0.01", "4MB", "256kB", "force_custom_plan", "2"],
)  # fmt: skip


async def _context(tx: Tx, workspace: WorkspaceId, values: Values, now: datetime) -> Context:
    return Context(
        values,
        await declared_fields(tx, workspace=workspace),
        now,
        sending=await tx.fetchval(
            """SELECT EXISTS (SELECT FROM sends
               WHERE workspace_id = $1 AND gathered_at IS NULL AND campaign_id IS NOT NULL)""",
            workspace,
        ),
        lists_gone=[
            row["list_id"]
            for row in await tx.fetch("SELECT list_id FROM lists_gone WHERE workspace_id = $1", workspace)
        ],
    )


async def _segments(tx: Tx, workspace: WorkspaceId, ids: Iterable[SegmentId]) -> dict[SegmentId, Any]:
    if not (wanted := list(ids)):
        return {}
    return {SegmentId(row["id"]): row["conditions"] for row in await tx.fetch(_WITH_NAMED, workspace, wanted)}


def _named(conditions: Any) -> set[SegmentId]:
    """The numbers of segments that conditions name. Not recursive, and not far: what is too deep is refused anyway."""
    found: set[SegmentId] = set()
    waiting = [conditions]
    seen = 0
    while waiting and seen < 10_000:
        one = waiting.pop()
        seen += 1
        if isinstance(one, list):
            waiting += one[:1000]
        elif isinstance(one, dict):
            if one.get("field") in ("segment", "segments"):
                value = one.get("value")
                told = value if isinstance(value, list) else [value]
                numbers = (text.removeprefix("segment_") for text in told[:10] if isinstance(text, str))
                found |= {SegmentId(int(n)) for n in numbers if n.isascii() and n.isdecimal() and len(n) < 19}
            else:
                waiting += [one[word] for word in ("and", "or", "not") if word in one]
    return found
