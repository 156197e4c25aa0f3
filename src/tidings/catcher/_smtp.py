"""The catcher's side of SMTP (RFC 5321, PIPELINING of RFC 2920): strict where a sloppy sender would go unnoticed."""

import asyncio
import re
from typing import cast

from tidings.catcher._store import Store

LARGEST_MESSAGE = 26_214_400
_LONGEST_LINE = 4096
_MOST_RECIPIENTS = 1000
_EXTENSIONS = ("PIPELINING", f"SIZE {LARGEST_MESSAGE}", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")
_EHLO = ("\r\n250-".join(("250-catcher greets you", *_EXTENSIONS[:-1])) + f"\r\n250 {_EXTENSIONS[-1]}\r\n").encode()
_MAIL = re.compile(rb"MAIL FROM:<([^<>\s]*)>((?: [^\s]+)*)\Z", re.IGNORECASE).match
_RCPT = re.compile(rb"RCPT TO:<([^<>\s]+)>((?: [^\s]+)*)\Z", re.IGNORECASE).match
_SIZE = re.compile(rb" SIZE=(\d{1,20})(?: |\Z)", re.IGNORECASE).search
_END = b"\r\n.\r\n"


class Writer:
    """Lets all connections of one turn of the event loop share one write to the files."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sessions: set[CatcherSession] = set()
        self._queued = False

    def flush_soon(self) -> None:
        """At the end of this turn."""
        if not self._queued:
            self._queued = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Now. If the disk refuses, everybody is hung up on, and what is counted is what the disk has."""
        self._queued = False
        try:
            self.store.flush()
        except OSError as error:
            for session in tuple(self.sessions):
                session.hang_up()
            self.store.reload()
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the catcher cannot write to its files", "exception": error}
            )


