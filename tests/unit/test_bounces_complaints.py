"""Complaints after RFC 5965 and before it: who complained, however the report hides it."""

import pytest

from bounce_mails import ORIGINAL, arf
from tidings.delivery.bounces import Kind, Report, classify

ABUSE = "Feedback-Type: abuse\nUser-Agent: SomeFBL/1.0\nVersion: 1"


def read(message: str) -> Report:
    lf = message.encode()
    report = classify(lf)
    assert report == classify(lf.replace(b"\n", b"\r\n")) == classify(lf.replace(b"\n", b"\r"))
    return report


def who(message: str) -> list[str]:
    report = read(message)
    assert report.kind is Kind.COMPLAINT
    assert all((r.action, r.kind.value, r.permanent) == ("complaint", "complaint", True) for r in report.recipients)
    return [r.address for r in report.recipients]


def test_the_report_says_who() -> None:
    assert who(arf(f"{ABUSE}\nOriginal-Rcpt-To: <Ada@reader.example>")) == ["Ada@reader.example"]
    assert who(arf(f"{ABUSE}\nOriginal-Rcpt-To: rfc822; a@reader.example\nOriginal-Rcpt-To: <b@reader.example>")) == [
        "a@reader.example",
        "b@reader.example",
    ]
    report = read(arf(ABUSE))
    assert report.original_message_id == "<n1.2026@sender.example>"
    assert report.recipients[0].reason == "abuse: SomeFBL/1.0"


BARE = "From: Sender News <news@sender.example>\nSubject: November\nMessage-ID: <n1.2026@sender.example>\n"


@pytest.mark.parametrize(
    "headers",
    [
        "To: Ada <ada@reader.example>",
        "X-Original-To: ada@reader.example\nTo: undisclosed-recipients:;",
        "Delivered-To: ada@reader.example\nTo: a@one.example, b@two.example",
        "X-HmXmrOriginalRecipient: ada@reader.example",
        "Received: from a by b with SMTP id 1\n\tfor <ada@reader.example>; Wed, 25 Nov 2026 10:00:00 +0000\nTo: [redacted]",
        "Return-Path: <bounces+ada=reader.example@sender.example>",
        "To: redacted-address@reader.example\nReturn-Path: <bounces-7-ada=reader.example@sender.example>",
    ],
)
def test_the_message_that_it_encloses_says_who(headers: str) -> None:
    assert who(arf(ABUSE, original=f"{headers}\n{BARE}\nText.\n")) == ["ada@reader.example"]
    redacted = f"{ABUSE}\nOriginal-Rcpt-To: redacted@reader.example"
    assert who(arf(redacted, original=f"{headers}\n{BARE}\nText.\n")) == ["ada@reader.example"]


def test_nobody_is_named_who_is_not_known() -> None:
    assert who(arf(ABUSE, original=f"To: redacted@reader.example\n{BARE}\nmail ada@reader.example\n")) == []


def test_other_kinds_of_feedback() -> None:
    def kinds(name: str) -> tuple[str, list[str]]:
        report = read(arf(f"Feedback-Type: {name}\nOriginal-Rcpt-To: ada@reader.example"))
        return report.kind.value, [r.action for r in report.recipients]

    assert kinds("opt-out") == ("complaint", ["opt-out"])
    assert kinds("fraud") == ("complaint", ["complaint"])
    assert kinds("not-spam") == ("not_spam", ["not-spam"])
    assert kinds("auth-failure") == ("other", [])


def test_feedback_loops_older_than_the_standard() -> None:
    jmrp = f"""From: staff@hotmail.example
To: fbl@sender.example
Subject: complaint about message from 192.0.2.10
X-HmXmrOriginalRecipient: ada@hotmail.example
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: message/rfc822

{ORIGINAL}
--b--
"""
    assert who(jmrp) == ["ada@hotmail.example"]
    assert who(jmrp.replace("X-HmXmrOriginalRecipient: ada@hotmail.example\n", "")) == ["ada@reader.example"]


def test_notifications_of_amazon_ses_that_come_by_mail() -> None:
    mail = '"mail":{"messageId":"0101","destination":["ada@reader.example"]}'
    head = "From: SES <no-reply@sns.amazonaws.com>\nTo: fbl@sender.example\nSubject: AWS Notification Message\n\n"
    complaint = (
        '{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"ada@reader.example"}]},'
        f"{mail}}}"
    )
    bounce = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"ada@reader.example",'
        f'"action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}}]}},{mail}}}'
    )
    tail = "\n\n--\nIf you wish to stop receiving notifications from this topic, please click\n"
    assert who(head + complaint + tail) == ["ada@reader.example"]
    (recipient,) = read(head + bounce + tail).recipients
    assert (recipient.address, recipient.status, recipient.kind.value) == ("ada@reader.example", "5.1.1", "hard")
    assert read(head + bounce[:-5] + tail).recipients == ()


def test_a_mail_program_that_leaves_for_its_owner() -> None:
    message = (
        "From: ada@reader.example\nTo: leave+x@sender.example\nSubject: unsubscribe\nAuto-Submitted: auto-replied\n"
        "X-Apple-Unsubscribe: true\n\nApple Mail sent this email to unsubscribe.\n"
    )
    report = classify(message.encode())
    assert report.kind is Kind.COMPLAINT
    assert [(r.address, r.action) for r in report.recipients] == [("ada@reader.example", "opt-out")]
