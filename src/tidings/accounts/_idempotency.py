"""Idempotency keys: a repeated request gets the first one's answer, and its work is done once.

The claim is a row in the transaction that does the work. A crash therefore leaves neither, and whoever comes second
either finds the finished answer or is told that the first is still at it.
(IETF draft-ietf-httpapi-idempotency-key-header.)
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid
from tidings.core.ids import WorkspaceId

KEY_LIMIT = 255
KEPT = timedelta(hours=24)
"""How long an answer can be had again; afterwards the key is as good as new."""

_CLAIM = """
INSERT INTO idempotency_keys AS k (workspace_id, key, request_hash, created_at)
SELECT $1::bigint, $2::text, $3::bytea, $4::timestamptz
WHERE pg_try_advisory_xact_lock(hashtextextended(concat('idempotency:', $1::bigint, ':', $2::text), 0))
ON CONFLICT (workspace_id, key) DO UPDATE
SET request_hash = excluded.request_hash, status = NULL, body = NULL, created_at = excluded.created_at
WHERE k.created_at < $5
RETURNING true
"""


class KeyReused(Invalid):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key has not finished."""

    code = "idempotency_still_running"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was answered. `body` is as it was given to `remember_answer`."""

    status: int
    body: bytes


async def claim_key(tx: Tx, *, workspace: WorkspaceId, key: str, request_hash: bytes, now: datetime) -> Answer | None:
    """None: the key is yours, do the work in this transaction and `remember_answer`. Otherwise the stored answer.

    Never waits for the other request. Raises Invalid for a key that is empty or too long, KeyReused, StillRunning.
    """
    if not 1 <= len(key) <= KEY_LIMIT or not key.isprintable():
        raise Invalid.at("Idempotency-Key", f"must have 1 to {KEY_LIMIT} printable characters")
    if await tx.fetchval(_CLAIM, workspace, key, request_hash, now, now - KEPT):
        return None
    row = await tx.fetchrow(
        "SELECT request_hash, status, body FROM idempotency_keys WHERE workspace_id = $1 AND key = $2", workspace, key
    )
    if row is None or row["status"] is None:
        raise StillRunning("the first request with this Idempotency-Key is still running; try again in a moment")
    if row["request_hash"] != request_hash:
        raise KeyReused("this Idempotency-Key was used for another request; choose a new one")
    return Answer(row["status"], row["body"])


async def remember_answer(tx: Tx, *, workspace: WorkspaceId, key: str, answer: Answer) -> None:
    """Keep the answer of the request that claimed the key, in the same transaction."""
    await tx.execute(
        "UPDATE idempotency_keys SET status = $3, body = $4 WHERE workspace_id = $1 AND key = $2",
        workspace,
        key,
        answer.status,
        answer.body,
    )


async def forget_answers(tx: Tx, *, now: datetime) -> int:
    """Delete what is older than `KEPT`, in every workspace; returns how many. Run it now and then."""
    deleted = await tx.execute("DELETE FROM idempotency_keys WHERE created_at < $1", now - KEPT)
    return int(deleted.rpartition(" ")[2])
