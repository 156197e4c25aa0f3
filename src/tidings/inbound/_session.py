"""One conversation in SMTP (RFC 5321) or LMTP (RFC 2033), as a server that takes mail for return paths only."""

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tidings.core.ids import WorkspaceId
from tidings.delivery import LARGEST_KEPT, InboundMail
from tidings.inbound._channel import Channel, Closed, LineTooLong
from tidings.inbound._keeping import Keeper, NotKept

_COMMAND_SECONDS = 300.0  # RFC 5321 §4.5.3.2.7
_TEXT_SECONDS = 180.0  # §4.5.3.2.5
_TLS_SECONDS = 30.0
_LONGEST_LINE = 2048  # §4.5.3.1.4 says 512; extensions add to it
_MOST_RECIPIENTS = 100
_MOST_MISTAKES = 20

_PATH = rb'<((?:[^<>\s"]|"(?:[^"\\]|\\.)*")*)>((?: [^\s]+)*)\s*\Z'
_MAIL = re.compile(rb"MAIL FROM: ?" + _PATH, re.IGNORECASE).match
_RCPT = re.compile(rb"RCPT TO: ?" + _PATH, re.IGNORECASE).match
_SIZE = re.compile(r"SIZE=(\d{1,20})", re.IGNORECASE).fullmatch
_KNOWN = re.compile(r"(BODY=(7BIT|8BITMIME)|SMTPUTF8)", re.IGNORECASE).fullmatch
_NO_REPORTS = b"550 5.1.1 no such address here: only reports of failure to our return paths are taken"


@dataclass(frozen=True, slots=True)
class Rules:
    """What all conversations have in common. `workspace_of` is None as long as the database has not been seen."""

    hostname: str
    keeper: Keeper
    workspace_of: Callable[[str], WorkspaceId | None]
    knows: Callable[[], bool]
    clock: Callable[[], datetime]
    largest: int
    tls: ssl.SSLContext | None = None
    command_seconds: float = _COMMAND_SECONDS


@dataclass(slots=True)
class _Envelope:
    sender: str
    recipients: list[tuple[str, WorkspaceId]] = field(default_factory=list)


