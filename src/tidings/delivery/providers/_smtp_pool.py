"""The SMTP provider: as many connections as there is work for, opened, watched, replaced and closed.

Nothing is pulled from the source before a connection is ready, so an unreachable server burns no attempts.
"""

import asyncio
import random
import ssl

from tidings.delivery.providers._interface import HealthState, ProviderHealth, Source
from tidings.delivery.providers._outcomes import Throttled
from tidings.delivery.providers._smtp_config import SmtpConfig, Tls
from tidings.delivery.providers._smtp_handshake import HandshakeError, shake_hands
from tidings.delivery.providers._smtp_keeper import Connection
from tidings.delivery.providers._smtp_session import SmtpSession

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
_FIRST_THROTTLE_SECONDS = 1.0
_LONGEST_THROTTLE_SECONDS = 900.0


class SmtpProvider:
    """Sends through one SMTP server. See `Provider` for the methods, `SmtpConfig` for the settings."""

    source: Source

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._context: ssl.SSLContext | None = None
        self._sessions: set[Connection] = set()
        self._parked: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._started = False
        self._closing = False
        self._hungry = False
        """The source had something when it was last asked."""
        self._failures = 0
        self._trouble = ""
        self._connect_after = 0.0
        self._throttled_until = 0.0
        self._throttle_detail = ""
        self._wake_queued = False
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        limits = config.timeouts
        shortest = min(limits.command, limits.data, limits.block, limits.dot, limits.idle, limits.quit)
        self._sweep_seconds = max(0.02, min(1.0, shortest / 4))
        # What sessions read on their hot path, see `Keeper`:
        self.tick = 0.0
        self.may_pull = False
        self.growing = False
        self.throttles = 0

    # --- Provider ---

    def start(self, source: Source) -> None:
        """Begin to pull from `source`."""
        if self._started:
            raise RuntimeError("a provider is started once")
        self._started = True
        self.source = source
        self._loop = asyncio.get_running_loop()
        self._update()
        self._sweep()
        self.wake()

    def wake(self) -> None:
        """The source has something again."""
        if not self._wake_queued and self._started and not self._closing:
            self._wake_queued = True
            # Not at once: the caller may be inside a callback of a session that is between two states.
            self._loop.call_soon(self._awake)

    async def close(self, *, grace_seconds: float) -> None:
        """Stop pulling, finish what is in flight, QUIT; after the grace hang up."""
        if not self._started:
            return
        self._closing = True
        self._update()
        for task in self._connecting:
            task.cancel()
        for session in tuple(self._sessions):
            session.leave()
        try:
            async with asyncio.timeout(grace_seconds):
                while self._sessions or self._connecting:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            for session in tuple(self._sessions):
                session.drop("closed before the server had answered")
        if self._timer is not None:
            self._timer.cancel()

    @property
    def health(self) -> ProviderHealth:
        """Its state at this moment, for people."""
        if not self._started or self._closing:
            return ProviderHealth(HealthState.OK)
        now = self._loop.time()
        if now < self._throttled_until:
            return ProviderHealth(HealthState.THROTTLED, self._throttle_detail, self._throttled_until - now)
        if self._sessions and not (self._failures and not any(s.progress for s in self._sessions)):
            return ProviderHealth(HealthState.OK)
        if self._failures:
            wait = self._connect_after - now
            return ProviderHealth(HealthState.UNREACHABLE, self._trouble, max(0.0, wait))
        return ProviderHealth(HealthState.CONNECTING if self._connecting else HealthState.OK)

    # --- what sessions tell (Keeper) ---

    def grow(self) -> None:
        """One connection more, or as many more as there are: 1, 2, 4, 8 …"""
        for _ in range(max(1, len(self._sessions) - len(self._connecting))):
            if self.growing:
                self._connect()

    def progressed(self) -> None:
        """A connection proved its worth."""
        self._failures = 0

    def accepted_after_throttle(self) -> None:
        """The server takes mail again; what was in flight when it complained does not count."""
        if not self._throttled_until:
            self.throttles = 0

    def throttle(self, outcome: Throttled) -> None:
        """Pull nothing for as long as the server asks, and longer each time that it asks again at once."""
        now = self._loop.time()
        wait = outcome.retry_after_seconds or 0.0
        if self._throttled_until <= now:
            self.throttles += 1
            wait = max(wait, _FIRST_THROTTLE_SECONDS * 2.0 ** min(self.throttles - 1, 20))
        self._throttled_until = max(self._throttled_until, now + min(wait, _LONGEST_THROTTLE_SECONDS))
        self._throttle_detail = outcome.reply
        self._resume_at(self._throttled_until)
        self._update()

    def parked(self, session: Connection) -> None:
        """It has nothing to do."""
        if self._closing:
            session.leave()
            return
        if self.may_pull:
            self._hungry = False
        self._parked.add(session)

    def lost(self, session: Connection, reason: str, *, gave_back: bool) -> None:
        """A connection is gone."""
        self._sessions.discard(session)
        self._parked.discard(session)
        if not session.wanted and not session.progress and not self._closing:
            self._failed(reason)
        self._update()
        self._hungry |= gave_back
        if self._hungry:
            self.wake()
        self._empty.set()

    # --- inside ---

    def _awake(self) -> None:
        self._wake_queued = False
        if self._closing:
            return
        self._hungry = True
        for session in tuple(self._parked):
            if not self.may_pull or not self._hungry:
                break
            self._parked.discard(session)
            session.begin()  # parks again, and says that the source has nothing, if so
        if self._hungry and not self._sessions and not self._connecting and self.growing:
            self._connect()

    def _update(self) -> None:
        """Recompute what the hot path reads."""
        now = self._loop.time()
        self.may_pull = not self._closing and now >= self._throttled_until
        self.growing = (
            self.may_pull
            and now >= self._connect_after
            and len(self._sessions) + len(self._connecting) < self._config.connections
        )

    def _sweep(self) -> None:
        """Once a second: time limits."""
        self.tick = now = self._loop.time()
        for session in tuple(self._sessions):
            session.check_time(now, self._config.timeouts)
        self._timer = self._loop.call_later(self._sweep_seconds, self._sweep)

    def _resume(self) -> None:
        """A wait is over, or was until it became longer."""
        if self._throttled_until and self._loop.time() >= self._throttled_until:
            self._throttled_until = 0.0
        self._update()
        if self._hungry:
            self.wake()

    def _resume_at(self, moment: float) -> None:
        # A little later: a timer may ring a clock tick early, and nobody would ring again.
        self._loop.call_at(moment + 0.002, self._resume)

    def _connect(self) -> None:
        task = self._loop.create_task(self._open_session(), name=f"smtp {self._config.host}")
        self._connecting.add(task)
        task.add_done_callback(self._connected)
        self._update()

    async def _open_session(self) -> None:
        config = self._config
        try:
            if self._context is None and config.tls is not Tls.NONE:
                # Reads the system's certificates from disk.
                self._context = await asyncio.to_thread(config.ssl_context)
            transport, can = await shake_hands(config, self._context)
        except HandshakeError as error:
            self._failed(f"{config.host}:{config.port}: {error}", at_least=error.wait_seconds)
            return
        session = SmtpSession(transport, can, self, most_messages=config.messages_per_connection)
        transport.set_protocol(session)
        self._sessions.add(session)
        if transport.is_closing():
            session.drop("the server closed the connection")
        else:
            session.begin()

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        self._update()
        self._empty.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(f"{self._config.host}:{self._config.port}: {error}")
            self._loop.call_exception_handler({"message": "opening an SMTP connection failed", "exception": error})

    def _failed(self, reason: str, *, at_least: float = 0.0) -> None:
        """Wait before the next connection: longer each time, never all workers at the same moment."""
        self._failures += 1
        self._trouble = reason
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(self._failures - 1, 20))
        wait = max(at_least, wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        self._connect_after = max(self._connect_after, self._loop.time() + wait)
        self._resume_at(self._connect_after)
        self._update()
