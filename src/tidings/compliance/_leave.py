"""Leaving: the one call behind every way to unsubscribe."""

from collections.abc import Sequence
from datetime import datetime

from tidings.accounts import Principal, audit
from tidings.audience import gone, leaving
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, SendId, WorkspaceId, public_id
from tidings.delivery import Withdrawals


async def leave(
    db: Database,
    withdrawals: Withdrawals,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    reason: str,
    source: str,
    send: SendId | None = None,
    n: int | None = None,
    by: Principal | None = None,
    now: datetime,
) -> bool:
    """Unsubscribe a contact from everything in the workspace, and return once nothing can reach it any more.

    `reason` is the person's own words, `source` where it came from (one_click, page, api …); `send` and `n` say which
    message they left from; `by` who did it for them, which the audit trail keeps (None: they themselves). True if it changed
    something; repeating it is harmless. (RFC 8058; GDPR art. 7(3), 21(3).)
    """

    async def out(tx: Tx) -> tuple[list[ContactId], dict[ContactId, ContactId]]:
        left = await leaving.unsubscribe(
            tx, workspace=workspace, contacts=[contact], reason=reason, source=source, send=send, n=n, now=now
        )
        if by is not None:
            for person in left:
                await audit(tx, by=by, action="contact.taken_out", subject=public_id("contact", person), now=now)
        return left, await gone.survivor(tx, workspace=workspace, contacts=[contact])

    changed, merged = await db.transact(out)
    await withdrawals.settled(workspace=workspace, contacts=[*{contact, *merged.values(), *changed}])
    return bool(changed)


async def withdraw_barrier(withdrawals: Withdrawals, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """After any other commit that takes contacts out (deleted, off a list): wait until no worker still has them."""
    await withdrawals.settled(workspace=workspace, contacts=contacts)
