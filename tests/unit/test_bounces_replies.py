"""Automatic replies (RFC 3834), receipts (RFC 8098), and people, who are neither."""

import pytest

from tidings.delivery.bounces import Kind, classify

SUBJECTS = [
    "Automatic reply: November", "Out of Office: November", "Out of the office until Monday", "Auto: November",
    "Autoreply: November", "Abwesenheitsnotiz: November", "Automatische Antwort: November",
    "Réponse automatique : November", "Absence du bureau", "Respuesta automática: November", "Fuera de la oficina",
    "Resposta automática: November", "Risposta automatica: November", "Fuori sede: November",
    "Automatisch antwoord: November", "Afwezigheid", "Autosvar: November", "Automatisk svar: November",
    "Automaattinen vastaus: November", "Automatyczna odpowiedź: November", "Automatická odpověď: November",
    "Автоответ: November", "Автоматический ответ: November", "Automatikus válasz: November",
    "Otomatik Yanıt: November", "自动回复: November", "自動回覆: November", "自動返信: November", "부재중 회신",
    "자동 회신: November", "رد تلقائي: November", "Αυτόματη απάντηση: November",
]  # fmt: skip


def message(
    *headers: str, body: str = "I am away. Ada no longer works here; this address does not exist any more."
) -> bytes:
    return "\n".join(("From: Ada <ada@reader.example>", "To: bounces@sender.example", *headers, "", body)).encode()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_vacation_notices_by_subject(subject: str) -> None:
    import base64

    encoded = f"=?utf-8?B?{base64.b64encode(subject.encode()).decode()}?="
    for spelt in (subject, encoded):
        report = classify(message(f"Subject: {spelt}"))
        assert report.kind is Kind.AUTO_REPLY
        (recipient,) = report.recipients
        assert (recipient.address, recipient.action, recipient.kind.value) == (
            "ada@reader.example",
            "replied",
            "auto_reply",
        )
        assert not recipient.permanent


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-replied; owner-email=ada@reader.example",
        "X-Autoreply: yes",
        "X-Autorespond: November",
        "Precedence: auto_reply",
        "X-Mailer: vacation 1.2",
    ],
)
def test_vacation_notices_by_header(header: str) -> None:
    assert classify(message("Subject: Re: November", header)).kind is Kind.AUTO_REPLY
    undeliverable = message(
        "Subject: Ada has left. Your mail was not delivered", header, "X-Auto-Response-Suppress: All"
    )
    assert classify(undeliverable).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "headers",
    [
        ["Subject: Ada Lovelace ist außer Haus", "X-Mailer: Lotus Notes Release 8.5"],
        ["Subject: November (Out of office)", "X-Mailer: Novell GroupWise"],
        ["Return-Path: <>", "Subject: Urlaub"],
        ["Return-Path: <>", "Subject: Danke für Ihre Nachricht", "Precedence: bulk"],
        [
            "Subject: [Request received] November",
            "Auto-Submitted: auto-generated",
            "In-Reply-To: <n1.2026@sender.example>",
        ],
        ["Subject: (SUP-1) November", "Auto-Submitted: auto-generated", "References: <n1.2026@sender.example>"],
        ["Subject: Your message to Readers awaits moderator approval"],
        ["Subject: Request to mailing list Readers rejected"],
    ],
)
def test_programs_that_mark_themselves_in_ways_of_their_own(headers: list[str]) -> None:
    """Although the text says that something was not delivered."""
    text = "Ada ist nicht im Haus. Ihre Nachricht wurde nicht zugestellt; your message was not delivered."
    assert classify(message(*headers, body=text)).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "headers",
    [
        ["Subject: Urlaub"],
        ["Subject: Re: Ada is out of the office"],
        ["Subject: Report domain: sender.example", "Auto-Submitted: auto-generated"],
        ["Subject: RE: Your message to Readers awaits moderator approval"],
    ],
)
def test_the_same_words_of_people_and_of_reports(headers: list[str]) -> None:
    assert classify(message(*headers, body="Please call me.")).kind is Kind.OTHER


def test_challenges_are_replies_of_programs() -> None:
    text = "This account is protected. Follow the link to have your address added to the recipient's allowed list."
    assert classify(message("Subject: RE: November", body=text)).kind is Kind.AUTO_REPLY
    assert classify(message("Subject: RE: November", "List-Unsubscribe: <u:u>", body=text)).kind is Kind.OTHER
    waits = 'Your message about "November" was waitlisted. Please add yourself to my Guest List.'
    assert classify(message("Subject: November (Action Required)", body=waits)).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "headers",
    [
        ["Subject: Re: November"],
        ["Subject: Re: our out of office policy"],
        ["Subject: Re: automatic reply", "Auto-Submitted: no"],
        ["Subject: Question", "X-Auto-Response-Suppress: OOF"],
    ],
)
def test_people_are_no_programs(headers: list[str]) -> None:
    assert classify(message(*headers, body="Please call me.")).kind is Kind.OTHER


def test_bounces_that_call_themselves_automatic_are_bounces() -> None:
    bounce = (
        b"From: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: bounces@sender.example\nAuto-Submitted: auto-replied\n"
        b"Subject: Undelivered Mail Returned to Sender\n\n<ada@reader.example>: 550 5.1.1 User unknown\n"
    )
    assert classify(bounce).kind is Kind.BOUNCE


RECEIPT = """From: Ada <ada@reader.example>
To: news@sender.example
Subject: Read: November
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain

Your message was read.

--b
Content-Type: message/disposition-notification

Reporting-UA: pc.reader.example; Mailer 1.0
Final-Recipient: rfc822;ada@reader.example
Original-Message-ID: <n1.2026@sender.example>
Disposition: manual-action/MDN-sent-manually; {}

--b--
"""


def test_receipts() -> None:
    for disposition in ("displayed", "deleted"):
        report = classify(RECEIPT.format(disposition).encode())
        assert report.kind is Kind.RECEIPT
        assert [(r.address, r.action, r.permanent) for r in report.recipients] == [
            ("ada@reader.example", disposition, False)
        ]
        assert report.original_message_id == "<n1.2026@sender.example>"


def test_a_mailbox_that_refuses_by_receipt() -> None:
    """Dovecot's delivery agent says so when a mailbox is full, or a Sieve script rejects."""
    refused = (
        RECEIPT.format("deleted")
        .replace("From: Ada <ada@reader.example>", "From: Mail Delivery Subsystem <postmaster@reader.example>")
        .replace(
            "Subject: Read: November", "Subject: Automatically rejected mail\nAuto-Submitted: auto-replied (rejected)"
        )
        .replace(
            "Your message was read.", "Your message to <ada@reader.example> was automatically rejected:\nQuota exceeded"
        )
    )
    report = classify(refused.encode())
    assert report.kind is Kind.BOUNCE
    assert [(r.address, r.kind.value) for r in report.recipients] == [("ada@reader.example", "mailbox_full")]
