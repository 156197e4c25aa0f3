"""A fifth set of notices in prose: what makes each of these mail systems' notices different from the others."""

from bounce_notice_table import failed, notice

# fmt: off - a message a call, its name and what is expected on the line above
notice(
    "a transcript, and the address twice on a line",
    failed("ada@reader.example"),
    """
From: "MAILER-DAEMON" <MAILER-DAEMON@reader.example>
To: bounces@sender.example
Subject: FAILURE NOTICE : Offers
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b1"

--=_b1
Content-Type: text/plain

The original message was received at Thu, 5 Nov 2026
from sender.example

  ----- The following addresses had permanent fatal errors -----

>>> ada@reader.example <ada@reader.example>

  ----- Transcript of session follows -----
550 sorry, no mailbox here by that name (#5.1.1 - chkusr)

--=_b1
Content-Type: message/rfc822

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)

notice(
    "a number of messages that is too large",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: postmaster@isp.example
To: bounces@sender.example
Subject: Returned mail: Mailbox
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain

   ----- The following addresses had delivery problems -----
ada@reader.example

   ----- Non-delivered information -----
The number of messages in recipient's mailbox exceeded the local limit.

--=_b1
Content-Type: message/rfc822

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)

notice(
    "a sentence before the address, in two languages",
    failed("ada@reader.example"),
    """
From: Postmaster@mobile.example
To: bounces@sender.example
Subject: Mail System Error - Returned Mail
MIME-Version: 1.0
Return-Path: <MAILER-DAEMON>
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

次のあて先へのメッセージはエラーのため送信できませんでした。

送信先メールアドレスが見つかりませんでした。
メールアドレスをご確認の上、再送信してください。

The user(s) account is disabled.

<ada@reader.example>

--=_b1--
""",
)

notice(
    "an account that is limited for now",
    failed("ada@reader.example", of="soft"),
    """
From: Postmaster@mobile.example
To: bounces@sender.example
Subject: Mail System Error - Returned Mail
MIME-Version: 1.0
Return-Path: <MAILER-DAEMON>
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain; charset=utf-8

The user(s) account is temporarily limited.

<ada@reader.example>

--=_b1--
""",
)

notice(
    "an address in quotation marks",
    failed("ada@reader.example"),
    """
From: MAILER-DAEMON@mail.isp.example
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender
Return-Path:\x20

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of
its recipients. This is a permanent error. The following address
failed:

"ada@reader.example":
SMTP error from remote server after RCPT command:
host: mx.reader.example
5.1.1 <ada@reader.example>... User Unknown

--- The header of the original message is following. ---

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "the reason before the address",
    failed("ada@reader.example"),
    """
From: "Postmaster" <postmaster@reader.example>
To: bounces@sender.example
Subject: Undeliverable Mail
X-Mailer: <SMTP32 v8.22>

Unknown host: ada@reader.example

Original message follows.

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "who failed and why in one sentence",
    failed("ada@reader.example", of="soft"),
    """
From: mailer-daemon
To: bounces@sender.example
Subject: There was an error sending your mail
MIME-Version: 1.0
Return-path: <>
Auto-Submitted: auto-replied
Precedence: list
Content-Type: multipart/mx6d; boundary="=_b1"

--=_b1
Content-Type: text/plain

We had trouble delivering your message. Full details follow:

Subject: 'Offers'
Date: 'Thu, 5 Nov 2026'

1 error(s):

The following recipients returned permanent errors: ada@reader.example. Reason: SMTP Server <192.0.2.223> refused to accept your \
message (DATA), with the following error message: [554 5.4.6 Hop count exceeded - possible mail loop]

The attachment contains the original mail headers. Please verify recipient(s) mail addresses and try resending this message or \
contact your IT department with contents of this mail.

--=_b1
Content-Type: text/plain; name="h.txt"

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)

