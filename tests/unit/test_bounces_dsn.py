"""Delivery status notifications after RFC 3464 and RFC 6533, as they are and as they are written."""

import pytest

from bounce_mails import ORIGINAL, dsn
from tidings.delivery.bounces import Kind, Recipient, classify

GROUP = """
Final-Recipient: rfc822; ada@reader.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.reader.example
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does
    not exist. 550 5.1.1 https://support.google.com/mail/?p=NoSuchUser
"""


def only(message: str) -> Recipient:
    (recipient,) = classify(message.encode()).recipients
    return recipient


def test_says_who_what_and_why() -> None:
    report = classify(dsn(GROUP).encode())
    assert report.kind is Kind.BOUNCE
    assert report.original_message_id == "<n1.2026@sender.example>"
    assert [r.address for r in report.recipients] == ["ada@reader.example"]
    told = report.as_dict()["recipients"][0]
    assert told.pop("reason").startswith("550-5.1.1 The email account that you tried to reach does not exist.")
    assert told == {
        "address": "ada@reader.example",
        "action": "failed",
        "status": "5.1.1",
        "permanent": True,
        "class": "hard",
    }


def test_line_ends_do_not_matter() -> None:
    lf = dsn(GROUP).encode()
    assert classify(lf.replace(b"\n", b"\r\n")) == classify(lf) == classify(lf.replace(b"\n", b"\r"))


def test_recipients_have_actions_of_their_own() -> None:
    delayed = "Final-Recipient: rfc822; bob@slow.example\nAction: delayed\nStatus: 4.4.1\nWill-Retry-Until: later"
    relayed = "Final-Recipient: rfc822; eve@far.example\nAction: relayed\nStatus: 2.1.9"
    report = classify(dsn(GROUP, delayed, relayed).encode())
    assert report.kind is Kind.BOUNCE
    assert [(r.address, r.action, r.permanent, r.kind.value) for r in report.recipients] == [
        ("ada@reader.example", "failed", True, "hard"),
        ("bob@slow.example", "delayed", False, "soft"),
        ("eve@far.example", "relayed", False, "unknown"),
    ]
    assert classify(dsn(delayed, relayed).encode()).kind is Kind.DELAYED
    assert classify(dsn(relayed).encode()).kind is Kind.DELIVERED


def test_the_address_that_was_mailed_not_where_it_was_forwarded() -> None:
    forwarded = (
        "Original-Recipient: rfc822;ada@reader.example\nFinal-Recipient: rfc822; ada.l@home.example\nAction: failed"
    )
    assert only(dsn(forwarded)).address == "ada@reader.example"
    unusable = "Original-Recipient: rfc822;\nFinal-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1"
    assert only(dsn(unusable)).address == "ada@reader.example"
    x400 = (
        "Original-Recipient: x400; /S=ada/\nFinal-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1"
    )
    assert only(dsn(x400)).address == "ada@reader.example"


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("rfc822; ada@reader.example", "ada@reader.example"),
        ("RFC822;ada@reader.example", "ada@reader.example"),
        ("rfc822; <ada@reader.example>", "ada@reader.example"),
        ("<ada@reader.example>", "ada@reader.example"),
        ("ada@reader.example", "ada@reader.example"),
        ("rfc822; Ada.Lovelace+news@Reader.Example", "Ada.Lovelace+news@Reader.Example"),
        ('rfc822; "ada lovelace"@reader.example', '"ada lovelace"@reader.example'),
        ("rfc822; o'brien@reader.example", "o'brien@reader.example"),
        ("rfc822; ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        (r"utf-8; \x{7528}\x{6237}@example.com", "用户@example.com"),
        (r"rfc822; ada@reader.example (expanded from: staff)", "ada@reader.example"),
    ],
)
def test_addresses_however_they_are_wrapped(field: str, address: str) -> None:
    assert only(dsn(f"Final-Recipient: {field}\nAction: failed\nStatus: 5.1.1")).address == address


