"""What a refusal means: one table, read from the top, first match wins. It serves replies in a session and bounces alike.

The order of suspicion is deliberate. A refusal that is about us (authentication, rate, reputation, policy) must never
count against the recipient, so those rules come first, and a refusal that nothing explains blames nobody's mailbox.
"""

import re
from enum import IntEnum, StrEnum
from typing import NamedTuple


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


class FailureClass(StrEnum):
    """What kind of failure this is: the vocabulary of suppression and of reports."""

    HARD = "hard"
    """The mailbox or domain does not exist, is closed or has changed hands. The only one that suppresses at once."""
    SOFT = "soft"
    """The server, the way there or the mailbox, for now."""
    MAILBOX_FULL = "mailbox_full"
    """Full for now; an abandoned mailbox stays so, so these add up over weeks."""
    BLOCK = "block"
    """Our address, domain or message is mistrusted: lists, reputation, rate, spam verdicts. Says nothing of the recipient."""
    POLICY = "policy"
    """A rule of the receiving side about authentication, content, size or who may write. Says nothing of the mailbox."""
    AUTO_REPLY = "auto_reply"
    """No failure: a program answered for the recipient."""
    COMPLAINT = "complaint"
    """The recipient called the message unwanted."""
    UNKNOWN = "unknown"
    """Nothing explains it, so it counts against nobody."""


class Rule(NamedTuple):
    """Empty columns match anything. A `status` that ends in a dot is a prefix; "-" is no status, or X.0.0, X.1.0."""

    codes: tuple[str, ...]
    statuses: tuple[str, ...]
    stages: tuple[Stage, ...]
    words: str
    verdict: Verdict
    kind: FailureClass
    why: str
    wait_seconds: float | None = None


_K = FailureClass
_M, _R, _D, _DOT = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT
_RATE = r"\brate\b|too (many|much|fast|quickly)|limit|throttl|unusual|slow down|quota|volume"
_OURS = (
    r"spam|block(ed|list)|black.?list|\brbl\b|dnsbl|reputation|polic(y|ies)|spf\b|dkim|dmarc|authenticat|relay|"
    r"sender|access denied|banned|not permitted|client host|reverse dns|\bptr\b|helo|ehlo|\btls\b|unsolicited|abuse|"
    r"suspicious|virus|malware|your (ip|domain|host|server)|too (many|much)|rate limit|rcpthosts|frequency|"
    r"sending limit|per (hour|session)|bounce attack|connection denied|quarantin|recipient preferences|smtp of your"
)
_NAMED = r"\[?(TSS?|IPTS|BL|PH|AUP)[#:]?\d\d|\b(SC|DY|OU|RP)-00\d|\bS31\d0\b|spamhaus|spamcop|barracuda"
_NOBODY = (
    r"(user|recipient|mailbox|account|address)( \S+)? (is )?(unknown|not found|unavailable|disabled|inactive|invalid|"
    r"not exist|does not exist|doesn.?t exist)|(no such|unknown|invalid|nonexistent) (user|recipient|mailbox|"
    r"account|address|person)|no mailbox|doesn.?t have an? \S+ account"
)
_WRITER = (
    r"batv|backscatter|captcha|not subscribed|members.only|mailing list|certificate|not verified|from.? (header|domain)"
)
_PLAINLY = (
    r"(?s)^(?!.*(sender|mail from|return.path|reverse.path|from address|helo|relaying|relay (access )?denied|rcpthosts)).*"
    r"(recipient address rejected: access denied|unavailable or access denied|due to (extended )?inactivity|"
    r"account (is )?blocked|addressee unknown|unknown user|user unknown|no such user)"
)
_NOBODY_DENIED = (
    r"(?s)^(?!.*(sender|mail from|return.path|reverse.path|from address|helo|relay|rcpthosts|spam|polic(y|ies)|block|"
    r"black.?list|reputation|\bspf\b|dkim|dmarc|authenti|authoriz|denied|permi(t|ss)|reject(ed|ing)? (by|due|for)|unsolicited|"
    r"\bip\b|client|list\b)).*"
    r"(no such (user|recipient|mailbox|address|account|person)|unknown (user|recipient|mailbox)|(user|recipient|mailbox|"
    r"mail-box|address|account) ((is|does) )?(unknown|not found|not exist)|no mailbox (found|here)|nosuchuser)"
)
_FULL = (
    r"mailbox (is )?full|over.?quota|quota (is )?exceeded|exceed\w* (\w+ )*quota|storage|mailbox limit|"
    r"over (its|the|their) (size|allowed|maximum)"
)

