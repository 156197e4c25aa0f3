"""From a host name to a connection that is ready for mail: greeting, EHLO, STARTTLS, AUTH. Once a connection."""

import asyncio
import base64
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from typing import cast

from tidings.delivery.providers._smtp_config import SmtpConfig, StartTls, Tls
from tidings.delivery.providers._smtp_replies import text_of

_LONGEST_REPLY = 65_536
_AUTH_REFUSED_WAIT_SECONDS = 30.0


class HandshakeError(Exception):
    """No usable connection: the sentence says why. `wait_seconds`: do not try again before."""

    def __init__(self, message: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server announced in its reply to EHLO; all False for one that knows HELO only."""

    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    size: bool = False
    largest: int = 0
    """Octets of the largest message it takes (RFC 1870); 0: it names no limit."""


async def shake_hands(
    config: SmtpConfig, context: ssl.SSLContext | None
) -> tuple[asyncio.WriteTransport, Capabilities]:
    """Open a connection and make it ready for MAIL. Raises HandshakeError.

    The transport's protocol is then to be replaced by the one that sends.
    """
    dialogue = await _connect(config, context)
    try:
        return await _Handshake(config, context, dialogue).run()
    except (OSError, TimeoutError) as error:
        dialogue.abort()
        raise HandshakeError(_in_words(error)) from error
    except BaseException:
        dialogue.abort()
        raise


async def _connect(config: SmtpConfig, context: ssl.SSLContext | None) -> "_Dialogue":
    """Try the host's addresses in order (RFC 5321 §5.1), so that one that swallows packets hides no other."""
    loop = asyncio.get_running_loop()
    implicit = context if config.tls is Tls.TLS else None
    trouble = "the name has no address"
    try:
        async with asyncio.timeout(config.timeouts.connect):
            addresses = await _resolve(config.host, config.port)
    except TimeoutError:
        raise HandshakeError("the name was not resolved in time") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver takes
        raise HandshakeError(_in_words(error)) from error
    for address in addresses:
        try:
            async with asyncio.timeout(config.timeouts.connect / len(addresses)):
                _, dialogue = await loop.create_connection(
                    _Dialogue,
                    address,
                    config.port,
                    ssl=implicit,
                    server_hostname=config.host.rstrip(".") if implicit else None,
                )
                return dialogue
        except TimeoutError:
            trouble = f"no answer from {address}"
        except OSError as error:
            trouble = _in_words(error)
    raise HandshakeError(trouble)


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which to try them (RFC 6724, by the system's resolver)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class _Dialogue(asyncio.Protocol):
    """One command, one reply. What arrives unasked is an error: nobody may slip replies in (RFC 3207 §5)."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport | None = None
        self._buffer = b""
        self._parts: list[bytes] = []
        self._replies: deque[bytes] = deque()
        self._waiter: asyncio.Future[bytes] | None = None
        self._lost: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        lines = (self._buffer + data).split(b"\n")
        self._buffer = lines.pop()
        for line in lines:
            self._parts.append(line)
            if line[3:4] != b"-":
                self._replies.append(b"\n".join(self._parts))
                self._parts = []
        if len(self._buffer) + sum(map(len, self._parts)) > _LONGEST_REPLY:
            self.connection_lost(ConnectionError("the server's reply has no end"))
            self.abort()
        self._deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or (_in_words(exc) if exc else "the server closed the connection")
        self._deliver()

    def _deliver(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._replies:
            waiter.set_result(self._replies.popleft())
        elif self._lost is not None:
            waiter.set_exception(HandshakeError(self._lost))

    def write(self, command: bytes) -> None:
        assert self.transport is not None
        self.transport.write(command)

    async def reply(self, doing: str, seconds: float) -> bytes:
        """The next whole reply: its lines joined by LF."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._deliver()
        try:
            async with asyncio.timeout(seconds):
                raw = await self._waiter
        except TimeoutError:
            raise HandshakeError(f"the server did not answer in {seconds:g} s ({doing})") from None
        except HandshakeError as error:
            raise HandshakeError(f"{error} ({doing})") from None
        finally:
            self._waiter = None
        codes = {line[:3] for line in raw.split(b"\n")}
        if len(codes) != 1 or not raw[:3].isdigit():
            raise HandshakeError(f"this is not an SMTP server: it said {text_of(raw)!r} ({doing})")
        return raw

    def check_quiet(self) -> None:
        if self._buffer or self._parts or self._replies:
            raise HandshakeError("the server spoke out of turn")
        if self._lost is not None:
            raise HandshakeError(self._lost)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Handshake:
    def __init__(self, config: SmtpConfig, context: ssl.SSLContext | None, dialogue: _Dialogue) -> None:
        self._config = config
        self._context = context
        self._dialogue = dialogue
        self._encrypted = config.tls is Tls.TLS

    async def run(self) -> tuple[asyncio.WriteTransport, Capabilities]:
        greeting = await self._dialogue.reply("greeting", self._config.timeouts.banner)
        if not greeting.startswith(b"220"):
            raise HandshakeError(f"the server refuses us: {text_of(greeting)}")
        words = await self._hello()
        if self._config.tls is Tls.STARTTLS and await self._start_tls(words):
            words = await self._hello()  # what was said in clear may have been tampered with (RFC 3207 §4.2)
        if self._config.username:
            await self._login(words)
        self._dialogue.check_quiet()
        transport = self._dialogue.transport
        assert transport is not None
        return transport, _capabilities(words)

    async def _ask(self, command: str, doing: str) -> bytes:
        self._dialogue.check_quiet()
        self._dialogue.write(command.encode("utf-8") + b"\r\n")
        return await self._dialogue.reply(doing, self._config.timeouts.command)

    async def _hello(self) -> dict[str, list[str]]:
        """The announced keywords with their parameters, upper case."""
        name = self._our_name()
        raw = await self._ask(f"EHLO {name}", "EHLO")
        if raw[:1] == b"5":  # RFC 5321 §3.2: an older server
            raw = await self._ask(f"HELO {name}", "HELO")
            if raw[:1] == b"2":
                return {}
        if raw[:1] != b"2":
            raise HandshakeError(f"the server refuses our name {name}: {text_of(raw)}")
        keywords: dict[str, list[str]] = {}
        for line in raw.decode("utf-8", "replace").split("\n")[1:]:
            # Some old servers write AUTH=PLAIN for AUTH PLAIN.
            words = line[4:].replace("AUTH=", "AUTH ", 1).upper().split()
            if words:
                keywords.setdefault(words[0], []).extend(words[1:])
        return keywords

    def _our_name(self) -> str:
        if self._config.helo:
            return self._config.helo
        name = socket.gethostname()
        if "." in name and name.isascii() and not name.endswith((".local", ".localdomain", ".internal")):
            return name
        transport = self._dialogue.transport
        address: str = (transport.get_extra_info("sockname") or ("127.0.0.1",))[0] if transport else "127.0.0.1"
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"  # RFC 5321 §4.1.3

    async def _start_tls(self, words: dict[str, list[str]]) -> bool:
        if "STARTTLS" not in words:
            if self._config.starttls is StartTls.OPPORTUNISTIC:
                return False
            raise HandshakeError("the server does not offer STARTTLS, and this provider requires it")
        raw = await self._ask("STARTTLS", "STARTTLS")
        if not raw.startswith(b"220"):
            raise HandshakeError(f"the server refuses STARTTLS: {text_of(raw)}")
        # Whatever came in clear behind the 220 would pass for the server's encrypted words (RFC 3207, CVE-2011-0411).
        self._dialogue.check_quiet()
        transport = self._dialogue.transport
        assert transport is not None and self._context is not None  # noqa: PT018
        encrypted = await asyncio.get_running_loop().start_tls(
            transport,
            self._dialogue,
            self._context,
            server_hostname=self._config.host.rstrip("."),
            ssl_handshake_timeout=self._config.timeouts.tls,
        )
        if encrypted is None:
            raise HandshakeError("the connection was lost during STARTTLS")
        self._dialogue.transport = encrypted
        self._encrypted = True
        return True

    async def _login(self, words: dict[str, list[str]]) -> None:
        if not self._encrypted and not self._config.may_login_in_clear:
            raise HandshakeError("the connection is not encrypted, so the password is not sent")
        offered = words.get("AUTH", [])
        user, password = self._config.username, self._config.password
        if "PLAIN" in offered:
            raw = await self._ask(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}", "AUTH PLAIN")
        elif "LOGIN" in offered:
            raw = await self._ask("AUTH LOGIN", "AUTH LOGIN")
            for text in (user, password):
                if raw.startswith(b"334"):
                    raw = await self._ask(_base64(text), "AUTH LOGIN")
        else:
            raise HandshakeError(f"the server offers no login we know ({' '.join(offered) or 'none'}): PLAIN, LOGIN")
        if not raw.startswith(b"235"):
            # Trying again at once gets accounts locked.
            raise HandshakeError(f"login refused: {text_of(raw)}", wait_seconds=_AUTH_REFUSED_WAIT_SECONDS)


def _capabilities(words: dict[str, list[str]]) -> Capabilities:
    size = words.get("SIZE", [])
    return Capabilities(
        pipelining="PIPELINING" in words,
        eight_bit="8BITMIME" in words,
        utf8="SMTPUTF8" in words,
        size="SIZE" in words,
        largest=int(size[0]) if size and size[0].isdecimal() and len(size[0]) < 20 else 0,
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _in_words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return str(error) or type(error).__name__
