"""One report in the forms that gateways and defects give it: what it says stays the same."""

import base64
from itertools import permutations

import pytest

from bounce_mails import GROUP, ORIGINAL, dsn
from tidings.delivery.bounces import classify

TEXT = "Content-Type: text/plain; charset=utf-8\n\nDelivery failed.\n"
FIELDS = f"Reporting-MTA: dns; mx.sender.example\n\n{GROUP}"
STATUS = f"Content-Type: message/delivery-status\n\n{FIELDS}"
BACK = f"Content-Type: message/rfc822\n\n{ORIGINAL}"
HEAD = (
    "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.sender.example>\nTo: bounces@sender.example\n"
    "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
)


def report(*parts: str, kind: str = 'multipart/report; report-type=delivery-status; boundary="=_b1"') -> str:
    body = "".join(f"--=_b1\n{part}\n" for part in parts)
    return f"{HEAD}Content-Type: {kind}\n\n{body}--=_b1--\n"


def status(encoding: str, body: str, kind: str = "message/delivery-status") -> str:
    return f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{body}"


FORMS = {
    **{f"parts in another order, {n}": report(*parts) for n, parts in enumerate(permutations([TEXT, STATUS, BACK]))},
    "cut before the last delimiter": report(TEXT, STATUS, BACK).removesuffix("--=_b1--\n"),
    "no boundary": report(TEXT, STATUS, BACK, kind="multipart/report; report-type=delivery-status"),
    "another boundary": report(TEXT, STATUS, BACK, kind='multipart/report; boundary="other"'),
    "not a report by its type": report(TEXT, STATUS, BACK, kind='multipart/mixed; boundary="=_b1"'),
    "in capitals": report(TEXT, STATUS.replace("message/", "MESSAGE/"), BACK, kind='MULTIPART/REPORT; BOUNDARY="=_b1"'),
    "in base64": report(TEXT, status("base64", base64.encodebytes(FIELDS.encode()).decode()), BACK),
    "quoted": report(TEXT, status("quoted-printable", FIELDS.replace("rfc822; ", "rfc822;=\n ")), BACK),
    "as a file": report(TEXT, status("7bit", FIELDS, "application/octet-stream; name=details.txt"), BACK),
    "as a file in base64": report(
        TEXT, status("base64", base64.encodebytes(FIELDS.encode()).decode(), "application/octet-stream"), BACK
    ),
    "as text": report(TEXT, STATUS.replace("message/delivery-status", "text/plain"), BACK),
    "the boundary again in what is given back": report(TEXT, STATUS, f"{BACK}\n--=_b1\n{TEXT}"),
    "a text in a character set that it is not in": report(TEXT.replace("utf-8", "utf-16"), STATUS, BACK),
    "behind a byte order mark": "\ufeff" + report(TEXT, STATUS, BACK),
    "behind blank lines": "\n\n" + report(TEXT, STATUS, BACK),
    "fields in any case, with blanks": report(
        TEXT, STATUS.replace("Final-Recipient:", "FINAL-RECIPIENT :").replace("Action: ", "action:\t"), BACK
    ),
    "a recipient twice": report(TEXT, f"{STATUS}\n{GROUP}", BACK),
}


@pytest.mark.parametrize("form", FORMS)
def test_says_the_same(form: str) -> None:
    told, expected = classify(FORMS[form].encode()), classify(dsn(GROUP).encode())
    assert (told.kind, told.recipients, told.original_message_id) == (
        expected.kind,
        expected.recipients,
        expected.original_message_id,
    )
