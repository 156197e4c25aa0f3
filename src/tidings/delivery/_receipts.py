"""Who received what, gathered a row a contact once a send is over, so that segments need not read every delivery."""

from datetime import datetime

from tidings.core.db import Tx, sql

_AT_ONCE = 10_000


async def gather_receipts(tx: Tx, *, now: datetime) -> bool:
    """Gather some of one send that is over; whether there was one. Any number of callers may work side by side."""
    return await tx.fetchval(sql(__package__, "_gather_receipts"), _AT_ONCE, now) is not None