def test_international_reports() -> None:
    group = "Final-Recipient: utf-8; 用户@例子.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 用户不存在"
    recipient = only(dsn(group, kind="message/global-delivery-status"))
    assert (recipient.address, recipient.reason) == ("用户@例子.example", "550 5.1.1 用户不存在")


@pytest.mark.parametrize(
    ("action", "told"),
    [("failed", "failed"), ("Failed", "failed"), ("FAILURE", "failed"), ("error", "failed"), ("failed (mailbox)", "failed"),
     ("delayed", "delayed"), ("deferred", "delayed"), ("delivered", "delivered"), ("expanded", "expanded")],
)  # fmt: skip
def test_actions_as_they_are_spelt(action: str, told: str) -> None:
    assert only(dsn(f"Final-Recipient: rfc822; ada@reader.example\nAction: {action}\nStatus: 4.0.0")).action == told


def test_without_an_action_the_status_tells() -> None:
    group = "Final-Recipient: rfc822; ada@reader.example\nStatus: {}"
    assert [only(dsn(group.format(s))).action for s in ("5.1.1", "4.4.1", "2.0.0")] == [
        "failed",
        "delayed",
        "delivered",
    ]


def test_a_number_alone_gets_the_words_of_the_notice() -> None:
    text = "<ada@reader.example>: 550 user unknown (in reply to RCPT TO command)"
    recipient = only(dsn("Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.0.0", text=text))
    assert (recipient.kind.value, recipient.reason) == ("hard", "550 user unknown (in reply to RCPT TO command)")


def test_a_report_without_words_shows_those_of_the_notice_and_is_not_judged_by_them() -> None:
    text = "Delivery to the following recipients failed. Your mailbox is full of news.\n\n   ada@reader.example"
    recipient = only(dsn("Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1", text=text))
    assert (recipient.kind.value, recipient.status) == ("hard", "5.1.1")
    assert recipient.reason.startswith("Delivery to the following recipients failed.")


def test_groups_that_run_together_and_fields_that_a_gateway_put_into_the_text() -> None:
    second = GROUP.replace("ada@", "bob@").strip("\n")
    together = dsn(GROUP.strip("\n") + "\n" + second)
    assert [r.address for r in classify(together.encode()).recipients] == ["ada@reader.example", "bob@reader.example"]
    flat = (
        "From: <MAILER-DAEMON@mx.sender.example>\nTo: bounces@sender.example\nSubject: Delivery Notification\n\n"
        f"Your message cannot be delivered.\n\nReporting-MTA: dns; mx.sender.example\n{GROUP}\n{ORIGINAL}"
    )
    assert only(flat).address == "ada@reader.example"


def test_fields_in_base64_and_a_boundary_that_is_not_the_one_announced() -> None:
    import base64

    encoded = base64.encodebytes(f"Reporting-MTA: dns; x\n{GROUP}".encode()).decode()
    plain = dsn("X: y")
    message = plain.replace(
        "message/delivery-status\n\nReporting-MTA: dns; mx.sender.example\n\nX: y",
        f"message/delivery-status\nContent-Transfer-Encoding: base64\n\n{encoded}",
    )
    assert message != plain
    assert only(message).address == "ada@reader.example"
    assert only(dsn(GROUP).replace('boundary="=_b1"', 'boundary="other"')).address == "ada@reader.example"


def test_what_the_report_quotes_says_nothing() -> None:
    quoted = dsn(GROUP.replace("ada@", "mallory@"))
    report = classify(dsn(GROUP, original=quoted).encode())
    assert [r.address for r in report.recipients] == ["ada@reader.example"]


def test_who_fails_twice_is_told_once() -> None:
    delayed = "Final-Recipient: rfc822; ADA@reader.example\nAction: delayed\nStatus: 4.4.1"
    assert only(dsn(delayed, GROUP)).action == "failed"
