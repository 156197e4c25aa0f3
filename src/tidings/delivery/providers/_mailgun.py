"""Mailgun: sends the complete message through `messages.mime`, and reads its webhooks.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages/post-v3--domain-name--messages-mime
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any, Self

import orjson

from tidings.core.errors import Invalid
from tidings.delivery.providers._http import Answer, HttpProvider, Locked, Request, message_id, retry_after, unstuffed
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
from tidings.delivery.providers._outcomes import Fault, Outcome, Rejected, Throttled
from tidings.delivery.providers._refusals import FailureClass

_BASES = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62})?)+\Z")
_VARIABLE = "tidings_message_id"
_AFTER = re.compile(r"try again after (\w{3}, \d{1,2} \w{3} \d{4} [\d:]{8} (?:UTC|GMT))")
_REPLAY_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MailgunConfig:
    """A sending domain of Mailgun. Raises Invalid, naming the field."""

    domain: str
    region: str = "us"
    """Where the domain lives: us or eu."""
    tags: tuple[str, ...] = ()
    """`o:tag`, up to ten."""
    test_mode: bool = False
    """`o:testmode`: accepted and billed, not delivered."""
    require_tls: bool = False
    """`o:require-tls`: not delivered to a server without TLS."""
    endpoint: str = ""
    """Instead of the region's own URL."""
    connections: int = 20
    timeout_seconds: float = 120.0
    api_key: str = field(repr=False)
    signing_key: str = field(default="", repr=False)
    """The HTTP webhook signing key, with which notifications are verified."""

    def __post_init__(self) -> None:
        if not isinstance(self.domain, str) or not _DOMAIN.match(self.domain):
            raise Invalid.at("domain", "give the sending domain, such as mg.example.com")
        if not isinstance(self.region, str) or self.region not in _BASES:
            raise Invalid.at("region", f"must be one of: {', '.join(_BASES)}")
        for name in ("test_mode", "require_tls"):
            if not isinstance(getattr(self, name), bool):
                raise Invalid.at(name, "must be true or false")
        if len(self.tags) > 10 or not all(
            isinstance(tag, str) and 0 < len(tag) <= 128 and tag.isascii() and tag.isprintable() for tag in self.tags
        ):
            raise Invalid.at("tags", "give up to ten texts of at most 128 printable ASCII characters")
        check_common(self.connections, self.timeout_seconds, self.endpoint)

    @classmethod
    def parse(cls, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """From JSON; the secret has `api_key`, and `signing_key` if notifications are to be received."""
        values = gather("Mailgun", cls, config, secret, secrets=("api_key", "signing_key"))
        for name, advice in (("domain", "give the sending domain"), ("api_key", "give a sending key of the domain")):
            if name not in values:
                raise Invalid.at(name, advice)
        listed(values, "tags", "texts")
        return cls(**values)


class MailgunProvider(HttpProvider):
    """Mailgun keeps our Message-ID, so an event finds its delivery by it, and by the variable that goes along."""

    largest = 25_000_000  # https://documentation.mailgun.com: 25 MB

    def __init__(self, config: MailgunConfig) -> None:
        super().__init__(connections=config.connections, timeout_seconds=config.timeout_seconds)
        base = (config.endpoint or _BASES[config.region]).rstrip("/")
        self._url = f"{base}/v3/{config.domain}/messages.mime"
        self._authorization = "Basic " + b64encode(f"api:{config.api_key}".encode()).decode()
        # Opens and links are our own business: their rewriting would break signed links.
        options = [("o:tracking", "no"), *(("o:tag", tag) for tag in config.tags)]
        options += [("o:testmode", "yes")] if config.test_mode else []
        options += [("o:require-tls", "yes")] if config.require_tls else []
        self._options = options

    def _request(self, job: Outgoing) -> Request:
        boundary = token_hex(24)
        fields = [("to", job.recipient.decode()), *self._options]
        if ours := message_id(job.message):
            fields.append((f"v:{_VARIABLE}", ours))
        start = f"--{boundary}\r\nContent-Disposition: form-data; name="
        head = "".join(f'{start}"{name}"\r\n\r\n{value}\r\n' for name, value in fields)
        head += f'{start}"message"; filename="message.mime"\r\nContent-Type: message/rfc822\r\n\r\n'
        body = b"".join((head.encode(), unstuffed(job.message), f"\r\n--{boundary}--\r\n".encode()))
        headers = {"Authorization": self._authorization, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        return Request(self._url, headers, body)

    def _answer(self, answer: Answer) -> Outcome | Locked:
        reply = f"HTTP {answer.status} {answer.words}".strip()
        match answer.status:
            # https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
            case 401 | 403 | 404:  # 404: no such domain in this account and region
                return Locked(reply, answer.status)
            case 402:
                return Throttled(reply, 402, "", 300.0)  # the plan's limit is used up
            # The domain's own limit comes as 420 and says until when, other reasons of the domain as 400, too:
            # https://github.com/mailgun/mailgun-java/issues/50
            case 420:
                return Throttled(reply, 420, "", self._wait(answer))
            case 400 if "is not allowed to send" in answer.text:
                moment = self._wait(answer)
                return Locked(reply, 400) if moment is None else Throttled(reply, 400, "", moment)
            case 400 if "'to' parameter" in answer.text:
                # Their parser dislikes the address. That is no word about the mailbox, so nobody is suppressed.
                return Rejected(reply, 400, "5.1.3", Fault.MESSAGE)
            case _:
                return Rejected(reply, answer.status, "", Fault.MESSAGE)

    def _wait(self, answer: Answer) -> float | None:
        found = super()._wait(answer)
        if found is None and (told := _AFTER.search(answer.text)):
            return retry_after({"retry-after": told[1]})
        return found

    def _reply(self, answer: Answer) -> str:
        try:
            told = part(orjson.loads(answer.body))
        except orjson.JSONDecodeError:
            return "accepted; its id could not be read"
        return f"{text_at(told, 'id').strip('<>')} {text_at(told, 'message')}".strip()


def verify_mailgun(body: bytes, *, signing_key: str, now: datetime) -> str:
    """The token of a webhook's POST that Mailgun signed within five minutes. Raises Invalid, BadSignature.

    The signature covers nothing but time and token, so a token must not be honoured twice: that is for the caller to see to.
    """
    signature = part(json_of(body), "signature")
    stamp, token = text_at(signature, "timestamp"), text_at(signature, "token")
    expected = hmac.digest(signing_key.encode(), (stamp + token).encode(), "sha256").hex()
    if not token or not hmac.compare_digest(expected.encode(), text_at(signature, "signature").encode()):
        raise BadSignature("the notification's signature is wrong")
    check_fresh(stamp, now=now, within_seconds=_REPLAY_SECONDS)
    return token[:200]


def read_mailgun(body: bytes) -> list[Notification]:
    """The event of a webhook's POST, which `verify_mailgun` has let pass. Raises Invalid."""
    return [_event(part(json_of(body), "event-data"))]


_HAPPENINGS = {
    "delivered": Happening.DELIVERED,
    "rejected": Happening.REJECTED,
    "complained": Happening.COMPLAINED,
    "unsubscribed": Happening.UNSUBSCRIBED,
    "opened": Happening.OPENED,
    "clicked": Happening.CLICKED,
}


def _event(event: dict[str, Any]) -> Notification:
    status = part(event, "delivery-status")
    happening = _HAPPENINGS.get(text_at(event, "event"), Happening.UNKNOWN)
    bounce = None
    if text_at(event, "event") == "failed":
        happening, bounce = _failure(event, status)
    headers = part(event, "message", "headers")
    return Notification(
        happening,
        text_at(event, "recipient") or text_at(headers, "to"),
        (text_at(part(event, "user-variables"), _VARIABLE) or text_at(headers, "message-id")).strip("<>"),
        text_at(headers, "message-id").strip("<>"),
        # An id is unique within a day only.
        f"{text_at(event, 'id')}:{text_at(event, 'timestamp')}",
        moment(event.get("timestamp")),
        event,
        bounce,
        text_at(status, "enhanced-code"),
        text_at(status, "message")
        or text_at(status, "description")
        or text_at(event, "reason")
        or text_at(part(event, "reject"), "reason"),
        text_at(event, "url"),
    )


def _failure(event: dict[str, Any], status: dict[str, Any]) -> tuple[Happening, FailureClass | None]:
    if text_at(event, "severity") != "permanent":
        return Happening.DEFERRED, None
    reason, code = text_at(event, "reason"), text_at(status, "code")
    if reason.startswith("suppress-") or code in _SUPPRESSED:
        return Happening.REJECTED, None
    # "bounce" is their word for a permanent refusal of whatever reason, so the server's own words decide.
    words = text_at(status, "message") or text_at(status, "description")
    said = refusal_class(text_at(status, "enhanced-code"), f"{code} {words}")
    if reason in _OTHERWISE and said not in _TOLD_EXACTLY:
        said = _OTHERWISE[reason]
    return Happening.BOUNCED, said


_SUPPRESSED = {"605", "606", "607"}
"""Codes of their own for what is not attempted: bounced, unsubscribed or complained before (as django-anymail reads them too)."""
_OTHERWISE = {"old": FailureClass.SOFT, "espblock": FailureClass.BLOCK, "blacklisted": FailureClass.BLOCK}
"""Reasons of theirs that say more than the answer of a server which only put us off: given up after hours, or blocked."""
_TOLD_EXACTLY = {FailureClass.BLOCK, FailureClass.POLICY, FailureClass.MAILBOX_FULL}
