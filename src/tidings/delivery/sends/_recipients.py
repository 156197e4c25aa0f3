"""What became of each recipient of a send: read one by one or leafed through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.core.db import Tx
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.delivery.states import DeliveryState

_SELECT = """
SELECT d.n, d.contact_id AS contact, c.email, d.state::text AS state, coalesce(d.detail, '') AS detail, d.at, d.attempts,
       d.possible_duplicate, r.due_at
FROM deliveries AS d
LEFT JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id
LEFT JOIN retries AS r ON r.workspace_id = d.workspace_id AND r.send_id = d.send_id AND r.n = d.n AND r.due_at < 'infinity'
WHERE d.workspace_id = $1 AND d.send_id = $2
"""

ONE = f"{_SELECT} AND d.contact_id = $3"

PAGE = f"""
{_SELECT} AND d.n > $3 AND ($4::text IS NULL OR d.state = $4::text::delivery_state) ORDER BY d.n LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a send. `email` is None once the contact is erased; `detail` is the server's answer, or why skipped.

    `due_at` is when a deferred one is tried again.
    """

    n: int
    contact: ContactId
    email: str | None
    state: DeliveryState
    detail: str
    at: datetime | None
    attempts: int
    possible_duplicate: bool
    due_at: datetime | None


async def recipient(tx: Tx, *, workspace: WorkspaceId, send: SendId, contact: ContactId) -> Recipient | None:
    """What became of this contact in this send; None if it was not in its audience."""
    row = await tx.fetchrow(ONE, workspace, send, contact)
    return None if row is None else _of(row)


async def list_recipients(
    tx: Tx, *, workspace: WorkspaceId, send: SendId, state: DeliveryState | None = None, after: int = 0, limit: int
) -> Sequence[Recipient]:
    """Recipients in the order of their numbers, from the one behind number `after` on; of one state, or all."""
    return [_of(row) for row in await tx.fetch(PAGE, workspace, send, after, state, limit)]


def _of(row: Any) -> Recipient:
    values: dict[str, Any] = dict(row)
    values["state"] = DeliveryState(row["state"])
    return Recipient(**values)
