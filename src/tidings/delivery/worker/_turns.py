"""Who of a worker's lanes may take another chunk, and who gives way when there is no room left.

Without it a provider that is down, or slow, or limited to a message a second would hold all the places in time, and those
of everybody else would stand still.
"""

from collections.abc import Mapping

from tidings.core.clock import steady
from tidings.delivery.worker._lanes import Lanes
from tidings.delivery.worker._run import ChunkRun, Key

TURN_SECONDS = 5.0
_LONGEST_REST_SECONDS = 300.0


class Turns:
    """Shares `places` for chunks among lanes; a lane should have `ahead` recipients before it, and needs no more.

    Messages to single recipients (`urgent`) and campaigns have places of their own, so that neither waits for the other's.
    """

    def __init__(
        self,
        runs: Mapping[tuple[int, int, int], ChunkRun],
        lanes: Lanes,
        *,
        places: int,
        ahead: float,
        urgent: bool = False,
    ) -> None:
        self._all = runs
        self.urgent = urgent
        self._lanes = lanes
        self._places = places
        self._ahead = ahead
        self._resting: dict[Key, float] = {}
        """Those that gave way, and until when they rest."""
        self._rests: dict[Key, int] = {}
        """How often in a row, without having been able to send."""

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return self._places - len(self._runs)

    @property
    def _runs(self) -> list[ChunkRun]:
        return [run for run in self._all.values() if run.urgent == self.urgent]

    @property
    def holders(self) -> set[Key]:
        """Those that have a place."""
        return {run.key for run in self._runs}

    def sated(self) -> set[Key]:
        """Lanes that get nothing more now: they have enough to do, or places enough, or rest."""
        now = steady()
        for key in [key for key, until in self._resting.items() if until <= now]:
            del self._resting[key]
        places: dict[Key, int] = {}
        unsent: dict[Key, int] = {}
        for run in self._runs:
            key = run.key
            places[key] = places.get(key, 0) + 1
            unsent[key] = unsent.get(key, 0) + run.unsent
        # Half of what is left and no more: whoever comes next finds a place too.
        most = max(1, self.free // 2)
        return {
            key
            for key, count in places.items()
            # A provider that cannot send now is left with something to try again with, and no more.
            if count >= most or unsent[key] > (0 if self._stuck(key) else self._ahead)
        } | set(self._resting)

    def give_way(self, waiting: int) -> list[ChunkRun]:
        """The runs to be given back so that `waiting` lanes that have nothing find a place: of those that cannot send,
        else of those that have had one for longest, once their turn is over."""
        now = steady()
        since: dict[Key, float] = {}
        for run in self._runs:
            key = run.key
            since[key] = min(run.begun, since.get(key, run.begun))
        slow = [key for key, begun in since.items() if now - begun > TURN_SECONDS or self._stuck(key)]
        slow.sort(key=lambda key: (not self._stuck(key), since[key]))
        chosen = set(slow[:waiting])
        for key in chosen:
            rests = self._rests.get(key, 0) + 1 if self._stuck(key) else 0
            self._rests[key] = rests
            self._resting[key] = now + min(_LONGEST_REST_SECONDS, TURN_SECONDS * 2.0 ** min(rests, 10))
        return [run for run in self._runs if run.key in chosen and not run.stopping]

    def long(self) -> dict[Key, set[tuple[int, int]]]:
        """Lanes that have gone on with a send for longer than a turn, and the sends that each of them has.

        Where a chunk takes minutes, those who come later would wait for all that is leased.
        """
        now = steady()
        oldest: dict[Key, float] = {}
        sends: dict[Key, set[tuple[int, int]]] = {}
        for run in self._runs:
            if run.unsent:
                oldest[run.key] = min(run.begun, oldest.get(run.key, run.begun))
            sends.setdefault(run.key, set()).add((run.workspace, run.send))
        return {key: sends[key] for key, begun in oldest.items() if now - begun > TURN_SECONDS and not self._stuck(key)}

    def _stuck(self, key: Key) -> bool:
        lane = self._lanes.get(key)
        return lane is not None and lane.stuck
