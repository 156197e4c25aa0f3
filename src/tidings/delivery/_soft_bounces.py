"""Soft bounces add up: an address that could not be reached again and again, for long enough, is dead.

The policy is the workspace's: so many soft bounces, spread over so many days, with nothing delivered in between.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tidings import audience
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, WorkspaceId
from tidings.delivery.providers import FailureClass

ADDS_UP = frozenset({FailureClass.SOFT, FailureClass.MAILBOX_FULL})
"""Because of the recipient, and perhaps for now."""

_POLICY = "SELECT soft_bounce_limit, soft_bounce_days FROM workspaces WHERE id = $1"
_KEPT = 100
_FORGET = "DELETE FROM soft_bounces WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])"


async def add_soft_bounces(
    tx: Tx, *, workspace: WorkspaceId, bounces: Sequence[tuple[ContactId, datetime, str]], now: datetime
) -> list[ContactId]:
    """Add soft bounces: (contact, when, what was said) each. Suppresses those for whom they add up, and returns them."""
    if not bounces:
        return []
    policy = await tx.fetchrow(_POLICY, workspace)
    if policy is None or not policy["soft_bounce_limit"]:
        return []
    contacts, times = [contact for contact, _, _ in bounces], [at for _, at, _ in bounces]
    rows = await tx.fetch(sql(__package__, "_soft_bounces"), workspace, contacts, times, _KEPT)
    said = {contact: reason for contact, _, reason in bounces}
    span = timedelta(days=policy["soft_bounce_days"])
    dead = [
        (
            ContactId(row["contact_id"]),
            f"{len(row['at'])} soft bounces since {row['at'][0]:%Y-%m-%d}; the last: {said[row['contact_id']]}",
        )
        for row in rows
        if len(row["at"]) >= policy["soft_bounce_limit"] and row["at"][-1] - row["at"][0] >= span
    ]
    if dead:
        reason = audience.SuppressionReason.BOUNCED
        await audience.suppress(tx, workspace=workspace, contacts=dead, reason=reason, source="soft_bounces", now=now)
        await tx.execute(_FORGET, workspace, [contact for contact, _ in dead])
    return [contact for contact, _ in dead]
