"""From bytes to a report: each reader is asked in turn, the most certain first."""

import logging
from collections.abc import Iterator

from tidings.delivery.bounces import _arf, _autoreply, _dsn, _html, _notice, _original, _receipts, _ses
from tidings.delivery.bounces._addresses import addresses, is_daemon, same
from tidings.delivery.bounces._classes import judge
from tidings.delivery.bounces._parts import MAX_TEXT, Headers, Part, decode, get, read
from tidings.delivery.bounces._report import OTHER, Kind, Recipient, Report
from tidings.delivery.providers import FailureClass

_log = logging.getLogger(__name__)
_TO = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to")
_MAX_TEXTS = 4
_MAX_DEEP = 4
"""Messages within each other that are looked into."""


def classify(message: bytes) -> Report:
    """What this message is and whom it concerns. Pure, never raises, and takes bounded time and memory.

    LF, CRLF and CR as line ends give the same report.
    """
    try:
        return read_message(message)
    except Exception:  # noqa: BLE001 - one strange message must not stop the mail behind it, whatever defect it finds
        _log.exception("no reader copes with this message of %d bytes", len(message))
        return OTHER


def read_message(message: bytes) -> Report:
    """The same without the net below: what tests hold to never raising."""
    root = read(message)
    report = _read(root, root.walk())
    return Report(report.kind, report.recipients, report.original_message_id, _addressed_to(root.headers))


def _passed_on(root: Part, leaves: list[Part], *, said: bool) -> Report | None:
    """What a report says that a gateway enclosed in a notice of its own: it names nobody or (not `said`) has no words."""
    sender = addresses(root.get("from"))
    if not (said or root.parameters.get("report-type") or (sender and is_daemon(sender[0]))):
        return None
    for inner in _enclosed(leaves):
        parts = inner.walk()
        report = _notification(inner, parts)
        if report is None and _notice.from_system(inner.headers):
            report = _prose(inner, parts, deeper=False)
        if report and report.recipients:
            return report
    return None


def _enclosed(leaves: list[Part]) -> Iterator[Part]:
    """The message that is carried, and the one that it carries, down to a fixed depth."""
    for _ in range(_MAX_DEEP):
        leaf = next((leaf for leaf in leaves if _is_message(leaf)), None)
        if leaf is None:
            return
        encoding = leaf.get("content-transfer-encoding").lower()
        coded = encoding in {"base64", "quoted-printable"}
        body = decode(leaf.body, encoding, "latin-1") if coded else leaf.body
        inner = read(body.encode("latin-1", "replace"))
        leaves = inner.walk()
        yield inner


def _is_message(leaf: Part) -> bool:
    return leaf.type == "message/rfc822" or leaf.parameters.get("name", "").lower().endswith(".eml")


def _read(root: Part, leaves: list[Part]) -> Report:
    report = _arf.read(root, leaves) or _ses.read(leaves) or _notification(root, leaves)
    if report is None:
        if _autoreply.is_likely(root.headers, _text(root, leaves)):
            report = _autoreply.read(root)
        report = (
            report
            or (None if _notice.from_system(root.headers) else _receipts.read(root, leaves))
            or _prose(root, leaves)
            or _passed_on(root, leaves, said=False)
            or _receipts.read(root, leaves)
            or _autoreply.read(root)
            or _autoreply.generated(root)
            or _autoreply.challenge(root, _text(root, leaves))
            or OTHER
        )
    return report


def _notification(root: Part, leaves: list[Part]) -> Report | None:
    """A report with fields for machines (RFC 3464), in a part of their own or, broken, in the text."""
    found: list[Recipient] = []
    for leaf in leaves:
        if leaf.type in _dsn.TYPES or _dsn.is_attached(leaf):
            found = _dsn.recipients(_dsn.groups(leaf))
            if found:
                break
    text = ""
    if not found:
        text = _text(root, leaves)
        if "final-recipient:" not in text.lower() or not _notice.is_notice(root.headers, text):
            return None
        start = text.lower().index("final-recipient:")
        start = max(0, text.rfind("\n\n", 0, start))
        found = _dsn.recipients(_dsn.groups_of(text[start:].lstrip("\n")))
        if not found:
            return None
    original = _original.enclosed(root)
    if any(not r.reason or r.kind is FailureClass.UNKNOWN for r in found if r.action in {"failed", "delayed"}):
        notice, _ = _original.split(text or _text(root, leaves))
        told = _notice.read(root.headers, notice, [])
        found = _dsn.with_words(found, told.reasons, told.said, told.overall)
    actions = {r.action for r in found}
    kind = Kind.BOUNCE if "failed" in actions else Kind.DELAYED if "delayed" in actions else Kind.DELIVERED
    return Report(kind, tuple(found), _original.message_id(original))


