"""Signing in the send path: which messages of a worker are signed, and with which keys."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tidings.content import Row
from tidings.core.clock import steady
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId
from tidings.delivery.signing._dkim import Signer, SigningKey
from tidings.delivery.signing._keys import read_key
from tidings.delivery.wire import LeaveAt, Wire, no_mailbox

PURPOSE = "dkim keys"
"""Under which private keys are sealed."""

_FRESH_SECONDS = 10.0
_KEYS = """
SELECT d.domain, k.selector, k.sealed_key FROM sending_domains AS d
JOIN dkim_keys AS k ON k.workspace_id = d.workspace_id AND k.domain_id = d.id
WHERE d.workspace_id = $1 AND k.state = 'active' ORDER BY d.id, k.algorithm, k.selector
"""


class DomainSigners:
    """The signers of a workspace's domains."""

    def __init__(self, signers: dict[bytes, Signer]) -> None:
        self._signers = signers
        self._found: dict[bytes, Signer | None] = {}

    def of(self, message: bytes) -> Signer | None:
        """Who signs this message: its From's domain, or the nearest one above it, which is aligned as well.

        Alignment with an organisational domain is RFC 9989's relaxed mode. Messages of ours begin with From.
        """
        line = message[: message.index(b"\r\nTo: ")]
        domain = line.rpartition(b"@")[2].rstrip(b"> ").lower()
        if domain not in self._found:
            if len(self._found) > 1000:
                self._found.clear()
            self._found[domain] = self._nearest(domain)
        return self._found[domain]

    def _nearest(self, domain: bytes) -> Signer | None:
        while domain:
            if domain in self._signers:
                return self._signers[domain]
            domain = domain.partition(b".")[2]
        return None


@dataclass(frozen=True, slots=True)
class SignedWire:
    """A wire message that is signed when it is built. Two of the same message are equal, whatever signs them."""

    wire: Wire
    signers: DomainSigners = field(compare=False)

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a recipient, signatures before it. Raises RenderError."""
        message = self.wire.build(row, date=date, leave_at=leave_at)
        signer = self.signers.of(message)
        return signer.sign(message, now=int(time.time())) if signer is not None else message

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8. Raises RenderError."""
        return self.wire.envelope(row)


class Signing:
    """A worker's keys by workspace: asked for again every ten seconds, read again when they changed."""

    def __init__(self, db: Database, keys: Keyring) -> None:
        self._db = db
        self._keys = keys
        self._kept: dict[int, tuple[float, list[tuple[Any, ...]], DomainSigners | None]] = {}

    async def sign(self, wire: Wire, *, workspace: WorkspaceId) -> Wire:
        """The wire message, signed if the workspace has active keys. Raises Unavailable when they cannot be unsealed."""
        signers = await self._signers(workspace)
        return wire if signers is None else SignedWire(wire, signers)

    async def _signers(self, workspace: WorkspaceId) -> DomainSigners | None:
        kept = self._kept.get(workspace)
        if kept is not None and steady() - kept[0] < _FRESH_SECONDS:
            return kept[2]
        asked = steady()
        async with self._db.connection() as connection:
            rows = [tuple(row) for row in await connection.fetch(_KEYS, workspace)]
        signers = kept[2] if kept is not None else None
        if kept is None or kept[1] != rows:
            signers = await asyncio.to_thread(self._read, rows) if rows else None
        if len(self._kept) > 1000:
            self._kept.clear()
        self._kept[workspace] = (asked, rows, signers)
        return signers

    def _read(self, rows: list[tuple[Any, ...]]) -> DomainSigners:
        keys: dict[bytes, list[SigningKey]] = {}
        for domain, selector, sealed in rows:
            private = read_key(self._keys.unseal(PURPOSE, sealed))
            keys.setdefault(domain.encode(), []).append(SigningKey(domain, selector, private))
        return DomainSigners({domain: Signer(some) for domain, some in keys.items()})


_: type[Wire] = SignedWire
