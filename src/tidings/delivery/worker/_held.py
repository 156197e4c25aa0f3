"""Recipients whose mailbox provider may get no more at this moment: they go later, and those behind them go first.

For some seconds they wait in memory; those that would wait longer are deferred to a time, and wait in the database.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from tidings.core.clock import steady
from tidings.delivery.limits import Budget, Share
from tidings.delivery.states import DeliveryState
from tidings.delivery.worker._outlet import Outlet
from tidings.delivery.worker._run import ATTEMPTS, ChunkRun, N

HELD_BACK = "held back: "
"""How the detail of a delivery begins that a limit of ours defers."""
_MEMORY_SECONDS = 10.0
_CROWDED_SECONDS = 3.0
_BELIEVED_SECONDS, _A_FEW, _KNOWN = 0.1, 32, 10_000
"""That a wait is short is believed for a moment, and for a few more of the same domain. `look` sees to the rest every second."""
_CROWD = 16  # runs of one lane, whose places others may want


class Held:
    """Those of one lane."""

    def __init__(self) -> None:
        self._many: dict[str, int] = {}
        """How many wait in memory, by domain."""
        self._short: dict[str, tuple[float, int]] = {}
        """Domains whose wait was found to be short: until when that is believed, and for how many that wait."""

    def __bool__(self) -> bool:
        return bool(self._many)

    def add(self, run: ChunkRun, index: int, domain: str, outlets: Sequence[Outlet]) -> None:
        """Keep one, or defer it if it would have to wait for long."""
        # A message to a single recipient goes before whatever waits.
        ahead = 0 if run.urgent else self._many.get(domain, 0)
        # A chunk may be held one by one, and each of many providers is looked at for it: not for each of them anew.
        until, enough = self._short.get(domain, (0.0, 0))
        if ahead <= enough and steady() < until:
            self.keep(run, index, domain)
            return
        wait, share = _wait(outlets, domain, ahead)
        if wait >= _MEMORY_SECONDS and share is not None:
            self._short.pop(domain, None)
            _defer(run, index, share, wait)
            return
        if wait < _MEMORY_SECONDS / 2:
            if len(self._short) > _KNOWN:
                self._short.clear()
            self._short[domain] = steady() + _BELIEVED_SECONDS, ahead + _A_FEW
        self.keep(run, index, domain)

    def keep(self, run: ChunkRun, index: int, domain: str) -> None:
        """Keep one in memory."""
        run.aside.setdefault(domain, deque()).append(index)
        self._many[domain] = self._many.get(domain, 0) + 1

    def next(self, run: ChunkRun, budget: Budget | None) -> int | None:
        """The place in a run's rows of one that may go now; it is kept no longer."""
        if budget is not None and budget.by_domain and not budget.fresh:
            return None
        for domain, indices in run.aside.items():
            if budget is None or not budget.by_domain or budget.may(domain):
                index = indices.popleft()
                if not indices:
                    del run.aside[domain]
                self._less(domain, 1)
                return index
        return None

    def put_off(self, runs: Iterable[ChunkRun], outlets: Sequence[Outlet]) -> bool:
        """Defer those that would now have to wait for long. True if there were any."""
        runs = list(runs)
        memory = _CROWDED_SECONDS if len(runs) > _CROWD else _MEMORY_SECONDS
        some = False
        for run in runs:
            for domain in list(run.aside):
                wait, share = _wait(outlets, domain, 0 if run.urgent else self._many.get(domain, 0))
                if wait < memory or share is None:
                    continue
                indices = run.aside.pop(domain)
                self._less(domain, len(indices))
                for index in indices:
                    _defer(run, index, share, wait)
                some = True
        return some

    def forget(self, run: ChunkRun) -> None:
        """It is stopped: whoever of it waited is pending, as before."""
        for domain, indices in run.aside.items():
            self._less(domain, len(indices))
        run.aside = {}

    def _less(self, domain: str, many: int) -> None:
        left = self._many.get(domain, 0) - many
        if left > 0:
            self._many[domain] = left
        else:
            self._many.pop(domain, None)


def _wait(outlets: Sequence[Outlet], domain: str, ahead: int) -> tuple[float, Share | None]:
    """How long until one of these providers may send there, and the limit that says so."""
    least: tuple[float, Share | None] | None = None
    for outlet in [outlet for outlet in outlets if outlet.able] or outlets:
        share = None if outlet.budget is None else outlet.budget.share_of(domain)
        found = (0.0, None) if share is None else share.tightest(ahead)
        if least is None or found[0] < least[0]:
            least = found
    return least or (0.0, None)


def _defer(run: ChunkRun, index: int, share: Share, wait_seconds: float) -> None:
    row = run.rows[index]
    reason = f"{HELD_BACK}{share.scope} gets at most {share.why}"
    wait = share.put_off(wait_seconds)
    run.tell(row[N], DeliveryState.DEFERRED, reason, attempts=row[ATTEMPTS], wait_seconds=wait, held=True)