class CatcherSession(asyncio.Protocol):
    """One connection. Replies leave in order, those behind a message not before it is written."""

    __slots__ = (
        "_buffer",
        "_in_data",
        "_recipients",
        "_replies",
        "_sender",
        "_text_so_far",
        "_too_large",
        "_transport",
        "_unwritten",
        "_writer",
    )

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._replies: list[bytes] = []
        self._unwritten = 0
        """Messages of this connection that wait for the disk."""
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []
        self._in_data = False
        self._text_so_far = bytearray()
        """Of a text that spans packets."""
        self._too_large = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._writer.sessions.add(self)
        self._transport.write(b"220 catcher ESMTP, delivers nowhere\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """An unfinished message is nobody's."""
        self._writer.sessions.discard(self)
        self._transport = None
        self._text_so_far.clear()

    def pause_writing(self) -> None:
        """It does not read our replies: we do not read its commands."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def hang_up(self) -> None:
        """Without an answer to what it has sent."""
        self._replies = []
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Commands and texts, as many as there are."""
        at = 0
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        while self._transport is not None:
            if self._in_data:
                at = self._text(data, at)
                if at < 0:
                    break
            else:
                end = data.find(b"\r\n", at)
                if (len(data) if end < 0 else end) - at > _LONGEST_LINE:
                    self._close(b"500 5.5.2 line too long\r\n")
                    break
                if end < 0:
                    self._buffer = data[at:]
                    break
                self._command(data[at:end], last=end + 2 == len(data))
                at = end + 2
        if self._writer.store.dirty:
            self._writer.flush_soon()
        if self._replies and not self._unwritten:
            self._answer()

    # --- texts ---

    def _text(self, data: bytes, at: int) -> int:
        """Take from `data` what belongs to the text; where the next command begins, or -1 if it goes on."""
        so_far = self._text_so_far
        if not so_far:
            if data.startswith(b".\r\n", at):
                self._end_of_text(b"")
                return at + 3
            end = data.find(_END, at)
            if end >= 0:
                self._end_of_text(data[at : end + 2])
                return end + 5
            so_far += data[at:]
            return -1
        before = len(so_far)
        so_far += data[at:]
        if before < 3 and not self._too_large and so_far.startswith(b".\r\n"):
            text, stop = b"", 3
        else:
            end = so_far.find(_END, max(0, before - 4))  # it may lie across two packets
            if end < 0:
                if len(so_far) > LARGEST_MESSAGE:
                    self._too_large = True
                    del so_far[:-4]
                return -1
            text, stop = bytes(so_far[: end + 2]), end + 5
        so_far.clear()
        self._end_of_text(text)
        return at + stop - before

    def _end_of_text(self, text: bytes) -> None:
        sender, recipients = self._sender, self._recipients
        too_large = self._too_large or len(text) > LARGEST_MESSAGE
        self._sender, self._recipients, self._in_data, self._too_large = None, [], False, False
        assert sender is not None
        if too_large:
            self._replies.append(b"552 5.3.4 too large\r\n")
            return
        if text.startswith(b".."):
            text = text[1:]
        if b"\r\n.." in text:
            text = text.replace(b"\r\n..", b"\r\n.")
        self._unwritten += 1
        self._writer.store.deliver(sender, recipients, text, then=self._written)
        self._replies.append(b"250 2.0.0 caught\r\n")

    def _written(self) -> None:
        self._unwritten -= 1
        if not self._unwritten:
            self._answer()

    # --- commands ---

    def _command(self, line: bytes, *, last: bool) -> None:
        verb = line[:4].upper()
        say = self._replies.append
        if verb == b"MAIL":
            say(self._mail(line))
        elif verb == b"RCPT":
            say(self._rcpt(line))
        elif verb == b"DATA":
            if self._sender is None:
                say(b"503 5.5.1 MAIL first\r\n")
            elif not self._recipients:
                say(b"554 5.5.1 no valid recipients\r\n")
            elif not last:
                # RFC 2920 §3.1: DATA ends its group. Whoever says more has not waited for our 354.
                self._close(b"503 5.5.0 you did not wait for 354\r\n")
            else:
                self._in_data = True
                say(b"354 go ahead, end with a dot\r\n")
        elif verb == b"RSET":
            self._sender, self._recipients = None, []
            say(b"250 2.0.0 forgotten\r\n")
        elif verb == b"EHLO":
            self._sender, self._recipients = None, []
            say(_EHLO)
        elif verb == b"HELO":
            self._sender, self._recipients = None, []
            say(b"250 catcher\r\n")
        elif verb == b"QUIT":
            self._close(b"221 2.0.0 bye\r\n")
        elif verb == b"NOOP":
            say(b"250 2.0.0 nothing done\r\n")
        elif verb == b"VRFY":
            say(b"252 2.5.0 try it and see\r\n")
        else:
            say(b"502 5.5.1 unknown command\r\n")

    def _mail(self, line: bytes) -> bytes:
        if self._sender is not None:
            return b"503 5.5.1 nested MAIL\r\n"
        found = _MAIL(line)
        if found is None:
            return b"501 5.5.4 MAIL FROM:<address>\r\n"
        size = _SIZE(found[2]) if found[2] else None
        if size is not None and int(size[1]) > LARGEST_MESSAGE:
            return b"552 5.3.4 too large\r\n"
        self._sender = found[1]
        return b"250 2.1.0 sender ok\r\n"

    def _rcpt(self, line: bytes) -> bytes:
        if self._sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        found = _RCPT(line)
        if found is None:
            return b"501 5.5.4 RCPT TO:<address>\r\n"
        recipient = found[1]
        if len(self._recipients) >= _MOST_RECIPIENTS:
            return b"452 4.5.3 too many recipients\r\n"
        first = recipient[:1]
        if first in b"bB" and recipient[:6].lower() == b"bounce":
            self._writer.store.reject(self._sender, recipient)
            return b"550 5.1.1 <%b>: no such mailbox here\r\n" % recipient
        if first in b"dD" and recipient[:5].lower() == b"defer" and self._writer.store.defer(self._sender, recipient):
            return b"451 4.3.0 <%b>: not yet, try again\r\n" % recipient
        self._recipients.append(recipient)
        return b"250 2.1.5 recipient ok\r\n"

    # --- replies ---

    def _answer(self) -> None:
        replies, self._replies = self._replies, []
        if self._transport is not None:
            self._transport.write(b"".join(replies))

    def _close(self, reply: bytes) -> None:
        self._replies.append(reply)
        if self._unwritten:
            self._writer.flush()
        self._answer()
        if self._transport is not None:
            self._transport.close()
            self._transport = None
