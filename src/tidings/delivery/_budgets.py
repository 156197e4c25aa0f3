"""A provider's rate, shared by all workers: slices of time leased from one row (generic cell rate algorithm).

`budgets.free_at` is the moment from which the next message may go. Whoever moves it forward owns the time in between, so
workers together never exceed the rate, and one that dies loses at most a slice.
"""

import asyncio
from collections.abc import Callable

from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId

_SLICE_SECONDS = 0.2

_TAKE = """
INSERT INTO budgets AS b (workspace_id, provider_id, free_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (workspace_id, provider_id) DO UPDATE
    SET free_at = greatest(b.free_at, clock_timestamp()) + make_interval(secs => $3)
RETURNING extract(epoch FROM free_at - clock_timestamp())::float8 - $3
"""


class Budget:
    """One worker's share of a rate. `ready` and `spend` cost nothing; `keep` fetches new slices when they are asked for."""

    def __init__(
        self, db: Database, *, workspace: WorkspaceId, provider: ProviderId, per_second: float, wake: Callable[[], None]
    ) -> None:
        self._db = db
        self._of = (workspace, provider)
        self._per_second = per_second
        self._slice = max(1, round(per_second * _SLICE_SECONDS))
        self._wake = wake
        self._left = 0
        self._asked = asyncio.Event()

    def ready(self) -> bool:
        """May one more message go now? If not, a slice is asked for, and `wake` called when it is there."""
        if self._left < 1:
            self._asked.set()
            return False
        return True

    def spend(self) -> None:
        """One went."""
        self._left -= 1

    async def keep(self) -> None:
        """Lease a slice whenever one is asked for. Runs for as long as the lane is open."""
        while True:
            await self._asked.wait()
            async with self._db.connection() as connection:
                wait = await connection.fetchval(_TAKE, *self._of, self._slice / self._per_second)
            # The slice is ours but may lie ahead: others took the time before it.
            await asyncio.sleep(max(0.0, wait))
            self._left = self._slice
            self._asked.clear()  # only now: should the database be lost before, nobody would ask again
            self._wake()