notice(
    "a telephone company's gateway, as an answer to ours",
    failed("ada@reader.example"),
    """
From: post_master@mobile.example
To: bounces@sender.example
Subject: Re:Offers
In-Reply-To: <m1@sender.example>

Error: Invalid user address

Error message below:
550 - Requested action not taken: no such user here

Message details:
  Subject: Offers
  Sent date: Wed Apr 29 23:34:45 GMT 2026
  MAIL FROM: news@sender.example
  RCPT TO: ada@reader.example
  From: news@sender.example
  CC: recipient list not shown: ;
  Size (in bytes): 222
""",
)

notice(
    "picture messages",
    failed("ada@reader.example"),
    """
From: sysadmin@mms.example
To: bounces@sender.example
Subject: Undeliverable Message

Message could not be delivered to mobile.
Error: No valid recipients for this MM

Original Message:
From: news@sender.example
To: ada@reader.example
Subject: Offers
Date: Wed, 20 Jun 2026 10:29:52 +0000
""",
)

notice(
    "sendmail 5, which tried other servers after the refusal",
    failed("ada@reader.example"),
    """
From: Mail Delivery Subsystem <MAILER-DAEMON@old.example>
To: bounces@sender.example
Subject: Returned mail: Deferred: Connection timed out during user open with reader.example

   ----- Transcript of session follows -----
While talking to smtp.reader.example:
>>> RCPT To:<ada@reader.example>
<<< 550 <ada@reader.example>, User Unknown
550 <ada@reader.example>... User unknown
421 reader.example (smtp)... Deferred: Connection timed out during user open with reader.example

   ----- Unsent message follows -----
From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "an appliance, full for now",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: MAILER-DAEMON@gw.example
To: bounces@sender.example
Subject: Message delivery has failed
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain

Unable to deliver message to: <ada@reader.example>
Delivery failed for the following reason:
mail.reader.example[192.0.2.222] responded with failure: 552 sorry, mailbox ada@reader.example is over quota temporarily (#5.1.1)

This has been a permanent failure. No further delivery attempts will be made.

--=_b1
Content-Type: message/rfc822

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)

notice(
    "from nobody, with a report",
    failed("ada@reader.example", of="soft"),
    """
From: <>
To: bounces@sender.example
Subject: Offers
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b1"

--=_b1
Content-Type: text/plain;

Your message could not be sent.
A transcript of the attempts to send the message follows.
The number of attempts made: 1
Addressed To: ada@reader.example

Thu, 5 Nov 2026 23:34:45 +0900
Failed to send to identified host,
ada@reader.example: [192.0.2.244], 554 Service currently unavailable
--- Message non-deliverable.

--=_b1
Content-Type: message/delivery-status;

Action: failed
Final-Recipient: rfc822;ada@reader.example
Diagnostic-Code: smtp; 554 Service currently unavailable
Status: 5.0.0

--=_b1
Content-Type: message/rfc822;

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)

