"""What a refusal means: one table, read from the top, first match wins.

The order of suspicion is deliberate. A refusal that is about us (authentication, rate, reputation, policy) must never
count against the recipient, so those rules come first, and a refusal that nothing explains blames nobody's mailbox.
"""

import re
from enum import IntEnum
from typing import NamedTuple

from tidings.delivery.providers._outcomes import Deferred, Fault, Rejected, Throttled

Refusal = Rejected | Deferred | Throttled


class Stage(IntEnum):
    """Where in a session a connection stands: the command whose reply is awaited."""

    IDLE = 0
    RSET = 1
    MAIL = 2
    RCPT = 3
    DATA = 4
    DOT = 5
    EMPTY_DOT = 6
    """The dot that answers a 354 given although no recipient was accepted (RFC 2920 §3.1)."""
    QUIT = 7


class Verdict(IntEnum):
    """What a rule concludes."""

    RECIPIENT = 1
    MESSAGE = 2
    SENDER = 3
    DEFERRED = 4
    THROTTLED = 5


_FAULTS = {Verdict.RECIPIENT: Fault.RECIPIENT, Verdict.MESSAGE: Fault.MESSAGE, Verdict.SENDER: Fault.SENDER}


class Rule(NamedTuple):
    """Empty columns match anything. A `status` that ends in a dot is a prefix; "-" is no status, or X.0.0, X.1.0."""

    codes: tuple[str, ...]
    statuses: tuple[str, ...]
    stages: tuple[Stage, ...]
    words: str
    verdict: Verdict
    why: str
    wait_seconds: float | None = None


_M, _R, _D, _DOT = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT
_RATE = r"\brate\b|too (many|much|fast|quickly)|limit|throttl|unusual|slow down|quota|volume"
_OURS = (
    r"spam|block(ed|list)|black.?list|\brbl\b|dnsbl|reputation|polic(y|ies)|spf\b|dkim|dmarc|authenticat|relay|"
    r"sender|access denied|banned|not permitted|client host|reverse dns|\bptr\b|helo|ehlo|\btls\b|unsolicited|abuse|"
    r"suspicious|virus|malware|your (ip|domain|host|server)|too (many|much)|rate limit|rcpthosts"
)
_NAMED = r"\[?(TSS?|IPTS|BL|PH|AUP)[#:]?\d\d|\b(SC|DY|OU|RP)-00\d|\bS31\d0\b|spamhaus|spamcop|barracuda"
_NOBODY = (
    r"(user|recipient|mailbox|account|address)( \S+)? (is )?(unknown|not found|unavailable|disabled|inactive|invalid|"
    r"not exist|does not exist|doesn.?t exist)|(no such|unknown|invalid|nonexistent) (user|recipient|mailbox|"
    r"account|address|person)|no mailbox"
)
_FULL = r"mailbox (is )?full|over.?quota|quota (is )?exceeded|exceed\w* (\w+ )*quota|storage"

