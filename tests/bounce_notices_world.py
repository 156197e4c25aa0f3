"""More of NOTICES: systems that speak to people, in languages of theirs, without a server's reply."""

from bounce_notice_table import failed, notice

# fmt: off - a message a call, its name and what is expected on the line above
notice(
    "microsoft 365, without its report",
    failed("ada@reader.example"),
    """
From: postmaster@reader.example
To: bounces@sender.example
Subject: Undeliverable: November

Your message to ada@reader.example couldn't be delivered.

ada wasn't found at reader.example.

sender          Office 365              ada
Action Required                         Recipient

Unknown To address
""",
)

notice(
    "lotus notes, its reason above the address",
    failed("ada@reader.example"),
    """
From: Mail Router/Reader
To: bounces@sender.example
Subject: NOTICE: mail delivery status
Return-Path: <>

------- Failure Reasons  --------

User not listed in public Name & Address Book
ada@reader.example


------- Returned Message --------
""",
)

notice(
    "mimecast, quoting microsoft's directory without a code",
    failed("ada@reader.example"),
    """
From: Mail Delivery Subsystem <postmaster@reader.example>
To: bounces@sender.example
Subject: [Postmaster] Email Delivery Failure

This is a delivery failure notification message indicating that
an email you addressed to email address :
-- ada@reader.example

could not be delivered. The problem appears to be :
-- Recipient email server rejected the message

Additional information follows :
-- 5.4.1 Recipient address rejected: Access denied

This condition occurred after 1 attempt(s) to deliver over
a period of 0 hour(s).
""",
)

notice(
    "exchange, in Spanish",
    failed("ada@reader.example"),
    """
From: MAILER-DAEMON@reader.example
To: bounces@sender.example
Subject: No se puede entregar: noviembre

No se pudo entregar el mensaje a estos destinatarios o grupos:

ada@reader.example
La dirección de correo electrónico que especificó no se encontró.
""",
)

notice(
    "exchange, in French, full",
    failed("ada@reader.example", of="mailbox_full"),
    """
From: postmaster@reader.example
To: bounces@sender.example
Subject: Non remis : novembre

Votre message n'a pas pu être remis aux destinataires suivants :

ada@reader.example
La boîte aux lettres du destinataire est pleine.
""",
)

notice(
    "qq, no space around the address",
    failed("ada@reader.example"),
    """
From: PostMaster@reader.example
To: bounces@sender.example
Subject: 系统退信/Systems bounce

抱歉，您的邮件被退回来了……
无法发送到 ada@reader.example
退信原因  收件人邮件地址（ada@reader.example）不存在，发送到ada@reader.example失败。
host mx3.reader.example said: 550 Mailbox not found.
""",
)

notice(
    "a service that attaches the message and gives its reason below",
    failed("ada@reader.example"),
    """
From: Mail Delivery Service <postmaster@service.example>
To: bounces@sender.example
Subject: Mail Delivery Failed (Offers)
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b1"

--=_b1
Content-Type: text/plain

This is the mail delivery service responsible for delivering mail to reader.example.

The message you've sent cannot be delivered. Your original message is attached to this message.

Output: 550 5.1.1 <ada@reader.example>: Recipient address rejected: User unknown

--=_b1
Content-Type: message/rfc822

From: News <news@sender.example>
To: ada@reader.example
Subject: Offers

--=_b1--
""",
)
