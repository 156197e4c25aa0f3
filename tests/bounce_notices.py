"""Notices of failure in prose, in the forms that mail systems give them, and whom each names."""

from bounce_mails import ORIGINAL, dsn

NOTICES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {}
"""By name: the message, and its recipients with action and class."""


def notice(name: str, expected: dict[str, tuple[str, str]], message: str) -> None:
    NOTICES[name] = (message.lstrip("\n"), expected)


def failed(*addresses: str, of: str = "hard") -> dict[str, tuple[str, str]]:
    return dict.fromkeys(addresses, ("failed", of))


def delayed(*addresses: str, of: str = "soft") -> dict[str, tuple[str, str]]:
    return dict.fromkeys(addresses, ("delayed", of))


# fmt: off - a message a call, its name and what is expected on the line above
notice(
    "postfix, plain",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender

This is the mail system at host mx.sender.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

                   The mail system

<ada@reader.example>: host mx.reader.example[192.0.2.99] said: 550 5.1.1
    <ada@reader.example>: Recipient address rejected: User unknown in virtual
    mailbox table (in reply to RCPT TO command)
""",
)

notice(
    "postfix, an alias that was expanded",
    failed("staff@reader.example", of="mailbox_full"),
    """
Return-Path: <>
From: MAILER-DAEMON@mx.reader.example (Mail Delivery System)
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender

This is the mail system at host mx.reader.example.

<bob@inner.example> (expanded from <staff@reader.example>): maildir over quota
""",
)

notice(
    "postfix, delayed",
    delayed("ada@reader.example"),
    """
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)
To: bounces@sender.example
Subject: Delayed Mail (still being retried)

This is the mail system at host mx.sender.example.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than 4 hour(s).
It will be retried until it is 5 day(s) old.

<ada@reader.example>: connect to mx.reader.example[192.0.2.99]:25: Connection timed out
""",
)

notice(
    "exim",
    failed("ada@reader.example", "bob@other.example"),
    """
From: Mail Delivery System <Mailer-Daemon@mx.sender.example>
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender
Auto-Submitted: auto-replied

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@reader.example
    host mx.reader.example [192.0.2.99]
    SMTP error from remote mail server after RCPT TO:<ada@reader.example>:
    550 No such user here
  bob@other.example
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

"""
    + ORIGINAL,
)

notice(
    "exim, by its header",
    failed("ada@reader.example"),
    """
X-Failed-Recipients: ada@reader.example
From: Mail Delivery System <Mailer-Daemon@mx.sender.example>
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to carol@third.example's list.

  ada@reader.example
    (generated from crew@sender.example)
    550 5.1.1 unknown user
""",
)

notice(
    "exim, delayed",
    delayed("ada@reader.example"),
    """
From: Mail Delivery System <Mailer-Daemon@mx.sender.example>
To: bounces@sender.example
Subject: Warning: message 1abc-00 delayed 24 hours

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mx.sender.example.

The address to which the message has not yet been delivered is:

  ada@reader.example
    host mx.reader.example [192.0.2.99]
    Delay reason: Connection timed out

No action is required on your part. Delivery attempts will continue for
some time, and this warning may be repeated at intervals.
""",
)

notice(
    "qmail",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: MAILER-DAEMON@mx.reader.example
To: bounces@sender.example
Subject: failure notice

Hi. This is the qmail-send program at mx.reader.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@reader.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

"""
    + ORIGINAL,
)

notice(
    "sendmail 8, in text",
    failed("ada@reader.example"),
    """
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.reader.example>
To: <bounces@sender.example>
Subject: Returned mail: see transcript for details

The original message was received at Wed, 25 Nov 2026 10:00:00 GMT
from app.sender.example [192.0.2.10]

   ----- The following addresses had permanent fatal errors -----
<ada@reader.example>
    (reason: 550 5.1.1 <ada@reader.example>... User unknown)

   ----- Transcript of session follows -----
... while talking to mx.reader.example.:
>>> RCPT To:<ada@reader.example>
<<< 550 5.1.1 <ada@reader.example>... User unknown

   ----- Original message follows -----

"""
    + ORIGINAL,
)

notice(
    "sendmail 5",
    failed("ada@nowhere.example"),
    """
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.reader.example>
To: bounces@sender.example
Subject: Returned mail: Host unknown

   ----- Transcript of session follows -----
554 <ada@nowhere.example>... 550 Host unknown (Authoritative answer from name server)

   ----- Unsent message follows -----
"""
    + ORIGINAL,
)

