"""A third set of notices in prose: notations of their own, gateways, and large receivers of many countries."""

from bounce_mails import ORIGINAL
from bounce_notice_table import failed, notice

# fmt: off - a message a call, its name and what is expected on the line above
notice(
    "screen names of a provider",
    failed("adalove@provider.example", of="policy"),
    """
From: "Mail Delivery Subsystem" <MAILER-DAEMON@Provider.example>
To: <bounces@sender.example>
Subject: Mail Delivery Problem

Your mail to the following recipients could not be delivered because =
they are not accepting mail with attachments:
	adalove
""".replace("=\n", ""),
)

notice(
    "a university's directory",
    failed("adal@college.example"),
    """
From: MAILER-DAEMON@mr2.its.college.example
To: bounces@sender.example
Subject: Returned mail - nameserver error report

 --------Message not delivered to the following:

 adal    No matches to nameserver query

 --------Error Detail (phquery V4.1):

 Query the directory by ``finger NAME@directory.college.example'' or equivalent
 commands. Try the most explicit form of the name, e.g., if
 mike.fox@college.example fails, try michael.j.fox@college.example.

 --------Unsent Message below:

Message removed
""",
)

notice(
    "a postmaster who explains how addresses look",
    failed("ada1@lab.example"),
    """
From: postmaster@lab.example (Automated response from LAB postmaster)
To: bounces@sender.example
Subject: FAILED MAIL to "ada1" regarding "November"

The standard form of email address at LAB is lastnameNumber@lab.example
although individuals may choose an alternate email address. The address to
which your message was addressed, ada1@lab.example, did not exactly match an
LAB email address.

Original message as received is as follows:
===========================================
"""
    + ORIGINAL,
)

notice(
    "exim, ultimately generated",
    failed("ada@home.example", of="soft"),
    """
X-Failed-Recipients: ada@home.example
From: Mail Delivery System <Mailer-Daemon@mx.reader.example>
To: bounces@sender.example
Subject: Mail delivery failed

This message was created automatically by mail delivery software.

A message sent by

  <bounces@sender.example>

could not be delivered to one or more of its recipients. The following
address(es) failed:

  ada@home.example
    (ultimately generated from ada@reader.example)
    all hosts have been failing for a long time and were last tried after this message arrived

------ This is a copy of the message, including all the headers. ------

"""
    + ORIGINAL,
)

notice(
    "sendmail, an alias and why",
    failed("Ada@reader.example", of="block"),
    """
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.reader.example>
To: <bounces@sender.example>
Subject: Returned mail: see transcript for details
Auto-Submitted: auto-generated (failure)

The original message was received at Tue, 14 Oct 2026 02:34:14 GMT
from hub.reader.example [192.0.2.7]

   ----- The following addresses had permanent fatal errors -----
ada@home.example
    (reason: 553 Sender Policy Framework (SPF) fail)
    (expanded from: <Ada@reader.example>)

   ----- Transcript of session follows -----
... while talking to mx.home.example.:
>>> DATA
<<< 553 Sender Policy Framework (SPF) fail
550 5.1.1 ada@home.example... User unknown
<<< 503 RCPT first (#5.5.1)
""",
)

notice(
    "mimecast",
    failed("ada@reader.example", of="soft"),
    """
From: "Mail Delivery System" <mailer-daemon@reader.example>
To: "news" <bounces@sender.example>
Subject: [Postmaster] Email Delivery Failure
X-Mimecast-Originator: <>

This is a delivery failure notification message indicating that
an email bounces@sender.example addressed to email address :
-- ada@reader.example

With subject Re: Is the domain about to expire? sent on the Mon, 14 Dec 2026 11:30:37 +0100 (CET)
could not be delivered. The problem appears to be :
-- Recipient server unavailable or busy

Additional information follows :
-- 4.4.4 Temporary server error. Please try again later ATTR5 [VE1EUR02FT049.mail.example]

This condition occurred after 30 attempt(s) to deliver over
a period of 92 hour(s) and 52 minute(s).
""",
)

notice(
    "a virus wall, through a mailing list",
    failed("ada@reader.example", of="soft"),
    """
From: inetgw1@reader.example
To: <bounces@sender.example>
Subject: Mail could not be delivered
List-Unsubscribe: <https://lists.sender.example/u>
Content-Type: multipart/mixed; boundary="wall"

--wall
Content-type: text/plain

****** Message from InterScan E-Mail VirusWall NT ******

The following mail could not be delivered.
Reason:  Exceeded Maximum Delivery Attempts. The server is not responding.

*****************     End of message     ***************

--wall
Content-type: message/rfc822

"""
    + ORIGINAL
    + "\n--wall--\n",
)

notice(
    "the one that it was handed to, behind a list of the sender's own",
    failed("ada.l@reader.example", of="hard"),
    """
From: ndr@reader.example
To: bounces@sender.example
Subject: Mail delivery failed: returning message to sender
Content-Type: multipart/mixed; boundary="14.12"

--14.12
Content-Type: text/plain; charset=US-ASCII

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its recipients.

One or more of the recipients are not a valid user of the system.

--14.12
Content-Type: message/rfc822

Received: from smtp.reader.example (smtp.reader.example [10.0.0.1])
	by VMAC02.localdomain (MTA) with ESMTP id 47mmb5
	for <ada.l@reader.example>; Mon, 30 Dec 2026 18:46:11 +0000 (GMT)
Delivered-To: news@sender.example
From: Owner <owner@other.example>
To: News <news@sender.example>
Cc: Bob <bob@elsewhere.example>
Message-ID: <n1.2026@sender.example>
Subject: November

Text.
--14.12--
""",
)

notice(
    "exim's answer by a filter, from nobody",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: <>
To: bounces@sender.example
In-Reply-To: <n1.2026@sender.example>
Auto-Submitted: auto-replied

You sent mail to ada@reader.example. That's not a valid user here.
""",
)
