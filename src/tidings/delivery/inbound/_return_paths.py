"""Envelope senders that tell which message a report is about (VERP), for domains that name where reports come back to.

The address of a sending domain, or of the nearest one above it, is asked for again every ten seconds, as its keys are. Where
none is named, messages go out as they did: the envelope's sender is the From address.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings.content import RenderError, Row
from tidings.core.clock import steady, utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.bounces import ReturnPathInvalid, ReturnPaths
from tidings.delivery.inbound._inbound import UNSUBSCRIBE
from tidings.delivery.wire import LeaveAt, Wire, no_mailbox

_N, _CONTACT = 0, 1
_FRESH_SECONDS = 10.0
_DOMAINS = "SELECT domain, return_path FROM sending_domains WHERE workspace_id = $1 AND return_path <> ''"

_Maker = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class ReturningWire:
    """A wire message whose reports come back to an address of its own. Two of the same message are equal."""

    wire: Wire
    makers: Callable[[bytes], _Maker | None] = field(compare=False)
    mailboxes: LeaveAt = field(compare=False)

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a recipient, which can be left by mail, too. Raises RenderError."""
        return self.wire.build(row, date=date, leave_at=self.mailboxes if leave_at is no_mailbox else leave_at)

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8. Raises RenderError."""
        sender, recipient, utf8 = self.wire.envelope(row)
        path = self.makers(sender)
        return (sender if path is None else path(row[_N], row[_CONTACT] or 0)), recipient, utf8


class Returning:
    """A worker's return paths by workspace."""

    def __init__(self, db: Database, keys: Keyring) -> None:
        self._db = db
        self._paths = ReturnPaths(keys)
        self._kept: dict[int, tuple[float, dict[str, str]]] = {}

    async def address(self, wire: Wire, *, workspace: WorkspaceId, send: SendId) -> Wire:
        """The wire message with return paths, if one of the workspace's domains names where they lead."""
        bases = await self._bases(workspace)
        if not bases:
            return wire
        makers = _Makers(self._paths, bases, workspace, send, utc_now())
        return ReturningWire(wire, makers.of, makers.leave_at)

    async def _bases(self, workspace: WorkspaceId) -> dict[str, str]:
        kept = self._kept.get(workspace)
        if kept is not None and steady() - kept[0] < _FRESH_SECONDS:
            return kept[1]
        asked = steady()
        async with self._db.connection() as connection:
            rows: list[Any] = await connection.fetch(_DOMAINS, workspace)
        if len(self._kept) > 1000:
            self._kept.clear()
        bases = {row["domain"]: row["return_path"] for row in rows}
        self._kept[workspace] = (asked, bases)
        return bases


class _Makers:
    """Of one send: senders to what makes their return paths."""

    def __init__(
        self, paths: ReturnPaths, bases: dict[str, str], workspace: WorkspaceId, send: SendId, now: datetime
    ) -> None:
        self._paths, self._bases = paths, bases
        self._workspace, self._send, self._now = workspace, send, now
        self._found: dict[bytes, _Maker | None] = {}
        self._mailboxes: dict[bytes, bytes] = {}

    def of(self, sender: bytes) -> _Maker | None:
        """None for a sender whose domain names none."""
        try:
            return self._found[sender]
        except KeyError:
            base = nearest(self._bases, sender.rpartition(b"@")[2].decode("ascii", "replace"))
            maker = self._found[sender] = None if base is None else self._maker(base)
            return maker

    def leave_at(self, sender: bytes) -> bytes:
        """How a message of this sender goes on in List-Unsubscribe after its https address (RFC 2369 §3.2)."""
        try:
            return self._mailboxes[sender]
        except KeyError:
            base = nearest(self._bases, sender.rpartition(b"@")[2].decode("ascii", "replace"))
            found = self._mailboxes[sender] = b"" if base is None else _mailbox(base)
            return found

    def _maker(self, base: str) -> _Maker:
        try:
            return self._paths.for_send(base, workspace=self._workspace, send=self._send, now=self._now)
        except ReturnPathInvalid as error:
            raise RenderError(error.message) from error


def _mailbox(base: str) -> bytes:
    """Up to the token. Nothing to escape in it: `clean_return_path` sees to the address, and tokens are base64url."""
    local, _, domain = base.rpartition("@")
    return f">, <mailto:{local}{UNSUBSCRIBE}@{domain}?subject=".encode()


def nearest(bases: dict[str, str], domain: str) -> str | None:
    """What the domain itself names, or the nearest one above it that names anything."""
    while domain:
        if domain in bases:
            return bases[domain]
        domain = domain.partition(".")[2]
    return None


_: type[Wire] = ReturningWire