notice(
    "exchange 5.5",
    failed("ada@reader.example"),
    """
From: System Administrator <postmaster@reader.example>
To: bounces@sender.example
Subject: Undeliverable: November
Content-Type: text/plain; charset="iso-8859-1"

Your message

  To:      ada@reader.example
  Subject: November
  Sent:    Wed, 25 Nov 2026 10:00:00 -0000

did not reach the following recipient(s):

ada@reader.example on Wed, 25 Nov 2026 10:00:02 -0000
    The recipient name is not recognized
\tThe MTS-ID of the original message is: c=us;a= ;p=reader;l=MAIL0123
    MSEXCH:IMS:READER:SITE:MAIL 0 (000C05A6) Unknown Recipient
""",
)

notice(
    "exchange, html only, german",
    failed("ada@reader.example"),
    """
From: postmaster@reader.example
To: bounces@sender.example
Subject: Unzustellbar: November
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><head><style>p { color: red } a@b.example</style></head><body><p>Fehler bei der Nachrichten=C3=BCbermittlung an
folgende Empf=C3=A4nger oder Verteilerlisten:</p><p><a href=3D"mailto:ada@reader.example">ada@reader.example</a><br>
Die eingegebene E-Mail-Adresse existiert nicht.</p></body></html>
""",
)

notice(
    "google, old",
    failed("ada@reader.example"),
    """
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: bounces@sender.example
X-Failed-Recipients: ada@reader.example
Subject: Delivery Status Notification (Failure)

Delivery to the following recipient failed permanently:

     ada@reader.example

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain reader.example.

The error that the other server returned was:
550 5.1.1 <ada@reader.example>: Recipient address rejected: User unknown

----- Original message -----

"""
    + ORIGINAL,
)

notice(
    "yahoo",
    failed("ada@yahoo.example"),
    """
From: MAILER-DAEMON@yahoo.example
To: bounces@sender.example
Subject: Failure Notice

Sorry, we were unable to deliver your message to the following address.

<ada@yahoo.example>:
554: delivery error: dd This user doesn't have a yahoo.example account (ada@yahoo.example) [0]

--- Below this line is a copy of the message.

"""
    + ORIGINAL,
)

notice(
    "gmx",
    failed("ada@reader.example"),
    """
From: MAILER-DAEMON@gmx.example
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of
its recipients. This is a permanent error. The following address
failed:

"ada@reader.example":
SMTP error from remote server after RCPT command:
host: mx.reader.example
5.1.1 <ada@reader.example>... User Unknown

--- The header of the original message is following. ---

"""
    + ORIGINAL,
)

notice(
    "1&1, size",
    failed("ada@reader.example", of="policy"),
    """
From: "Mail Delivery System" <mailer-daemon@kundenserver.example>
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of
its recipients. This is a permanent error.

The following address failed:

ada@reader.example

For the following reason:

Mail size limit exceeded. For explanation visit
http://postmaster.kundenserver.example/en/error-messages?ip=%1s

--- The header of the original message is following. ---

"""
    + ORIGINAL,
)

notice(
    "domino",
    failed("ada@reader.example"),
    """
From: Postmaster@reader.example
To: bounces@sender.example
Subject: DELIVERY FAILURE: User ada (ada@reader.example) not listed in Domino Directory

Your message

  Subject: November

was not delivered to:

  ada@reader.example

because:

  User ada (ada@reader.example) not listed in Domino Directory
""",
)

notice(
    "groupwise",
    failed("ada@reader.example"),
    """
From: <Mailer-Daemon@reader.example>
To: <bounces@sender.example>
Subject: Message status - undeliverable
X-Mailer: Novell GroupWise Internet Agent 6.5.2

The message that you sent was undeliverable to the following:
\tada@reader.example (user not found)
""",
)

