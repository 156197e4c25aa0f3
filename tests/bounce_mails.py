"""Messages that came back, in the forms that mail systems give them; every address, name and host is made up."""

ORIGINAL = """Return-Path: <news@sender.example>
Received: from app.sender.example (app.sender.example [192.0.2.10])
\tby mx.sender.example (Postfix) with ESMTP id 4XyZ
\tfor <ada@reader.example>; Wed, 25 Nov 2026 10:00:00 +0000
From: Sender News <news@sender.example>
Reply-To: editor@sender.example
To: Ada <ada@reader.example>
Subject: November
Message-ID: <n1.2026@sender.example>

Write to help@sender.example or colleague@elsewhere.example: delivery failed, user unknown.
"""


def dsn(
    *groups: str, text: str = "Delivery failed.", original: str = ORIGINAL, kind: str = "message/delivery-status"
) -> str:
    """A report after RFC 3464 with these groups for recipients."""
    fields = "\n\n".join(("Reporting-MTA: dns; mx.sender.example", *(g.strip("\n") for g in groups)))
    return f"""Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.sender.example>
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b1"

--=_b1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}

--=_b1
Content-Type: {kind}

{fields}

--=_b1
Content-Type: message/rfc822

{original}
--=_b1--
"""


GROUP = """Final-Recipient: rfc822; ada@reader.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
"""


def arf(
    fields: str, original: str = ORIGINAL, subject: str = "FW: November", sender: str = "abuse@provider.example"
) -> str:
    """A complaint after RFC 5965."""
    return f"""From: <{sender}>
To: <fbl@sender.example>
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="fbl1"

--fbl1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from IP 192.0.2.10.

--fbl1
Content-Type: message/feedback-report

{fields.strip()}

--fbl1
Content-Type: message/rfc822
Content-Disposition: inline

{original}
--fbl1--
"""
