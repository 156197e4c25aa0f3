"""A provider without a network: for tests, dry runs and previews of a whole campaign. Nothing leaves the machine."""

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from tidings.core.errors import Invalid
from tidings.delivery.providers._interface import EVERY_KIND, HealthState, Outgoing, ProviderHealth, Source
from tidings.delivery.providers._outcomes import Accepted, Deferred, Fault, Rejected, Withdrawn

_BATCH = 200
_MOST_REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Which share of the recipients (0 to 1) is refused for good, and which for now on the first attempt.

    The address decides, so every run and every worker refuses the same ones. Raises Invalid, naming the field.
    """

    reject_rate: float = 0.0
    defer_rate: float = 0.0
    rate_per_second: float | None = None
    """Enforced by the worker."""

    def __post_init__(self) -> None:
        for name in ("reject_rate", "defer_rate"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) <= 1:
                raise Invalid.at(name, "give a number from 0 to 1")
        if self.reject_rate + self.defer_rate > 1:
            raise Invalid.at("defer_rate", "reject_rate and defer_rate are more than 1 together")
        if self.rate_per_second is not None and not (_is_number(self.rate_per_second) and self.rate_per_second > 0):
            raise Invalid.at("rate_per_second", "give a number above 0, or leave it out")

    @classmethod
    def parse(cls, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """From JSON. A sandbox has no secret."""
        known = [item.name for item in dataclasses.fields(cls)]
        for name in sorted(config):
            if name not in known:
                raise Invalid.at(
                    name, f"unknown setting; a sandbox has: {', '.join(dict.fromkeys((*known, *EVERY_KIND)))}"
                )
        for name in sorted(secret or {}):
            raise Invalid.at(name, "a sandbox has no secret")
        return cls(**config)


class SandboxProvider:
    """Answers by itself, on the event loop, a few hundred messages at a time."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._source: Source | None = None
        self._queued = False
        self._closed = False
        self._deferred_once: set[bytes] = set()

    def start(self, source: Source) -> None:
        """Begin to pull from `source`."""
        self._source = source
        self.wake()

    def wake(self) -> None:
        """The source has something again."""
        if self._source is not None and not self._queued and not self._closed:
            self._queued = True
            asyncio.get_running_loop().call_soon(self._work, self._source)

    async def close(self, *, grace_seconds: float) -> None:  # noqa: ARG002 - part of `Provider`
        """Stop pulling. Nothing is ever in flight."""
        self._closed = True

    @property
    def health(self) -> ProviderHealth:
        """Always well."""
        return ProviderHealth(HealthState.OK)

    def _work(self, source: Source) -> None:
        self._queued = False
        for _ in range(_BATCH):
            job = None if self._closed else source.next()
            if job is None:
                return
            source.settle(job, self._answer(job) if source.transmitting(job) else Withdrawn())
        self.wake()

    def _answer(self, job: Outgoing) -> Accepted | Rejected | Deferred:
        address = job.recipient.lower()
        digest = blake2b(address, digest_size=8).digest()
        share = int.from_bytes(digest, "big") / 2**64
        if share < self._config.reject_rate:
            return Rejected("550 5.1.1 sandbox: no such mailbox", 550, "5.1.1", Fault.RECIPIENT)
        if share >= 1 - self._config.defer_rate:
            if digest not in self._deferred_once and len(self._deferred_once) < _MOST_REMEMBERED:
                self._deferred_once.add(digest)
                return Deferred("451 4.3.0 sandbox: try again", 451, "4.3.0")
            self._deferred_once.discard(digest)
        return Accepted("250 2.0.0 sandbox: accepted, goes nowhere")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