notice(
    "smtp32",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: "Postmaster" <postmaster@reader.example>
To: <bounces@sender.example>
Subject: Undeliverable Mail
X-Mailer: <SMTP32 v8.12>

User mailbox exceeds allowed size: ada@reader.example

Original message follows.

"""
    + ORIGINAL,
)

notice(
    "dragonfly",
    failed("ada@reader.example", of="policy"),
    """
X-Original-To: <ada@reader.example>
From: MAILER-DAEMON <>
To: bounces@sender.example
Subject: Mail delivery failed

This is the DragonFly Mail Agent v0.13 at df.sender.example.

There was an error delivering your mail to <ada@reader.example>.

mx.reader.example [192.0.2.99] did not like our final DATA:
550-5.7.26 Unauthenticated email from sender.example is not accepted due to domain's
550-5.7.26 DMARC policy.

Message headers follow.

""",
)

notice(
    "mdaemon",
    failed("ada@reader.example"),
    """
From: MDaemon@reader.example
To: bounces@sender.example
Subject: Permanent Delivery Failure

YOUR MESSAGE WAS NOT DELIVERED!

The following addresses did NOT receive a copy of your message:

> ada@reader.example

--- Session Transcript ---
 <-- RCPT To:<ada@reader.example>
 --> 550 <ada@reader.example>, Recipient unknown
--- End Transcript ---
""",
)

notice(
    "mail.ru",
    failed("ada@mail.example"),
    """
From: Mail Delivery System <Mailer-Daemon@mail.example>
To: bounces@sender.example
Subject: =?utf-8?b?0JLQsNGI0LUg0YHQvtC+0LHRidC10L3QuNC1INC90LUg0LTQvtGB0YLQsNCy0LvQtdC90L4=?=
Content-Type: text/plain; charset=utf-8

Это письмо создано автоматически сервером, отвечать на него не нужно.

К сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:

  Local mailbox ada@mail.example is unavailable: user not found

------ This is a copy of your message, including all the headers.

"""
    + ORIGINAL,
)

notice(
    "qq",
    failed("ada@qq.example"),
    """
From: PostMaster@qq.example
To: bounces@sender.example
Subject: =?utf-8?b?57O757uf6YCA5L+h?=
Content-Type: text/plain; charset=utf-8

很抱歉，您发送的邮件被退回，以下为该邮件的相关信息：

被退回邮件
主题：November

无法发送到 ada@qq.example

退信原因：收件人邮件地址（ada@qq.example）不存在，邮件无法送达。
""",
)

notice(
    "ezweb, iso-2022-jp",
    failed("ada@reader.example"),
    """
From: Mail Administrator <Postmaster@reader.example>
To: bounces@sender.example
Subject: Mail System Error - Returned Mail
Content-Type: text/plain; charset=utf-8

次のあて先へのメッセージはエラーのため送信できませんでした。

送信先メールアドレスが見つかりませんでした。

<ada@reader.example>: 550 user unknown (in reply to RCPT TO command)
""",
)

notice(
    "french",
    failed("ada@reader.example"),
    """
From: <MAILER-DAEMON@smtp.reader.example>
To: bounces@sender.example
Subject: Message non remis
Content-Type: text/plain; charset=utf-8

Votre message n'a pas pu être remis au destinataire suivant :

ada@reader.example : adresse inconnue
""",
)

notice(
    "zoho",
    failed("ada@reader.example"),
    """
From: mailer-daemon@mail.example
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender

This message was created automatically by mail delivery software.
A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.

ada@reader.example Invalid Address, ERROR_CODE :550, ERROR_CODE :Requested action not taken: mailbox unavailable

Received:from mail.example by mx.mail.example
From:News <news@sender.example>
To:<colleague@elsewhere.example>
""",
)

notice(
    "a gateway's filter",
    failed("ada@reader.example", of="block"),
    """
From: MAILER-DAEMON <>
To: bounces@sender.example
Subject: **Message you sent blocked by our bulk email filter**

Your message to: ada@reader.example
was blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:

Subject: November
""",
)

notice(
    "a telephone's gateway, as an answer",
    failed("5550100@texts.example"),
    """
From: post_master@texts.example
To: bounces@sender.example
In-Reply-To: <n1.2026@sender.example>
Subject: Re:November

Error: Invalid user address

Error message below:
550 - Requested action not taken: no such user here

Message details:
  Subject: November
  MAIL FROM: bounces@sender.example
  RCPT TO: 5550100@texts.example
  From: news@sender.example
""",
)

notice(
    "nobody named but in what is given back",
    failed("ada@reader.example", of="unknown"),
    """
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@gateway.example>
To: bounces@sender.example
Subject: Undeliverable mail
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Your message could not be delivered.

--b
Content-Type: message/rfc822

"""
    + ORIGINAL
    + "\n--b--\n",
)

notice(
    "a report wrapped by a gateway",
    failed("ada@reader.example"),
    """
From: "Mail Delivery Subsystem" <MAILER-DAEMON@gateway.example>
To: bounces@sender.example
Subject: Returned mail: User unknown
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

----- The following addresses had permanent delivery errors -----

--outer
Content-Type: message/rfc822

"""
    + dsn(
        "Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown"
    )
    + "\n--outer--\n",
)