def _prose(root: Part, leaves: list[Part], *, deeper: bool = True) -> Report | None:
    """A notice for people. Unless `deeper`, what it encloses is not read for one."""
    text = _text(root, leaves)
    notice, rest = _original.split(text)
    original = _original.enclosed(root) or _original.quoted(rest)
    if not _notice.is_notice(root.headers, notice or text, gives_back=bool(original)):
        return None
    # X-Original-To is left out: some mail systems write there whom the message was for that they give back.
    ours = [
        *_original.senders(original),
        *_original.senders(root.headers),
        *_named(root.headers, ("delivered-to", "to")),
    ]
    told = _notice.read(root.headers, notice, ours)
    if not told.reasons and not told.overall and not _notice.is_notice(root.headers, "") and not original:
        return None
    reasons = told.reasons
    if not reasons:
        if deeper and (report := _passed_on(root, leaves, said=True)):
            return report
        # Not of the domains that the notice went to: those are lists of the sender's own.
        lists = {a.rpartition("@")[2].lower() for a in _addressed_to(root.headers)}
        reasons = dict.fromkeys(_original.recipients(original, ours, but_of=lists), "")
        if not reasons and (domain := _own_domain(root.headers)):
            reasons = {f"{name}@{domain}": words for name, words in _notice.names(notice).items()}
    action = "delayed" if told.delayed else "failed"
    if told.delivered:
        arrived = [
            Recipient(a, "delivered", "", False, FailureClass.UNKNOWN, words or told.overall)
            for a, words in reasons.items()
        ]
        return Report(Kind.DELIVERED, tuple(arrived), _original.message_id(original))
    found: list[Recipient] = []
    for address, own in reasons.items():
        reason = own or told.overall
        if any(same(address, other.address) for other in found):
            continue
        kind, status, permanent = judge("", reason, action=action)
        if kind is FailureClass.UNKNOWN and told.overall and told.overall != reason:
            both = f"{reason} {told.overall}"
            kind, status, permanent = judge("", both, action=action)
            if kind is not FailureClass.UNKNOWN:
                reason = told.said or both[:500]
        if kind is FailureClass.UNKNOWN:
            for words in _notice.terse(notice):
                guess, code, lasts = judge("", words, action=action)
                if guess is not FailureClass.UNKNOWN:
                    kind, status, permanent, reason = guess, code, lasts, words
                    break
        found.append(Recipient(address, action, status, permanent, kind, reason))
    return Report(Kind.DELAYED if told.delayed else Kind.BOUNCE, tuple(found), _original.message_id(original))


def _own_domain(headers: Headers) -> str:
    """The domain of the mail system that speaks, without its host's name."""
    sender = addresses(get(headers, "from"))[:1]
    if not sender or not is_daemon(sender[0]):
        return ""
    labels = sender[0].rpartition("@")[2].lower().split(".")
    second_level = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) < 4  # such as co.uk
    return ".".join(labels[-3 if second_level else -2 :])


def _text(root: Part, leaves: list[Part]) -> str:
    """What the message says to people, before anything it encloses."""
    plain: list[str] = []
    markup: list[str] = []
    for leaf in leaves:
        if leaf is not root and _original.is_original(leaf):
            if plain or markup:
                break
            continue
        if leaf.type == "text/html":
            markup.append(leaf.text())
        elif leaf.type.startswith("text/") or (leaf.type not in _dsn.TYPES and leaf.type == "multipart/report"):
            plain.append(leaf.text())
        if len(plain) + len(markup) >= _MAX_TEXTS:
            break
    text = "\n\n".join(plain)
    if not text.strip():
        text = "\n\n".join(_html.text_of(m) for m in markup)
    return text[:MAX_TEXT]


def _addressed_to(headers: Headers) -> tuple[str, ...]:
    return tuple(_named(headers, _TO))


def _named(headers: Headers, names: tuple[str, ...]) -> list[str]:
    values = (value for name in names for value in headers.get(name, ())[:5])
    return list(dict.fromkeys(a for value in values for a in addresses(value[:2000])[:5]))