RULES: tuple[Rule, ...] = (
    # 4xx and throttling in whatever form
    Rule((), (), (), r"daily (\w+ )*(quota|limit)", Verdict.THROTTLED,
         "Amazon SES, Google: our own quota of the day is used up", 900),
    Rule((), (), (), r"throttling failure|sending rate", Verdict.THROTTLED,
         "Amazon SES: more a second than our quota", 2),
    Rule(("421",), (), (), "", Verdict.THROTTLED, "the service closes the connection (RFC 5321 §3.8)"),
    Rule(("4",), (), (), r"\[?(TSS?|IPTS)0\d", Verdict.THROTTLED, "Yahoo: volume or complaints from our address", 300),
    Rule(("4",), (), (), r"gr[ae]y.?list", Verdict.DEFERRED, "greylisting: each recipient waits by itself", 300),
    Rule(("4",), ("4.2.1",), (_R, _D, _DOT), "", Verdict.DEFERRED, "this mailbox receives too much just now", 900),
    Rule(("4",), ("4.2.2",), (_R, _D, _DOT), "", Verdict.DEFERRED, "mailbox full", 3600),
    Rule(("4",), ("4.1.7", "4.1.8"), (), "", Verdict.DEFERRED,
         "our return path cannot be checked just now; another campaign's may pass, so nobody else waits"),
    Rule(("4",), (), (_M,), "", Verdict.THROTTLED, "refused before a recipient was named: it concerns all we send"),
    Rule(("4",), ("4.3.1", "4.3.2"), (), "", Verdict.THROTTLED, "the server is full or not accepting mail at all", 60),
    Rule(("4",), ("4.7.23", "4.7.25", "4.7.26", "4.7.27", "4.7.28", "4.7.29", "4.7.30", "4.7.31", "4.7.32", "4.7.40"),
         (), "", Verdict.THROTTLED, "Google: slow down until PTR, SPF, DKIM, DMARC, TLS or the rate is mended", 300),
    Rule(("4",), ("4.7.",), (), r"4\.7\.[56]\d\d\b", Verdict.THROTTLED, "Microsoft: our address is limited", 300),
    Rule(("4",), ("4.7.", "-"), (), _RATE, Verdict.THROTTLED, "a limit on what we send", 60),
    Rule(("4",), (), (), "", Verdict.DEFERRED, "any other refusal for now"),
    # Before a recipient was named
    Rule(("552",), (), (_M,), "", Verdict.MESSAGE, "larger than the server takes (RFC 1870)"),
    Rule(("5",), ("5.3.4", "5.6."), (_M,), "", Verdict.MESSAGE, "too large, or needs what the server cannot carry"),
    Rule(("5",), (), (_M,), "", Verdict.SENDER, "our return path is refused"),
    # Policy, authentication, reputation: never the recipient
    Rule(("5",), ("5.7.17", "5.7.18"), (), "", Verdict.RECIPIENT, "the mailbox or domain has a new owner (RFC 7293)"),
    Rule(("552",), ("5.7.0",), (_D, _DOT), "", Verdict.MESSAGE, "Google: content or attachment that it never takes"),
    Rule(("5",), ("5.7.",), (), "", Verdict.SENDER,
         "security or policy (RFC 3463 X.7), among them 5.7.23…5.7.32, 5.7.515, 5.7.606"),
    Rule(("5",), (), (), _NAMED, Verdict.SENDER, "Yahoo, Microsoft and block lists, named in the text"),
    Rule(("5",), ("5.1.7", "5.1.8"), (), "", Verdict.SENDER, "our return path is refused, told at a later command"),
    # The recipient
    Rule(("5",), ("5.2.1",), (), r"\brate\b|too (quickly|fast|much|many)", Verdict.DEFERRED,
         "Google: this mailbox receives too much just now", 900),
    Rule(("5",), ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"), (), "", Verdict.RECIPIENT,
         "no such mailbox or domain, moved, null MX (RFC 7505), or disabled"),
    Rule(("5",), ("5.2.2",), (), "", Verdict.DEFERRED,
         "mailbox full: RFC 3463 asks to treat it as persistent but transient", 3600),
    Rule(("5",), ("-",), (), _FULL, Verdict.DEFERRED, "mailbox full, told in words only", 3600),
    Rule(("552",), ("-",), (_R,), "", Verdict.DEFERRED, "to be read as 452 at RCPT (RFC 5321 §4.5.3.1.10)", 3600),
    Rule(("550",), ("5.5.0",), (_R,), r"mailbox unavailable", Verdict.RECIPIENT, "Outlook.com: no such mailbox"),
    Rule(("550",), ("5.4.1",), (_R,), r"recipient address rejected", Verdict.RECIPIENT,
         "Microsoft 365: the tenant's directory has no such mailbox"),
    # The message
    Rule(("5",), ("5.2.3", "5.3.4", "5.6."), (), "", Verdict.MESSAGE, "size, encoding or content"),
    Rule(("552",), (), (), "", Verdict.MESSAGE, "too large"),
    # No status worth the name: the words, then the code
    Rule(("550", "551", "553", "554"), ("-",), (), _OURS, Verdict.SENDER, "policy or reputation, told in words only"),
    Rule(("550", "551", "553", "554"), ("-",), (), _NOBODY, Verdict.RECIPIENT, "no such mailbox, told in words only"),
    Rule(("550", "551", "553"), ("-",), (_R,), "", Verdict.RECIPIENT, "a bare refusal of the recipient"),
    # Nothing explains it: nobody is suppressed
    Rule(("5",), (), (_R,), "", Verdict.SENDER, "refused at RCPT for a reason that is not the mailbox"),
    Rule(("5",), (), (), "", Verdict.MESSAGE, "refused after the recipient was accepted"),
)  # fmt: skip

