"""A file of addresses to suppress, worked off a few thousand at a time, so that a million fit into little memory."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import BinaryIO

from tidings.accounts import Principal, audit
from tidings.audience import lists, suppressions
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions import RowProblem, Rows
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, WorkspaceId, public_id
from tidings.delivery import Withdrawals

PROBLEMS_KEPT = 1000

_BATCH = 2000


@dataclass(slots=True)
class SuppressionImport:
    """What became of a file: total = added + raised + already + repeated + rejected; the first problems are kept."""

    total: int = 0
    added: int = 0
    raised: int = 0
    already: int = 0
    repeated: int = 0
    rejected: int = 0
    problems: list[RowProblem] = field(default_factory=list)


async def import_suppressions(
    db: Database,
    withdrawals: Withdrawals,
    *,
    workspace: WorkspaceId,
    file: BinaryIO,
    list: ListId | None,  # noqa: A002 - it is one
    reason: SuppressionReason,
    detail: str,
    source: str,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> SuppressionImport:
    """Suppress every address of a file; rows that are wrong are refused one by one and change nothing.

    Returns once nothing goes out any more to those who were taken out. Each batch is a transaction: what was done before
    a crash stays done, and the same file again does the rest. Raises Invalid if there is no such list, or too many rows.
    """
    done = SuppressionImport()
    rows = suppressions.read_addresses(file, reason=reason, detail=detail, batch=_BATCH, list=list)
    if list is not None:
        async with db.connection() as connection:
            if await lists.missing_lists(connection, workspace=workspace, lists=[list]):
                raise Invalid.at("list_id", f"there is no list {public_id('list', list)}")
    try:
        while (some := await asyncio.to_thread(_next, rows)) is not None:
            became = await db.transact(
                partial(
                    suppressions.suppress_addresses,
                    workspace=workspace,
                    addresses=some.addresses,
                    list=list,
                    source=source,
                    keys=keys,
                    by=by,
                    now=now,
                )
            )
            await withdrawals.settled(workspace=workspace, contacts=became.withdrawn)
            done.total += some.size
            done.added += became.added
            done.raised += became.raised
            done.already += became.already
            done.repeated += len(some.addresses) - len(became.ids)
            done.rejected += len(some.problems)
            done.problems += some.problems[: PROBLEMS_KEPT - len(done.problems)]
    finally:
        if done.total:
            detail_ = {"rows": done.total, "added": done.added, "raised": done.raised, "rejected": done.rejected}
            where = {} if list is None else {"list": public_id("list", list)}
            async with db.transaction() as tx:
                await audit(
                    tx, by=by, action="suppressions.imported", subject="suppressions", detail=detail_ | where, now=now
                )
    if not done.total:
        raise Invalid.at("file", "holds no address")
    return done


def _next(rows: Iterator[Rows]) -> Rows | None:
    return next(rows, None)
