"""Whose request is this? Keys by `Authorization: Bearer tk_…`, remembered for a moment."""

import time
from collections import OrderedDict

from tidings import accounts
from tidings.accounts import Principal
from tidings.api._allowance import Allowance
from tidings.core.db import Database
from tidings.core.errors import Unauthenticated

REMEMBERED_SECONDS = 3.0
"""How long another process may still take a revoked key for good."""

_CAPACITY = 10_000
_WRONG_KEYS_A_MINUTE = 60


class Doorkeeper:
    """Authenticates, asking the database once per key in `REMEMBERED_SECONDS`. Remembers good keys only.

    An address that sent too many wrong keys is refused without asking, except for keys that were good here before: who
    shares a proxy with the one who guesses goes on working.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[str, tuple[Principal, float]] = OrderedDict()
        self._allowance = Allowance(per_minute=_WRONG_KEYS_A_MINUTE, told="too many wrong API keys from your address")

    async def admit(self, key: str | None, *, address: str = "") -> Principal:
        """Whose key this is, sent by the client at `address`. Raises Unauthenticated, RateLimited."""
        if key is None:
            raise Unauthenticated("send an API key: Authorization: Bearer tk_…")
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and now < known[1]:
            return known[0]
        if known is None:
            self._allowance.require(address)
        try:
            async with self._db.connection() as connection:
                principal = await accounts.authenticate(connection, key=key)
        except Unauthenticated:
            self._known.pop(key, None)
            self._allowance.spend(address)
            raise
        self._known[key] = (principal, now + REMEMBERED_SECONDS)
        self._known.move_to_end(key)
        if len(self._known) > _CAPACITY:
            self._known.popitem(last=False)
        return principal

    def forget(self) -> None:
        """After a key was revoked in this process: it stops working here at once."""
        for key, (principal, _) in self._known.items():
            self._known[key] = (principal, 0.0)