class Session:
    """From the greeting to the end."""

    def __init__(self, channel: Channel, rules: Rules, *, lmtp: bool) -> None:
        self._channel, self._rules, self._lmtp = channel, rules, lmtp
        self._greeted = self._encrypted = self._over = False
        self._envelope: _Envelope | None = None
        self._mistakes = 0

    async def run(self) -> None:
        """Until they leave, make too many mistakes, or say nothing for too long."""
        channel = self._channel
        channel.say(b"220 %b %b Tidings" % (self._rules.hostname.encode(), b"LMTP" if self._lmtp else b"ESMTP"))
        try:
            while not self._over:
                line = await channel.line(limit=_LONGEST_LINE, seconds=self._rules.command_seconds)
                await self._command(line)
                if self._mistakes > _MOST_MISTAKES:
                    channel.say(b"421 4.7.0 too many mistakes")
                    break
        except LineTooLong:
            channel.say(b"500 5.5.2 line too long")
        except TimeoutError:
            channel.say(b"421 4.4.2 too slow")
        except (Closed, OSError):
            pass
        channel.close()

    async def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        match verb.strip().upper():
            case b"EHLO" | b"HELO" | b"LHLO":
                self._hello(verb.strip().upper(), rest.strip())
            case b"MAIL":
                self._mail(line)
            case b"RCPT":
                self._rcpt(line)
            case b"DATA":
                await self._data()
            case b"RSET":
                self._envelope = None
                self._channel.say(b"250 2.0.0 forgotten")
            case b"NOOP":
                self._channel.say(b"250 2.0.0 nothing done")
            case b"QUIT":
                self._channel.say(b"221 2.0.0 bye")
                self._over = True
            case b"VRFY":
                self._channel.say(b"252 2.5.0 try it and see")
            case b"STARTTLS":
                await self._start_tls()
            case _:
                self._mistake(b"500 5.5.1 unknown command")

    def _mistake(self, reply: bytes) -> None:
        self._mistakes += 1
        self._channel.say(reply)

    def _hello(self, verb: bytes, name: bytes) -> None:
        if (verb == b"LHLO") is not self._lmtp:
            self._mistake(b"500 5.5.1 LHLO here" if self._lmtp else b"500 5.5.1 this is no LMTP")
            return
        if not name:
            self._mistake(b"501 5.5.4 who are you?")
            return
        self._envelope, self._greeted = None, True
        if verb == b"HELO":
            self._channel.say(b"250 %b" % self._rules.hostname.encode())
            return
        features = ["PIPELINING", f"SIZE {self._rules.largest}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self._rules.tls is not None and not self._encrypted:
            features.append("STARTTLS")
        lines = [self._rules.hostname, *features]
        for one in lines[:-1]:
            self._channel.say(b"250-" + one.encode())
        self._channel.say(b"250 " + lines[-1].encode())

    def _mail(self, line: bytes) -> None:
        if not self._greeted:
            self._mistake(b"503 5.5.1 say hello first")
            return
        if self._envelope is not None:
            self._mistake(b"503 5.5.1 nested MAIL")
            return
        found = _MAIL(line)
        if found is None:
            self._mistake(b"501 5.5.4 MAIL FROM:<address>")
            return
        for parameter in found[2].decode("ascii", "replace").split():
            size = _SIZE(parameter)
            if size is not None and int(size[1]) > self._rules.largest:
                self._channel.say(b"552 5.3.4 too large")
                return
            if size is None and not _KNOWN(parameter):
                self._mistake(b"555 5.5.4 unknown parameter")
                return
        self._envelope = _Envelope(found[1].decode("utf-8", "replace"))
        self._channel.say(b"250 2.1.0 go on")

    def _rcpt(self, line: bytes) -> None:
        if self._envelope is None:
            self._mistake(b"503 5.5.1 MAIL first")
            return
        found = _RCPT(line)
        if found is None or found[2].strip():
            self._mistake(b"501 5.5.4 RCPT TO:<address>")
            return
        address = found[1].decode("utf-8", "replace")
        if len(self._envelope.recipients) >= _MOST_RECIPIENTS:
            self._channel.say(b"452 4.5.3 too many recipients")
            return
        workspace = self._rules.workspace_of(address)
        if workspace is not None:
            self._envelope.recipients.append((address, workspace))
            self._channel.say(b"250 2.1.5 go on")
        elif not self._rules.knows():
            self._channel.say(b"451 4.3.0 not now, try again")
        else:
            self._mistake(_NO_REPORTS)

    async def _data(self) -> None:
        envelope = self._envelope
        if envelope is None:
            self._mistake(b"503 5.5.1 MAIL first")
            return
        if not envelope.recipients:
            self._mistake(b"503 5.5.1 no valid recipients" if self._lmtp else b"554 5.5.1 no valid recipients")
            return
        self._channel.say(b"354 end with a dot")
        text, size = await self._channel.text(keep=LARGEST_KEPT, seconds=_TEXT_SECONDS)
        self._envelope = None
        reply = await self._kept(envelope, text, size)
        # LMTP answers for each recipient (RFC 2033 §4.2); all of one message share its fate.
        for _ in envelope.recipients if self._lmtp else range(1):
            self._channel.say(reply)

    async def _kept(self, envelope: _Envelope, text: bytes, size: int) -> bytes:
        if size > self._rules.largest:
            return b"552 5.3.4 too large"
        now = self._rules.clock()
        source = "lmtp" if self._lmtp else "smtp"
        mails: Sequence[InboundMail] = [
            InboundMail(workspace, now, source, envelope.sender, address, text)
            for address, workspace in envelope.recipients
        ]
        try:
            await self._rules.keeper.keep(mails)
        except NotKept:
            return b"451 4.3.0 cannot be stored now, try again"
        return b"250 2.0.0 stored"

    async def _start_tls(self) -> None:
        if self._rules.tls is None or self._encrypted:
            self._mistake(b"502 5.5.1 not offered")
            return
        self._channel.say(b"220 2.0.0 go on")
        await self._channel.start_tls(self._rules.tls, seconds=_TLS_SECONDS)
        # RFC 3207 §4.2: all that was said before is forgotten.
        self._envelope, self._greeted, self._encrypted = None, False, True
