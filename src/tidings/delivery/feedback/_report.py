"""One report of the outside about one message, whoever told it and in whatever form."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from tidings.core.ids import ProviderId, SendId
from tidings.delivery.providers import FailureClass, Happening

_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One report about one message to one recipient.

    `send` and `n` say which delivery; whoever gives them has verified them (`MessageIds`, a return path). With `send` alone the
    recipient is found by `address`. Without it the report is kept, and changes nothing. `event_id` is the same whenever
    the report is repeated by the same `source`.
    """

    happening: Happening
    at: datetime
    address: str
    send: SendId | None
    n: int | None
    message_id: str
    """As it was told, for the record."""
    event_id: str
    bounce: FailureClass | None = None
    """Of a bounce. Only `hard` suppresses at once; `soft` and `mailbox_full` add up; the others count against nobody."""
    status: str = ""
    """RFC 3463."""
    reason: str = ""
    """In the words of the server or the report."""
    source: str
    """ses, sendgrid, mailgun, dsn, arf, imap."""
    provider: ProviderId | None = None
    """Through which it came; None for mail."""
    raw: Mapping[str, Any] = field(repr=False)
    """As it came, for people who look into it; kept for some weeks."""


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """What became of a batch: reports, those that were known already or of no message of ours, deliveries that moved."""

    reports: int = 0
    repeated: int = 0
    unmatched: int = 0
    moved: int = 0


def clean(report: Feedback, now: datetime) -> Feedback:
    """What strangers wrote, as PostgreSQL can hold it; what lies in the future happened now."""
    return replace(
        report,
        at=min(report.at, now),
        address=storable(report.address, 320),
        message_id=storable(report.message_id, 998),
        event_id=storable(report.event_id, 300) or hashlib.sha256(repr(report.raw).encode()).hexdigest(),
        status=storable(report.status, 20),
        reason=storable(report.reason, _REASON),
        raw=report.raw if report.provider is not None else _as_json(report.raw),
    )


def storable(text: str, most: int) -> str:
    """On one line, without NUL and lone surrogates, of bounded length."""
    return " ".join(text[:most].replace("\0", "").encode("utf-8", "replace").decode().split())


def _as_json(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came by mail may hold what JSON cannot: then it is told in ASCII. What providers sent was JSON before."""
    try:
        orjson.dumps(raw)
    except TypeError:
        return {"unreadable": repr(raw).encode("ascii", "backslashreplace").decode()}
    return raw
