"""Addresses that die without ever having been a contact."""

from collections.abc import Sequence
from datetime import datetime

from tidings.audience.states import SuppressionReason
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId

_KEEP = """
INSERT INTO suppressions AS s (workspace_id, address_hash, reason, detail, source, created_at)
SELECT DISTINCT ON (hash) $1, hash, $4::text::suppression_reason, left(detail, 1000), $5, $6
FROM unnest($2::bytea[], $3::text[]) AS t (hash, detail)
ORDER BY hash
ON CONFLICT (workspace_id, address_hash) DO UPDATE
SET reason = excluded.reason, detail = excluded.detail, source = excluded.source, created_at = excluded.created_at
WHERE s.reason < excluded.reason
"""


async def suppress_hashes(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    addresses: Sequence[tuple[bytes, str]],
    reason: SuppressionReason,
    source: str,
    now: datetime,
) -> None:
    """Never mail these addresses again: (hash, what their server said) each. For those that belong to no contact."""
    await tx.execute(
        _KEEP, workspace, [one for one, _ in addresses], [detail for _, detail in addresses], reason, source, now
    )
