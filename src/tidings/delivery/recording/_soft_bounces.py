"""Soft bounces add up: an address that could not be reached again and again, for long enough, is dead.

The policy is the workspace's: so many soft bounces, spread over so many days, with nothing delivered in between.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tidings.audience import leaving, states
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, WorkspaceId
from tidings.delivery.providers import FailureClass

ADDS_UP = frozenset({FailureClass.SOFT, FailureClass.MAILBOX_FULL})
"""Because of the recipient, and perhaps for now."""

_POLICY = "SELECT soft_bounce_limit, soft_bounce_days FROM workspaces WHERE id = $1"
_KEPT = 100
STRANGERS_KEPT_FOR = timedelta(days=180)
"""How long the soft bounces of an address that is no contact's are remembered after its last one."""
_FORGET = "DELETE FROM soft_bounces WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])"
_FORGET_ADDRESSES = "DELETE FROM address_soft_bounces WHERE workspace_id = $1 AND address_hash = ANY ($2::bytea[])"


async def add_soft_bounces(
    tx: Tx, *, workspace: WorkspaceId, bounces: Sequence[tuple[ContactId | bytes, datetime, str]], now: datetime
) -> list[ContactId]:
    """Add soft bounces: (contact, or the hash of an address that is no contact's; when; what was said) each.

    Suppresses those for whom they add up, and returns the contacts among them.
    """
    if not bounces:
        return []
    policy = await tx.fetchrow(_POLICY, workspace)
    if policy is None or not policy["soft_bounce_limit"]:
        return []
    limit, span = policy["soft_bounce_limit"], timedelta(days=policy["soft_bounce_days"])
    said = {whom: reason for whom, _, reason in bounces}
    reason = states.SuppressionReason.BOUNCED
    contacts = [(whom, at) for whom, at, _ in bounces if not isinstance(whom, bytes)]
    dead: list[tuple[ContactId, str]] = []
    if contacts:
        columns = map(list, zip(*contacts, strict=True))
        rows = await tx.fetch(sql(__package__, "_soft_bounces"), workspace, *columns, _KEPT)
        known = [(ContactId(row["contact_id"]), row["at"]) for row in rows]
        dead = [(whom, _told(at, said[whom])) for whom, at in known if _add_up(at, limit, span)]
    if dead:
        await leaving.suppress(tx, workspace=workspace, contacts=dead, reason=reason, source="soft_bounces", now=now)
        await tx.execute(_FORGET, workspace, [contact for contact, _ in dead])
    addresses = [(whom, at) for whom, at, _ in bounces if isinstance(whom, bytes)]
    if addresses:
        columns = map(list, zip(*addresses, strict=True))
        rows = await tx.fetch(sql(__package__, "_soft_bounces_of_addresses"), workspace, *columns, _KEPT)
        lost = [
            (row["address_hash"], _told(row["at"], said[row["address_hash"]]))
            for row in rows
            if _add_up(row["at"], limit, span)
        ]
        if lost:
            await leaving.suppress_hashes(
                tx, workspace=workspace, addresses=lost, reason=reason, source="soft_bounces", now=now
            )
            await tx.execute(_FORGET_ADDRESSES, workspace, [whom for whom, _ in lost])
    return [contact for contact, _ in dead]


def _add_up(at: Sequence[datetime], limit: int, span: timedelta) -> bool:
    return len(at) >= limit and at[-1] - at[0] >= span


def _told(at: Sequence[datetime], last: str) -> str:
    return f"{len(at)} soft bounces since {at[0]:%Y-%m-%d}; the last: {last}"
