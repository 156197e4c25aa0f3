"""Whose request is this? Keys by `Authorization: Bearer tk_…`, remembered for a moment."""

import time
from collections import OrderedDict

from tidings import accounts
from tidings.accounts import Principal
from tidings.core.db import Database
from tidings.core.errors import Unauthenticated

REMEMBERED_SECONDS = 3.0
"""How long another process may still take a revoked key for good."""

_CAPACITY = 10_000


class Doorkeeper:
    """Authenticates, asking the database once per key in `REMEMBERED_SECONDS`. Remembers good keys only."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    async def admit(self, key: str | None) -> Principal:
        """Whose key this is. Raises Unauthenticated."""
        if key is None:
            raise Unauthenticated("send an API key: Authorization: Bearer tk_…")
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and now < known[1]:
            return known[0]
        self._known.pop(key, None)
        async with self._db.connection() as connection:
            principal = await accounts.authenticate(connection, key=key)
        self._known[key] = (principal, now + REMEMBERED_SECONDS)
        if len(self._known) > _CAPACITY:
            self._known.popitem(last=False)
        return principal

    def forget(self) -> None:
        """After a key was revoked in this process: it stops working here at once."""
        self._known.clear()