_COMPILED = tuple((rule, re.compile(rule.words, re.IGNORECASE) if rule.words else None) for rule in RULES)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_ADDRESS = re.compile(r"<[^>]*>|\S+@\S+")
_WAIT = re.compile(r"\b(?:in|after|for|within|wait)\s+(?:(\d+):(\d\d):(\d\d)|(\d+)\s*(s|m|h)[a-z]*)\b", re.IGNORECASE)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST_WAIT = 86_400
_LONGEST_TEXT = 500


def text_of(raw: bytes) -> str:
    """A reply for people and logs: its lines joined, code and status kept once, at most 500 characters."""
    if raw.isascii() and b"\n" not in raw:  # the reply to almost every message: nothing to join, nothing to replace
        plain = raw.decode("ascii").strip()
        if plain.isprintable():
            return plain[:_LONGEST_TEXT]
    lines = raw.decode("utf-8", "replace").split("\n")
    first = lines[0].strip()
    if len(lines) > 1:
        first = " ".join([first[:3], first[4:], *(line[4:].strip() for line in lines[1:])])
    return "".join(c if c.isprintable() else " " for c in first)[:_LONGEST_TEXT].strip()


def classify(stage: Stage, raw: bytes) -> Refusal:
    """The outcome that a 4xx or 5xx reply means for the message whose `stage` it answers."""
    reply = text_of(raw)
    digits = reply[:3]
    found = next((m[1] for m in _STATUS.finditer(reply, 3) if m[1][0] == digits[0]), "")
    rule = _match(stage, digits, found, _ADDRESS.sub("", reply))
    code = int(digits)
    if rule.verdict in _FAULTS:
        return Rejected(reply, code, found, _FAULTS[rule.verdict])
    wait = _wait_asked_for(reply) or rule.wait_seconds
    return (Throttled if rule.verdict is Verdict.THROTTLED else Deferred)(reply, code, found, wait)


def _match(stage: Stage, code: str, status: str, text: str) -> Rule:
    for rule, words in _COMPILED:
        if rule.codes and not code.startswith(rule.codes):
            continue
        if rule.stages and stage not in rule.stages:
            continue
        if rule.statuses and not any(_status_fits(status, pattern) for pattern in rule.statuses):
            continue
        if words is not None and not words.search(text):
            continue
        return rule
    raise AssertionError(f"no rule for {code}")  # the last rules of 4xx and 5xx match everything


def _status_fits(status: str, pattern: str) -> bool:
    if pattern == "-":
        return status[1:] in {"", ".0.0", ".1.0"}
    return status.startswith(pattern) if pattern.endswith(".") else status == pattern


def _wait_asked_for(reply: str) -> float | None:
    match = _WAIT.search(reply)
    if match is None:
        return None
    hours, minutes, seconds, number, unit = match.groups()
    wait = int(number) * _UNIT_SECONDS[unit.lower()] if number else int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return float(min(wait, _LONGEST_WAIT)) or None
