"""Notices of failure in prose: whom each names, and nobody else."""

import pytest

from bounce_mails import ORIGINAL
from bounce_notices import NOTICES
from tidings.delivery.bounces import Kind, classify
from tidings.delivery.providers import FailureClass


@pytest.mark.parametrize("name", NOTICES)
def test_names_exactly_who_failed(name: str) -> None:
    message, expected = NOTICES[name]
    report = classify(message.encode())
    assert {r.address: (r.action, r.kind.value) for r in report.recipients} == expected
    assert report.kind is (Kind.BOUNCE if "failed" in {a for a, _ in expected.values()} else Kind.DELAYED)
    assert all(r.reason for r in report.recipients)


@pytest.mark.parametrize("name", NOTICES)
def test_line_ends_do_not_matter(name: str) -> None:
    lf = NOTICES[name][0].encode()
    assert classify(lf.replace(b"\n", b"\r\n")) == classify(lf) == classify(lf.replace(b"\n", b"\r"))


def test_keeps_the_words_of_the_server() -> None:
    reasons = {r.address: r.reason for r in classify(NOTICES["exim"][0].encode()).recipients}
    assert reasons["ada@reader.example"].endswith("550 No such user here")
    assert reasons["bob@other.example"] == "Unrouteable address"


def test_tells_which_message_it_was_and_where_the_notice_went() -> None:
    report = classify(NOTICES["qmail"][0].encode())
    assert report.original_message_id == "<n1.2026@sender.example>"
    assert report.addressed_to == ("bounces@sender.example",)


PEOPLE = {
    "a person's mail": f"From: Ada <ada@reader.example>\nTo: news@sender.example\nSubject: Hello\n\n{ORIGINAL}",
    "a person who forwards a notice": (
        "From: Ada <ada@reader.example>\nTo: help@sender.example\nSubject: Fwd: Undelivered Mail Returned to Sender\n"
        "References: <1@reader.example>\n\nWhat is this?\n\n<bob@other.example>: 550 5.1.1 User unknown\n"
    ),
    "a person who complains of mail that fails": (
        "From: Ada <ada@reader.example>\nTo: help@sender.example\nSubject: my newsletter\n\n"
        "It could not be delivered to bob@other.example, he says his mailbox is full.\n"
    ),
    "a newsletter": (
        "From: Shop <shop@shop.example>\nTo: a@sender.example\nList-Unsubscribe: <https://shop.example/u>\n"
        "Subject: Delivery problems? We deliver!\n\nContact help@shop.example if your parcel was not delivered.\n"
    ),
    "a report on DMARC": (
        "From: noreply-dmarc-support@google.example\nTo: dmarc@sender.example\n"
        "Subject: Report domain: sender.example Submitter: google.example Report-ID: 1\n"
        'Content-Type: application/zip; name="google.example!1.zip"\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n'
    ),
    "nothing": "",
    "no header": "just some words",
}


@pytest.mark.parametrize("message", PEOPLE.values(), ids=PEOPLE.keys())
def test_people_are_not_mail_systems(message: str) -> None:
    report = classify(message.encode())
    assert report.kind is Kind.OTHER
    assert report.recipients == ()


def test_a_list_of_the_senders_own_did_not_fail() -> None:
    to_a_list = NOTICES["nobody named but in what is given back"][0].replace(
        "Ada <ada@reader.example>", "list@sender.example"
    )
    report = classify(to_a_list.replace("for <ada@reader.example>", "for <list@sender.example>").encode())
    assert report.kind is Kind.BOUNCE
    assert report.recipients == ()


def test_a_success_in_prose_is_none() -> None:
    message = (
        "From: Mailer Daemon <MAILER-DAEMON@host.example>\nTo: bounces@sender.example\n"
        "Subject: Delivery status notification: success\n\n"
        "    Hi!\n\n    Your message was successfully delivered to these recipients.\n\nada@reader.example: Delivered\n\n"
        "    Below is a copy of the original message:\n\nFrom: news@sender.example\nTo: ada@reader.example\n"
    )
    report = classify(message.encode())
    assert report.kind is Kind.DELIVERED
    assert [(r.address, r.action, r.permanent) for r in report.recipients] == [
        ("ada@reader.example", "delivered", False)
    ]


@pytest.mark.parametrize("cut", ["ada...@reader.example", "list@ada..."])
def test_addresses_that_an_archive_cut_short_are_nobodys(cut: str) -> None:
    message = f"From: MAILER-DAEMON@mx.example\nTo: bounces@sender.example\nSubject: failure notice\n\n<{cut}>:\n550 User unknown\n"
    report = classify(message.encode())
    assert report.kind is Kind.BOUNCE
    assert report.recipients == ()


def test_advice_is_not_the_reason() -> None:
    message = (
        "From: Postmaster <postmaster@reader.example>\nTo: bounces@sender.example\nSubject: Undeliverable mail\n\n"
        "Your mail could not be delivered to:\n\nada@reader.example\n\n"
        "If the mailbox no longer exists, remove it from your list.\n\nPlease check that the account is not disabled.\n"
    )
    assert [r.kind for r in classify(message.encode()).recipients] == [FailureClass.UNKNOWN]
