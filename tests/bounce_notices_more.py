"""The second half of the notices in prose."""

from bounce_mails import ORIGINAL, dsn
from bounce_notice_table import failed, notice

# fmt: off - a message a call, its name and what is expected on the line above
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
