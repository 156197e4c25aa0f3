"""Which class a failure is of: replies of large providers, and what must hold for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.delivery.bounces._classes import judge
from tidings.delivery.providers import Deferred, FailureClass, Fault, Rejected
from tidings.delivery.providers._refusals import RULES, Stage, Verdict
from tidings.delivery.providers._smtp_replies import classify as classify_reply

EXAMPLES = [
    # status of the report, words, class, permanent
    ("5.1.1", "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown in virtual mailbox table", "hard", True),
    ("5.0.0", "550 5.1.1 No such user", "hard", True),
    ("", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "hard", True),
    ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "hard", True),
    ("5.1.2", "Host or domain name not found. Name service error for name=b.test type=A: Host not found", "hard", True),
    ("5.4.4", "Host or domain name not found. Name service error for name=b.test", "hard", True),
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is inactive.", "hard", True),
    ("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.test) [0]", "hard", True),
    ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "hard", True),
    ("", "Unrouteable address", "hard", True),
    ("", "l'utilisateur n'existe pas", "hard", True),
    ("", "Пользователь не найден", "hard", True),
    ("", "メールボックスが見つかりません", "hard", True),
    ("5.2.2", "552 5.2.2 The email account that you tried to reach is over quota.", "mailbox_full", False),
    ("5.0.0", "550 Quota exceeded (mailbox for user is full)", "mailbox_full", False),
    ("5.1.1", "550 5.1.1 a@b.test mailbox full", "mailbox_full", False),
    ("", "Das Postfach ist voll", "mailbox_full", False),
    ("4.4.7", "Delivery time expired", "soft", False),
    ("4.4.1", "connect to mx.b.test[192.0.2.1]:25: Connection timed out", "soft", False),
    ("5.4.6", "554 5.4.6 Too many hops", "soft", False),
    ("", "450 4.2.0 Greylisted, please try again later", "soft", False),
    ("5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "block", True),
    ("5.0.0", "550 SC-001 (BAY004-MC1F19) Unfortunately, messages from 192.0.2.1 weren't sent.", "block", True),
    ("5.7.1", "550-5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail.", "block", True),
    ("5.7.9", "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes", "policy", True),
    ("", "554 IP=192.0.2.1 - A problem occurred. (bad reputation) rdns", "block", True),
    ("", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", "block", False),
    ("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.", "block", True),
    ("5.7.23", "550 5.7.23 The message was rejected because of Sender Policy Framework violation", "policy", True),
    ("5.7.1", "550 5.7.1 Unable to relay for a@b.test", "policy", True),
    ("5.7.1", "550 5.7.1 <a@b.test>: Recipient address rejected: User unknown", "hard", True),
    ("5.7.1", "550 5.7.1 No such user!", "hard", True),
    ("5.7.1", "553 sorry, badrcptto(user mail-box not found) (#5.7.1)", "hard", True),
    ("5.7.1", "550 5.7.1 Recipient not found, or you are not authorized to write to it", "policy", True),
    ("5.7.1", "550 5.7.1 User unknown; relaying denied", "policy", True),
    ("5.7.1", "550 5.7.1 Rejected by policy: user unknown", "policy", True),
    ("5.7.1", "550 5.7.1 Sender rejected: user unknown", "block", True),
    ("5.7.1", "550 5.7.1 No such user (in reply to end of DATA command)", "policy", True),
    ("5.7.26", "550 5.7.26 No such user", "policy", True),
    ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", "policy", True),
    ("", "552 Message exceeds maximum message size", "policy", True),
    ("5.1.1", "550 RCPT TO:<a@b.test> max message size exceeded", "policy", True),
    ("5.7.0", "The recipient mailbox has exceeded its disk space limit.", "mailbox_full", False),
    ("5.0.0", "550 <a@b.test>... Relaying denied", "policy", True),
    ("5.0.0", "host mx.b.test[192.0.2.1] said: 554 <a@b.test>: Relay access denied", "policy", True),
    ("5.7.1", "550 5.7.1 Rejected - bulk email", "block", True),
    ("5.7.1", "550 5.7.1 Your email breaches local URIBL policy.", "block", True),
    ("", "Connection was dropped by remote host (SENT_HELO)", "soft", False),
    ("5.3.0", "554 5.3.0 Service currently unavailable", "soft", True),
    ("5.4.1", "connect to mx.b.test[192.0.2.1]: no answer from host", "soft", False),
    ("", 'Unrouteable mail domain "b.test"', "hard", True),
    ("5.0.0", "Name service error for name=b.test type=MX: Malformed name server reply", "soft", True),
    ("5.0.0", "550 permanent failure for one or more recipients (a@b.test:blocked)", "block", True),
    ("5.0.0", "550 permanent failure for one or more recipients (a@b.test:550 5.1.1 User unknown)", "hard", True),
    ("5.0.0", "451 Internal resources are temporarily unavailable", "soft", False),
    ("", "550 5.4.1 Recipient address rejected: Access denied", "hard", True),
    ("", "550 Recipient address rejected: Access denied", "hard", True),
    ("5.7.1", "554 5.7.1 <a@b.test>: Recipient address rejected: Access denied", "block", True),
    ("", "550 Addressee unknown, relay=[192.0.2.1]", "hard", True),
    ("", "550 Mailbox unavailable or access denied", "hard", True),
    ("", "550 Sender verify failed: no such user here", "block", True),
    ("", "550 unknown user in relay recipient table", "hard", True),
    ("", "553 sorry, that domain isn't in my list of allowed rcpthosts", "block", True),
    ("", "550 BATV validation failure", "policy", True),
    ("", "550 Backscatter protection detected an invalid or expired email address", "policy", True),
    ("", "550 From: domain is invalid", "policy", True),
    ("", "550 Message rejected: email address is not verified", "policy", True),
    ("", "550 not subscribed to this list", "policy", True),
    ("", "550 you are sending from a dynamic IP, please use the smtp server of your ISP", "block", True),
    ("", "421 RP-001 some messages from 192.0.2.1 weren't sent", "block", False),
    ("", "554 MI:SPB 163 smtp8", "block", True),
    ("", "550 Account has exceeded the max emails per hour (10/10 (100%)) allowed", "block", True),
    ("", "550 mailbox is over its size limit", "mailbox_full", False),
    ("", "該当のメールボックスは容量超過です", "mailbox_full", False),
    ("", "Квота превышена", "mailbox_full", False),
    ("", "552 Insufficient system storage", "soft", True),
    ("", 'Command died with status 255: "/usr/bin/handler"', "soft", False),
    ("", "procmail: permission denied", "soft", False),
    ("5.0.0", "Host not found, try again", "soft", True),
    ("", "an MX or SRV record indicated no SMTP service", "hard", True),
    ("", "450 greylisted, come back in 300 seconds", "soft", False),
    ("", "host mx.b.test refused to talk to me: 421 too busy", "soft", False),
    ("", "mailbox is inactive due to extended inactivity; blocked", "hard", True),
    ("5.0.0", "", "unknown", True),
    ("", "it did not work", "unknown", True),
]  # fmt: skip


@pytest.mark.parametrize(("status", "words", "kind", "permanent"), EXAMPLES)
def test_examples(status: str, words: str, kind: str, permanent: bool) -> None:
    found, _, lasts = judge(status, words)
    assert (found.value, lasts) == (kind, permanent)


def test_the_more_telling_status_is_reported() -> None:
    assert judge("5.0.0", "550 5.1.1 unknown")[1] == "5.1.1"
    assert judge("5.1.1", "550 5.0.0 unknown")[1] == "5.1.1"
    assert judge("", "550 unknown user")[1] == ""


digits = st.integers(0, 999)
words = st.text(max_size=80) | st.sampled_from([e[1] for e in EXAMPLES])


@given(st.sampled_from("45"), digits, digits, words)
def test_what_is_about_us_is_never_the_recipients_fault(first: str, subject: int, detail: int, text: str) -> None:
    """X.7 never suppresses but for 5.7.17 and 5.7.18 (a new owner) and 5.7.1 with the plainest words; nothing transient does."""
    status = f"{first}.7.{detail}"
    if status not in {"5.7.17", "5.7.18"}:
        assert judge(status, "")[0] is not FailureClass.HARD
        assert (judge(status, f"{first}50 {status} User unknown")[0] is FailureClass.HARD) == (status == "5.7.1")
    kind, _, permanent = judge(f"4.{subject}.{detail}", "")
    assert kind is not FailureClass.HARD
    assert not permanent
    assert judge("", text, action="delayed")[0] is not FailureClass.HARD
    assert not judge("", text, action="delayed")[2]


@given(
    st.text(max_size=20) | st.builds("{}.{}.{}".format, st.sampled_from("12345"), digits, digits), st.text(max_size=700)
)
def test_anything_has_a_class(status: str, text: str) -> None:
    kind, told, permanent = judge(status, text)
    assert isinstance(kind, FailureClass)
    assert told == "" or told[0] in "245"
    assert not permanent or (kind is not FailureClass.MAILBOX_FULL and told[:1] != "4")


@pytest.mark.parametrize("detail", ["2.2", "4.1", "4.2", "4.3", "4.5", "4.6", "4.7"])
def test_what_the_standard_calls_useful_only_as_transient(detail: str) -> None:
    assert not judge(f"5.{detail}", "")[2]
    assert judge("5.4.4", "")[2]
    assert judge("5.3.2", "")[2]


def test_one_table_serves_sessions_and_bounces() -> None:
    """What a session blames the recipient for is hard here, and nothing else is."""
    for rule in RULES:
        assert (rule.verdict is Verdict.RECIPIENT) == (rule.kind is FailureClass.HARD), rule
    for _, text, kind, _ in EXAMPLES:
        if text[:3].isdigit() and kind == "hard":
            outcome = classify_reply(Stage.RCPT, text.encode())
            assert isinstance(outcome, Rejected)
            assert outcome.fault is Fault.RECIPIENT
        elif text[:3].isdigit() and kind == "mailbox_full" and "5.1.1" not in text:
            assert isinstance(classify_reply(Stage.RCPT, text.encode()), Deferred)
