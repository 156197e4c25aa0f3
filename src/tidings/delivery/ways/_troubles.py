"""What is wrong with providers: each worker says what it sees, and people read the sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.core.db import Tx
from tidings.core.ids import ProviderId, WorkspaceId

SAID_EVERY_SECONDS = 10.0
_BELIEVED_SECONDS = 35.0  # after which a worker that says nothing more is thought to be gone

_WORST = ("unusable", "open", "unreachable", "stalled", "half_open", "throttled", "limited", "slowed")
_WORDS = {"open": "stopped after errors", "half_open": "trying again after errors"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one worker sees. `retry_at` is None when it waits for nothing in particular."""

    state: str
    detail: str
    since: datetime
    retry_at: datetime | None


async def tell_trouble(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    provider: ProviderId,
    worker: str,
    trouble: Trouble | None,
    now: datetime,
) -> None:
    """What `worker` sees of a provider now; None: it is well, or not used any more."""
    if trouble is None:
        await tx.execute(
            "DELETE FROM provider_troubles WHERE workspace_id = $1 AND provider_id = $2 AND worker = $3",
            workspace,
            provider,
            worker,
        )
        return
    await tx.execute(
        """
        INSERT INTO provider_troubles (workspace_id, provider_id, worker, state, detail, since, retry_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (workspace_id, provider_id, worker) DO UPDATE SET
            state = excluded.state, detail = excluded.detail, since = excluded.since, retry_at = excluded.retry_at,
            seen_at = excluded.seen_at
        """,
        workspace,
        provider,
        worker,
        trouble.state,
        trouble.detail[:500].replace("\0", "").encode("utf-8", "replace").decode(),
        trouble.since,
        trouble.retry_at,
        now,
    )


async def tell_warnings(
    tx: Tx, *, worker: str, warnings: Mapping[tuple[int, int], tuple[str, datetime]], state: str, now: datetime
) -> None:
    """All that `worker` has to say of any provider, by (workspace, provider): what is wrong, and since when."""
    pairs = list(warnings)
    columns = ([workspace for workspace, _ in pairs], [provider for _, provider in pairs])
    await tx.execute(
        """
        DELETE FROM provider_troubles AS t
        WHERE worker = $1 AND NOT EXISTS (
            SELECT FROM unnest($2::bigint[], $3::bigint[]) AS w (workspace_id, id)
            WHERE w.workspace_id = t.workspace_id AND w.id = t.provider_id)
        """,
        worker,
        *columns,
    )
    if not pairs:
        return
    await tx.execute(
        """
        INSERT INTO provider_troubles (workspace_id, provider_id, worker, state, detail, since, seen_at)
        SELECT w.workspace_id, w.id, $1, $6, w.detail, w.since, $7
        FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[]) AS w (workspace_id, id, detail, since)
        JOIN providers AS p ON p.workspace_id = w.workspace_id AND p.id = w.id AND p.deleted_at IS NULL
        ORDER BY w.workspace_id, w.id
        ON CONFLICT (workspace_id, provider_id, worker) DO UPDATE SET
            state = excluded.state, detail = excluded.detail, since = excluded.since, seen_at = excluded.seen_at
        """,
        worker,
        *columns,
        [detail[:500] for detail, _ in warnings.values()],
        [since for _, since in warnings.values()],
        state,
        now,
    )


async def troubles_of(
    tx: Tx, *, workspace: WorkspaceId, providers: Sequence[ProviderId] | None = None
) -> dict[ProviderId, list[Trouble]]:
    """What workers see at present, the worst first; all providers of the workspace if none are named."""
    rows = await tx.fetch(
        """
        SELECT provider_id, state, detail, since, retry_at FROM provider_troubles
        WHERE workspace_id = $1 AND ($2::bigint[] IS NULL OR provider_id = ANY ($2)) AND seen_at > now() - make_interval(secs => $3)
        ORDER BY provider_id, since
        """,
        workspace,
        None if providers is None else list(providers),
        _BELIEVED_SECONDS,
    )
    found: dict[ProviderId, list[Trouble]] = {}
    for row in rows:
        trouble = Trouble(row["state"], row["detail"], row["since"], row["retry_at"])
        found.setdefault(ProviderId(row["provider_id"]), []).append(trouble)
    for troubles in found.values():
        troubles.sort(key=lambda one: _WORST.index(one.state) if one.state in _WORST else len(_WORST))
    return found


async def forget_troubles(tx: Tx, *, now: datetime) -> None:
    """Drop what workers said that are gone."""
    await tx.execute("DELETE FROM provider_troubles WHERE seen_at < $1::timestamptz - interval '1 day'", now)


def in_words(troubles: Sequence[Trouble]) -> str:
    """'' when nothing is wrong; else the worst of it."""
    if not troubles:
        return ""
    worst = troubles[0]
    state = _WORDS.get(worst.state, worst.state)
    return f"{state}: {worst.detail}" if worst.detail else state
