"""What refusals mean: replies as large providers give them, and what must hold for any reply at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.delivery.providers import Deferred, Fault, Rejected, Throttled
from tidings.delivery.providers._refusals import RULES, Stage, match
from tidings.delivery.providers._smtp_replies import classify, text_of

RECIPIENT, MESSAGE, SENDER = Fault.RECIPIENT, Fault.MESSAGE, Fault.SENDER
MAIL, RCPT, DATA, DOT = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT

EXAMPLES: list[tuple[Stage, str, Fault | type[Deferred] | type[Throttled]]] = [
    # for now
    (DATA, "454 4.7.0 Throttling failure: Maximum sending rate exceeded.", Throttled),
    (DOT, "454 Throttling failure: Daily message quota exceeded.", Throttled),
    (MAIL, "550 5.4.5 Daily user sending limit exceeded.", Throttled),
    (RCPT, "421 4.3.2 Service not available, closing transmission channel", Throttled),
    (RCPT, "451 Message temporarily deferred - [TSS04] Messages from 192.0.2.1", Throttled),
    (RCPT, "450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted, see http://postgrey", Deferred),
    (RCPT, "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents", Deferred),
    (RCPT, "452 4.2.2 The recipient's inbox is out of storage space", Deferred),
    (MAIL, "450 4.1.8 <a@b.test>: Sender address rejected: Domain not found", Deferred),
    (MAIL, "451 4.3.0 Temporary lookup failure", Throttled),
    (RCPT, "452 4.3.1 Insufficient system storage", Throttled),
    (DOT, "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail\n421 4.7.28 from your IP", Throttled),
    (DOT, "450 4.7.26 This mail has been rate limited because it is unauthenticated.", Throttled),
    (RCPT, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited", Throttled),
    (RCPT, "450 4.7.1 Error: too much mail from 192.0.2.1", Throttled),
    (RCPT, "451 4.4.3 Temporary server error", Deferred),
    (RCPT, "450 try later", Deferred),
    # the sender
    (MAIL, "550 5.1.8 Access denied, bad outbound sender", SENDER),
    (MAIL, "530 5.7.0 Must issue a STARTTLS command first", SENDER),
    (RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", SENDER),
    (DOT, "550 5.7.515 Access denied, sending domain b.test does not meet the required authentication level", SENDER),
    (RCPT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", SENDER),
    (RCPT, "550 SC-001 (BAY004) Unfortunately, messages from 192.0.2.1 weren't sent", SENDER),
    (RCPT, "553 5.1.7 The sender address was invalid", SENDER),
    (RCPT, "550 relay not permitted", SENDER),
    (RCPT, "554 rejected due to spam", SENDER),
    (RCPT, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", SENDER),
    (RCPT, "550 5.4.1 something else", SENDER),
    (RCPT, "550 BATV validation failure", SENDER),
    (RCPT, "550 not subscribed to this list", SENDER),
    (RCPT, "550 Sender verify failed: no such user here", SENDER),
    (MAIL, "550 no such user", SENDER),
    # the recipient
    (RCPT, "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 NoSuchUser", RECIPIENT),
    (RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", RECIPIENT),
    (RCPT, "550 5.2.1 The email account that you tried to reach is inactive.", RECIPIENT),
    (RCPT, "550 5.7.17 Mailbox owner has changed", RECIPIENT),
    (RCPT, "550 5.7.1 No such user!", RECIPIENT),
    (RCPT, "550 5.7.1 User unknown; relaying denied", SENDER),
    (DOT, "550 5.7.1 No such user!", SENDER),
    (RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)", RECIPIENT),
    (RCPT, "550 5.4.1 Recipient address rejected: Access denied. [x.prod.protection.outlook.com]", RECIPIENT),
    (DOT, "554 delivery error: dd This user doesn't have a yahoo.com account, no such user", RECIPIENT),
    (RCPT, "550 No such user here", RECIPIENT),
    (RCPT, "550 5.0.0 <spam.blocked@b.test>: User unknown", RECIPIENT),
    (RCPT, "550 gone", RECIPIENT),
    (RCPT, "550 Recipient address rejected: Access denied", RECIPIENT),
    (RCPT, "550 Account blocked due to inactivity", RECIPIENT),
    (RCPT, "550 unknown user in relay recipient table", RECIPIENT),
    (RCPT, "550 mailbox disabled", RECIPIENT),
    (RCPT, "550 5.4.4 Host or domain name not found", RECIPIENT),
    (DOT, "554 5.4.6 Too many hops", MESSAGE),
    (RCPT, "550 5.5.1 Bad sequence", SENDER),
    # the mailbox, but not for good
    (RCPT, "550 5.2.1 The user you are trying to contact is receiving mail too quickly", Deferred),
    (RCPT, "552 5.2.2 The email account that you tried to reach is over quota", Deferred),
    (RCPT, "550 mailbox full", Deferred),
    (RCPT, "552 too many recipients", Deferred),
    # the message
    (MAIL, "552 5.3.4 Message size exceeds fixed limit", MESSAGE),
    (MAIL, "550 5.6.7 SMTPUTF8 is required", MESSAGE),
    (DOT, "552-5.7.0 This message was blocked because its content presents a potential\n552 5.7.0 issue", MESSAGE),
    (DOT, "554 5.6.0 Message contains bare LF", MESSAGE),
    (DOT, "552 5.5.2 message too long", MESSAGE),
    (DOT, "554 Transaction failed", MESSAGE),
]


@pytest.mark.parametrize(("stage", "reply", "expected"), EXAMPLES)
def test_replies_of_real_servers(stage: Stage, reply: str, expected: Fault | type) -> None:
    outcome = classify(stage, reply.encode())
    if isinstance(expected, Fault):
        assert isinstance(outcome, Rejected), outcome
        assert outcome.fault == expected
    else:
        assert type(outcome) is expected, outcome
    assert outcome.code == int(reply[:3])


def test_every_rule_is_shown_by_an_example() -> None:
    """A rule that nothing reaches is either wrong or hidden by one above it."""
    reached = set[int]()
    for stage, reply, _ in EXAMPLES:
        outcome = classify(stage, reply.encode())
        text = text_of(reply.encode())
        rule = match(stage, text[:3], outcome.status, text)
        reached.add(RULES.index(rule))
    assert [RULES[index] for index in range(len(RULES)) if index not in reached] == []


GOOGLE = [f"7.{n}" for n in (0, 1, 23, 25, 26, 27, 28, 29, 30, 31, 32, 40, 350, 515, 606, 708, 750)]


@pytest.mark.parametrize("status", GOOGLE)
@pytest.mark.parametrize("stage", [MAIL, RCPT, DATA, DOT])
@pytest.mark.parametrize("words", ["", "user unknown", "mailbox unavailable", "no such user"])
def test_what_is_about_us_never_suppresses(status: str, stage: Stage, words: str) -> None:
    for code, first in ((550, 5), (554, 5), (421, 4), (451, 4)):
        outcome = classify(stage, f"{code} {first}.{status} {words}".encode())
        plain = status == "7.1" and stage is RCPT and words.endswith(("unknown", "user"))  # Yandex has no other reply
        assert (isinstance(outcome, Rejected) and outcome.fault is RECIPIENT) == (plain and first == 5), outcome


def test_a_wait_that_the_server_names() -> None:
    waits = {
        "450 4.2.0 Greylisted, please try again in 00:05:00": 300,
        "451 4.7.1 Greylisting in action, please come back in 120 seconds": 120,
        "450 4.2.0 try again after 5 minutes": 300,
        "450 4.2.0 wait 2h": 7200,
        "450 4.2.0 wait 900 days": None,
        "451 4.4.3 temporary": None,
    }
    for reply, seconds in waits.items():
        outcome = classify(RCPT, reply.encode())
        assert isinstance(outcome, Deferred | Throttled)
        assert outcome.retry_after_seconds == seconds, reply


def test_the_text_of_a_reply() -> None:
    assert text_of(b"250 2.0.0 Ok: queued as 4AB\r") == "250 2.0.0 Ok: queued as 4AB"
    assert text_of(b"550-5.1.1 one\r\n550-5.1.1 two\r\n550 5.1.1 three\r") == "550 5.1.1 one 5.1.1 two 5.1.1 three"
    assert text_of(b"550 a\x00\x1b[31mb\r") == "550 a  [31mb"
    assert text_of("550 ü\r".encode()) == "550 ü"
    assert text_of(b"550 \xff\r") == "550 �"
    assert len(text_of(b"550 " + b"x" * 10_000)) == 500


@given(
    stage=st.sampled_from([MAIL, RCPT, DATA, DOT]),
    code=st.integers(400, 599),
    lines=st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b"")), min_size=1, max_size=3),
    status=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 999)),
)
def test_any_reply_has_a_meaning(stage: Stage, code: int, lines: list[bytes], status: tuple[int, int] | None) -> None:
    known = f"{code // 100}.{status[0]}.{status[1]} ".encode() if status else b""
    raw = b"\n".join(
        b"%d%b%b%b" % (code, b" " if index == len(lines) - 1 else b"-", known, line) for index, line in enumerate(lines)
    )
    outcome = classify(stage, raw)
    assert outcome.code == code
    if code < 500:
        assert not isinstance(outcome, Rejected)
    if isinstance(outcome, Rejected) and outcome.fault is RECIPIENT:
        assert stage is not MAIL
        assert not outcome.status.startswith("5.7.") or outcome.status in {"5.7.1", "5.7.17", "5.7.18"}
