"""`POST /n/{token}`: what providers tell us. Verified, stored, and only then acknowledged."""

import asyncio
import logging
import time
from collections import OrderedDict
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from tidings import delivery
from tidings.core.clock import utc_now
from tidings.core.errors import Forbidden, Invalid, NotFound, TidingsError, Unavailable
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery import Received, Receiver
from tidings.delivery.providers import BadSignature, NotSetUp, parse_sns, verify_mailgun, verify_sendgrid, verify_sns
from tidings.edge._answers import JSON, Headers, not_allowed, read_body
from tidings.edge._certificates import SnsClient
from tidings.edge._group_commit import AWAY
from tidings.edge._inbox import Inbox
from tidings.edge._site import Site, remember

_log = logging.getLogger(__name__)

_LARGEST = 16 << 20
_KNOWN_SECONDS = 5.0
_STATUSES = ((Unavailable, 503), (Forbidden, 403), (NotFound, 404))
_LATER: Headers = [("retry-after", "60"), *JSON]


class Notifications:
    """The endpoint of all providers."""

    def __init__(self, site: Site, inbox: Inbox, sns: SnsClient) -> None:
        self._site = site
        self._inbox = inbox
        self._sns = sns
        self._tokens = delivery.NotificationTokens(site.app.keys)
        self._receivers: OrderedDict[tuple[int, int], tuple[float, Receiver]] = OrderedDict()
        self._looking: dict[tuple[int, int], asyncio.Task[Receiver]] = {}

    async def answer(self, scope: Any, proto: Any, token: str, method: str) -> None:
        """One request."""
        if method != "POST":
            not_allowed(proto, "POST")
            return
        whose = self._tokens.read(token)
        if whose is None:
            _refuse(proto, 404, "not_found", "this address is none of ours")
            return
        try:
            receiver = await self._receiver(*whose)
            if receiver.missing:
                # Later, not never: providers try again for hours, so nothing is lost while somebody sets it up.
                raise NotSetUp(f"these notifications cannot be verified yet: the provider needs {receiver.missing}")
            body = await read_body(scope, proto, limit=_LARGEST)
            if body is None:
                _refuse(proto, 413, "too_large", f"a notification has at most {_LARGEST >> 20} MiB")
                return
            now = utc_now()
            payload, nonce = await self._verified(receiver, scope.headers, body, now)
            await self._inbox.keep(Received(*whose, receiver.kind, now, nonce, payload))
        except TidingsError as error:
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 400)
            _log.warning("a notification for provider %s of workspace %s was refused: %s", whose[1], whose[0], error)
            _refuse(proto, status, error.code, str(error))
        else:
            proto.response_bytes(200, JSON, b"{}")

    async def _verified(self, receiver: Receiver, headers: Any, body: bytes, now: datetime) -> tuple[bytes, str]:
        """What is to be kept, and what may be used once. Raises BadSignature, Invalid, Unavailable."""
        match receiver.kind:
            case "sendgrid":
                verify_sendgrid(
                    body,
                    signature=headers.get("x-twilio-email-event-webhook-signature") or "",
                    timestamp=headers.get("x-twilio-email-event-webhook-timestamp") or "",
                    public_key=receiver.verification_key,
                    now=now,
                )
                return body, ""
            case "mailgun":
                return body, verify_mailgun(body, signing_key=receiver.signing_key, now=now)
            case "ses":
                return await self._from_sns(receiver, body, now), ""
            case _:
                raise Invalid("this provider sends no notifications")

    async def _from_sns(self, receiver: Receiver, body: bytes, now: datetime) -> bytes:
        message = parse_sns(body)
        if message.topic not in receiver.topic_arns:
            raise BadSignature(f"the topic {message.topic[:300]} is not among the provider's topic_arns")
        verify_sns(message, await self._sns.certificate(message.certificate_url), now=now)
        if message.type == "Notification":
            return message.message.encode("utf-8", "replace")
        if message.type == "SubscriptionConfirmation":
            await self._sns.confirm(message.subscribe_url)
            _log.info("the subscription to %s is confirmed", message.topic)
        return body

    async def _receiver(self, workspace: WorkspaceId, provider: ProviderId) -> Receiver:
        """As it was set up some seconds ago; while the database is away, as it was set up last."""
        key = (workspace, provider)
        at, known = self._receivers.get(key, (float("-inf"), None))
        if known is not None and time.monotonic() - at < _KNOWN_SECONDS:
            return known
        # One look for all who ask meanwhile: thousands a second would otherwise queue up for it at the same moment.
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.ensure_future(self._look_up(workspace, provider, known))
            looking.add_done_callback(lambda done: self._looked(key, done))
        return await asyncio.shield(looking)

    async def _look_up(self, workspace: WorkspaceId, provider: ProviderId, known: Receiver | None) -> Receiver:
        find = partial(delivery.notification_receiver, workspace=workspace, provider=provider, keys=self._site.app.keys)
        try:
            return await self._site.lookup(find)
        except AWAY:
            if known is None:
                raise
            return known

    def _looked(self, key: tuple[int, int], done: "asyncio.Task[Receiver]") -> None:
        del self._looking[key]
        if done.cancelled():
            return
        if done.exception() is None:
            remember(self._receivers, key, (time.monotonic(), done.result()))
        elif isinstance(done.exception(), TidingsError):
            self._receivers.pop(key, None)  # it is gone: what we knew must not come back with the next outage


def _refuse(proto: Any, status: int, code: str, detail: str) -> None:
    body = orjson.dumps({"code": code, "detail": detail})
    proto.response_bytes(status, _LATER if status == 503 else JSON, body)