notice(
    "a source route in the report",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: postmaster@reader.example
To: bounces@sender.example
Subject: Delivery Notification: Delivery has failed
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b1"

--=_b1
Content-type: text/plain

Your message cannot be delivered to the following recipients:

  Recipient address: @smtp.reader.example:ada@server
  Original address: ada@reader.example
  Reason: LMTP transmission failure has occurred

--=_b1
Content-type: message/delivery-status

Reporting-MTA: dns;mx3.reader.example

Original-recipient: rfc822;ada@reader.example
Final-recipient: rfc822;@smtp.reader.example:ada@server
Action: failed
Status: 5.2.0 (LMTP transmission failure has occurred)
Diagnostic-code: smtp;522 5.2.0 Delivery failed: Over quota

--=_b1--
""",
)

notice(
    "the reason above several recipients",
    failed("ada@reader.example", "bob@reader.example"),
    """
From: postmaster@gw.example
To: bounces@sender.example
Subject: Undeliverable Mail: "Offers"
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain

Your message:
   From:    news@sender.example
   Subject: Offers

Could not be delivered because of

550 5.1.1 User unknown

The following recipients were affected:\x20
    ada@reader.example
    bob@reader.example

Additional Information
======================
Original Sender:    <news@sender.example>
Sender-MTA:         <192.0.2.250>
Remote-MTA:\t\t\t<203.0.113.2>
Reporting-MTA:      <rr1.gw.example>
MessageName:        <F000000002222.0000EEEE.0001.mml>
Last-Attempt-Date:  <23:34:45 qui, 5 Nov 2026>

--=_b1--
""",
)

notice(
    "a japanese filter, its parts between rules",
    failed("ada@reader.example"),
    """
From: "postmaster" <postmaster@gw.example>
To: bounces@sender.example
Subject: failure notice
X-Mailer: m-FILTER

このメールは「m-FILTER」が自動的に生成して送信しています。
メールサーバーとの通信中、下記の理由により
このメールは送信できませんでした。

以下のメールアドレスへの送信に失敗しました。
ada@reader.example

-------server message
550 5.1.1 unknown user <ada@reader.example>

-------SMTP command
DATA

-------original message
From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "the reason in brackets behind the address",
    failed("ada@reader.example"),
    """
From: "Mail Deliver System" <mds@gw.example>
To: bounces@sender.example
Subject: Returned Mail: Failed

The original message was received at Thu, 5 Nov 2026 23:34:45 +0900 (JST)
from news@sender.example

---The following addresses had delivery errors---

ada@reader.example [User unknown]

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "bullets, and technical details below",
    failed("ada@reader.example"),
    """
From: Mail Delivery System <md@gw.example>
To: bounces@sender.example
Subject: Delivery status notification

============================================================================
     This is an automatically generated Delivery Status Notification.

Delivery to the following recipients failed permanently:

  * ada@reader.example

============================================================================
                            Technical details:

SMTP:RCPT host 192.0.2.8: 553 5.3.0 <ada@reader.example>... No such user here

============================================================================

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)

notice(
    "no gateway for it",
    failed("ada@reader.example", of="soft"),
    """
From: Mail Delivery System <md@gw.example>
To: bounces@sender.example
Subject: Delivery status notification

============================================================================
     This is an automatically generated Delivery Status Notification.

Delivery to the following recipients was aborted after 2.5 hour(s):

  * ada@reader.example

============================================================================
                            Technical details:

Routing: Could not find a gateway for ada@reader.example

============================================================================
""",
)

notice(
    "a provider in japan, full",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: no-reply@app.isp.example
To: bounces@sender.example
Subject: Mail delivery failed

Your mail sent on: Thu, 5 Nov 2026 11:04:47 +0900
    Could not be delivered to: <ada@reader.example>
    As their mailbox is full.
""",
)

notice(
    "a provider in japan, no such domain",
    failed("ada@reader.example"),
    """
From: no-reply@app.isp.example
To: bounces@sender.example
Subject: Mail delivery failed

Your mail attempted to be delivered on: Thu, 5 Nov 2026 11:04:47 +0900
    Could not be delivered to: <ada@reader.example>
    As the remote domain doesnt exist.
""",
)

notice(
    "arrows the other way, in japanese",
    failed("ada@reader.example"),
    """
From: "InterScan MSS" <postmaster@gw.example>
To: bounces@sender.example
Subject: メール配信に失敗しました

メールを配信できませんでした。

RCPT TO >>> RCPT TO:<ada@reader.example>
応答 <<< 550 5.1.1 User unknown
""",
)

notice(
    "framed headings",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: Mail Delivery System <Mailer-Daemon@isp.example>
To: bounces@sender.example
Subject: mail failed, returning to sender
Reference: <m1@sender.example>

|------------------------- Message log follows: -------------------------|
 no valid recipients were found for this message
|------------------------- Failed addresses follow: ---------------------|
 <ada@reader.example>
   552 5.2.2 <ada@reader.example> Quota exceeded (mailbox for user is full)

|------------------------- Message header follows: ----------------------|
From: News <news@sender.example>
To: ada@reader.example
Subject: Offers
""",
)
