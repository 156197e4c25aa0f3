"""All the ways out of a worker: opened when first needed, changed when their route changes, closed when idle."""

import asyncio
import logging
from collections.abc import Callable

from tidings.core.clock import steady
from tidings.core.db import Database
from tidings.core.errors import TidingsError
from tidings.core.ids import ProviderId, RouteId, WorkspaceId
from tidings.core.loops import RETRYABLE
from tidings.delivery.ways import RouteMember, Strategy, open_route, route_changes
from tidings.delivery.worker._lane import Lane
from tidings.delivery.worker._outlet import Outlet
from tidings.delivery.worker._outlets import Outlets
from tidings.delivery.worker._run import ChunkRun, Key

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 30.0
_TRY_AGAIN_SECONDS = 10.0


class Lanes:
    """The lanes by way: a provider by itself, or a route with several."""

    def __init__(
        self,
        db: Database,
        outlets: Outlets,
        *,
        progress: Callable[[], None],
        unusable: Callable[[ChunkRun, str], None],
    ) -> None:
        self._db = db
        self._outlets = outlets
        self._progress = progress
        self._unusable = unusable
        self._open: dict[Key, Lane] = {}
        self._incomplete: dict[Key, float] = {}
        """Routes of which some provider cannot be opened, and when that was last tried."""
        self._complained: dict[tuple[int, int], str] = {}
        self._opening = asyncio.Lock()

    def get(self, key: Key) -> Lane | None:
        """The lane, if it is open."""
        return self._open.get(key)

    async def open(self, key: Key) -> Lane:
        """The lane, opened if need be.

        Raises ProviderNotFound, Unavailable, Invalid for settings that cannot work; of a route only if none of its providers
        can be opened.
        """
        async with self._opening:
            lane = self._open.get(key)
            if lane is None:
                lane = Lane(key, progress=self._progress, unusable=self._unusable)
                await self._go_through(lane)
                self._open[key] = lane
            lane.idle_since = steady()
            return lane

    async def provider_changed(self, workspace: int, provider: int) -> None:
        """Its settings were changed: go on with the new ones."""
        async with self._opening:
            before = await self._outlets.reopen(workspace, provider)
            for key in [key for key in self._incomplete if key[0] == workspace]:
                await self._change(key)
        if before is not None:
            await before.close(grace_seconds=30)

    async def route_changed(self, workspace: int, route: int) -> None:
        """It has other providers, or another strategy."""
        async with self._opening:
            await self._change((workspace, 0, route))

    async def mind(self) -> None:
        """See to changes that nobody told us of, and close what is idle: to be called every second."""
        for pair in await self._outlets.changed():
            await self.provider_changed(*pair)
        await self._look_for_changes()
        now = steady()
        for key, lane in list(self._open.items()):
            lane.look()
            deleted = bool(lane.outlets) and all(outlet.deleted for outlet in lane.outlets)
            if not lane.runs and (deleted or now - lane.idle_since > _IDLE_SECONDS):
                del self._open[key]
                self._incomplete.pop(key, None)
                lane.go_through(Strategy.LEAST_LOADED, [])
        await self._outlets.mind()

    async def _look_for_changes(self) -> None:
        routes = [(key[0], key[2]) for key in self._open if key[2]]
        if not routes:
            return
        async with self._db.connection() as connection:
            changed = await route_changes(connection, routes=routes)
        for (workspace, route), at in changed.items():
            key = (workspace, 0, route)
            lane = self._open.get(key)
            tried = self._incomplete.get(key)
            stale = tried is not None and steady() - tried > _TRY_AGAIN_SECONDS
            if lane is not None and (lane.configured_at != at or stale):
                await self.route_changed(workspace, route)

    async def _change(self, key: Key) -> None:
        lane = self._open.get(key)
        if lane is None:
            return
        try:
            await self._go_through(lane)
        except (TidingsError, *RETRYABLE) as error:
            _log.warning("route %s keeps its providers for now: %s", key[2], error)

    async def _go_through(self, lane: Lane) -> None:
        workspace = WorkspaceId(lane.key[0])
        if not lane.key[2]:
            provider = ProviderId(lane.key[1])
            outlet = await self._outlets.open(workspace, provider)
            lane.go_through(Strategy.LEAST_LOADED, [(outlet, RouteMember(provider))])
            return
        async with self._db.connection() as connection:
            route = await open_route(connection, workspace=workspace, route=RouteId(lane.key[2]))
        opened: list[tuple[Outlet, RouteMember]] = []
        failure: TidingsError | None = None
        for member in route.members:
            try:
                opened.append((await self._outlets.open(workspace, member.provider), member))
                self._complained.pop((workspace, member.provider), None)
            except TidingsError as error:
                failure = error
                self._complain(workspace, member.provider, error)
        if failure is not None and not opened:
            raise failure
        self._incomplete.pop(lane.key, None)
        if failure is not None:
            self._incomplete[lane.key] = steady()
        lane.configured_at = route.updated_at
        lane.go_through(route.strategy, opened)

    def _complain(self, workspace: WorkspaceId, provider: ProviderId, error: TidingsError) -> None:
        """Once, and again when it is something else."""
        if self._complained.get((workspace, provider)) != error.message:
            self._complained[workspace, provider] = error.message
            _log.warning("provider %s of workspace %s cannot be used: %s", provider, workspace, error.message)
