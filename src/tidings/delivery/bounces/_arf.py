"""Complaints: the Abuse Reporting Format (RFC 5965, RFC 6430, RFC 6591) and the feedback loops older than it."""

from tidings.delivery.bounces import _original
from tidings.delivery.bounces._addresses import addresses, field_address, redacted
from tidings.delivery.bounces._parts import Headers, Part, get, headers_of
from tidings.delivery.bounces._report import Kind, Recipient, Report
from tidings.delivery.providers import FailureClass

TYPE = "message/feedback-report"
_KINDS = {
    "not-spam": (Kind.NOT_SPAM, "not-spam"),
    "opt-out": (Kind.COMPLAINT, "opt-out"),
    "opt-out-list": (Kind.COMPLAINT, "opt-out"),
    "miscategorized": (Kind.NOT_SPAM, "not-spam"),
    **dict.fromkeys(
        ("abuse", "fraud", "virus", "other", "spam", "phishing", "complaint"), (Kind.COMPLAINT, "complaint")
    ),
}
"""By Feedback-Type; what is not here, such as auth-failure and dkim, is about the sender's own records."""
_SUBJECTS = (
    "complaint about message from", "abuse report", "email feedback report", "feedback loop", "spam complaint",
    "spam report", "complaint from ", "[spam report]", "client tos notification", "email abuse report",
)  # fmt: skip
_REPORTERS = (
    "staff@hotmail", "staff@live", "staff@outlook", "fbl@", "fbl-", "feedbackloop@", "feedback@", "scomp@", "abuse@",
    "complaints@", "arf@", "spamreport", "feedback-", "noreply@xmr3",
)  # fmt: skip


def read(root: Part, leaves: list[Part]) -> Report | None:
    """The complaint that this is; None if it is none."""
    report = next((leaf for leaf in leaves if leaf.type == TYPE), None)
    if report is None:
        return _left(root) or _older(root, leaves)
    fields = headers_of(report.text().lstrip("\n "))
    told = get(fields, "feedback-type").lower() or "abuse"
    kind, action = _KINDS.get(told, (Kind.OTHER, ""))
    if kind is Kind.OTHER:
        return Report(Kind.OTHER)
    words = f"{told}: {get(fields, 'user-agent')}".strip(": ") if kind is Kind.COMPLAINT else told
    return _report(kind, action, words, fields, root)


def _left(root: Part) -> Report | None:
    """A mail program that leaves for its owner, by the address of List-Unsubscribe (RFC 2369, RFC 8058)."""
    if root.get("x-apple-unsubscribe").lower() != "true":
        return None
    found = addresses(root.get("from"))[:1]
    words = root.get("subject")[:500]
    return Report(
        Kind.COMPLAINT, tuple(Recipient(a, "opt-out", "", True, FailureClass.COMPLAINT, words) for a in found)
    )


def _older(root: Part, leaves: list[Part]) -> Report | None:
    """Feedback loops that send the message with a sentence before it: Hotmail's JMRP, AOL's scomp and their kind."""
    subject, sender = root.get("subject").lower(), root.get("from").lower()
    encloses = any(leaf.type in _original.ENCLOSED for leaf in leaves)
    if root.get("x-hmxmroriginalrecipient") and encloses:
        return _report(Kind.COMPLAINT, "complaint", "abuse: " + root.get("subject"), root.headers, root)
    if not any(s in subject for s in _SUBJECTS) or subject.startswith(("re:", "fwd:", "fw:")):
        return None
    if encloses and (any(r in sender for r in _REPORTERS) or subject.startswith("complaint about message from")):
        return _report(Kind.COMPLAINT, "complaint", "abuse: " + root.get("subject"), {}, root)
    return None


def _report(kind: Kind, action: str, words: str, fields: Headers, root: Part) -> Report:
    original = _original.enclosed(root)
    found: list[str] = []
    for name in (
        "original-rcpt-to",
        "removal-recipient",
        "x-hmxmroriginalrecipient",
        "original-recipient",
        "x-original-recipient",
    ):
        for value in fields.get(name, ()):
            address = field_address(value)
            if address and not redacted(address) and address not in found:
                found.append(address)
        if found:
            break
    if not found:
        ours = [a for name in ("to", "delivered-to") for v in root.headers.get(name, ()) for a in addresses(v)]
        found = _original.recipients(original, _original.senders(original) + ours)
    permanent = kind is Kind.COMPLAINT
    cls = FailureClass.COMPLAINT if permanent else FailureClass.UNKNOWN
    return Report(
        kind,
        tuple(Recipient(a, action, "", permanent, cls, words[:500]) for a in found),
        _original.message_id(original),
    )