RULES: tuple[Rule, ...] = (
    # 4xx and throttling in whatever form
    Rule((), (), (), r"daily (\w+ )*(quota|limit)", Verdict.THROTTLED, _K.BLOCK,
         "Amazon SES, Google: our own quota of the day is used up", 900),
    Rule((), (), (), r"throttling failure|sending rate", Verdict.THROTTLED, _K.BLOCK,
         "Amazon SES: more a second than our quota", 2),
    Rule(("421",), (), (), "", Verdict.THROTTLED, _K.SOFT, "the service closes the connection (RFC 5321 §3.8)"),
    Rule(("4",), (), (), r"\[?(TSS?|IPTS)0\d", Verdict.THROTTLED, _K.BLOCK, "Yahoo: volume or complaints from our address", 300),
    Rule(("4",), (), (), r"gr[ae]y.?list", Verdict.DEFERRED, _K.SOFT, "greylisting: each recipient waits by itself", 300),
    Rule(("4",), ("4.2.1",), (_R, _D, _DOT), "", Verdict.DEFERRED, _K.SOFT, "this mailbox receives too much just now", 900),
    Rule(("4",), ("4.2.2",), (_R, _D, _DOT), "", Verdict.DEFERRED, _K.MAILBOX_FULL, "mailbox full", 3600),
    Rule(("4",), ("4.1.7", "4.1.8"), (), "", Verdict.DEFERRED, _K.POLICY,
         "our return path cannot be checked just now; another campaign's may pass, so nobody else waits"),
    Rule(("4",), (), (_M,), "", Verdict.THROTTLED, _K.SOFT, "refused before a recipient was named: it concerns all we send"),
    Rule(("4",), ("4.3.1", "4.3.2"), (), "", Verdict.THROTTLED, _K.SOFT, "the server is full or not accepting mail at all", 60),
    Rule(("4",), ("4.7.23", "4.7.25", "4.7.26", "4.7.27", "4.7.28", "4.7.29", "4.7.30", "4.7.31", "4.7.32", "4.7.40"),
         (), "", Verdict.THROTTLED, _K.BLOCK, "Google: slow down until PTR, SPF, DKIM, DMARC, TLS or the rate is mended", 300),
    Rule(("4",), ("4.7.",), (), r"4\.7\.[56]\d\d\b", Verdict.THROTTLED, _K.BLOCK, "Microsoft: our address is limited", 300),
    Rule(("4",), ("4.7.", "-"), (), _RATE, Verdict.THROTTLED, _K.BLOCK, "a limit on what we send", 60),
    Rule(("4",), (), (), "", Verdict.DEFERRED, _K.SOFT, "any other refusal for now"),
    # Before a recipient was named
    Rule(("552",), (), (_M,), "", Verdict.MESSAGE, _K.POLICY, "larger than the server takes (RFC 1870)"),
    Rule(("5",), ("5.3.4", "5.6."), (_M,), "", Verdict.MESSAGE, _K.POLICY, "too large, or needs what the server cannot carry"),
    Rule(("5",), (), (_M,), "", Verdict.SENDER, _K.BLOCK, "our return path is refused"),
    # Policy, authentication, reputation: never the recipient
    Rule(("5",), ("5.7.17", "5.7.18"), (), "", Verdict.RECIPIENT, _K.HARD, "the mailbox or domain has a new owner (RFC 7293)"),
    Rule(("552",), ("5.7.0",), (_D, _DOT), "", Verdict.MESSAGE, _K.POLICY, "Google: content or attachment that it never takes"),
    Rule(("5",), ("5.7.1",), (_R,), _NOBODY_DENIED, Verdict.RECIPIENT, _K.HARD,
         "Yandex, qmail and others: no such mailbox, in words beside which a status of policy tells nothing"),
    Rule(("5",), ("5.7.",), (), "", Verdict.SENDER, _K.POLICY,
         "security or policy (RFC 3463 X.7), among them 5.7.23…5.7.32, 5.7.515, 5.7.606"),
    Rule(("5",), (), (), _NAMED, Verdict.SENDER, _K.BLOCK, "Yahoo, Microsoft and block lists, named in the text"),
    Rule(("5",), ("5.1.7", "5.1.8"), (), "", Verdict.SENDER, _K.POLICY, "our return path is refused, told at a later command"),
    # The recipient
    Rule(("5",), ("5.2.1",), (), r"\brate\b|too (quickly|fast|much|many)", Verdict.DEFERRED, _K.SOFT,
         "Google: this mailbox receives too much just now", 900),
    Rule(("5",), ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"), (), "", Verdict.RECIPIENT, _K.HARD,
         "no such mailbox or domain, moved, null MX (RFC 7505), or disabled"),
    Rule(("5",), ("5.2.2",), (), "", Verdict.DEFERRED, _K.MAILBOX_FULL,
         "mailbox full: RFC 3463 asks to treat it as persistent but transient", 3600),
    Rule(("5",), ("-",), (), _FULL, Verdict.DEFERRED, _K.MAILBOX_FULL, "mailbox full, told in words only", 3600),
    Rule(("552",), ("-",), (_R,), "", Verdict.DEFERRED, _K.SOFT, "to be read as 452 at RCPT (RFC 5321 §4.5.3.1.10)", 3600),
    Rule(("550",), ("5.5.0",), (_R,), r"mailbox unavailable", Verdict.RECIPIENT, _K.HARD, "Outlook.com: no such mailbox"),
    Rule(("5",), ("5.4.1",), (_R,), r"recipient address rejected", Verdict.RECIPIENT, _K.HARD,
         "Microsoft 365: the tenant's directory has no such mailbox"),
    # The message
    Rule(("5",), ("5.2.3", "5.3.4", "5.6."), (), "", Verdict.MESSAGE, _K.POLICY, "size, encoding or content"),
    Rule(("552",), (), (), "", Verdict.MESSAGE, _K.POLICY, "too large"),
    # No status worth the name: the words, then the code
    Rule(("550", "551", "553", "554"), ("-",), (_R, _D, _DOT), _PLAINLY, Verdict.RECIPIENT, _K.HARD,
         "no such mailbox, or closed, in words that outweigh what else is said, but for a sender"),
    Rule(("550", "551", "553", "554"), ("-",), (), _OURS, Verdict.SENDER, _K.BLOCK, "policy or reputation, told in words only"),
    Rule(("550", "551", "553", "554"), ("-",), (), _WRITER, Verdict.SENDER, _K.POLICY,
         "who may write, and how, told in words only"),
    Rule(("550", "551", "553", "554"), ("-",), (), _NOBODY, Verdict.RECIPIENT, _K.HARD, "no such mailbox, told in words only"),
    Rule(("550", "551", "553"), ("-",), (_R,), "", Verdict.RECIPIENT, _K.HARD, "a bare refusal of the recipient"),
    # The way there
    Rule(("5",), ("5.4.4", "5.4.310", "5.4.312"), (), r"(host|domain|dns)\b.*(not found|unknown|not exist)|nxdomain",
         Verdict.RECIPIENT, _K.HARD, "no such domain, told by a relay of ours"),
    Rule(("5",), ("5.3.", "5.4."), (_R,), "", Verdict.SENDER, _K.SOFT, "the system or the network: RFC 3463 X.3, X.4"),
    Rule(("5",), ("5.3.", "5.4."), (), "", Verdict.MESSAGE, _K.SOFT, "the system or the network, told later"),
    # Nothing explains it: nobody is suppressed
    Rule(("5",), (), (_R,), "", Verdict.SENDER, _K.UNKNOWN, "refused at RCPT for a reason that is not the mailbox"),
    Rule(("5",), (), (), "", Verdict.MESSAGE, _K.UNKNOWN, "refused after the recipient was accepted"),
)  # fmt: skip

_COMPILED = tuple((rule, re.compile(rule.words, re.IGNORECASE) if rule.words else None) for rule in RULES)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_ADDRESS = re.compile(r"<[^>]*>|[^\s(]+@[\w.\[\]-]+")


def status_in(text: str, first: str) -> str:
    """The first enhanced status (RFC 3463) in `text` whose class is the digit `first`; "" if there is none."""
    return next((m[1] for m in _STATUS.finditer(text) if m[1][0] == first), "")


def match(stage: Stage, code: str, status: str, text: str) -> Rule:
    """The rule that a refusal falls under. `code` is the SMTP code, or "4" or "5" if only that much is known."""
    text = _ADDRESS.sub("", text)
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
