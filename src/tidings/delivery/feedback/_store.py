"""Reports as they came: each known once, all kept for some weeks."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tidings.core.db import Tx, until_lost
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.core.partitions import ensure_partition
from tidings.delivery.feedback._report import Feedback
from tidings.delivery.providers import Happening
from tidings.delivery.recording import STRANGERS_KEPT_FOR

_ONCE = {Happening.DEFERRED, Happening.BOUNCED, Happening.REJECTED, Happening.COMPLAINED, Happening.UNSUBSCRIBED}
"""What counts each time. To be delivered twice, or opened by a provider's count, changes nothing: not worth a key."""

_ADD_KEYS = """
INSERT INTO feedback_keys (workspace_id, key, received_at)
SELECT $1, key, $3 FROM unnest($2::bytea[]) AS t (key) ORDER BY key
ON CONFLICT DO NOTHING
RETURNING key
"""
_COLUMNS = (
    "workspace_id", "received_at", "provider_id", "source", "happening", "at", "send_id", "n", "address", "message_id",
    "event_id", "bounce", "status", "reason", "raw",
)  # fmt: skip

LATEST = """
SELECT received_at, at, happening, address AS email, message_id, bounce, status, reason, send_id IS NOT NULL AS matched, raw
FROM feedback WHERE workspace_id = $1 AND provider_id = $2 ORDER BY received_at DESC, id DESC LIMIT $3
"""

KEPT_FOR = timedelta(days=30)
"""How long raw reports are kept, at least; they go by the week."""
_KEYS_KEPT_FOR = timedelta(days=40)
_AT_ONCE = 10_000


async def fresh(tx: Tx, *, workspace: WorkspaceId, reports: Sequence[Feedback], now: datetime) -> list[Feedback]:
    """Those that were not told before, each once; of those that change nothing the second time, all."""
    keys = {_key(report): report for report in reports if report.happening in _ONCE}
    if keys:
        rows = await tx.fetch(_ADD_KEYS, workspace, list(keys), now)
        keys = {row["key"]: keys[row["key"]] for row in rows}
    return [*keys.values(), *(report for report in reports if report.happening not in _ONCE)]


async def keep(tx: Tx, *, workspace: WorkspaceId, reports: Sequence[Feedback], now: datetime) -> None:
    """Store them raw."""
    copying = tx.copy_records_to_table(
        "feedback",
        columns=_COLUMNS,
        records=[
            (
                workspace, now, r.provider, r.source, r.happening, r.at, r.send, r.n, r.address, r.message_id, r.event_id,
                r.bounce, r.status, r.reason, r.raw,
            )
            for r in reports
        ],
    )  # fmt: skip
    await until_lost(tx, copying)


async def latest_feedback(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, limit: int) -> list[dict[str, Any]]:
    """What a provider told last, newest first, as it was kept."""
    return [dict(row) for row in await tx.fetch(LATEST, workspace, provider, limit)]


async def ensure_feedback_partitions(tx: Tx, *, now: datetime, weeks: int = 2) -> None:
    """Make the partitions of this week and the next ones, and drop those that are old enough."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings feedback partitions'))")
    first = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=now.weekday())
    for week in range(weeks):
        since = first + timedelta(weeks=week)
        await ensure_partition(
            tx,
            table="feedback",
            name=f"feedback_{since:%Y_%m_%d}",
            column="received_at",
            since=since,
            until=since + timedelta(weeks=1),
        )
    oldest = f"feedback_{now - KEPT_FOR - timedelta(weeks=1):%Y_%m_%d}"
    rows = await tx.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'feedback'::regclass"
    )
    # Named by their first day, which sorts like a date; the default partition sorts behind all of them.
    for name in sorted(row["name"] for row in rows):
        if name[:10] == "feedback_2" and name <= oldest:
            await tx.execute(f"DROP TABLE {name}")


async def tidy_feedback(tx: Tx, *, now: datetime) -> bool:
    """Forget keys and nonces that nobody will repeat, and soft bounces of long ago, some thousand a step.

    Call it again while it says True.
    """
    gone = [
        await tx.execute(
            "DELETE FROM feedback_keys WHERE (workspace_id, key) IN"
            " (SELECT workspace_id, key FROM feedback_keys WHERE received_at < $1 ORDER BY received_at LIMIT $2)",
            now - _KEYS_KEPT_FOR,
            _AT_ONCE,
        ),
        await tx.execute(
            "DELETE FROM notification_nonces WHERE (workspace_id, provider_id, nonce) IN"
            " (SELECT workspace_id, provider_id, nonce FROM notification_nonces WHERE at < $1 ORDER BY at LIMIT $2)",
            now - timedelta(days=3),
            _AT_ONCE,
        ),
        await tx.execute(
            "DELETE FROM feedback WHERE (workspace_id, received_at, id) IN"
            " (SELECT workspace_id, received_at, id FROM feedback_default WHERE received_at < $1 LIMIT $2)"
            " AND received_at < $1",
            now - KEPT_FOR,
            _AT_ONCE,
        ),
        await tx.execute(
            "DELETE FROM address_soft_bounces WHERE (workspace_id, address_hash) IN"
            " (SELECT workspace_id, address_hash FROM address_soft_bounces WHERE last_at < $1 ORDER BY last_at LIMIT $2)",
            now - STRANGERS_KEPT_FOR,
            _AT_ONCE,
        ),
    ]
    return any(status == f"DELETE {_AT_ONCE}" for status in gone)


def _key(report: Feedback) -> bytes:
    told = orjson.dumps([report.source, report.event_id, report.happening, report.address])
    return hashlib.blake2b(told, digest_size=16).digest()
