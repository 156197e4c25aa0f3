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

notice(
    "a japanese gateway, address and name",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: "MAILER-DAEMON" <MAILER-DAEMON@reader.example>
To: <bounces@sender.example>
Subject: FAILURE NOTICE : November

The original message was received at Thu, 29 Apr 2026 23:34:45 +0900
from sender.example

  ----- The following addresses had permanent fatal errors -----

>>> ada@reader.example <ada@reader.example>

  ----- Transcript of session follows -----
550 sorry, no mailbox here by that name (#5.1.1 - chkusr)
""",
)

notice(
    "workmail, fields in the text",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: MAILER-DAEMON@region.mailer.example
To: bounces@sender.example
Subject: Delivery Status Notification (Failure)
Content-Type: text/plain; charset=iso-8859-15
Content-Transfer-Encoding: quoted-printable

An error occurred while trying to deliver the mail to the following recip=
ients:
ada@reader.example

Technical report:

Reporting-MTA: d=
sn; out.region.mailer.example

Action: failed
Final-Reci=
pient: rfc822; ada@reader.example
Diagnostic-Code: smtp; 550 5.1.1=
 <ada@reader.example>... User Unknown
Status: 5.1.1
""",
)

_M365 = """
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@sender.example>
To: bounces@sender.example
Subject: {subject}
Auto-Submitted: auto-replied
Content-Type: text/html; charset=utf-8

<html><body><p><b>{opening}</b></p>
<p><a href="mailto:ada@reader.example">Ada Lovelace (ada@reader.example)</a><br>
{why}</p>
<p>{details}</p><p>mx.reader.example #550 {code} smtp;550 {code} {words} ##</p>
</body></html>
"""

notice(
    "exchange, spanish",
    failed("ada@reader.example"),
    _M365.format(
        subject="No se puede entregar: November",
        opening="No se pudo entregar el mensaje a los siguientes destinatarios o grupos:",
        why="No se encontró la dirección de correo electrónico que ha escrito.",
        details="Información de diagnóstico para administradores:",
        code="5.1.10",
        words="RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    ),
)

notice(
    "exchange, french, too large",
    failed("ada@reader.example", of="policy"),
    _M365.format(
        subject="Non remis : November",
        opening="Échec de la remise pour ces destinataires ou groupes :",
        why="Ce message dépasse la taille maximale.",
        details="Informations de diagnostic pour les administrateurs :",
        code="5.2.3",
        words="RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
    ),
)

notice(
    "exchange, japanese, full",
    failed("ada@reader.example", of="mailbox_full"),
    _M365.format(
        subject="配信不能: November",
        opening="次の受信者またはグループへの配信に失敗しました:",
        why="受信者のメールボックスがいっぱいです。",
        details="管理者向けの診断情報:",
        code="5.2.2",
        words="STOREDRV.Deliver; mailbox full",
    ),
)

notice(
    "exchange, portuguese, who may write",
    failed("ada@reader.example", of="policy"),
    _M365.format(
        subject="Não entregue: November",
        opening="Falha na entrega para estes destinatários ou grupos:",
        why="A sua mensagem não foi entregue porque não tem permissão.",
        details="Informações de diagnóstico para administradores:",
        code="5.7.133",
        words="RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
    ),
)

notice(
    "yandex, russian",
    failed("ada@reader.example"),
    """
Return-Path: <>
From: MAILER-DAEMON@mx.reader.example (Mail Delivery System)
To: bounces@sender.example
Subject: Недоставленное сообщение
Content-Type: text/plain; charset=utf-8

Это письмо отправлено почтовым сервером mx.reader.example.

К сожалению, мы вынуждены сообщить Вам о том, что Ваше письмо не может
быть отправлено одному или нескольким адресатам. Технические подробности можно найти ниже.

<ada@reader.example>: host mx.reader.example[192.0.2.9] said: 550 5.7.1 No such user! (in reply to RCPT TO command)
""",
)

notice(
    "netease, chinese",
    failed("ada@reader.example"),
    """
From: Postmaster@reader.example
To: bounces@sender.example
Subject: 系统退信
Content-Type: text/html; charset=gb18030

<html><body><p>抱歉，您的邮件被退回来了……</p><table>
<tr><td>收件人邮件地址：</td><td>ada@reader.example</td></tr>
<tr><td>退信原因：</td><td>收件人邮件地址（ada@reader.example）不存在，邮件无法送达。</td></tr>
<tr><td>host mx.reader.example said: 550 User not found: ada@reader.example</td></tr></table></body></html>
""",
)

notice(
    "a french provider",
    failed("ada@reader.example", of="block"),
    """
From: MAILER-DAEMON@relay.sender.example
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender

<ada@reader.example>: host smtp-in.reader.example[192.0.2.8] refused to talk to me:
    550 mwinf5c04 ME Adresse IP source bloquee pour incident de spam. Client host
    blocked for spamming issues. OFR006_102 Ref http://r.reader.example
    [102]
""",
)

notice(
    "a german provider, full",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: Mail Delivery System <MAILER-DAEMON@fallback.reader.example>
To: bounces@sender.example
Subject: Unzustellbar: November
Content-Type: text/plain; charset=utf-8

Ihre Nachricht konnte nicht zugestellt werden.

Empfänger: ada@reader.example
Grund: Das Postfach des Empfängers ist voll.
""",
)

notice(
    "zimbra, a sieve that refuses",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: Mail Delivery System <MAILER-DAEMON@zimbra.reader.example>
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender

<ada@reader.example>: host zimbra.reader.example[10.1.2.3] said: 552 5.2.2 Over quota
    (in reply to end of DATA command)
""",
)

notice(
    "a telephone company, in japanese",
    failed("ada@phone.example"),
    """
From: Mail Administrator <Postmaster@phone.example>
To: bounces@sender.example
Subject: Mail System Error - Returned Mail
Content-Type: text/plain; charset=utf-8

次のあて先へのメッセージはエラーのため送信できませんでした。

 <ada@phone.example>: 宛先不明

 Unknown user
""",
)
