"""The commands that open one message, and what can be refused before a server is asked."""

import re

from tidings.delivery.providers._interface import Outgoing
from tidings.delivery.providers._outcomes import Fault, Rejected
from tidings.delivery.providers._smtp_handshake import Capabilities

_UNSAFE = re.compile(rb"[\x00-\x20<>\x7f]").search
"""No path holds these (RFC 5321 §4.1.2; we write no quoted local parts): one could smuggle in a command."""


class Commands:
    """What one message is announced with, by what the server can do."""

    __slots__ = ("_can", "_sender", "_sender_start")

    def __init__(self, can: Capabilities) -> None:
        self._can = can
        self._sender = b""
        self._sender_start = b"MAIL FROM:<>"

    def refusal(self, job: Outgoing) -> Rejected | None:
        """Why this message cannot go to this server at all; never the recipient's fault."""
        if _UNSAFE(job.recipient) or _UNSAFE(job.sender) or not job.recipient:
            return Rejected("the address holds characters that SMTP cannot carry", 553, "5.1.3", Fault.MESSAGE)
        if not job.message.endswith(b"\r\n"):
            return Rejected("the message does not end with a line end", 554, "5.6.0", Fault.MESSAGE)
        if job.utf8 and not self._can.utf8:  # RFC 6531 §3.5
            return Rejected("the server takes no internationalised addresses (SMTPUTF8)", 553, "5.6.7", Fault.MESSAGE)
        if 0 < self._can.largest < len(job.message):  # RFC 1870 §6.1
            return Rejected(f"the server takes at most {self._can.largest} octets", 552, "5.3.4", Fault.MESSAGE)
        if not self._can.eight_bit and not job.message.isascii():  # RFC 6152 §3
            return Rejected("the server takes 7-bit messages only (8BITMIME)", 554, "5.6.3", Fault.MESSAGE)
        return None

    def mail(self, job: Outgoing) -> bytes:
        """`MAIL FROM` with the parameters that this message needs and the server announced."""
        if job.sender is not self._sender:
            self._sender = job.sender
            self._sender_start = b"MAIL FROM:<%b>" % job.sender
        start = self._sender_start
        if self._can.size:
            start = b"%b SIZE=%d" % (start, len(job.message))
        if self._can.eight_bit and not job.message.isascii():
            start += b" BODY=8BITMIME"
        if job.utf8:
            start += b" SMTPUTF8"
        return start + b"\r\n"

    def rcpt(self, job: Outgoing) -> bytes:
        """`RCPT TO`."""
        return b"RCPT TO:<%b>\r\n" % job.recipient

    def group(self, job: Outgoing) -> bytes:
        """MAIL, RCPT and DATA in one group (RFC 2920 §3.1)."""
        return b"%bRCPT TO:<%b>\r\nDATA\r\n" % (self.mail(job), job.recipient)
