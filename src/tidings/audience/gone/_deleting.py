"""Deleting people, and what must outlive them: that they left a list, and whose links in messages they were.

Of an address nothing but its keyed hash is kept. See docs/decisions/0093-who-is-deleted-stays-out.md.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from tidings.audience.addresses import address_hash, address_key
from tidings.audience.gone._numbers import note_gone
from tidings.audience.lock_order import lock_lists_of
from tidings.audience.states import SuppressionReason
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId
from tidings.events import forget_people

KEPT = timedelta(days=180)
"""How long a deleted contact's links still take its address out (CAN-SPAM § 5(a)(3) asks for 30 days after a message)."""

_FORGOTTEN_AT_ONCE = 5000

# Not what only the workspace or a server said of a list: that is in list_suppressions already.
_KEEP_LEFT_LISTS = """
INSERT INTO list_suppressions AS s (workspace_id, list_id, address_hash, reason, source, created_at)
SELECT b.workspace_id, b.list_id, c.address_hash, 'unsubscribed', 'contact_deleted', coalesce(b.unsubscribed_at, $3)
FROM contacts AS c
JOIN subscriptions AS b ON b.workspace_id = $1 AND b.contact_id = c.id AND b.status = 'unsubscribed'
WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[])
ORDER BY b.list_id, c.address_hash
ON CONFLICT (workspace_id, list_id, address_hash) DO UPDATE SET reason = excluded.reason
WHERE s.reason < excluded.reason AND s.before = 'unsubscribed'
"""

# Whoever was merged into them was the same person.
_KEEP_LINKS = """
INSERT INTO deleted_contacts (workspace_id, contact_id, address_hash, at)
SELECT $1, p.id, c.address_hash, $3
FROM contacts AS c
CROSS JOIN LATERAL (
    SELECT c.id
    UNION ALL
    SELECT m.merged_id FROM contact_merges AS m WHERE m.workspace_id = $1 AND m.into_id = c.id
) AS p (id)
WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[])
ON CONFLICT DO NOTHING
"""


async def delete_people(
    tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId], now: datetime
) -> list[ContactId]:
    """Delete those of these contacts that exist; returns them. Suppressions stay, and so does that they left lists."""
    await lock_lists_of(tx, workspace=workspace, contacts=contacts)
    found = await tx.fetch(
        "SELECT id FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR UPDATE",
        workspace,
        contacts,
    )
    gone = [ContactId(row["id"]) for row in found]
    if gone:
        await tx.execute(_KEEP_LEFT_LISTS, workspace, gone, now)
        await tx.execute(_KEEP_LINKS, workspace, gone, now)
        await tx.execute("DELETE FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, gone)
        await note_gone(tx, workspace=workspace, contacts=gone)
        await tx.execute(
            "DELETE FROM contact_merges WHERE workspace_id = $1 AND into_id = ANY ($2::bigint[])", workspace, gone
        )
        await forget_people(tx, workspace=workspace, contacts=gone)
    return gone


async def deleted_hashes(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> dict[ContactId, bytes]:
    """The address hashes of those of these contacts that were deleted."""
    rows = await tx.fetch(
        "SELECT contact_id, address_hash FROM deleted_contacts WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])",
        workspace,
        contacts,
    )
    return {ContactId(row["contact_id"]): row["address_hash"] for row in rows}


async def heirs(
    tx: Tx, *, workspace: WorkspaceId, hashes: Collection[bytes], reason: SuppressionReason
) -> list[ContactId]:
    """Contacts that were made anew with addresses of the deleted, locked until the transaction ends.

    Of addresses that are suppressed for this reason or a stronger one already there is nothing to do for anybody: looking for
    a contact by its hash reads them all, so it is done once an address, not at each press of an old link.
    """
    fresh = await tx.fetch(
        """SELECT hash FROM unnest($2::bytea[]) AS t (hash)
           WHERE NOT EXISTS (SELECT FROM suppressions AS s WHERE s.workspace_id = $1 AND s.address_hash = t.hash
                               AND s.reason >= $3::text::suppression_reason)""",
        workspace,
        list(hashes),
        reason,
    )
    if not fresh:
        return []
    rows = await tx.fetch(
        """SELECT id FROM contacts WHERE workspace_id = $1 AND address_hash = ANY ($2::bytea[])
           ORDER BY id FOR NO KEY UPDATE""",
        workspace,
        [row["hash"] for row in fresh],
    )
    return [ContactId(row["id"]) for row in rows]


async def deleted_contact(
    tx: Tx, *, workspace: WorkspaceId, email: str, keys: Keyring
) -> tuple[ContactId, datetime] | None:
    """Who had this normalised address and was deleted lately (see `KEPT`), and when; None if nobody did."""
    row = await tx.fetchrow(
        """SELECT contact_id, at FROM deleted_contacts WHERE workspace_id = $1 AND address_hash = $2
           ORDER BY at DESC, contact_id DESC LIMIT 1""",
        workspace,
        address_hash(address_key(keys), email),
    )
    return None if row is None else (ContactId(row["contact_id"]), row["at"])


async def forget_deleted(tx: Tx, *, now: datetime) -> int:
    """Forget whose links those of long deleted contacts were; how many, at most 5,000 at once."""
    rows = await tx.fetch(
        """DELETE FROM deleted_contacts AS d
           USING (SELECT workspace_id, contact_id FROM deleted_contacts WHERE at < $1
                  ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
           WHERE d.workspace_id = old.workspace_id AND d.contact_id = old.contact_id RETURNING 1""",
        now - KEPT,
        _FORGOTTEN_AT_ONCE,
    )
    return len(rows)
