"""One connection that sends: one round trip a message, and no reply credited to another message than its own.

With PIPELINING the text of message k and MAIL, RCPT and DATA of message k+1 travel in one write (RFC 2920 §3.1 allows
message text as the first part of a group, and asks that DATA be the last). The server's replies then come as one run:
dot k, MAIL, RCPT, DATA k+1. Replies are counted off in that order by `_stage`, so at any moment at most one message is
in doubt (`_sent`) and at most one more has only been announced (`_announced`).

All of it happens inside `data_received`: no task, future, timer or lock a message. Nothing needs `pause_writing`: the
next text is written only after the reply to the last, so that at most one message waits in the transport's buffer.
"""

import asyncio
import re

from tidings.delivery.providers._interface import Outgoing
from tidings.delivery.providers._outcomes import Accepted, Deferred, Throttled, Unknown, Withdrawn
from tidings.delivery.providers._refusals import Stage
from tidings.delivery.providers._smtp_config import SmtpTimeouts
from tidings.delivery.providers._smtp_envelope import Commands
from tidings.delivery.providers._smtp_handshake import Capabilities
from tidings.delivery.providers._smtp_keeper import Keeper
from tidings.delivery.providers._smtp_replies import classify, text_of

_WHOLE_REPLY = re.compile(rb"[2-5]\d\d(?: |\r?\Z)").match
_REPLY_LINE = re.compile(rb"[2-5]\d\d(?:[ -]|\r?\Z)").match
_LONGEST_REPLY = 65_536
_LARGE_MESSAGE = 16_384
_MOST_LOSSES = 3
_IDLE, _RSET, _MAIL, _RCPT, _DATA, _DOT, _EMPTY_DOT, _QUIT = Stage  # names for the hot path: no look-up in an enum
_2, _3, _4, _5 = b"2345"


