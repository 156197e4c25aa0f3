"""Numbering audiences: the small ones of many sends by one statement, a large one by itself."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tidings.audience.recipients import Audience, listed_recipients, recipients
from tidings.audience.segments import settle_plans
from tidings.core.db import Tx, sql
from tidings.core.errors import TidingsError
from tidings.core.ids import SendId
from tidings.core.loops import RETRYABLE
from tidings.delivery.sends._sends import CHUNKS
from tidings.delivery.states import SendStatus

_log = logging.getLogger(__name__)

_AT_ONCE = 200
_SMALL = 1000
"""Subscriptions to its lists of which a send has an audience that is numbered together with those of others."""
_PATIENCE = timedelta(seconds=5)
"""For so long those that came later may go before a large one."""


async def prepare_next(tx: Tx, *, chunk_size: int, now: datetime) -> Sequence[SendId]:
    """Number the audiences of launched sends and queue their chunks, all in this transaction: of many small ones, or of one.

    Returns which; nothing when there is none. A crash leaves the sends as they were, to be prepared anew. One that cannot be
    prepared is paused, and says why.
    """
    rows = await tx.fetch(sql(__package__, "_unprepared"), _AT_ONCE, _SMALL)
    if not rows:
        return ()
    small = [row for row in rows if row["small"]]
    if not small or (not rows[0]["small"] and rows[0]["created_at"] < now - _PATIENCE):
        await _alone(tx, rows[0], chunk_size, now)
        return [SendId(rows[0]["id"])]
    try:
        async with tx.transaction():
            await _prepare_small(tx, small, chunk_size, now)
    except RETRYABLE:
        raise
    except Exception:  # noqa: BLE001 - whichever of them it is, the others go on
        _log.exception("%s sends cannot be prepared together", len(small))
        for row in small:
            await _alone(tx, row, chunk_size, now)
    return [SendId(row["id"]) for row in small]


async def _prepare_small(tx: Tx, rows: Sequence[Any], chunk_size: int, now: datetime) -> None:
    who = listed_recipients(workspace="t.workspace_id", lists="t.list_ids", excluded_lists="t.exclude_list_ids")
    # Looked up one by one, whatever the statistics say: a table of a million is not read for the sake of twenty.
    await tx.execute(
        "SELECT set_config(name, 'off', true) FROM unnest($1::text[]) AS s (name)",
        ["enable_hashjoin", "enable_mergejoin", "enable_seqscan"],
    )
    await tx.execute(
        sql(__package__, "_launch_small").replace("{audience}", who),
        [row["workspace_id"] for row in rows],
        [row["id"] for row in rows],
        now,
        chunk_size,
    )
    await tx.execute("SELECT pg_notify($1, '')", CHUNKS)


async def _alone(tx: Tx, row: Any, chunk_size: int, now: datetime) -> None:
    try:
        async with tx.transaction():
            await _prepare(tx, row, chunk_size, now)
    except RETRYABLE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, this send stands still and the others go on
        told = isinstance(error, TidingsError)
        if not told:
            _log.exception("send %s cannot be prepared", row["id"])
        await tx.execute(
            "UPDATE sends SET status = 'paused', reason = $3 WHERE workspace_id = $1 AND id = $2",
            row["workspace_id"],
            row["id"],
            f"its audience could not be numbered: {error if told else type(error).__name__}"[:500],
        )


async def _prepare(tx: Tx, row: Any, chunk_size: int, now: datetime) -> None:
    workspace, send = row["workspace_id"], row["id"]
    whom = Audience(row["list_ids"], row["exclude_list_ids"], row["segment_ids"], row["exclude_segment_ids"])
    who = await recipients(tx, workspace=workspace, audience=whom, first=4, now=now)
    launch = sql(__package__, "_launch").replace("{audience}", who.sql)
    if whom.segments or whom.excluded_segments:
        await settle_plans(tx)
    counts = await tx.fetchrow(launch, workspace, send, now, *who.values)
    assert counts is not None
    await tx.execute(
        sql(__package__, "_queue"),
        workspace,
        send,
        row["provider_id"],
        row["priority"],
        chunk_size,
        counts["recipients"],
        row["route_id"],
    )
    await tx.execute(
        """
        INSERT INTO send_counters (workspace_id, send_id, writer, pending, skipped) VALUES ($1, $2, 0, $3, $4)
        """,
        workspace,
        send,
        counts["recipients"] - counts["skipped"],
        counts["skipped"],
    )
    await tx.execute(
        "UPDATE sends SET status = $3, recipients = $4, started_at = $5, finished_at = $6 WHERE workspace_id = $1 AND id = $2",
        workspace,
        send,
        SendStatus.RUNNING if counts["recipients"] else SendStatus.DONE,
        counts["recipients"],
        now,
        None if counts["recipients"] else now,
    )
    await tx.execute("SELECT pg_notify($1, '')", CHUNKS)
