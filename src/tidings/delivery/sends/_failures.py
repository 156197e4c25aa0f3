"""Sends of which much fails: they pause themselves, and what failed can be tried again once the cause is mended."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from asyncpg import Record

from tidings import content, events
from tidings.core.db import Tx, sql
from tidings.core.errors import Conflict
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.sends._sends import CHUNKS, CONTROL
from tidings.delivery.states import DeliveryState

_FEW = 100
"""So many must have been attempted before the share of failures says anything."""

_COMPLAINTS = 3
"""So many must have complained before their share says anything: one of a hundred is one person's mood."""

_LATELY = timedelta(hours=24)
"""Campaigns are looked at again for so long after a complaint; only another one can raise their share."""

_AT_ONCE = 10_000


class ProviderDeleted(Conflict):
    """What is to be sent again went through providers that were deleted since."""

    code = "provider_deleted"


_ASK = """
INSERT INTO send_retries AS q (workspace_id, send_id, states, asked_at) VALUES ($1, $2, $3::text[]::delivery_state[], $4)
ON CONFLICT (workspace_id, send_id) DO UPDATE SET
    states = excluded.states, asked_at = excluded.asked_at, next_n = 1
"""

_GO_ON = """
UPDATE sends SET status = CASE status WHEN 'done' THEN 'running' ELSE status END, finished_at = NULL,
    reason = CASE status WHEN 'done' THEN '' ELSE reason END
WHERE workspace_id = $1 AND id = $2 AND status IN ('running', 'paused', 'done') AND campaign_id IS NOT NULL
RETURNING true
"""

_HOW_MANY = """
SELECT coalesce(sum(failed), 0)::bigint + CASE WHEN $3 THEN coalesce(sum(unknown), 0)::bigint ELSE 0 END
FROM send_counters WHERE workspace_id = $1 AND send_id = $2
"""

_ATTACHED = """
SELECT content -> 'attached' AS attached FROM send_contents WHERE workspace_id = $1 AND send_id = $2 AND variant = 0
"""

_HOLD_WAY = """
SELECT p.id FROM sends AS s
JOIN providers AS p ON p.workspace_id = s.workspace_id AND p.deleted_at IS NULL AND (
    p.id = s.provider_id
    OR p.id IN (SELECT m.provider_id FROM route_members AS m WHERE m.workspace_id = s.workspace_id AND m.route_id = s.route_id)
)
WHERE s.workspace_id = $1 AND s.id = $2
ORDER BY p.id FOR KEY SHARE OF p
"""

_BASELINE = """
INSERT INTO send_baselines AS b (workspace_id, send_id, attempted, failed, bounced, complained)
SELECT workspace_id, send_id, sum(sent + delivered + bounced + failed + unknown), sum(failed), sum(bounced), $3
FROM send_counters WHERE workspace_id = $1 AND send_id = $2 GROUP BY workspace_id, send_id
ON CONFLICT (workspace_id, send_id) DO UPDATE SET
    attempted = excluded.attempted, failed = excluded.failed, bounced = excluded.bounced,
    complained = excluded.complained
"""

_PAUSE = """
UPDATE sends AS s SET status = 'paused', reason = f.reason
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS f (workspace_id, send_id, reason)
WHERE s.workspace_id = f.workspace_id AND s.id = f.send_id AND s.status = 'running'
"""

_HOLD = """
UPDATE chunks AS c SET state = 'held'
FROM unnest($1::bigint[], $2::bigint[]) AS f (workspace_id, send_id)
JOIN sends AS s ON s.workspace_id = f.workspace_id AND s.id = f.send_id AND s.status = 'paused'
WHERE c.workspace_id = f.workspace_id AND c.send_id = f.send_id AND c.state = 'pending'
"""

_TELL = """
SELECT pg_notify($1, workspace_id || ':' || send_id) FROM unnest($2::bigint[], $3::bigint[]) AS f (workspace_id, send_id)
"""


async def retry_failed(
    tx: Tx, *, workspace: WorkspaceId, send: SendId, include_unknown: bool = False, now: datetime
) -> int | None:
    """Try again everyone who has failed by `now`; returns how many, None if the send is cancelled or not begun.

    In the background, a stretch at a time, by `retry_some`; a paused send does so when it is resumed. Whoever left
    meanwhile is skipped then. `include_unknown`: those as well whose message may have arrived, at the price of twice.
    Raises AttachmentDeleted for one whose files are gone, ProviderDeleted for one whose providers are: it cannot be sent
    again as it was.
    """
    many = await tx.fetchval(_HOW_MANY, workspace, send, include_unknown)
    if not many:
        return 0
    if not await tx.fetch(_HOLD_WAY, workspace, send):
        raise ProviderDeleted("what it went through was deleted since: copy the campaign, and choose another provider")
    if not await tx.fetchval(_GO_ON, workspace, send):
        return None
    attached = await tx.fetchval(_ATTACHED, workspace, send) or ()
    await content.hold_files(tx, workspace=workspace, attached=[content.Attached(**one) for one in attached])
    states = [DeliveryState.FAILED, DeliveryState.UNKNOWN] if include_unknown else [DeliveryState.FAILED]
    await tx.execute(_ASK, workspace, send, states, now)
    await forgive(tx, workspace=workspace, send=send)
    return many


async def retry_some(tx: Tx) -> bool:
    """Carry one request to try again on by a stretch; False when there is nothing to do.

    One conductor at a time, and none beside `requeue_due`: the number of a new chunk is the next that is free.
    """
    if not await tx.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('tidings requeue'))"):
        return False
    row = await tx.fetchrow(sql(__package__, "_retry_failed"), _AT_ONCE)
    assert row is not None
    if row["queued"]:
        await tx.execute("SELECT pg_notify($1, '')", CHUNKS)
    return bool(row["stretches"])


async def pause_failing(tx: Tx) -> int:
    """Pause the campaigns of which more fails or bounces than their workspace allows; returns how many."""
    return await _pause(tx, await tx.fetch(sql(__package__, "_failing"), _FEW))


async def pause_complained(tx: Tx, *, now: datetime) -> int:
    """Pause the campaigns that more people complain about than their workspace allows; returns how many.

    Mailbox providers refuse who passes 0.3 % (support.google.com/mail/answer/81126), Amazon SES pauses accounts at 0.5 %.
    """
    lately = await events.lately_complained(tx, since=now - _LATELY)
    if not lately:
        return 0
    workspaces, sends = ([key[part] for key in lately] for part in (0, 1))
    found = await tx.fetch(sql(__package__, "_complained"), workspaces, sends, list(lately.values()), _FEW, _COMPLAINTS)
    return await _pause(tx, found)


async def _pause(tx: Tx, failing: Sequence[Record]) -> int:
    if failing:
        columns = [[row[name] for row in failing] for name in ("workspace_id", "id", "reason")]
        # The sends first: workers that give chunks back hold a share lock on them and look at their status.
        await tx.execute(_PAUSE, *columns)
        await tx.execute(_HOLD, *columns[:2])
        await tx.execute(_TELL, CONTROL, *columns[:2])
    return len(failing)


async def forgive(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> None:
    """Count failures from here on: a person let the send go on, knowing those before."""
    engagement = await events.send_engagement(tx, workspace=workspace, send=send)
    await tx.execute(_BASELINE, workspace, send, engagement.complained)
