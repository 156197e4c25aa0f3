"""Mail that came back: how it is kept, who may be written to, and what people see of it.

the listener or the mailbox poller → inbound_messages, durable → acknowledged → take_inbound (_inbound_take) → Feedback
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tidings.core.db import Tx
from tidings.core.errors import NotFound
from tidings.core.ids import InboundId, SendId, WorkspaceId, public_id
from tidings.delivery.bounces import ReturnPaths
from tidings.delivery.feedback import storable

LARGEST_KEPT = 512 * 1024
"""Octets of a message that are kept and read: reports say what they have to say before what they give back."""

KEPT_FOR = timedelta(days=7)
UNSUBSCRIBE = "+unsubscribe"
"""Ends the local part of the address that List-Unsubscribe names."""

_ROLES = frozenset({"postmaster", "abuse", "fbl", "complaints"})
_AT_ONCE = 1000

_STORE = """
INSERT INTO inbound_messages (workspace_id, received_at, source, sender, recipient, digest, content)
SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])
ON CONFLICT (workspace_id, digest) DO NOTHING
"""
_DOMAINS = """
SELECT DISTINCT workspace_id, lower(return_path) AS base, split_part(return_path, '@', 2) AS domain
FROM sending_domains WHERE return_path <> ''
"""
_TIDY = """
DELETE FROM inbound_messages WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM inbound_messages WHERE received_at < $1 AND state <> 'waiting' ORDER BY received_at LIMIT $2
)
"""
_COLUMNS = """
id, received_at, source, sender, recipient, state, kind, detail, send_id, n,
octet_length(content) > 0 AS has_content
"""


class InboundNotFound(NotFound):
    """No such message came back to this workspace, or it is gone."""

    code = "inbound_message_not_found"


class InboundState(StrEnum):
    """What became of a message that came back."""

    WAITING = "waiting"
    """It will be read in a moment."""
    APPLIED = "applied"
    """It was about a message of ours, and was taken in."""
    IGNORED = "ignored"
    """Nothing to act on: an automatic reply, a receipt."""
    UNMATCHED = "unmatched"
    """Not understood, or about no message that we know of: for people to look at."""


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A message as it came. `content` is at most its first LARGEST_KEPT octets."""

    workspace: WorkspaceId
    received_at: datetime
    source: str
    """smtp, lmtp, imap, api."""
    sender: str
    recipient: str
    content: bytes

    @property
    def digest(self) -> bytes:
        """The same for the same message to the same recipient."""
        return hashlib.blake2b(
            self.recipient.lower().encode("utf-8", "replace") + b"\0" + self.content, digest_size=16
        ).digest()


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message that came back, as people see it."""

    id: InboundId
    received_at: datetime
    source: str
    sender: str
    recipient: str
    state: InboundState
    kind: str
    detail: str
    send: SendId | None
    n: int | None
    has_content: bool


class InboundAddresses:
    """Who may be written to: our return paths, and some names of the domains that they are in. Nobody else."""

    def __init__(self, paths: ReturnPaths) -> None:
        self._paths = paths
        self._bases: dict[str, WorkspaceId] = {}
        self._domains: dict[str, WorkspaceId] = {}

    async def refresh(self, tx: Tx) -> None:
        """Learn which domains there are."""
        rows = await tx.fetch(_DOMAINS)
        self._bases = {row["base"]: WorkspaceId(row["workspace_id"]) for row in rows}
        self._domains = {row["domain"]: WorkspaceId(row["workspace_id"]) for row in rows}

    def workspace_of(self, address: str, *, now: datetime) -> WorkspaceId | None:
        """Whose mail to this address is; None for an address that is nobody's, forged or no longer good."""
        subject = self._paths.read(address, now=now)
        if subject is not None:
            return subject.workspace
        local, _, domain = address.lower().rpartition("@")
        if local in _ROLES:
            return self._domains.get(domain)
        return self._bases.get(f"{local.removesuffix(UNSUBSCRIBE)}@{domain}")


async def store_inbound(tx: Tx, *, mails: Sequence[InboundMail]) -> None:
    """Keep them until they are read, and some days longer. Storing one twice is harmless."""
    await tx.execute(
        _STORE,
        [one.workspace for one in mails],
        [one.received_at for one in mails],
        [one.source for one in mails],
        [storable(one.sender, 320) for one in mails],
        [storable(one.recipient, 320) for one in mails],
        [one.digest for one in mails],
        [one.content for one in mails],
    )


async def list_inbound(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    state: InboundState | None,
    limit: int,
    offset: int = 0,
    before: int | None = None,
) -> list[InboundMessage]:
    """The newest first; of one state, or of all."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM inbound_messages"  # noqa: S608 - our own column names
        " WHERE workspace_id = $1 AND ($2::text IS NULL OR state = $2) AND ($5::bigint IS NULL OR id < $5)"
        " ORDER BY id DESC LIMIT $3 OFFSET $4",
        workspace,
        state,
        limit,
        offset,
        before,
    )
    return [_message(row) for row in rows]


async def count_inbound(tx: Tx, *, workspace: WorkspaceId, state: InboundState | None) -> int:
    """How many there are."""
    return await tx.fetchval(
        "SELECT count(*) FROM inbound_messages WHERE workspace_id = $1 AND ($2::text IS NULL OR state = $2)",
        workspace,
        state,
    )


async def get_inbound(tx: Tx, *, workspace: WorkspaceId, message: InboundId) -> tuple[InboundMessage, bytes]:
    """One of them, with what is kept of its content. Raises InboundNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS}, content FROM inbound_messages WHERE workspace_id = $1 AND id = $2",  # noqa: S608
        workspace,
        message,
    )
    if row is None:
        raise InboundNotFound(
            f"there is no message {public_id('inbound', message)}; they are kept for {KEPT_FOR.days} days"
        )
    return _message(row), row["content"]


async def find_inbound(tx: Tx, *, mail: InboundMail) -> InboundMessage:
    """As it was stored. Raises InboundNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM inbound_messages WHERE workspace_id = $1 AND digest = $2",  # noqa: S608
        mail.workspace,
        mail.digest,
    )
    if row is None:
        raise InboundNotFound("it is gone already")
    return _message(row)


async def tidy_inbound(tx: Tx, *, now: datetime) -> bool:
    """Forget the oldest; True while there may be more. Those that wait are kept, however old."""
    status = await tx.execute(_TIDY, now - KEPT_FOR, _AT_ONCE)
    return status == f"DELETE {_AT_ONCE}"


def _message(row: Any) -> InboundMessage:
    id_, received_at, source, sender, recipient, state, kind, detail, send, n, has_content, *_ = row
    return InboundMessage(
        id_, received_at, source, sender, recipient, InboundState(state), kind, detail, send, n, has_content
    )
