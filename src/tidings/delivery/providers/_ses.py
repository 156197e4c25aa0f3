"""Amazon SES, API v2: sends the complete message as raw content, and reads its events.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html; names of errors with their HTTP codes, of fields and
their limits as in AWS's own model of the API (botocore, data/sesv2/2019-09-27/service-2.json).
"""

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self, cast
from urllib.parse import urlsplit

import aiohttp
import orjson

from tidings.core.errors import Invalid, Unavailable
from tidings.core.sigv4 import amz_date, authorization
from tidings.delivery.providers._http import Answer, HttpProvider, Locked, Request, message_id, unstuffed
from tidings.delivery.providers._http_config import check_common, gather, listed
from tidings.delivery.providers._interface import Outgoing
from tidings.delivery.providers._notifications import (
    Happening,
    Notification,
    items,
    json_of,
    moment,
    part,
    refusal_class,
    text_at,
)
from tidings.delivery.providers._outcomes import Fault, Outcome, Rejected, Throttled
from tidings.delivery.providers._refusals import FailureClass

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}\Z")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?\Z")
_TAG = "tidings_message_id"
_DAY_IS_USED_UP = 300.0
_LOCKED = {
    "AccessDeniedException",
    "AccountSuspendedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MailFromDomainNotVerifiedException",
    "MissingAuthenticationTokenException",
    "NotFoundException",
    "SendingPausedException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
"""About our account, key, configuration set or domain: the same for every message, so nothing more is tried for now. Those of
the operation itself come with 400, but for NotFoundException (404); the others are those of all AWS services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SesConfig:
    """An account of Amazon SES in one region. Raises Invalid, naming the field."""

    region: str
    configuration_set: str = ""
    """Names where events go; without it SES tells us nothing but bounces and complaints."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Message tags, at most 40."""
    endpoint: str = ""
    """Instead of the region's own URL."""
    connections: int = 20
    timeout_seconds: float = 120.0
    topic_arns: tuple[str, ...] = ()
    """The SNS topics that notifications are taken from; without one they are refused."""
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.region, str) or not _REGION.match(self.region):
            raise Invalid.at("region", "give an AWS region, such as eu-west-1")
        if not isinstance(self.configuration_set, str) or (
            self.configuration_set and not _WORD.match(self.configuration_set)
        ):
            raise Invalid.at("configuration_set", "at most 64 letters, digits, hyphens and underscores")
        for name, value in self.tags.items():
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", name) or name == _TAG:
                raise Invalid.at("tags", "names have letters, digits, hyphens and underscores")
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value):
                raise Invalid.at(f"tags.{name}", "values have letters, digits, hyphens and underscores")
        if len(self.tags) > 40:
            raise Invalid.at("tags", "give at most 40")
        if len(self.topic_arns) > 10 or not all(isinstance(one, str) and _TOPIC.match(one) for one in self.topic_arns):
            raise Invalid.at("topic_arns", "give up to ten ARNs, such as arn:aws:sns:eu-west-1:123456789012:tidings")
        check_common(self.connections, self.timeout_seconds, self.endpoint)

    @classmethod
    def parse(cls, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """From JSON; the secret has `access_key_id`, `secret_access_key`, and `session_token` if there is one."""
        secrets = ("access_key_id", "secret_access_key", "session_token")
        values = gather("Amazon SES", cls, config, secret, secrets=secrets)
        for name in ("region", *secrets[:2]):
            if name not in values:
                raise Invalid.at(name, "is needed")
        if not isinstance(values.get("tags", {}), dict):
            raise Invalid.at("tags", "give an object of names and values")
        listed(values, "topic_arns", "ARNs")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class SesAccount:
    """What the account may send, as SES itself says."""

    most_per_day: float
    """-1 is without limit."""
    most_per_second: float
    sent_last_day: float
    production: bool
    """False: in the sandbox, where only verified addresses are reached."""
    enabled: bool


class SesProvider(HttpProvider):
    """SES replaces Message-ID and Date by its own, so ours goes along as a message tag."""

    largest = 40_000_000  # https://docs.aws.amazon.com/ses/latest/dg/quotas.html: 40 MB over API v2

    def __init__(self, config: SesConfig) -> None:
        super().__init__(connections=config.connections, timeout_seconds=config.timeout_seconds)
        self._config = config
        suffix = "amazonaws.com.cn" if config.region.startswith("cn-") else "amazonaws.com"
        self._base = (config.endpoint or f"https://email.{config.region}.{suffix}").rstrip("/")
        self._host = urlsplit(self._base).netloc
        self._tags = [{"Name": name, "Value": value} for name, value in config.tags.items()]

    async def account(self) -> SesAccount:
        """Quota and rate (GetAccount). Raises Unavailable. Works once the provider has been started."""
        assert self._session is not None
        headers = self._signed("GET", "/v2/email/account", b"", {})
        try:
            async with self._session.get(f"{self._base}/v2/email/account", headers=headers) as response:
                body, status = await response.read(), response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Unavailable("Amazon SES did not answer") from None
        try:
            told = part(orjson.loads(body))
        except orjson.JSONDecodeError:
            told = {}
        quota = part(told, "SendQuota")
        numbers = [quota.get(name) for name in ("Max24HourSend", "MaxSendRate", "SentLast24Hours")]
        if status != 200 or not all(isinstance(number, int | float) for number in numbers):
            raise Unavailable(f"Amazon SES did not tell its quota: HTTP {status} {_error(Answer(status, {}, body))}")
        most, rate, sent = (float(cast("float", number)) for number in numbers)
        enabled, production = told.get("SendingEnabled") is True, told.get("ProductionAccessEnabled") is True
        return SesAccount(most, rate, sent, production, enabled)

    def _request(self, job: Outgoing) -> Request:
        tags = self._tags
        if (ours := message_id(job.message)) and len(
            tag := urlsafe_b64encode(ours.encode()).decode().rstrip("=")
        ) <= 256:
            tags = [*tags, {"Name": _TAG, "Value": tag}]
        asked: dict[str, Any] = {"Destination": {"ToAddresses": [job.recipient.decode()]}}
        if tags:
            asked["EmailTags"] = tags
        if self._config.configuration_set:
            asked["ConfigurationSetName"] = self._config.configuration_set
        # There is nothing to escape in base64: it is not made text only to be read through once more.
        data = b64encode(unstuffed(job.message))
        body = b'{"Content":{"Raw":{"Data":"%b"}},%b' % (data, orjson.dumps(asked)[1:])
        path = "/v2/email/outbound-emails"
        return Request(self._base + path, self._signed("POST", path, body, {"content-type": "application/json"}), body)

    def _signed(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        now = datetime.now(UTC).replace(microsecond=0)
        headers = {**headers, "host": self._host, "x-amz-date": amz_date(now)}
        if self._config.session_token:
            headers["x-amz-security-token"] = self._config.session_token
        headers["authorization"] = authorization(
            method=method,
            path=path,
            query="",
            headers=headers,
            payload_hash=sha256(body).hexdigest(),
            key_id=self._config.access_key_id,
            secret=self._config.secret_access_key,
            region=self._config.region,
            service="ses",
            now=now,
        )
        return headers

    def _answer(self, answer: Answer) -> Outcome | Locked:
        kind = _error(answer)
        reply = " ".join(f"HTTP {answer.status} {kind} {answer.words}".split())
        if kind in {"TooManyRequestsException", "ThrottlingException", "Throttling"}:
            return Throttled(reply, answer.status, "")
        if kind == "LimitExceededException":
            return Throttled(reply, answer.status, "", _DAY_IS_USED_UP)
        # A configuration set that was deleted is a "bad request" (SES Developer Guide, "Assigning default configuration sets").
        no_set = kind == "BadRequestException" and "configuration set" in answer.text.lower()
        if kind in _LOCKED or no_set or answer.status in {401, 403, 404}:
            return Locked(reply, answer.status)
        if kind == "MessageRejected" and "not verified" in answer.text:
            return Rejected(reply, answer.status, "", Fault.SENDER)
        return Rejected(reply, answer.status, "", Fault.MESSAGE)

    def _wait(self, answer: Answer) -> float | None:
        # "Daily message quota exceeded", beside "Maximum sending rate exceeded" (SES Developer Guide, "Errors related to the
        # sending quotas"): the next minute will not help.
        return _DAY_IS_USED_UP if "daily" in answer.text.lower() else super()._wait(answer)

    def _reply(self, answer: Answer) -> str:
        try:
            return text_at(part(orjson.loads(answer.body)), "MessageId") or "accepted without an id"
        except orjson.JSONDecodeError:
            return "accepted; its id could not be read"


class _Nothing:
    """A source without messages."""

    def next(self) -> None:
        return None

    def transmitting(self, job: Outgoing) -> bool:
        raise AssertionError(job)

    def settle(self, job: Outgoing, outcome: Outcome) -> None: ...

    def give_back(self, job: Outgoing) -> None: ...


async def read_ses_account(config: Mapping[str, Any], secret: Mapping[str, Any]) -> SesAccount:
    """What the account with these settings may send. Raises Invalid, Unavailable."""
    provider = SesProvider(SesConfig.parse(config, secret))
    provider.start(_Nothing())
    try:
        return await provider.account()
    finally:
        await provider.close(grace_seconds=0)


def _error(answer: Answer) -> str:
    name = answer.headers.get("x-amzn-errortype", "")
    if not name:
        try:
            told = part(orjson.loads(answer.body))
        except orjson.JSONDecodeError:
            return ""
        name = text_at(told, "__type") or text_at(told, "code")
    return name.partition(":")[0].rpartition("#")[2]


_HAPPENINGS = {
    "Delivery": (Happening.DELIVERED, "delivery"),
    "DeliveryDelay": (Happening.DEFERRED, "deliveryDelay"),
    "Bounce": (Happening.BOUNCED, "bounce"),
    "Complaint": (Happening.COMPLAINED, "complaint"),
    "Reject": (Happening.REJECTED, "reject"),
    "Rendering Failure": (Happening.REJECTED, "failure"),
    "Subscription": (Happening.UNSUBSCRIBED, "subscription"),
    "Open": (Happening.OPENED, "open"),
    "Click": (Happening.CLICKED, "click"),
}


def read_ses(body: bytes) -> list[Notification]:
    """The events in an SNS message's `Message`, one a recipient: event publishing and feedback notifications alike.

    Raises Invalid if it is no JSON object. The signature is SNS's: `verify_sns` first.
    """
    event = json_of(body)
    if not isinstance(event, dict):
        raise Invalid("the notification is not a JSON object")
    event = cast("dict[str, Any]", event)
    mail = part(event, "mail")
    happening, key = _HAPPENINGS.get(
        text_at(event, "eventType") or text_at(event, "notificationType"), (Happening.UNKNOWN, "send")
    )
    detail = part(event, key)
    happening = _closer(happening, detail)
    provider_id = text_at(mail, "messageId")
    return [
        Notification(
            happening,
            recipient,
            _ours(mail),
            provider_id,
            # SNS repeats with the same content, so the parts that identify an event stay the same.
            ":".join(
                (
                    provider_id,
                    text_at(event, "eventType") or text_at(event, "notificationType"),
                    text_at(detail, "feedbackId") or text_at(detail, "timestamp"),
                    recipient,
                )
            ),
            moment(detail.get("timestamp") or mail.get("timestamp")),
            event,
            _bounce(detail, told) if happening is Happening.BOUNCED else None,
            text_at(told, "status"),
            text_at(told, "diagnosticCode")
            or text_at(detail, "reason")
            or text_at(detail, "errorMessage")
            or text_at(detail, "smtpResponse")
            or text_at(detail, "complaintFeedbackType"),
            text_at(detail, "link"),
        )
        for recipient, told in _recipients(mail, detail)
    ]


_NO_COMPLAINT = {"not-spam", "auth-failure", "virus"}
"""Feedback types (RFC 5965 §7.3, RFC 6591, RFC 6430) that are no wish of the recipient to be left alone."""
_ON_A_LIST = {"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"}


def _closer(happening: Happening, detail: dict[str, Any]) -> Happening:
    """What an event really says, beyond its name."""
    match happening:
        case Happening.BOUNCED if text_at(detail, "bounceSubType") in _ON_A_LIST:
            return Happening.REJECTED  # on a list of SES, not attempted
        case Happening.BOUNCED if (text_at(detail, "bounceType"), text_at(detail, "bounceSubType")) == (
            "Transient",
            "General",
        ) and not any(text_at(part(one), "status") for one in items(detail.get("bouncedRecipients"))):
            return Happening.UNKNOWN  # with no report of a server: somebody's holiday notice
        case Happening.COMPLAINED if text_at(detail, "complaintSubType") in _ON_A_LIST:
            return Happening.REJECTED
        case Happening.COMPLAINED if text_at(detail, "complaintFeedbackType") in _NO_COMPLAINT:
            return Happening.UNKNOWN
        case Happening.UNSUBSCRIBED:
            return happening if _opts_out(part(detail, "newTopicPreferences")) else Happening.UNKNOWN
        case _:
            return happening


def _opts_out(preferences: dict[str, Any]) -> bool:
    topics = [part(one) for one in items(preferences.get("topicSubscriptionStatus"))]
    return preferences.get("unsubscribeAll") is True or any(
        text_at(one, "subscriptionStatus") == "OptOut" for one in topics
    )


_TRANSIENT = {
    "MailboxFull": FailureClass.MAILBOX_FULL,
    "MessageTooLarge": FailureClass.POLICY,
    "ContentRejected": FailureClass.POLICY,
    "AttachmentRejected": FailureClass.POLICY,
}


def _bounce(detail: dict[str, Any], recipient: dict[str, Any]) -> FailureClass:
    """SES calls most refusals for good `Permanent`, those because of us among them: the server's own words come first."""
    kind, sub = text_at(detail, "bounceType"), text_at(detail, "bounceSubType")
    if kind == "Permanent":
        said = refusal_class(text_at(recipient, "status"), text_at(recipient, "diagnosticCode"))
        return said if said in {FailureClass.BLOCK, FailureClass.POLICY} else FailureClass.HARD
    if kind == "Transient":
        return _TRANSIENT.get(sub, FailureClass.SOFT)
    return FailureClass.UNKNOWN


def _recipients(mail: dict[str, Any], detail: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if found := items(detail.get(name)):
            ones = [part(one) for one in found]
            return [(text_at(one, "emailAddress"), one) for one in ones]
    told = items(detail.get("recipients")) or items(mail.get("destination"))
    names = [one for one in told if isinstance(one, str)]
    return [(name, {}) for name in names or [""]]


def _ours(mail: dict[str, Any]) -> str:
    """Our Message-ID: from the tag, else from the original header."""
    for tag in items(part(mail, "tags").get(_TAG)):
        try:
            return urlsafe_b64decode(str(tag) + "=" * (-len(str(tag)) % 4)).decode()
        except ValueError:
            pass
    for header in items(mail.get("headers")):
        if text_at(part(header), "name").lower() == "message-id":
            return text_at(part(header), "value").strip("<>")
    return ""
