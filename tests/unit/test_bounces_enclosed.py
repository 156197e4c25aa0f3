"""Reports that a gateway encloses in notices of its own, once or several times: who failed is still told."""

import base64
import time

import pytest

from bounce_mails import GROUP, dsn
from tidings.delivery.bounces import Kind, classify

GATEWAY = "MAILER-DAEMON@gateway.example"
REPORT = dsn(GROUP)
PROSE = """Return-Path: <>
From: MAILER-DAEMON@mx.reader.example
To: bounces@sender.example
Subject: failure notice

Hi. This is the qmail-send program at mx.reader.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ada@reader.example>:
Sorry, no mailbox here by that name. (#5.1.1)
"""


def passed_on(
    message: str, depth: int = 1, sender: str = GATEWAY, *, coded: bool = False, kind: str = "message/rfc822"
) -> str:
    """The message as a part of another, `depth` times."""
    for level in range(depth):
        encoding = "Content-Transfer-Encoding: base64\n" if coded else ""
        body = base64.encodebytes(message.encode()).decode() if coded else message
        message = (
            f"From: {sender}\nTo: bounces@sender.example\nSubject: Fwd: Undelivered Mail\nMIME-Version: 1.0\n"
            f'Content-Type: multipart/mixed; boundary="m{level}"\n\n--m{level}\nContent-Type: text/plain\n\n'
            f"A message is passed on to you.\n\n--m{level}\nContent-Type: {kind}\n{encoding}\n{body}\n--m{level}--\n"
        )
    return message


def in_a_report(message: str) -> str:
    """The message as what a report gives back that names nobody anybody could have mailed."""
    return dsn(
        "Final-Recipient: rfc822; bounces\nAction: failed\nStatus: 5.0.0", text="Not passed on.", original=message
    )


FORMS = {
    "once": passed_on(REPORT),
    "twice": passed_on(REPORT, 2),
    "four times": passed_on(REPORT, 4),
    "in a report": in_a_report(REPORT),
    "in a report within a report": in_a_report(in_a_report(REPORT)),
    "in a report that is passed on": passed_on(in_a_report(REPORT)),
    "in base64": passed_on(REPORT, coded=True),
    "as a file": passed_on(REPORT, kind="application/octet-stream; name=undelivered.EML"),
    "without a part": f"From: {GATEWAY}\nTo: bounces@sender.example\nSubject: Fwd\nContent-Type: message/rfc822\n\n{REPORT}",
    "a notice in prose": passed_on(PROSE, 2),
    "a notice in prose in a report": in_a_report(PROSE),
}


@pytest.mark.parametrize("form", FORMS)
def test_names_whom_the_innermost_names(form: str) -> None:
    report = classify(FORMS[form].encode())
    assert report.kind is Kind.BOUNCE
    assert [(r.address, r.kind.value, r.permanent) for r in report.recipients] == [("ada@reader.example", "hard", True)]


def test_what_a_person_passes_on_is_no_report() -> None:
    assert classify(passed_on(REPORT, sender="Bob <bob@sender.example>").encode()).kind is Kind.OTHER
    assert not classify(passed_on(passed_on(REPORT), sender="Bob <bob@sender.example>").encode()).recipients


def test_is_looked_for_to_a_fixed_depth_in_bounded_time() -> None:
    assert not classify(passed_on(REPORT, 5).encode()).recipients
    deep = passed_on("x" * 200_000, 200).encode()
    began = time.process_time()
    classify(deep)
    assert time.process_time() - began < 1.0


def test_a_parameter_on_a_line_that_lost_its_blank_belongs_to_the_field_above() -> None:
    broken = REPORT.replace(
        'report-type=delivery-status; boundary="=_b1"', 'report-type=delivery-status;\nboundary="=_b1"'
    )
    assert broken != REPORT
    assert classify(broken.encode()).recipients == classify(REPORT.encode()).recipients
    head = f"From: {GATEWAY}\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
    inner = 'Content-Type: multipart/alternative;\nboundary="i"\n\n--i\nContent-Type: text/plain\n\n'
    words = "<ada@reader.example>: 550 5.1.1 User unknown. It could not be delivered.\n--i--\n--o--\n"
    assert [r.address for r in classify((head + inner + words).encode()).recipients] == ["ada@reader.example"]
