"""SendGrid, API v3: takes a message to pieces for `/mail/send`, which accepts no raw MIME, and reads its event webhook.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from functools import lru_cache
from typing import Any, Self, cast

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tidings.core.errors import Invalid
from tidings.delivery.providers._http import Answer, HttpProvider, Locked, Request, message_id, unstuffed
from tidings.delivery.providers._http_config import check_common, gather, listed
from tidings.delivery.providers._interface import Outgoing
from tidings.delivery.providers._notifications import (
    BadSignature,
    Happening,
    Notification,
    check_fresh,
    json_of,
    moment,
    part,
    refusal_class,
    text_at,
)
from tidings.delivery.providers._outcomes import Fault, Outcome, Rejected
from tidings.delivery.providers._refusals import FailureClass

_BASES = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
_ARGUMENT = "tidings_message_id"
_THEIRS = {
    "from", "to", "cc", "bcc", "subject", "reply-to", "content-type", "content-transfer-encoding", "mime-version", "date",
    "dkim-signature", "received", "x-sg-id", "x-sg-eid",
}  # fmt: skip
"""Told in other ways, or written by SendGrid, which refuses them among `headers`: its own list of reserved ones (x-sg-id, x-sg-eid,
received, dkim-signature, Content-Type, Content-Transfer-Encoding, To, From, Subject, Reply-To, CC, BCC; 400 for any of them) and
what it writes itself."""
_REPLAY_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendgridConfig:
    """An account of SendGrid. Raises Invalid, naming the field."""

    region: str = "global"
    """global or eu (a subuser pinned to the EU)."""
    categories: tuple[str, ...] = ()
    ip_pool: str = ""
    sandbox_mode: bool = False
    """Checked and accepted, not delivered."""
    endpoint: str = ""
    """Instead of the region's own URL."""
    connections: int = 20
    timeout_seconds: float = 120.0
    verification_key: str = ""
    """What SendGrid shows where the signed event webhook is switched on: its public key, base64."""
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.region, str) or self.region not in _BASES:
            raise Invalid.at("region", f"must be one of: {', '.join(_BASES)}")
        if len(self.categories) > 10 or not all(
            isinstance(one, str) and 0 < len(one) <= 255 for one in self.categories
        ):
            raise Invalid.at("categories", "give up to ten texts of at most 255 characters")
        if not isinstance(self.ip_pool, str) or (self.ip_pool and not 2 <= len(self.ip_pool) <= 64):
            raise Invalid.at("ip_pool", "give a name of 2 to 64 characters")
        if not isinstance(self.sandbox_mode, bool):
            raise Invalid.at("sandbox_mode", "must be true or false")
        if not isinstance(self.verification_key, str) or (
            self.verification_key and not _public_key(self.verification_key)
        ):
            raise Invalid.at("verification_key", "give the verification key as SendGrid shows it: MFkwEwYHKoZI…")
        check_common(self.connections, self.timeout_seconds, self.endpoint)

    @classmethod
    def parse(cls, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """From JSON; the secret is `api_key`."""
        values = gather("SendGrid", cls, config, secret, secrets=("api_key",))
        if "api_key" not in values:
            raise Invalid.at("api_key", "give an API key that may send mail")
        listed(values, "categories", "texts")
        return cls(**values)


class SendgridProvider(HttpProvider):
    """SendGrid writes the MIME structure, the Date and the return path anew, and signs with the domain it knows."""

    largest = 30_000_000  # https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations: less than 30 MB

    def __init__(self, config: SendgridConfig) -> None:
        super().__init__(connections=config.connections, timeout_seconds=config.timeout_seconds)
        self._url = (config.endpoint or _BASES[config.region]).rstrip("/") + "/v3/mail/send"
        self._headers = {"Authorization": f"Bearer {config.api_key}", "Content-Type": "application/json"}
        # Opens, links and unsubscribing are our own business: theirs would rewrite signed links and add a footer.
        off = {"enable": False}
        self._common: dict[str, Any] = {
            "tracking_settings": {"click_tracking": off, "open_tracking": off, "subscription_tracking": off}
        }
        if config.categories:
            self._common["categories"] = list(config.categories)
        if config.ip_pool:
            self._common["ip_pool_name"] = config.ip_pool
        if config.sandbox_mode:
            self._common["mail_settings"] = {"sandbox_mode": {"enable": True}}

    def _request(self, job: Outgoing) -> Request | Rejected:
        try:
            asked = as_json(unstuffed(job.message), job.recipient.decode())
        except (ValueError, LookupError, IndexError, AttributeError) as error:
            return Rejected(f"cannot be told in SendGrid's JSON: {error}"[:300], 554, "5.6.0", Fault.MESSAGE)
        return Request(self._url, self._headers, orjson.dumps({**asked, **self._common}))

    def _answer(self, answer: Answer) -> Outcome | Locked:
        reply = f"HTTP {answer.status} {answer.words}".strip()
        # 401 is also "Maximum credits exceeded", 403 "too many bad requests", 451 a region that the account may not use: all of
        # them of the account. https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors
        if answer.status in {401, 402, 403, 404, 405, 406, 415, 451}:
            return Locked(reply, answer.status)
        return Rejected(reply, answer.status, "", Fault.MESSAGE)

    def _reply(self, answer: Answer) -> str:
        return answer.headers.get("x-message-id", "") or "accepted without an id"


def as_json(message: bytes, recipient: str) -> dict[str, Any]:
    """A complete message as the body of `/mail/send`. Raises ValueError for what that cannot say."""
    parsed = message_from_bytes(message, policy=policy.default)
    if parsed["From"] is None or not parsed["From"].addresses:
        raise ValueError("no From")
    named = parsed["To"].addresses[0].display_name if parsed["To"] is not None and parsed["To"].addresses else ""
    content, attachments = _pieces(parsed)
    if not content:
        raise ValueError("no text")
    ours = message_id(message)
    told: dict[str, Any] = {
        "personalizations": [
            {
                "to": [_address(recipient, named)],
                **({"custom_args": {_ARGUMENT: ours}} if ours else {}),
            }
        ],
        "from": _of(parsed["From"].addresses[0]),
        "subject": str(parsed["Subject"] or ""),
        "content": content,
    }
    if parsed["Reply-To"] is not None and parsed["Reply-To"].addresses:
        told["reply_to_list"] = [_of(one) for one in parsed["Reply-To"].addresses]
    headers: dict[str, str] = {}
    for name, value in parsed.items():
        if name.lower() in _THEIRS:
            continue
        if name in headers:
            raise ValueError(f"{name} stands there twice")
        headers[name] = " ".join(str(value).split())
    if headers:
        told["headers"] = headers
    if attachments:
        told["attachments"] = attachments
    return told


def _pieces(parsed: EmailMessage) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    content: list[dict[str, str]] = []
    attachments: list[dict[str, str]] = []
    for piece in parsed.walk():
        if piece.is_multipart():
            continue
        kind = piece.get_content_type()
        if kind in {"text/plain", "text/html"} and piece.get_content_disposition() != "attachment":
            if any(one["type"] == kind for one in content):
                raise ValueError(f"more than one {kind} part")
            content.append({"type": kind, "value": piece.get_content()})
            continue
        one = {
            "content": b64encode(cast("bytes", piece.get_payload(decode=True)) or b"").decode(),
            "type": kind,
            "filename": piece.get_filename() or "attachment",
            "disposition": piece.get_content_disposition() or "attachment",
        }
        if piece["Content-ID"]:
            one["content_id"] = str(piece["Content-ID"]).strip().strip("<>")
        attachments.append(one)
    # They demand plain text first.
    return sorted(content, key=lambda one: one["type"] != "text/plain"), attachments


def _of(address: Address) -> dict[str, str]:
    return _address(address.addr_spec, address.display_name)


def _address(email: str, name: str) -> dict[str, str]:
    return {"email": email, "name": name} if name else {"email": email}


def verify_sendgrid(body: bytes, *, signature: str, timestamp: str, public_key: str, now: datetime) -> None:
    """Raise BadSignature unless SendGrid signed this POST of its webhook, within ten minutes.

    `signature` and `timestamp` are the headers X-Twilio-Email-Event-Webhook-Signature and -Timestamp, `public_key` the
    verification key that SendGrid shows.
    """
    key = _public_key(public_key)
    try:
        if key is None:
            raise BadSignature("the verification key in the settings is none")
        key.verify(b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise BadSignature("the notification's signature is wrong") from None
    check_fresh(timestamp, now=now, within_seconds=_REPLAY_SECONDS)


def read_sendgrid(body: bytes) -> list[Notification]:
    """The events of a webhook's POST, which `verify_sendgrid` has let pass. Raises Invalid."""
    events = json_of(body)
    if not isinstance(events, list):
        raise Invalid("the notification is not a list")
    return [_event(part(event)) for event in cast("list[object]", events)]


@lru_cache(maxsize=64)
def _public_key(text: str) -> EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


_HAPPENINGS = {
    "delivered": Happening.DELIVERED,
    "deferred": Happening.DEFERRED,
    "bounce": Happening.BOUNCED,
    "dropped": Happening.REJECTED,
    "spamreport": Happening.COMPLAINED,
    "unsubscribe": Happening.UNSUBSCRIBED,
    "group_unsubscribe": Happening.UNSUBSCRIBED,
    "open": Happening.OPENED,
    "click": Happening.CLICKED,
}


def _event(event: dict[str, Any]) -> Notification:
    happening = _HAPPENINGS.get(text_at(event, "event"), Happening.UNKNOWN)
    bounce = _bounce(event) if happening is Happening.BOUNCED else None
    return Notification(
        happening,
        text_at(event, "email"),
        (text_at(event, _ARGUMENT) or text_at(event, "smtp-id")).strip("<>"),
        text_at(event, "sg_message_id"),
        text_at(event, "sg_event_id"),
        moment(event.get("timestamp")),
        event,
        bounce,
        text_at(event, "status"),
        text_at(event, "reason") or text_at(event, "response"),
        text_at(event, "url"),
    )


_CLASSIFIED = {
    "invalid address": FailureClass.HARD,
    "mailbox unavailable": FailureClass.MAILBOX_FULL,
    "technical failure": FailureClass.SOFT,
    "technical": FailureClass.SOFT,
    "frequency or volume too high": FailureClass.BLOCK,
    "reputation": FailureClass.BLOCK,
    "content": FailureClass.POLICY,
}
"""SendGrid's own reading of the reason, in lower case; "Unclassified" says nothing. The names are those of `Classification` in its
bounces API; what they mean: https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications"""
_OURS = {FailureClass.BLOCK, FailureClass.POLICY}


def _bounce(event: dict[str, Any]) -> FailureClass:
    """`blocked` is SendGrid's word for whatever is not the address's fault, a missing MX among it: it never suppresses."""
    said = refusal_class(text_at(event, "status"), text_at(event, "reason"))
    classified = _CLASSIFIED.get(text_at(event, "bounce_classification").lower())
    if text_at(event, "type") == "blocked":
        return next(
            (one for one in (classified, said) if one is not None and one is not FailureClass.HARD), FailureClass.BLOCK
        )
    if said in _OURS or said is FailureClass.HARD:
        return said
    return classified or said
