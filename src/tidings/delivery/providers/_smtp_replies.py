"""Replies of SMTP servers as values: what each 4xx and 5xx means by the table of refusals."""

import re

from tidings.delivery.providers._outcomes import Deferred, Fault, Rejected, Throttled
from tidings.delivery.providers._refusals import Stage, Verdict, match, status_in

Refusal = Rejected | Deferred | Throttled

_FAULTS = {Verdict.RECIPIENT: Fault.RECIPIENT, Verdict.MESSAGE: Fault.MESSAGE, Verdict.SENDER: Fault.SENDER}
_WITH_RECIPIENT = {Stage.RCPT, Stage.DATA, Stage.DOT}
# Google's 4.7.23 to 4.7.40, Yahoo's TSS and IPTS, Microsoft's 4.7.500 to 4.7.699: as the table of refusals has them.
_MAILBOX_PROVIDER = re.compile(r"\b4\.7\.(2[35-9]|3[0-2]|40)\b|\[?(TSS?|IPTS)0\d|\b4\.7\.[56]\d\d\b")
_SLOWER = re.compile(r"\b4\.7\.\d|\brate\b|too (many|much|fast|quickly)|throttl|slow down", re.IGNORECASE)
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
    found = status_in(reply[3:], digits[0])
    rule = match(stage, digits, found, reply)
    code = int(digits)
    if rule.verdict in _FAULTS:
        return Rejected(reply, code, found, _FAULTS[rule.verdict])
    wait = _wait_asked_for(reply) or rule.wait_seconds
    if rule.verdict is not Verdict.THROTTLED:
        return Deferred(reply, code, found, wait)
    named = stage in _WITH_RECIPIENT and _MAILBOX_PROVIDER.search(reply) is not None
    return Throttled(reply, code, found, wait, named or _SLOWER.search(reply) is not None, named)


def _wait_asked_for(reply: str) -> float | None:
    match = _WAIT.search(reply)
    if match is None:
        return None
    hours, minutes, seconds, number, unit = match.groups()
    wait = int(number) * _UNIT_SECONDS[unit.lower()] if number else int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return float(min(wait, _LONGEST_WAIT)) or None
