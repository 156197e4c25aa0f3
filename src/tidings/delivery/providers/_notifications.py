"""What providers tell us after the acceptance: one closed vocabulary, whatever their own words. Pure, no database."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import orjson

from tidings.core.errors import Forbidden, Invalid, Unavailable
from tidings.delivery.providers._refusals import FailureClass, Stage, match, status_in

_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")


class Happening(StrEnum):
    """What a provider reports about one message to one recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    """The provider itself did not send it (a virus, its own suppression list, an invalid message)."""
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    UNKNOWN = "unknown"
    """A kind that we do not know, or do not need; kept as it came."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One event. `event_id` is the provider's own, equal in a repeated notification; "" if it gives none."""

    happening: Happening
    recipient: str
    message_id: str
    """Our Message-ID, without angle brackets; "" if it was not told."""
    provider_message_id: str
    event_id: str
    at: datetime | None
    raw: dict[str, Any] = field(repr=False)
    bounce: FailureClass | None = None
    status: str = ""
    """RFC 3463."""
    reason: str = ""
    url: str = ""
    """Of a click."""


class BadSignature(Forbidden):
    """A notification that the provider did not sign, or too long ago."""

    code = "bad_notification_signature"


class NotSetUp(Unavailable):
    """The provider's settings lack what its notifications are verified with; it may try again later."""

    code = "notifications_not_set_up"


def refusal_class(status: str, reason: str) -> FailureClass:
    """What the words of a server mean that has refused for good: the class that the same answer would get in a session."""
    found = _CODE.search(reason)
    status = status or status_in(reason, "5") or status_in(reason, "4")
    code = found[1] if found else "5"
    # A status of the other kind is a slip of whoever reports; the code is the server's own.
    kind = match(Stage.RCPT, code, status if status[:1] == code[:1] else "", reason).kind
    # Security or policy (RFC 3463 X.7) is about us also when it is told for now.
    return FailureClass.BLOCK if kind is FailureClass.SOFT and status[1:3] == ".7" else kind


def check_fresh(stamp: str, *, now: datetime, within_seconds: float) -> None:
    """Raise BadSignature for a time, in seconds since 1970, that is further from now than that."""
    if not stamp.isascii() or not stamp.isdigit() or abs(now.timestamp() - int(stamp[:15])) > within_seconds:
        raise BadSignature("the notification is too old, or this machine's clock is wrong")


def json_of(body: bytes) -> Any:
    """Parsed. Raises Invalid."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the notification is not JSON") from None


def part(value: object, *names: str) -> dict[str, Any]:
    """The object that lies under these names; an empty one if any is missing or is something else."""
    for name in names:
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The list that this is; an empty one if it is something else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_at(value: dict[str, Any], name: str) -> str:
    """A text or number as text, without NUL; "" if it is missing or is something else."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found).replace("\0", "")[:2000]


def moment(seconds_or_iso: object) -> datetime | None:
    """From seconds since 1970 or ISO 8601."""
    try:
        if isinstance(seconds_or_iso, int | float) and not isinstance(seconds_or_iso, bool):
            return datetime.fromtimestamp(seconds_or_iso, UTC)
        if isinstance(seconds_or_iso, str):
            found = datetime.fromisoformat(seconds_or_iso)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
