"""Notices of failure in prose, in the forms that mail systems give them, and whom each names."""

import bounce_notices_field
import bounce_notices_late
import bounce_notices_more
import bounce_notices_systems
import bounce_notices_systems_more
import bounce_notices_world
from bounce_mails import ORIGINAL
from bounce_notice_table import NOTICES, delayed, failed, notice

__all__ = [
    "NOTICES",
    "bounce_notices_field",
    "bounce_notices_late",
    "bounce_notices_more",
    "bounce_notices_systems",
    "bounce_notices_systems_more",
    "bounce_notices_world",
]

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
