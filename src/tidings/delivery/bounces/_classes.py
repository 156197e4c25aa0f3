"""Which class a failure is of: the table of refusals first, then words, then what the codes leave."""

import re

from tidings.delivery.bounces import _words as words
from tidings.delivery.providers import FailureClass
from tidings.delivery.providers._refusals import Rule, Stage, match, status_in

_K = FailureClass
_CODE = re.compile(r"(?<![\d.#:/-])([45]\d\d)(?=[ \-]|$|[;:,.)#])(?!\.\d)")
_BRACKETED = re.compile(r"(?:#|\()([45]\.\d{1,3}\.\d{1,3})\b")
# Printable ASCII only: Chinese and Japanese put no space around an address.
_NOISE = re.compile(
    r"<[^>]*>|[!-~]{1,128}@[a-z0-9._\[\]-]+|https?:[!-~]*|www\.[!-~]*|[!-~]{1,80}/[\w./?=&%-]+", re.IGNORECASE
)
_GENERIC = frozenset({"", "5.0.0", "4.0.0", "5.1.0", "4.1.0", "5.3.0", "5.5.0", "5.4.0", "4.4.0"})
_TRANSIENT = frozenset({".2.2", ".4.1", ".4.2", ".4.3", ".4.5", ".4.6", ".4.7"})
"""RFC 3463: mailbox full (§3.3); no answer, a bad connection, the directory, congestion, loops, too old (§3.5)."""
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_READ = 600


def judge(status: str, reason: str, *, action: str = "failed") -> tuple[FailureClass, str, bool]:
    """The class, the status and whether it is permanent, of a failure told with this status and these words.

    The status is the more telling of the field's and the one in the reason; "" if there is none. Transient, whatever digit
    comes first, are full mailboxes and what RFC 3463 §3.5 calls useful only as transient.
    """
    text = reason[:_READ]
    found = _CODE.search(text)
    code = found[1] if found else ""
    told = _STATUS.search(status)
    status = told[0] if told else ""
    digit = (status or code)[:1]
    inner = status_in(text, code[:1] or digit or "5") or (status_in(text, "4") if not digit else "")
    if not inner and (bracketed := _BRACKETED.search(text)):
        inner = bracketed[1]
    if inner and (status in _GENERIC or inner[0] == status[:1]) and inner not in {"5.0.0", "4.0.0"}:
        status = inner
    digit = status[:1] or code[:1]
    if action == "delayed" and digit != "4":
        code, digit = "4", "4"
    elif digit not in {"4", "5"}:  # none, or a success that nevertheless failed
        digit = "5"
    kind = _class(code if code[:1] == digit else digit, status if status[:1] == digit else "", text)
    if action == "delayed" and kind in {_K.HARD, _K.UNKNOWN}:
        kind = _K.SOFT
    return kind, status, action == "failed" and digit == "5" and not _passes(kind, status, code, text)


def _passes(kind: FailureClass, status: str, code: str, text: str) -> bool:
    """Whether it may well be over later, although a server said 5 or said nothing."""
    if kind is _K.MAILBOX_FULL or (status[1:] in _TRANSIENT and kind is not _K.HARD):
        return True
    if kind is not _K.SOFT:
        return False
    if code[:1] == "4" and status in _GENERIC:
        return True  # the reporting system gave up; the far server never said more than "not now"
    low = text.lower()
    return not (status or code) or any(w in low for w in words.LOOPS)


def _class(code: str, status: str, text: str) -> FailureClass:
    low = _FOR_NOW.sub("deferred", _NOISE.sub(" ", text).lower())
    ours = status[1:3] == ".7" and status not in {"5.7.17", "5.7.18"}
    # Some say it as "denied" (5.7.0); then it must be the mailbox in so many words.
    says_full = not ours or (status in {"5.7.0", "5.7.1"} and "mailbox has exceeded" in low)
    if any(w in low for w in words.FAR_SIDE):
        return _K.SOFT
    if says_full and any(w in low for w in words.MAILBOX_FULL) and not any(w in low for w in _PERIODS):
        return _K.MAILBOX_FULL
    if any(w in low for w in words.TOO_LARGE) and not _nobody_there(low):
        return _K.POLICY
    if not ours and any(w in low for w in words.LOOPS):
        return _K.SOFT
    if code[0] == "5" and not ours and _gone(low):
        return _K.HARD
    if not ours and any(w in low for w in words.PROTOCOL) and not _nobody_there(low):
        return _K.SOFT
    rule = match(_stage(low), code, status, text)
    if _says_enough(rule):
        if rule.kind is _K.HARD and (mistrust := _contradicted(low)):
            return mistrust
        if rule.kind in {_K.POLICY, _K.BLOCK} and (not rule.words or "relay" in low):
            return _ours(low) or rule.kind
        return rule.kind
    if _nobody_there(low) and code[0] == "5" and not ours:
        return _K.HARD
    if mistrust := _ours(low):
        return mistrust
    if code[0] == "4":
        return _K.SOFT
    # X.5 is about the protocol (RFC 3463 §3.6), X.5.0 about anything.
    if not ours and (not status.startswith("5.5.") or status == "5.5.0") and any(w in low for w in words.HARD):
        return _K.HARD
    if any(w in low for w in words.SOFT):
        return _K.SOFT
    # A code alone says who refused; a bare digit does not, and words that nobody knows may mean anything.
    bare = len(code) == 3 and ("rcpt to" in low or not _LETTERS.search(_STATUS.sub("", low)))
    return rule.kind if bare or rule.kind is not _K.HARD else _K.UNKNOWN


_FOR_NOW = re.compile(r"temporarily (?:suspended|disabled|locked)")
"""Not the words of a mailbox that is gone."""
_LETTERS = re.compile(r"[^\W\d_]{4}")
_PERIODS = (
    "daily", "hourly", "per hour", "per day", "per minute", "per second", "per session", "sending", "submission",
    "message exceeds",
)  # fmt: skip
"""A quota of these is our own, or the message's."""


def _gone(low: str) -> bool:
    """Whether the recipient is gone for all that is said of policy beside it: plainly, and of no sender."""
    if any(w in low for w in words.GONE):
        return True
    return _nobody_there(low) and not any(w in low for w in words.SENDER)


def _contradicted(low: str) -> FailureClass | None:
    """What the words blame us for where only the status blames the mailbox."""
    return None if any(w in low for table in (words.HARD, words.GONE) for w in table) else _ours(low)


def _says_enough(rule: Rule) -> bool:
    """Whether the rule rests on a telling status or on words, not on a code that servers use for anything."""
    return bool(rule.words) or bool(rule.statuses and rule.statuses[0] not in {"-", "5.3.", "5.4."})


def _stage(low: str) -> Stage:
    if "end of data" in low or "data command" in low or "after data" in low or "end of message" in low:
        return Stage.DOT
    return Stage.MAIL if "mail from command" in low or "after mail from" in low or "to mail from" in low else Stage.RCPT


def _nobody_there(low: str) -> bool:
    """The plainest words for it, which outweigh a mention of policy further on."""
    return any(w in low for w in words.NOBODY)


def _ours(low: str) -> FailureClass | None:
    if any(w in low for w in words.BLOCK) and "relay access denied" not in low:
        return _K.BLOCK
    return _K.POLICY if any(w in low for w in words.POLICY) else None
