"""Telling `events` who got what, after a send is over: in the background, so that no message waits for it.

What is not told yet is in the view unfolded_received, so whoever asks both is right at every moment.
"""

from collections import defaultdict
from datetime import datetime

from tidings import events
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, WorkspaceId

STEP = 5000
"""Deliveries a transaction."""

_NEXT = """
SELECT workspace_id, id, folded_n, recipients FROM sends
WHERE folded_at IS NULL AND finished_at IS NOT NULL AND campaign_id IS NOT NULL
ORDER BY finished_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""


async def fold_some(tx: Tx, *, now: datetime) -> bool:
    """Tell of the next deliveries of one send that is over. False when there is none."""
    send = await tx.fetchrow(_NEXT)
    if send is None:
        return False
    workspace, number, until = WorkspaceId(send["workspace_id"]), send["id"], send["folded_n"] + STEP
    rows = await tx.fetch(sql(__package__, "_fold"), workspace, number, send["folded_n"], until)
    await events.note_received(tx, workspace=workspace, got=[(ContactId(r["contact_id"]), r["at"]) for r in rows])
    await tx.execute(
        """UPDATE sends SET folded_n = $3, folded_at = CASE WHEN $3 >= recipients THEN $4::timestamptz END
           WHERE workspace_id = $1 AND id = $2""",
        workspace,
        number,
        until,
        now,
    )
    return True


async def fold_open(tx: Tx) -> bool:
    """Tell of deliveries that were still open then and came to an end since. False when there are none."""
    rows = await tx.fetch(sql(__package__, "_fold_open"), STEP)
    got: defaultdict[int, list[tuple[ContactId, datetime]]] = defaultdict(list)
    for row in rows:
        if row["got"]:
            got[row["workspace_id"]].append((ContactId(row["contact_id"]), row["at"]))
    for workspace, contacts in got.items():  # a workspace or two: not one statement a row
        await events.note_received(tx, workspace=WorkspaceId(workspace), got=contacts)
    return len(rows) == STEP
