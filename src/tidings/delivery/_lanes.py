"""All the ways out of a worker: opened when first needed, reopened when their settings change, closed when idle."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from tidings.core.clock import steady
from tidings.core.crypto import Keyring
from tidings.core.db import LOST, Database
from tidings.core.errors import TidingsError
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.core.loops import RETRYABLE, forever
from tidings.delivery._budgets import Budget
from tidings.delivery._lane import Lane
from tidings.delivery._pacing import split
from tidings.delivery._providers import note_health, open_settings, provider_changes
from tidings.delivery._run import ChunkRun
from tidings.delivery._states import final_state
from tidings.delivery.providers import HealthState, Provider, open_provider

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 30.0


class Lanes:
    """The lanes by (workspace, provider). `share` is how many workers split a provider's connections."""

    def __init__(
        self,
        db: Database,
        *,
        keys: Keyring,
        share: int,
        progress: Callable[[], None],
        unusable: Callable[[ChunkRun, str], None],
    ) -> None:
        self._db = db
        self._keys = keys
        self._share = share
        self._progress = progress
        self._unusable = unusable
        self._open: dict[tuple[int, int], Lane] = {}
        self._budgets: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._noted: dict[tuple[int, int], str] = {}
        self._opening = asyncio.Lock()

    def get(self, workspace: int, provider: int) -> Lane | None:
        """The lane, if it is open."""
        return self._open.get((workspace, provider))

    def items(self) -> list[tuple[tuple[int, int], Lane]]:
        """All that are open."""
        return list(self._open.items())

    async def open(self, workspace: WorkspaceId, provider: ProviderId) -> Lane:
        """The lane, opened if need be. Raises ProviderNotFound, Unavailable, Invalid for settings that cannot work."""
        async with self._opening:
            lane = self._open.get((workspace, provider))
            if lane is None:
                lane = Lane(workspace=workspace, provider_id=provider, progress=self._progress, unusable=self._unusable)
                await self._configure(lane)
                self._open[workspace, provider] = lane
            return lane

    async def reopen(self, workspace: int, provider: int) -> None:
        """Its settings were changed: go on with the new ones."""
        async with self._opening:
            lane = self._open.get((workspace, provider))
            try:
                before = None if lane is None else await self._configure(lane)
            except (TidingsError, *RETRYABLE) as error:
                _log.warning("provider %s keeps its settings for now: %s", provider, error)
                return
        if before is not None:
            await before.close(grace_seconds=30)

    async def mind(self) -> None:
        """Note each provider's health where people see it, and close what is idle: to be called every second."""
        now = steady()
        await self._look_for_changes()
        for key, lane in self.items():
            await self._note(key, lane)
            if not lane.runs and now - lane.idle_since > _IDLE_SECONDS:
                del self._open[key]
                self._keep(key, None)
                await lane.provider.close(grace_seconds=5)

    async def _look_for_changes(self) -> None:
        """A notification may be missed, or come while a lane is being opened."""
        if not self._open:
            return
        async with self._db.connection() as connection:
            changed = await provider_changes(connection, providers=[key for key, _ in self.items()])
        for key, lane in self.items():
            if key in changed and changed[key] != lane.configured_at:
                await self.reopen(*key)

    async def close(self, *, grace_seconds: float) -> None:
        """Finish what is being transmitted, and hang up."""
        for key in list(self._budgets):
            self._keep(key, None)
        await asyncio.gather(*(lane.provider.close(grace_seconds=grace_seconds) for _, lane in self.items()))

    async def _configure(self, lane: Lane) -> Provider | None:
        async with self._db.connection() as connection:
            opened = await open_settings(
                connection, workspace=lane.workspace, provider=lane.provider_id, keys=self._keys
            )
        pacing, config = split(opened.config)
        lane.configured_at = opened.updated_at
        if opened.kind == "smtp":
            config["connections"] = max(1, -(-int(config.get("connections") or 10) // self._share))
        provider = open_provider(opened.kind, config, opened.secret)
        lane.final_state, lane.pacing, lane.budget = final_state(opened.kind), pacing, None
        if pacing.rate_per_second:
            lane.budget = Budget(
                self._db,
                workspace=lane.workspace,
                provider=lane.provider_id,
                per_second=pacing.rate_per_second,
                wake=provider.wake,
            )
        self._keep((lane.workspace, lane.provider_id), lane.budget)
        return lane.open(provider)

    def _keep(self, key: tuple[int, int], budget: Budget | None) -> None:
        before = self._budgets.pop(key, None)
        if before is not None:
            before.cancel()
        if budget is not None:
            self._budgets[key] = asyncio.ensure_future(forever(budget.keep))

    async def _note(self, key: tuple[int, int], lane: Lane) -> None:
        health = lane.provider.health
        words = "" if health.state in {HealthState.OK, HealthState.CONNECTING} else f"{health.state}: {health.detail}"
        if words != self._noted.get(key, ""):
            with contextlib.suppress(*LOST):
                async with self._db.connection() as connection:
                    await note_health(connection, workspace=lane.workspace, provider=lane.provider_id, health=words)
                self._noted[key] = words
