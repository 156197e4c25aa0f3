"""Notifications of providers: the URL that each provider is given, what they are verified with, and their way in.

the edge verifies (Receiver) → notification_inbox, durable → acknowledged → take_notifications → Feedback
"""

import hashlib
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.db import Tx, sql
from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId, WorkspaceId, public_id
from tidings.core.loops import RETRYABLE
from tidings.delivery.feedback import Feedback, apply_feedback, clean, keep
from tidings.delivery.providers import Happening, Notification, read_mailgun, read_sendgrid, read_ses
from tidings.delivery.ways import ProviderNotFound, open_settings
from tidings.delivery.wire import MessageIds

_log = logging.getLogger(__name__)

_BODY, _MAC = 9, 15  # workspace 4, provider 5: 24 bytes, 32 characters
_ROWS, _BYTES = 2000, 4_000_000

_READERS: Mapping[str, Callable[[bytes], list[Notification]]] = {
    "ses": read_ses,
    "sendgrid": read_sendgrid,
    "mailgun": read_mailgun,
}
NOTIFYING_KINDS = frozenset(_READERS)
"""The kinds of provider that tell us more after an acceptance."""

_STORE = """
INSERT INTO notification_inbox (workspace_id, provider_id, kind, received_at, nonce, payload)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[])
"""
_USE_NONCES = """
INSERT INTO notification_nonces (workspace_id, provider_id, nonce, at)
SELECT DISTINCT $1::bigint, provider_id, nonce, $4::timestamptz
FROM unnest($2::bigint[], $3::text[]) AS t (provider_id, nonce) ORDER BY 2, 3
ON CONFLICT DO NOTHING RETURNING provider_id, nonce
"""


class NotificationTokens:
    """Makes and reads the unguessable part of `/n/{token}`, which says workspace and provider."""

    def __init__(self, keys: Keyring) -> None:
        self._key = keys.key("notification urls")

    def make(self, workspace: WorkspaceId, provider: ProviderId) -> str:
        """The same for ever: it stands in the provider's settings."""
        body = workspace.to_bytes(4) + provider.to_bytes(5)
        return urlsafe_b64encode(body + keyed_hash(self._key, body, size=_MAC)).decode("ascii")

    def read(self, token: str) -> tuple[WorkspaceId, ProviderId] | None:
        """Whose it is; None if we did not make it."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return None
        body = raw[:_BODY]
        if not same(keyed_hash(self._key, body, size=_MAC), raw[_BODY:]) or len(token) != 32:
            return None
        return WorkspaceId(int.from_bytes(body[:4])), ProviderId(int.from_bytes(body[4:]))


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a provider's notifications are verified with. `missing` says which setting they wait for; "" if none."""

    kind: str
    topic_arns: frozenset[str]
    verification_key: str
    signing_key: str

    @property
    def missing(self) -> str:
        """The setting without which they are refused."""
        match self.kind:
            case "ses":
                return "" if self.topic_arns else "config.topic_arns: the ARNs of the SNS topics that SES publishes to"
            case "sendgrid":
                return "" if self.verification_key else "config.verification_key: the key of the signed event webhook"
            case "mailgun":
                return "" if self.signing_key else "secret.signing_key: the HTTP webhook signing key"
            case _:
                return "a provider that sends notifications"


@dataclass(frozen=True, slots=True)
class Received:
    """A verified notification as it came; `nonce` may be used once, "" any number of times."""

    workspace: WorkspaceId
    provider: ProviderId
    kind: str
    received_at: datetime
    nonce: str
    payload: bytes


async def notification_receiver(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, keys: Keyring) -> Receiver:
    """How a provider's notifications are verified, as it is set up now. Raises ProviderNotFound.

    Of one that was deleted they are taken as before: who bounces, complains or leaves late must not be mailed either.
    """
    opened = await open_settings(tx, workspace=workspace, provider=provider, keys=keys, deleted=True)
    receiver = Receiver(
        opened.kind,
        frozenset(opened.config.get("topic_arns", ())),
        str(opened.config.get("verification_key", "")),
        opened.secret.get("signing_key", ""),
    )
    if opened.deleted and receiver.missing:
        raise ProviderNotFound(f"{public_id('provider', provider)} was deleted")
    return receiver


