"""Amazon SES notifications that SNS sends by mail: JSON in a text part, perhaps inside SNS's own envelope."""

from typing import Any

import orjson

from tidings.delivery.bounces._addresses import tidy
from tidings.delivery.bounces._classes import judge
from tidings.delivery.bounces._dsn import reason_of
from tidings.delivery.bounces._parts import Part
from tidings.delivery.bounces._report import Kind, Recipient, Report
from tidings.delivery.providers import FailureClass

_MAX = 100


def read(leaves: list[Part]) -> Report | None:
    """The notification that this is; None if it is none."""
    if leaves[0].type != "text/plain" or '"notificationType' not in leaves[0].body[:8000].replace("\\", ""):
        return None
    told = _json(leaves[0].text())
    if isinstance(told.get("Message"), str):
        told = _json(told["Message"])
    kind = told.get("notificationType")
    mail = told.get("mail")
    message = mail.get("commonHeaders", {}) if isinstance(mail, dict) else {}
    original = message.get("messageId", "") if isinstance(message, dict) else ""
    original = original if isinstance(original, str) else ""
    if kind == "Bounce":
        found = [_bounced(r) for r in _recipients(told, "bounce", "bouncedRecipients")]
        return Report(Kind.BOUNCE, tuple(r for r in found if r.address), original)
    if kind == "Complaint":
        complaint = told.get("complaint")
        words = str((complaint if isinstance(complaint, dict) else {}).get("complaintFeedbackType") or "abuse")[:100]
        found = [
            Recipient(_address(r), "complaint", "", True, FailureClass.COMPLAINT, words)
            for r in _recipients(told, "complaint", "complainedRecipients")
        ]
        return Report(Kind.COMPLAINT, tuple(r for r in found if r.address), original)
    return Report(Kind.DELIVERED, (), original) if kind == "Delivery" else None


def _bounced(told: dict[str, Any]) -> Recipient:
    reason = reason_of(str(told.get("diagnosticCode") or ""))
    kind, status, permanent = judge(str(told.get("status") or ""), reason)
    return Recipient(_address(told), "failed", status, permanent, kind, reason)


def _recipients(told: dict[str, Any], event: str, name: str) -> list[dict[str, Any]]:
    inner = told.get(event)
    found = inner.get(name) if isinstance(inner, dict) else None
    return [r for r in found[:_MAX] if isinstance(r, dict)] if isinstance(found, list) else []


def _address(told: dict[str, Any]) -> str:
    return tidy(str(told.get("emailAddress") or "")[:320])


def _json(text: str) -> dict[str, Any]:
    """The JSON that the text begins with; mail systems break its one long line with `!` and a fold."""
    text = text.replace("!\n ", "").lstrip()
    text = text.partition("\n\n")[0].partition("\n--\n")[0].replace("\n", "")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