class SmtpSession(asyncio.Protocol):
    """The protocol of a connection that has shaken hands."""

    __slots__ = (
        "_announced",
        "_clock",
        "_commands",
        "_dirty",
        "_keeper",
        "_left",
        "_over",
        "_parts",
        "_pipelining",
        "_rcpt_refused",
        "_rest",
        "_sent",
        "_stage",
        "_tail",
        "_transport",
        "_unsent",
        "progress",
        "wanted",
    )

    def __init__(
        self, transport: asyncio.WriteTransport, can: Capabilities, keeper: Keeper, *, most_messages: int
    ) -> None:
        self._transport = transport
        self._keeper = keeper
        self._commands = Commands(can)
        self._pipelining = can.pipelining
        self._left = most_messages
        self._sent: Outgoing | None = None
        self._announced: Outgoing | None = None
        self._stage: Stage = _IDLE
        self._dirty = False
        """A transaction was begun and not ended: RSET before the next (RFC 5321 §4.1.4: no nested MAIL)."""
        self._rcpt_refused = False
        self._rest = b""
        self._parts: list[bytes] = []
        self._tail = 0
        """Octets written behind the final dot of `_sent`."""
        self._unsent = 0
        self._clock = keeper.tick
        self._over = False
        self.progress = False
        self.wanted = False

    # --- what the pool calls ---

    def begin(self) -> None:
        """Announce the next message, if the source has one."""
        if self._stage is not _IDLE or self._over:
            return
        job = self._pull()
        if job is None:
            self._rest_or_leave()
            return
        self._clock = self._keeper.tick
        self._announced = job
        self._rcpt_refused = False
        if self._pipelining:
            group = self._commands.group(job)
            self._transport.write(b"RSET\r\n" + group if self._dirty else group)
        else:
            self._transport.write(b"RSET\r\n" if self._dirty else self._commands.mail(job))
        self._stage = _RSET if self._dirty else _MAIL
        self._dirty = False

    def leave(self) -> None:
        """Say goodbye. Only for a session that is parked; one in flight leaves by itself when it may not pull."""
        if self._stage is _IDLE and not self._over:
            self.wanted = True
            self._stage = _QUIT
            self._clock = self._keeper.tick
            self._transport.write(b"QUIT\r\n")

    def drop(self, reason: str) -> None:
        """Hang up now, and settle what is in flight."""
        self._lose(reason, charge=False)

    def check_time(self, now: float, limits: SmtpTimeouts) -> None:
        """Called by the pool's sweep: hang up on a server that has been silent for too long (RFC 5321 §4.5.3.2)."""
        if self._over:
            return
        silent = now - self._clock
        match self._stage:
            case Stage.IDLE:
                if silent >= limits.idle:
                    self.leave()
                return
            case Stage.QUIT:
                limit = limits.quit
            case Stage.DOT | Stage.EMPTY_DOT:
                unsent = self._transport.get_write_buffer_size()
                if unsent != self._unsent:  # the server is still reading: its time to answer has not begun
                    self._unsent = unsent
                    self._clock = now
                    return
                limit = limits.block if unsent else limits.dot
            case Stage.DATA:
                limit = limits.data
            case Stage.RSET | Stage.MAIL | Stage.RCPT:
                limit = limits.command
        if silent >= limit:
            self._lose(f"the server did not answer in {limit:g} s ({self._stage.name})", charge=True)

    # --- what the event loop calls ---

    def data_received(self, data: bytes) -> None:
        """Count the replies off, one by one."""
        if self._over:
            return
        self._clock = self._keeper.tick
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\n")
        rest = self._rest = lines.pop()
        last = len(lines) - 1
        for index, line in enumerate(lines):
            if self._parts or not _WHOLE_REPLY(line):
                line = self._collect(line)  # noqa: PLW2901 - from here on it is the whole reply
                if line is None:
                    if self._over:
                        return
                    continue
            self._replied(line, index != last or bool(rest))
            if self._over:
                return
        if self._stage is _IDLE and not rest:
            # Only now: had more been said than was asked, it must not pass for a reply to the next message.
            self.begin()
        elif len(rest) > _LONGEST_REPLY:
            self._lose("the server's reply has no end", charge=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by the other side, or broken."""
        self._lose(f"the connection was lost: {exc}" if exc else "the server closed the connection", charge=True)

    # --- replies ---

    def _collect(self, line: bytes) -> bytes | None:
        """Lines of a multi-line reply (RFC 5321 §4.2.1): None until it is whole. Anything else ends the session."""
        parts = self._parts
        if not _REPLY_LINE(line) or (parts and line[:3] != parts[0][:3]):
            self._lose(f"not an SMTP reply: {text_of(line)!r}", charge=True)
            return None
        parts.append(line)
        if line[3:4] == b"-":
            if sum(map(len, parts)) > _LONGEST_REPLY:
                self._lose("the server's reply has no end", charge=True)
            return None
        self._parts = []
        return b"\n".join(parts)

    def _replied(self, raw: bytes, followed: bool) -> None:
        """One whole reply. `followed`: more has already arrived behind it."""
        kind = raw[0]
        stage = self._stage
        if stage is _DOT:
            if kind == _2:
                self._accepted(raw)
            else:
                self._refused(raw)
        elif stage is _MAIL:
            if kind == _2:
                self._stage = _RCPT
                if not self._pipelining and self._announced is not None:
                    self._say(self._commands.rcpt(self._announced), followed)
            else:
                self._refused(raw)
        elif stage is _RCPT:
            if kind == _2:
                self._stage = _DATA
                if not self._pipelining:
                    self._say(b"DATA\r\n", followed)
            else:
                self._refused(raw)
        elif stage is _DATA:
            self._data_replied(raw, followed)
        else:
            self._replied_elsewhere(raw, followed)

    def _accepted(self, raw: bytes) -> None:
        job = self._sent
        assert job is not None
        if self._transport.get_write_buffer_size() > self._tail:
            # "Accepted" before the dot has left us: it answers something else.
            self._lose(f"out of turn: {text_of(raw)!r}", charge=True)
            return
        self._sent = None
        self._stage = _IDLE if self._announced is None else _MAIL
        self._keeper.source.settle(job, Accepted(text_of(raw)))
        self._answered()
        if self._keeper.throttles:
            self._keeper.accepted_after_throttle()

    def _data_replied(self, raw: bytes, followed: bool) -> None:
        job = self._announced
        if raw[0] == _3:
            # DATA ends its group, so a server that has said more has not heard us: whose replies would those be?
            if followed or not raw.startswith(b"354"):
                self._lose(f"out of turn after DATA: {text_of(raw)!r}", charge=True)
            elif job is not None:
                self._transmit(job)
            elif self._rcpt_refused:
                # RFC 2920 §3.1: a 354 although no recipient was accepted is to be answered with the dot alone. There is
                # nobody whom that empty message could reach.
                self._stage = _EMPTY_DOT
                self._transport.write(b".\r\n")
            else:
                self._lose("DATA was answered with 354 after MAIL had been refused", charge=True)
        elif raw[0] == _2:
            self._lose(f"out of turn after DATA: {text_of(raw)!r}", charge=True)
        elif job is not None:
            self._refused(raw)
        elif raw.startswith(b"421"):
            self._hang_up(raw)
        else:
            self._end_transaction()

    def _transmit(self, job: Outgoing) -> None:
        """The text of `job`, and the announcement of the next message behind it."""
        following = self._pull() if self._pipelining else None
        if not self._keeper.source.transmitting(job):
            # The server waits for a text, and an empty one would be handed over as a message: hang up instead.
            self._announced = following  # the server never heard of it, so it goes back
            self._keeper.source.settle(job, Withdrawn())
            self.wanted = True
            self._lose("withdrawn", charge=False)
            return
        self._sent = job
        self._announced = following
        self._stage = _DOT
        self._rcpt_refused = False
        self._unsent = 0
        message = job.message
        if following is None:
            end = b".\r\n"
            self._tail = 0
        else:
            end = b".\r\n" + self._commands.group(following)
            self._tail = len(end) - 3
        if len(message) < _LARGE_MESSAGE:
            self._transport.write(message + end)  # one buffer is cheaper than two, and copying it cheaper still
        else:
            self._transport.writelines((message, end))

    def _refused(self, raw: bytes) -> None:
        """A 4xx or 5xx (or nonsense) to the dot, or to a command of the announced message."""
        if raw[0] not in (_4, _5):
            self._lose(f"out of turn after {self._stage.name}: {text_of(raw)!r}", charge=True)
            return
        stage = self._stage
        closing = raw.startswith(b"421")
        if closing and self.progress and stage is _MAIL and self._announced is not None:
            self._hang_up(raw)  # this connection has carried its share; another may go on
            return
        if stage is _DOT:
            job, self._sent = self._sent, None
            early = self._transport.get_write_buffer_size() > self._tail
            self._stage = _IDLE if self._announced is None else _MAIL
        else:
            job, self._announced = self._announced, None
            early = False
            self._rcpt_refused = stage is _RCPT and job is not None
        if job is not None:
            outcome = classify(stage, raw)
            self._keeper.source.settle(job, outcome)
            self._answered()
            if isinstance(outcome, Throttled) and not outcome.one_mailbox_provider:
                self._keeper.throttle(outcome)
        if closing:
            self._hang_up(raw)
        elif early:
            # Refused while it was still being written: what is left of it would be taken for commands.
            self._lose("refused before the end of the message", charge=False)
        elif stage is _DOT:
            pass
        elif self._pipelining and stage is not _DATA:
            self._stage = _RCPT if stage is _MAIL else _DATA
        else:
            self._end_transaction()

    def _replied_elsewhere(self, raw: bytes, followed: bool) -> None:
        stage = self._stage
        if stage is _RSET and raw[0] == _2 and self._announced is not None:
            self._stage = _MAIL
            if not self._pipelining:
                self._say(self._commands.mail(self._announced), followed)
        elif stage is _EMPTY_DOT:
            if raw.startswith(b"421"):
                self._hang_up(raw)
            else:
                self._stage = _IDLE
        elif stage is _QUIT:
            self._lose("goodbye", charge=False)
        elif raw.startswith(b"421"):
            self._hang_up(raw)
        else:
            self._lose(f"out of turn: {text_of(raw)!r}", charge=True)

    # --- the ends of things ---

    def _answered(self) -> None:
        if not self.progress:
            self.progress = True
            self._keeper.progressed()

    def _end_transaction(self) -> None:
        self._stage = _IDLE
        self._dirty = True

    def _rest_or_leave(self) -> None:
        if self._left <= 0:
            self.leave()
        else:
            self._keeper.parked(self)

    def _hang_up(self, raw: bytes) -> None:
        self._lose(f"the server closes the connection: {text_of(raw)}", charge=False)

    def _pull(self) -> Outgoing | None:
        keeper = self._keeper
        while keeper.may_pull and self._left > 0:
            job = keeper.source.next()
            if job is None:
                return None
            refusal = self._commands.refusal(job)
            if refusal is None:
                self._left -= 1
                # A second message while the first is on its way: one connection is not enough.
                if keeper.growing and (self._announced is not None or not self._pipelining):
                    keeper.grow()
                return job
            keeper.source.settle(job, refusal)
        return None

    def _say(self, command: bytes, followed: bool) -> None:
        """The next command of a conversation in lock-step, where nothing may have been said behind the last reply."""
        if followed:
            self._lose("the server said more than it was asked", charge=True)
        else:
            self._transport.write(command)

    def _lose(self, reason: str, *, charge: bool) -> None:
        """Hang up. What was transmitted is in doubt; what was only announced goes back, `charge`d with a loss."""
        if self._over:
            return
        self._over = True
        self.wanted |= self._stage is _IDLE  # servers may close a connection that nobody uses
        whole = self._transport.get_write_buffer_size() <= self._tail or self._transport.is_closing()
        self._transport.abort()
        source = self._keeper.source
        sent, announced = self._sent, self._announced
        self._sent = self._announced = None
        if sent is not None:
            # As long as the dot is in our own buffer nobody can have accepted the message.
            source.settle(sent, Unknown(reason) if whole else Deferred(reason, 0, ""))
        if announced is not None:
            if charge and sent is None:
                announced.losses += 1
            if announced.losses >= _MOST_LOSSES:
                announced.losses = 0
                source.settle(announced, Deferred(reason, 0, ""))
            else:
                source.give_back(announced)
        self._keeper.lost(self, reason, gave_back=announced is not None)
