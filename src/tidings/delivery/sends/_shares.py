"""What went through which provider, and what they answered."""

from dataclasses import dataclass

from tidings.core.db import Tx
from tidings.core.ids import ProviderId, SendId, WorkspaceId


@dataclass(frozen=True, slots=True)
class ProviderShare:
    """A provider's part in a send. It counts attempts, so a recipient who was deferred and then accepted is in two of them."""

    provider: ProviderId
    name: str
    accepted: int
    deferred: int
    bounced: int
    failed: int
    unknown: int


async def provider_shares(tx: Tx, *, workspace: WorkspaceId, send: SendId) -> list[ProviderShare]:
    """Who carried a send, whoever carried most first."""
    rows = await tx.fetch(
        """
        SELECT k.provider_id AS provider, p.name, sum(k.accepted)::bigint AS accepted, sum(k.deferred)::bigint AS deferred,
               sum(k.bounced)::bigint AS bounced, sum(k.failed)::bigint AS failed, sum(k.unknown)::bigint AS unknown
        FROM provider_counters AS k
        JOIN providers AS p ON p.workspace_id = k.workspace_id AND p.id = k.provider_id
        WHERE k.workspace_id = $1 AND k.send_id = $2
        GROUP BY k.provider_id, p.name ORDER BY accepted DESC, provider
        """,
        workspace,
        send,
    )
    return [ProviderShare(**row) for row in rows]
