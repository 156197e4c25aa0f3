"""Bytes of one connection: lines and texts out of it, replies into it. Never holds more than it was told to."""

import asyncio
import ssl
from typing import cast

_MOST_WAITING = 256 * 1024
_CHUNK = 64 * 1024


class Closed(Exception):
    """The other side is gone."""


class LineTooLong(Exception):
    """No line break within the limit."""


class Channel(asyncio.Protocol):
    """Replies are gathered and leave together when there is nothing more to read: what PIPELINING asks for (RFC 2920)."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._replies: list[bytes] = []
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._lost = False

    # -- asyncio.Protocol --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Again after STARTTLS."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Whoever sends more than is read waits."""
        self._buffer += data
        self._more.set()
        if len(self._buffer) > _MOST_WAITING and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Whoever waits for more learns it."""
        self._lost = True
        self._more.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """They do not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """They read again."""
        self._writable.set()

    # -- reading --

    async def line(self, *, limit: int, seconds: float) -> bytes:
        """The next line without its CRLF, or bare LF. Raises Closed, LineTooLong, TimeoutError."""
        searched = 0
        async with asyncio.timeout(seconds):
            while (end := self._buffer.find(b"\n", searched)) < 0:
                searched = len(self._buffer)
                if searched > limit:
                    raise LineTooLong
                await self._wait()
        if end > limit:
            raise LineTooLong
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    async def text(self, *, keep: int, seconds: float) -> tuple[bytes, int]:
        """The text up to the line with the dot, unstuffed, at most its first `keep` octets; and its whole size.

        Only CRLF.CRLF ends it: what takes a bare LF for a line's end lets others smuggle messages. `seconds` is for each
        part of it to arrive. Raises Closed, TimeoutError.
        """
        text = bytearray(b"\r\n")  # the line before; so that a dot in the first line is one like any other
        kept, size, searched = b"", 0, 0
        full = False
        while True:
            if self._buffer:
                text += self._buffer
                self._buffer.clear()
                self._read_on()
                end = text.find(b"\r\n.\r\n", max(0, searched - 4))
                if end >= 0:
                    self._buffer[:0] = text[end + 5 :]
                    del text[end + 2 :]
                    size += len(text)
                    return (kept if full else _unstuffed(text)[:keep]), size - 2
                searched = len(text)
                if not full and len(text) > keep + _CHUNK:
                    kept, full = _unstuffed(text)[:keep], True
                if full:
                    size += len(text) - 4
                    del text[:-4]
                    searched = 4
            async with asyncio.timeout(seconds):
                await self._wait()

    async def _wait(self) -> None:
        await self.flush()
        if self._lost:
            raise Closed
        self._more.clear()
        self._read_on()
        await self._more.wait()

    def _read_on(self) -> None:
        if self._paused and len(self._buffer) <= _MOST_WAITING and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # -- writing --

    def say(self, reply: bytes) -> None:
        """Answer, with or before the next flush."""
        self._replies.append(reply + b"\r\n")

    async def flush(self) -> None:
        """Send what was said. Waits while the other side does not read."""
        if self._replies and self._transport is not None and not self._lost:
            replies, self._replies = b"".join(self._replies), []
            self._transport.write(replies)
        await self._writable.wait()

    async def start_tls(self, context: ssl.SSLContext, *, seconds: float) -> None:
        """Go on encrypted. What came in the clear behind the command is thrown away (RFC 3207 §4.2). Raises Closed, OSError."""
        await self.flush()
        if self._transport is None or self._lost:
            raise Closed
        self._buffer.clear()
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(
            self._transport, self, context, server_side=True, ssl_handshake_timeout=seconds
        )
        if self._transport is None:
            raise Closed

    def close(self) -> None:
        """After what was said."""
        if self._transport is not None:
            if self._replies and not self._lost:
                self._transport.write(b"".join(self._replies))
            self._replies = []
            self._transport.close()

    def abort(self) -> None:
        """At once."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def peer(self) -> str:
        """Its address; '' if unknown."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(name[0]) if isinstance(name, tuple) and name else ""


def _unstuffed(text: bytearray) -> bytes:
    """Without the CRLF that was put before it, and with dots as they were (RFC 5321 §4.5.2)."""
    return bytes(text.replace(b"\r\n.", b"\r\n")[2:])
