"""Delivery status notifications: RFC 3464, with international addresses (RFC 6533), and as loosely as they are written."""

import re
from dataclasses import replace

from tidings.delivery.bounces._addresses import field_address, is_daemon, redacted, same
from tidings.delivery.bounces._classes import judge
from tidings.delivery.bounces._parts import Headers, Part, get, headers_of
from tidings.delivery.bounces._report import Recipient
from tidings.delivery.providers import FailureClass

TYPES = frozenset(
    {"message/delivery-status", "message/global-delivery-status", "text/delivery-status", "message/deliverystatus"}
)
_MAX_GROUPS = 1000
_BEGIN = 200
_MAX_TEXT = 1 << 20
_REASON = 500
_SPACE = re.compile(r"\s+")
_TYPE = re.compile(r"^[A-Za-z][A-Za-z0-9 _-]{0,30};\s*")
_AGAIN = re.compile(r" ([245]\d\d)-(?:([245]\.\d{1,3}\.\d{1,3}) )?")
_ACTIONS = {
    "failed": "failed", "failure": "failed", "fail": "failed", "error": "failed", "failed,": "failed", "undeliverable": "failed",
    "rejected": "failed", "bounced": "failed", "expired": "failed", "denied": "failed", "delayed": "delayed", "delay": "delayed",
    "deferred": "delayed", "warning": "delayed", "delivered": "delivered", "delivery": "delivered", "success": "delivered",
    "deliverable": "delivered", "relayed": "relayed", "expanded": "expanded",
}  # fmt: skip


def is_attached(part: Part) -> bool:
    """Whether a gateway made a file of the part: it has another type, and still begins with the field that it must have."""
    return part.type.startswith("application/") and part.text(_BEGIN).lstrip().lower().startswith("reporting-mta:")


def groups(part: Part) -> list[Headers]:
    """The groups of fields of a delivery-status part, the message's own first."""
    return groups_of(part.text(_MAX_TEXT))


def groups_of(text: str) -> list[Headers]:
    """The same, from text."""
    if text.startswith("Content-"):  # a second header block inside the part, as some gateways write
        text = text.partition("\n\n")[2]
    blocks = [block for block in text.split("\n\n", _MAX_GROUPS)[:_MAX_GROUPS] if block.strip()]
    return [fields for block in blocks if (fields := headers_of(block.lstrip("\n \t")))]


def recipients(found: list[Headers]) -> list[Recipient]:
    """What became of each recipient that the groups tell of, each once, the worst of it."""
    best: dict[str, Recipient] = {}
    for fields in found:
        # Groups that a missing blank line ran together repeat their fields.
        for one in _apart(fields):
            recipient = _recipient(one)
            if recipient is None:
                continue
            known = best.get(key := recipient.address.lower())
            if known is None or _RANK[recipient.action] > _RANK[known.action]:
                best[key] = recipient
    return list(best.values())


_RANK = {"failed": 4, "delayed": 3, "expanded": 0, "relayed": 1, "delivered": 2}


def _apart(fields: Headers) -> list[Headers]:
    finals = fields.get("final-recipient", [])[:_MAX_GROUPS]
    if len(finals) < 2:
        return [fields]
    return [{name: [values[i]] for name, values in fields.items() if i < len(values)} for i in range(len(finals))]


def _recipient(fields: Headers) -> Recipient | None:
    address = address_of(fields)
    if not address:
        return None
    word = (get(fields, "action").lower().split() or [""])[0].strip("();,.")
    action = _ACTIONS.get(word, "")
    status = get(fields, "status")
    reason = reason_of(
        get(fields, "diagnostic-code") or get(fields, "x-supplementary-info") or get(fields, "x-display-error")
    )
    if not action:
        if word or not (status or reason):
            action = {"5": "failed", "4": "delayed", "2": "delivered"}.get(status[:1], "")
        else:
            action = {"4": "delayed", "2": "delivered"}.get(status[:1], "failed")
    if not action:
        return None
    if action in {"delivered", "relayed", "expanded"}:
        return Recipient(address, action, status[:20].split(" ")[0], False, FailureClass.UNKNOWN, reason)
    kind, told, permanent = judge(status, reason or status, action=action)
    return Recipient(address, action, told, permanent, kind, reason or status.partition(" ")[2].strip(" ()"))


def address_of(fields: Headers) -> str:
    """Whom we mailed: Original-Recipient is the address as the sender gave it (RFC 3464 §2.3.1); Final-Recipient may be
    where it was forwarded to. X-Actual-Recipient comes last: it is a relay's own affair."""
    for name in ("original-recipient", "final-recipient", "x-original-recipient", "x-actual-recipient"):
        for value in fields.get(name, ()):
            address = field_address(value)
            if address and not redacted(address) and not _nonsense(address):
                return address
    return ""


def _nonsense(address: str) -> bool:
    return address.endswith(("@localhost", "@unknown", "@.")) and is_daemon(address)


def reason_of(diagnostic: str) -> str:
    """The server's words: without the type before them, lines joined, a repeated code kept once."""
    text = _SPACE.sub(" ", diagnostic[:4000]).strip()
    text = _TYPE.sub("", text)
    first = text[:3]
    if first.isdigit() and " " + first in text:
        text = text[:10] + _AGAIN.sub(lambda m: " " if m[1] == first else m[0], text[10:])
    return text[:_REASON].strip()


def with_words(found: list[Recipient], reasons: dict[str, str], said: str, overall: str) -> list[Recipient]:
    """Recipients whose report says nothing but a number, with the words of the notice beside it.

    Those about a recipient and what a server `said` may decide the class; what the notice says `overall` is only shown.
    """
    worded = [_worded(r, reasons, said) for r in found]
    return [r if r.reason or r.action not in {"failed", "delayed"} else replace(r, reason=overall) for r in worded]


def _worded(recipient: Recipient, reasons: dict[str, str], overall: str) -> Recipient:
    if recipient.action not in {"failed", "delayed"}:
        return recipient
    if recipient.reason and recipient.kind is not FailureClass.UNKNOWN:
        return recipient
    told = next((r for a, r in reasons.items() if same(a, recipient.address)), "") or overall
    if not told:
        return recipient
    kind, status, permanent = judge(recipient.status, f"{recipient.reason} {told}".strip(), action=recipient.action)
    if kind is FailureClass.UNKNOWN and recipient.reason:
        return recipient
    return Recipient(recipient.address, recipient.action, status, permanent, kind, recipient.reason or told)
