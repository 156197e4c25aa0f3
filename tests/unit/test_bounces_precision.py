"""What speaks of failures and is none: people, lists, shops, programs; and reports that say something else than a failure."""

import pytest

from bounce_mails import GROUP, arf, dsn
from tidings.delivery.bounces import classify

BOUNCE = dsn(GROUP)
CASES: dict[str, tuple[str, str]] = {}


def mail(
    *headers: str, body: str = "", frm: str = ("Ada <ada@reader.example>"), to: str = "news@sender.example"
) -> str:
    return "\n".join((f"From: {frm}", f"To: {to}", *headers, "", body))


def case(kind: str, name: str, message: str) -> None:
    CASES[name] = (kind, message)


QUOTED = (
    "> This is the mail system at host mx.sender.example.\n>\n> <bob@other.example>: host "
    "mx.other.example said: 550 5.1.1 User unknown (in reply to RCPT TO command)\n"
)
case(
    "other",
    "reply quoting a bounce",
    mail(
        "Subject: Re: Undelivered Mail Returned to Sender",
        "In-Reply-To: <x@mx>",
        "References: <x@mx>",
        body="Hi, I got this, what should I do?\n\n" + QUOTED,
    ),
)
case(
    "other",
    "reply without threading",
    mail(
        "Subject: RE: Undeliverable: November", body="Hello support,\n\nplease look at this. Thanks\nAda\n\n" + QUOTED
    ),
)
case(
    "other",
    "own subject quoting a bounce",
    mail("Subject: your newsletter bounces", body="Hello,\n\nI see this in our logs:\n\n" + QUOTED),
)
case(
    "other",
    "question with bounce word in subject",
    mail(
        "Subject: question about bounced mail",
        body="My mail to bob@other.example could not be delivered: 550 5.1.1 user unknown. Why?",
    ),
)
case(
    "other",
    "forward with attachment of bounce",
    mail(
        "Subject: Fwd: Undelivered Mail Returned to Sender",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=zz",
        "X-Mailer: Apple Mail",
        body="--zz\nContent-Type: text/plain\n\nSee attached. Ada\n\n--zz\nContent-Type: message/rfc822\n\n"
        + BOUNCE
        + "\n--zz--\n",
    ),
)
case(
    "other",
    "forward as attachment with own subject",
    mail(
        "Subject: strange mails",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=zz",
        "User-Agent: Mozilla Thunderbird",
        body=(
            "--zz\nContent-Type: text/plain\n\nSince yesterday I get these.\n\n--zz\nContent-Type: message/rfc822\n\n"
        )
        + BOUNCE
        + "\n--zz--\n",
    ),
)
case(
    "other",
    "digest with bounces",
    mail(
        "Subject: Readers Digest, Vol 3, Issue 4",
        "List-Unsubscribe: <mailto:x@lists.example>",
        "List-Id: <readers.lists.example>",
        "Precedence: list",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=zz",
        frm="readers-request@lists.example",
        body=(
            "--zz\nContent-Type: text/plain\n\nSend Readers mailing list submissions to "
            "readers@lists.example\n\nToday: 1. Delivery failures\n\n--zz\nContent-Type: multipart/digest; "
            "boundary=yy\n\n--yy\n\n"
        )
        + BOUNCE
        + "\n--yy--\n--zz--\n",
    ),
)
case(
    "other",
    "digest without list headers",
    mail(
        "Subject: Readers Digest, Vol 3, Issue 4",
        "MIME-Version: 1.0",
        "Precedence: bulk",
        "Content-Type: multipart/digest; boundary=yy",
        frm="readers-request@lists.example",
        body="--yy\n\n" + BOUNCE + "\n--yy\n\n" + BOUNCE + "--yy--\n",
    ),
)
case(
    "other",
    "newsletter on deliverability",
    mail(
        "Subject: Why your mail bounces",
        "List-Unsubscribe: <https://x>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        frm="Blog <blog@shop.example>",
        body=(
            "550 5.1.1 user unknown means that ada@reader.example does not exist. Undelivered Mail Returned "
            "to Sender is the subject."
        ),
    ),
)
case(
    "other",
    "newsletter via bounce@ sender",
    mail(
        "Subject: Our offers: delivery failed? No!",
        "List-Unsubscribe: <https://x>",
        frm="Shop <bounce@shop.example>",
        body="Your mail to ada@reader.example could not be delivered - kidding. Buy now.",
    ),
)
case(
    "other",
    "parcel notice",
    mail(
        "Subject: Delivery attempt failed: your parcel",
        frm="Parcel <noreply@parcel.example>",
        body="We could not deliver your parcel 12345. Write to help@parcel.example or call us.",
    ),
)
case(
    "other",
    "parcel notice 2",
    mail(
        "Subject: Delivery notification",
        frm="Parcel <noreply@parcel.example>",
        body="Your delivery to ada@reader.example was not delivered because nobody was at home.",
    ),
)
case(
    "other",
    "payment failed",
    mail(
        "Subject: Your payment could not be processed",
        frm="Billing <billing@shop.example>",
        body="The card ending 550 5.1 was rejected. Contact billing@shop.example",
    ),
)
case(
    "other",
    "monitoring",
    mail(
        "Subject: [ALERT] mail queue: delivery failures",
        frm="nagios@mon.example",
        body="host mx: 550 5.1.1 <bob@other.example> user unknown x 31 in the last hour",
    ),
)
case(
    "other",
    "pflogsumm",
    mail(
        "Subject: mx.example daily mail report for Nov 25",
        frm="root <root@mx.example>",
        body=(
            "Grand Totals\n------------\nmessages\n\n   1211   received\n\nmessage reject detail\n  RCPT\n  "
            " 550 5.1.1 <bob@other.example>: Recipient address rejected: User unknown\n"
        ),
    ),
)
case(
    "other",
    "logwatch from postmaster",
    mail(
        "Subject: Logwatch for mx.example (Linux)",
        frm="postmaster@mx.example",
        body=" 550 5.1.1 <bob@other.example>: Recipient address rejected: User unknown: 12 Time(s)\n",
    ),
)
case(
    "other",
    "postmaster person",
    mail(
        "Subject: New mail server",
        frm="Postmaster <postmaster@reader.example>",
        body=(
            "Dear users, from tomorrow mail over 20 MB will be rejected. Questions: "
            "postmaster@reader.example, or ada@reader.example"
        ),
    ),
)
case(
    "auto_reply",
    "ooo quoting",
    mail(
        "Subject: Automatic reply: November",
        "Auto-Submitted: auto-replied",
        body=(
            "I am away. For urgent matters write to bob@other.example. My mailbox is full, your message was "
            "not delivered."
        ),
    ),
)
case(
    "auto_reply",
    "no longer works here",
    mail(
        "Subject: Automatic reply: November",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        body="Ada no longer works for us. This address does not exist any more. Write to bob@other.example",
    ),
)
case(
    "auto_reply",
    "left the company plain",
    mail(
        "Subject: Ada has left the company",
        "Auto-Submitted: auto-replied",
        "Return-Path: <>",
        body="Ada Lovelace is no longer employed. Please update your records and write to bob@other.example.",
    ),
)
case(
    "auto_reply",
    "mailbox not monitored",
    mail(
        "Subject: Re: November",
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        body="This mailbox is not monitored.",
    ),
)
case(
    "auto_reply",
    "ticket",
    mail(
        "Subject: [Ticket#2026112510000] Received: November",
        "Auto-Submitted: auto-replied (ticket)",
        "X-OTRS-Loop: yes",
        body="Thank you. Your request has been received.",
    ),
)
case(
    "auto_reply",
    "zendesk",
    mail(
        "Subject: Request received: November",
        "X-Mailer: Zendesk Mailer",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "In-Reply-To: <n1.2026@sender.example>",
        body="Your request (123) has been received",
    ),
)
case(
    "auto_reply",
    "gmail vacation",
    mail(
        "Subject: Out Re: November",
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "X-Autoreply: yes",
        "In-Reply-To: <n1@s>",
        body="Out until Monday",
    ),
)
case(
    "auto_reply",
    "exchange ooo without words",
    mail(
        "Subject: Abwesend",
        "X-MS-Exchange-Inbox-Rules-Loop: ada@reader.example",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "Auto-Submitted: auto-generated",
        "Return-Path: <>",
        "In-Reply-To: <n1@s>",
        body="bin weg",
    ),
)
case(
    "auto_reply",
    "challenge tmda",
    mail(
        "Subject: Please confirm your message",
        "Auto-Submitted: auto-replied",
        "X-Delivery-Agent: TMDA/1.0",
        body=(
            "This message was created automatically by mail delivery software (TMDA). Your message attached "
            "below is being held because the address <news@sender.example> has not been verified. Release "
            "by replying."
        ),
    ),
)
case(
    "receipt",
    "mdn displayed",
    (
        "From: Ada <ada@reader.example>\nTo: news@sender.example\nSubject: Read: November\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n"
        "Content-Type: text/plain\n\nYour message To: ada Subject: Delivery failed was read.\n\n--b\n"
        "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;ada@reader.example\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
    ),
)
case(
    "receipt",
    "mdn not read",
    (
        "From: Ada <ada@reader.example>\nTo: news@sender.example\nSubject: Not read: November\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n"
        "Content-Type: text/plain\n\nYour message was deleted without being read.\n\n--b\nContent-Type: "
        "message/disposition-notification\n\nFinal-Recipient: rfc822;ada@reader.example\nDisposition: "
        "automatic-action/MDN-sent-automatically; deleted\n\n--b--\n"
    ),
)
case(
    "receipt",
    "mdn not read ndr subject",
    (
        "From: Ada <ada@reader.example>\nTo: news@sender.example\nSubject: Nicht gelesen: Delivery "
        "failed\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n"
        "\n--b\nContent-Type: text/plain\n\nIhre Nachricht an ada@reader.example wurde ungelesen "
        "gelöscht. could not be delivered\n\n--b\nContent-Type: message/disposition-notification\n"
        "\nFinal-Recipient: rfc822;ada@reader.example\nDisposition: "
        "automatic-action/MDN-sent-automatically; deleted\n\n--b--\n"
    ),
)
case(
    "delivered",
    "dsn success",
    dsn(
        (
            "Final-Recipient: rfc822; ada@reader.example\nAction: delivered\nStatus: 2.0.0\n"
            "Diagnostic-Code: smtp; 250 2.0.0 Ok"
        ),
        text="Your message was successfully delivered",
    ),
)
case(
    "delivered",
    "dsn relayed",
    dsn(
        "Final-Recipient: rfc822; ada@reader.example\nAction: relayed\nStatus: 2.1.9\n",
        text="The mail system will not send further reports",
    ),
)
case("delivered", "dsn success without status", dsn("Final-Recipient: rfc822; ada@reader.example\nAction: delivered\n"))
case(
    "delayed",
    "dsn delayed",
    dsn(
        (
            "Final-Recipient: rfc822; ada@reader.example\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: "
            "smtp; connect timed out\nWill-Retry-Until: Fri, 27 Nov 2026 10:00:00 +0000"
        ),
        text="WARNING MESSAGE ONLY",
    ),
)
case(
    "delayed",
    "dsn delayed with 5.1.1",
    dsn(
        "Final-Recipient: rfc822; ada@reader.example\nAction: delayed\nStatus: 5.1.1\nDiagnostic-Code: "
        "smtp; 550 user unknown"
    ),
)
case(
    "complaint",
    "arf abuse",
    arf("Feedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>"),
)
case(
    "complaint",
    "arf fraud",
    arf("Feedback-Type: fraud\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>"),
)
case(
    "complaint",
    "arf virus",
    arf("Feedback-Type: virus\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>"),
)
case(
    "complaint",
    "arf other",
    arf("Feedback-Type: other\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>"),
)
case(
    "complaint",
    "arf optout",
    arf("Feedback-Type: opt-out\nUser-Agent: X/1\nVersion: 1\nRemoval-Recipient: <ada@reader.example>"),
)
case(
    "not_spam",
    "arf not-spam",
    arf("Feedback-Type: not-spam\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>"),
)
case(
    "other",
    "arf auth-failure",
    arf(
        "Feedback-Type: auth-failure\nUser-Agent: X/1\nVersion: 1\nAuth-Failure: dmarc\n"
        "Original-Rcpt-To: <ada@reader.example>"
    ),
)
case(
    "other", "arf dkim", arf("Feedback-Type: dkim\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <ada@reader.example>")
)
case("other", "arf miscategorized auth", arf("Feedback-Type: Auth-Failure\nUser-Agent: X/1\nVersion: 1"))
case(
    "other",
    "dmarc aggregate",
    mail(
        "Subject: Report Domain: sender.example Submitter: big.example Report-ID: <1>",
        "MIME-Version: 1.0",
        "Content-Type: application/gzip; name=x.xml.gz",
        "Content-Transfer-Encoding: base64",
        frm="noreply-dmarc@big.example",
        body="H4sIAAAA",
    ),
)
case(
    "other",
    "tls-rpt",
    mail(
        "Subject: Report Domain: sender.example Submitter: google.com Report-ID: <2026@google.com>",
        "MIME-Version: 1.0",
        "TLS-Report-Domain: sender.example",
        "Content-Type: multipart/report; report-type=tlsrpt; boundary=b",
        frm="noreply-smtp-tls-reporting@google.example",
        body=(
            "--b\nContent-Type: text/plain\n\nThis is an aggregate TLS report from google.com. failed "
            "sessions\n\n--b\nContent-Type: application/tlsrpt+gzip\n\nH4s\n--b--\n"
        ),
    ),
)
case(
    "other",
    "abuse complaint by human",
    mail("Subject: spam from your network", body="You sent me spam. Stop. ada@reader.example"),
)
case(
    "other",
    "read receipt requested mail",
    mail(
        "Subject: Hello",
        "Disposition-Notification-To: ada@reader.example",
        body="Did you get my mail? The last was undeliverable.",
    ),
)
case(
    "other",
    "list moderation notice to moderator",
    mail(
        "Subject: 3 Readers moderator request(s) waiting",
        frm="readers-bounces@lists.example",
        body=(
            "Pending posts:\nFrom: bob@other.example on Wed Nov 25\nSubject: Delivery failed\nCause: Post by non-member"
        ),
    ),
)
case(
    "other",
    "mailman bounce action to owner",
    mail(
        "Subject: Bounce action notification",
        frm="mailman@lists.example",
        to="readers-owner@lists.example",
        body=(
            "This is a Mailman mailing list bounce action notice:\n\n    List:       Readers\n    Member:   "
            "  bob@other.example\n    Action:     Subscription disabled.\n    Reason:     Excessive or "
            "fatal bounces.\n"
        ),
    ),
)
case(
    "other",
    "subscription confirm",
    mail(
        "Subject: confirm 3fd8a0c9",
        frm="readers-request@lists.example",
        body=(
            "Mailing list subscription confirmation notice. We have received a request from ... reply to this message"
        ),
    ),
)
case(
    "other",
    "password",
    mail(
        "Subject: Reset your password",
        frm="noreply@shop.example",
        body="If the account does not exist ignore this mail.",
    ),
)
case("other", "calendar", mail("Subject: Declined: Meeting", body="Ada has declined. Message: mailbox full"))
case(
    "other",
    "spam that poses as bounce",
    mail(
        "Subject: You have 5 undelivered messages",
        "MIME-Version: 1.0",
        "Content-Type: text/html",
        frm="Mail Admin <support@phish.example>",
        body=(
            "<p>Dear ada@reader.example, 5 messages could not be delivered to your mailbox because it is "
            "over quota. <a href=http://x>Release</a></p>"
        ),
    ),
)


@pytest.mark.parametrize("name", CASES)
def test_is_what_it_is(name: str) -> None:
    kind, message = CASES[name]
    report = classify(message.encode())
    assert report.kind.value == kind
    assert bool(report.recipients) == (kind != "other")
    assert "hard" not in {r.kind.value for r in report.recipients}
