"""Who of a worker's lanes may take another chunk, and who gives way when there is no room left.

Without it a provider that is down, or slow, or limited to a message a second would hold all the places in time, and those
of everybody else would stand still.
"""

from collections.abc import Mapping

from tidings.core.clock import steady
from tidings.delivery._lanes import Lanes
from tidings.delivery._run import ChunkRun

_TURN_SECONDS = 5.0
_LONGEST_REST_SECONDS = 300.0

Pair = tuple[int, int]


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
        self._resting: dict[Pair, float] = {}
        """Those that gave way, and until when they rest."""
        self._rests: dict[Pair, int] = {}
        """How often in a row, without having been able to send."""

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return self._places - len(self._runs)

    @property
    def _runs(self) -> list[ChunkRun]:
        return [run for run in self._all.values() if run.urgent == self.urgent]

    @property
    def holders(self) -> set[Pair]:
        """Those that have a place."""
        return {(run.workspace, run.provider) for run in self._runs}

    def sated(self) -> set[Pair]:
        """Lanes that get nothing more now: they have enough to do, or places enough, or rest."""
        now = steady()
        for pair in [pair for pair, until in self._resting.items() if until <= now]:
            del self._resting[pair]
        places: dict[Pair, int] = {}
        unsent: dict[Pair, int] = {}
        for run in self._runs:
            pair = (run.workspace, run.provider)
            places[pair] = places.get(pair, 0) + 1
            unsent[pair] = unsent.get(pair, 0) + run.unsent
        # Half of what is left and no more: whoever comes next finds a place too.
        most = max(1, self.free // 2)
        return {
            pair
            for pair, count in places.items()
            # A provider that cannot send now is left with something to try again with, and no more.
            if count >= most or unsent[pair] > (0 if self._stuck(pair) else self._ahead)
        } | set(self._resting)

    def give_way(self, waiting: int) -> list[ChunkRun]:
        """The runs to be given back so that `waiting` lanes that have nothing find a place: of those that cannot send,
        else of those that have had one for longest, once their turn is over."""
        now = steady()
        since: dict[Pair, float] = {}
        for run in self._runs:
            pair = (run.workspace, run.provider)
            since[pair] = min(run.begun, since.get(pair, run.begun))
        slow = [pair for pair, begun in since.items() if now - begun > _TURN_SECONDS or self._stuck(pair)]
        slow.sort(key=lambda pair: (not self._stuck(pair), since[pair]))
        chosen = set(slow[:waiting])
        for pair in chosen:
            rests = self._rests.get(pair, 0) + 1 if self._stuck(pair) else 0
            self._rests[pair] = rests
            self._resting[pair] = now + min(_LONGEST_REST_SECONDS, _TURN_SECONDS * 2.0 ** min(rests, 10))
        return [run for run in self._runs if (run.workspace, run.provider) in chosen and not run.stopping]

    def _stuck(self, pair: Pair) -> bool:
        lane = self._lanes.get(*pair)
        return lane is not None and lane.stuck
