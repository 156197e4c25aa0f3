"""All the providers of a worker: opened when first needed, reopened when their settings change, closed when idle."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from tidings.core.clock import steady, utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import LOST, Database
from tidings.core.errors import TidingsError
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.core.loops import RETRYABLE, forever
from tidings.delivery.limits import Budget, MailboxProviders, limits_of, restraints
from tidings.delivery.providers import HealthState, Provider, connections_of, open_provider
from tidings.delivery.states import final_state
from tidings.delivery.ways import (
    SAID_EVERY_SECONDS,
    ProviderNotFound,
    Trouble,
    open_settings,
    provider_changes,
    split,
    tell_trouble,
)
from tidings.delivery.worker._outlet import Outlet
from tidings.delivery.worker._run import Via

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 30.0
_WELL = {HealthState.OK, HealthState.CONNECTING}

Pair = tuple[int, int]
"""Workspace and provider."""


class Outlets:
    """The outlets by (workspace, provider). `share` is how many workers split a provider's connections."""

    def __init__(
        self,
        db: Database,
        *,
        keys: Keyring,
        owner: str,
        share: int,
        progress: Callable[[], None],
        groups: MailboxProviders,
    ) -> None:
        self._db = db
        self._keys = keys
        self._owner = owner
        self._share = share
        self._groups = groups
        self._groups_version = groups.version
        self._progress = progress
        self._open: dict[Pair, Outlet] = {}
        self._budgets: dict[Pair, asyncio.Task[None]] = {}
        self._told: dict[Pair, tuple[Trouble, float]] = {}
        """What was last said of each that is in trouble, and when."""
        self._refused: dict[Pair, datetime] = {}
        """Changes of settings that could not be used: they are not tried again."""

    async def open(self, workspace: WorkspaceId, provider: ProviderId) -> Outlet:
        """The outlet, opened if need be. Raises ProviderNotFound, Unavailable, Invalid for settings that cannot work.

        One caller at a time.
        """
        outlet = self._open.get((workspace, provider))
        if outlet is None:
            outlet = Outlet(workspace=workspace, provider_id=provider, progress=self._progress)
            await self._configure(outlet)
            self._open[workspace, provider] = outlet
        outlet.idle_since = steady()
        return outlet

    async def reopen(self, workspace: int, provider: int) -> Provider | None:
        """Its settings were changed: go on with the new ones. Returns the provider before, to be closed. One caller at a time."""
        outlet = self._open.get((workspace, provider))
        if outlet is None:
            return None
        try:
            before = await self._configure(outlet)
        except ProviderNotFound:
            outlet.deleted = True
            return None
        except RETRYABLE as error:
            _log.warning("provider %s keeps its settings for now: %s", provider, error)
            return None
        except TidingsError as error:
            outlet.unusable = f"its new settings cannot be used, so it goes on with those before: {error.message}"
            _log.warning("provider %s of workspace %s: %s", provider, workspace, outlet.unusable)
            return None
        outlet.unusable = ""
        return before

    async def changed(self) -> list[Pair]:
        """Those whose settings are not the present ones: a notification may be missed, or come while one is being opened."""
        if not self._open:
            return []
        async with self._db.connection() as connection:
            changes = await provider_changes(connection, providers=list(self._open))
            holds = await restraints(connection, providers=list(self._open))
        regroup, self._groups_version = self._groups_version != self._groups.version, self._groups.version
        for pair, restraint in holds.items():
            outlet = self._open.get(pair)
            if outlet is not None and outlet.limiter is not None:
                outlet.limiter.follow(restraint)
                if regroup:
                    outlet.limiter.forget_domains()
                outlet.limit()
        found = [pair for pair, outlet in self._open.items() if pair not in changes and not outlet.deleted]
        for pair, at in changes.items():
            outlet = self._open.get(pair)
            if outlet is not None and outlet.configured_at != at and self._refused.get(pair) != at:
                self._refused[pair] = at  # once; should they be changed again, it is another moment
                found.append(pair)
        return found

    async def mind(self) -> None:
        """Say how each is where people see it, and close what is idle: to be called every second."""
        now = steady()
        for pair, outlet in list(self._open.items()):
            outlet.look()
            await self._say(pair, outlet)
            idle = not outlet.lanes and not outlet.flying and not outlet.on_trial
            if idle and (outlet.deleted or now - outlet.idle_since > _IDLE_SECONDS):
                del self._open[pair]
                self._keep(pair, None)
                await outlet.provider.close(grace_seconds=5)
                await self._forget(pair)

    async def close(self, *, grace_seconds: float) -> None:
        """Finish what is being transmitted, and hang up."""
        for pair in list(self._budgets):
            self._keep(pair, None)
        outlets = list(self._open.values())
        await asyncio.gather(*(outlet.provider.close(grace_seconds=grace_seconds) for outlet in outlets))
        for outlet in outlets:
            outlet.acquit()
        for pair in list(self._told):
            await self._forget(pair)

    async def _configure(self, outlet: Outlet) -> Provider | None:
        async with self._db.connection() as connection:
            opened = await open_settings(
                connection, workspace=outlet.workspace, provider=outlet.provider_id, keys=self._keys
            )
            found = await restraints(connection, providers=[(outlet.workspace, outlet.provider_id)])
        pacing, config = split(opened.config)
        connections = connections_of(opened.kind, config)
        if connections is not None:
            connections = config["connections"] = max(1, -(-connections // self._share))
        provider = open_provider(opened.kind, config, opened.secret)
        outlet.configured_at, outlet.workers = opened.updated_at, self._share
        outlet.limiter = Budget(
            self._db,
            workspace=outlet.workspace,
            provider=outlet.provider_id,
            limits=limits_of(opened.config),
            wake=provider.wake,
            group_of=self._groups.of,
        )
        outlet.limiter.restrain(found[outlet.workspace, outlet.provider_id])
        outlet.limit()
        self._keep((outlet.workspace, outlet.provider_id), outlet.limiter)
        via = Via(outlet.provider_id, final_state(opened.kind), pacing)
        return outlet.open(provider, via, connections=connections or 1)

    def _keep(self, pair: Pair, budget: Budget | None) -> None:
        before = self._budgets.pop(pair, None)
        if before is not None:
            before.cancel()
        if budget is not None:
            self._budgets[pair] = asyncio.ensure_future(forever(budget.keep))

    async def _say(self, pair: Pair, outlet: Outlet) -> None:
        health, now = outlet.health, steady()
        before = self._told.get(pair)
        if health.state in _WELL:
            if before is not None:
                await self._forget(pair)
            return
        wait = health.retry_in_seconds
        at = utc_now()
        trouble = Trouble(
            health.state,
            health.detail,
            before[0].since if before is not None and before[0].state == health.state else at,
            None if wait is None else at + timedelta(seconds=wait),
        )
        same = before is not None and (before[0].state, before[0].detail) == (trouble.state, trouble.detail)
        if same and before is not None and now - before[1] < SAID_EVERY_SECONDS:
            return
        if not same:
            _log.warning("provider %s of workspace %s: %s: %s", pair[1], pair[0], health.state, health.detail)
        await self._tell(pair, trouble, at)
        self._told[pair] = trouble, now

    async def _forget(self, pair: Pair) -> None:
        if self._told.pop(pair, None) is not None:
            await self._tell(pair, None, utc_now())

    async def _tell(self, pair: Pair, trouble: Trouble | None, at: datetime) -> None:
        with contextlib.suppress(*LOST):
            async with self._db.connection() as connection:
                await tell_trouble(
                    connection,
                    workspace=WorkspaceId(pair[0]),
                    provider=ProviderId(pair[1]),
                    worker=self._owner,
                    trouble=trouble,
                    now=at,
                )