async def store_notifications(tx: Tx, *, received: Sequence[Received]) -> None:
    """Keep them until they are applied. Storing one twice is harmless."""
    await tx.execute(
        _STORE,
        [one.workspace for one in received],
        [one.provider for one in received],
        [one.kind for one in received],
        [one.received_at for one in received],
        [one.nonce for one in received],
        [one.payload for one in received],
    )


async def take_notifications(tx: Tx, *, ids: MessageIds, now: datetime) -> bool:
    """Apply the oldest notifications, of one workspace; False when there are none, or another process is at it.

    What cannot be applied is logged and kept raw: it must not stop what comes behind it.
    """
    if not await tx.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('tidings notifications'))"):
        return False
    rows = await tx.fetch(sql(__package__, "_take_notifications"), _ROWS, _BYTES)
    if not rows:
        return False
    workspace = WorkspaceId(rows[0]["workspace_id"])
    received = await _unused(tx, workspace, [_received(row) for row in rows], now)
    reports = [_reports(one, ids) for one in received]
    try:
        async with tx.transaction():
            every = [report for some in reports for report in some]
            await apply_feedback(tx, workspace=workspace, reports=every, now=now)
    except RETRYABLE:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the others must go on
        _log.exception("notifications of workspace %s cannot be applied together: one by one", workspace)
        await _one_by_one(tx, workspace, reports, now)
    return True


def _received(row: Any) -> Received:
    workspace, provider, kind, received_at, nonce, payload = row
    return Received(WorkspaceId(workspace), ProviderId(provider), kind, received_at, nonce, payload)


async def _unused(tx: Tx, workspace: WorkspaceId, received: list[Received], now: datetime) -> list[Received]:
    """Those without a nonce, and the first of each nonce that was not used before."""
    named = [(one.provider, one.nonce) for one in received if one.nonce]
    if not named:
        return received
    columns = ([provider for provider, _ in named], [nonce for _, nonce in named])
    free = {(row["provider_id"], row["nonce"]) for row in await tx.fetch(_USE_NONCES, workspace, *columns, now)}
    kept: list[Received] = []
    for one in received:
        key = (one.provider, one.nonce)
        if one.nonce and key not in free:
            continue
        free.discard(key)
        kept.append(one)
    return kept


async def _one_by_one(tx: Tx, workspace: WorkspaceId, reports: Sequence[Sequence[Feedback]], now: datetime) -> None:
    for some in reports:
        try:
            async with tx.transaction():
                await apply_feedback(tx, workspace=workspace, reports=some, now=now)
        except RETRYABLE:
            raise
        except Exception:  # noqa: BLE001 - what cannot be applied today is kept for a person to look at
            _log.exception("a notification of workspace %s cannot be applied; it is kept raw", workspace)
            await keep(tx, workspace=workspace, reports=[clean(report, now) for report in some], now=now)


def _reports(received: Received, ids: MessageIds) -> list[Feedback]:
    try:
        told = _READERS[received.kind](received.payload)
    except (Invalid, KeyError):
        raw = {"unreadable": received.payload[:100_000].decode("utf-8", "replace")}
        told = [Notification(Happening.UNKNOWN, "", "", "", "", None, raw)]
    return [_report(one, received, ids) for one in told]


def _report(told: Notification, received: Received, ids: MessageIds) -> Feedback:
    ref = ids.read(told.message_id) if told.message_id else None
    ours = ref is not None and ref.workspace == received.workspace
    return Feedback(
        happening=told.happening,
        at=told.at or received.received_at,
        address=told.recipient,
        send=ref.send if ref is not None and ours else None,
        n=ref.n if ref is not None and ours else None,
        message_id=told.message_id or told.provider_message_id,
        event_id=told.event_id or hashlib.sha256(received.payload).hexdigest(),
        bounce=told.bounce,
        status=told.status,
        reason=told.reason,
        source=received.kind,
        provider=received.provider,
        raw=told.raw,
    )
