"""How to reach an SMTP server: checked when it is made, so that a wrong setting is told to the person who makes it."""

import dataclasses
import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar, cast

from tidings.core.errors import FieldProblem, Invalid
from tidings.delivery.providers._interface import EVERY_KIND

_E = TypeVar("_E", bound=StrEnum)
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?)*\.?\Z")
_LITERAL = re.compile(r"\[[A-Za-z0-9:.]{2,60}\]\Z")


class Tls(StrEnum):
    """When the connection becomes encrypted."""

    NONE = "none"
    """Never."""
    STARTTLS = "starttls"
    """After the greeting (usually ports 587 and 25)."""
    TLS = "tls"
    """From the first byte (usually port 465)."""


class StartTls(StrEnum):
    """What to do when a server does not offer STARTTLS."""

    REQUIRED = "required"
    """Do not send."""
    OPPORTUNISTIC = "opportunistic"
    """Send in clear; a password is not sent even so."""


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """How long to wait, in seconds. The defaults are the minimum of RFC 5321 §4.5.3.2 where it names one.

    `dot` is deliberately long: to give up waiting for the reply to a message that was transmitted is to not know
    whether it arrived, and to send it again is to risk a duplicate.
    """

    connect: float = 30.0
    banner: float = 300.0
    command: float = 300.0
    tls: float = 60.0
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0
    idle: float = 20.0
    quit: float = 5.0

    def __post_init__(self) -> None:
        for name in _names(self):
            value = getattr(self, name)
            if not _is_positive(value, most=86_400):
                raise Invalid.at(f"timeouts.{name}", "give a number of seconds above 0 and at most 86400")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """An SMTP server and how to use it. Raises Invalid, naming the field, if it cannot be right."""

    host: str
    port: int = 587
    tls: Tls = Tls.STARTTLS
    starttls: StartTls = StartTls.REQUIRED
    verify: bool = True
    """Check the server's certificate and name."""
    ca_certificates: str = ""
    """PEM of the authorities to trust instead of the system's: for a server with a certificate of one's own."""
    username: str = ""
    password: str = field(default="", repr=False)
    allow_plaintext_auth: bool = False
    """Send the password over an unencrypted connection to a host that is not this machine."""
    helo: str = ""
    """The name we greet with; empty: the host's full name if it has one, else its address in brackets."""
    connections: int = 10
    """The most that are open at once; fewer while there is little to send."""
    messages_per_connection: int = 1000
    rate_per_second: float | None = None
    """Kept here for the worker, which enforces it over all its connections; None: as fast as the server takes them."""
    timeouts: SmtpTimeouts = field(default_factory=SmtpTimeouts)

    def __post_init__(self) -> None:
        problems = [FieldProblem(name, message) for name, message in self._problems()]
        if problems:
            raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))

    def _problems(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not is_host(self.host):
            found.append(("host", "give a host name or an IP address, without a scheme or a port"))
        for name, most in (("port", 65_535), ("connections", 1000), ("messages_per_connection", 1_000_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                found.append((name, f"give a whole number from 1 to {most}"))
        if self.rate_per_second is not None and not _is_positive(self.rate_per_second, most=1_000_000):
            found.append(("rate_per_second", "give a number above 0, or leave it out"))
        found += [
            (name, "must be true or false")
            for name in ("verify", "allow_plaintext_auth")
            if not isinstance(getattr(self, name), bool)
        ]
        if not isinstance(self.helo, str) or (self.helo and not (_HOST.match(self.helo) or _LITERAL.match(self.helo))):
            found.append(("helo", "give a host name such as mail.example.com, or an address in brackets"))
        return found + self._login_problems() + self._certificate_problems()

    def _login_problems(self) -> list[tuple[str, str]]:
        found = [
            (name, "must be text without NUL")
            for name in ("username", "password")
            if not isinstance(getattr(self, name), str) or "\0" in getattr(self, name)
        ]
        if not found and bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            found.append((missing, "a user name and a password come together: give both or neither"))
        if not found and self.username and self.tls is Tls.NONE and not self.may_login_in_clear:
            mend = "use starttls or tls, or allow_plaintext_auth where nobody else can listen"
            found.append(("tls", f"a password would travel unencrypted: {mend}"))
        return found

    def _certificate_problems(self) -> list[tuple[str, str]]:
        if not isinstance(self.ca_certificates, str):
            return [("ca_certificates", "give PEM text")]
        if self.ca_certificates:
            try:
                ssl.create_default_context(cadata=self.ca_certificates)
            except (ssl.SSLError, ValueError, TypeError) as error:
                return [("ca_certificates", f"not PEM certificates: {error}")]
        return []

    @property
    def may_login_in_clear(self) -> bool:
        """A password may go over an unencrypted connection: on request, or if it never leaves this machine."""
        return self.allow_plaintext_auth or is_loopback(self.host)

    def ssl_context(self) -> ssl.SSLContext:
        """The TLS client settings. Reads the system's certificates: make it once, not on the hot path."""
        context = ssl.create_default_context(cadata=self.ca_certificates or None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    @classmethod
    def parse(cls, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """From JSON: `config` holds what may be shown, `secret` the password (and the user name, if one wishes)."""
        values = dict(config)
        if "password" in values:
            raise Invalid.at("password", "belongs to the secret, which is stored encrypted, not to the configuration")
        for name, value in (secret or {}).items():
            if name not in {"username", "password"}:
                raise Invalid.at(name, "the secret of an SMTP server holds username and password only")
            values[name] = value
        known = {item.name for item in dataclasses.fields(cls)}
        for name in sorted(values.keys() - known):
            raise Invalid.at(name, f"unknown setting; an SMTP server has: {', '.join(sorted(known.union(EVERY_KIND)))}")
        if "host" not in values:
            raise Invalid.at("host", "give the server's host name")
        values["tls"] = _choice("tls", values.get("tls", Tls.STARTTLS), Tls)
        values["starttls"] = _choice("starttls", values.get("starttls", StartTls.REQUIRED), StartTls)
        values["timeouts"] = _timeouts(values.get("timeouts", {}))
        return cls(**values)


def _timeouts(given: object) -> SmtpTimeouts:
    if isinstance(given, SmtpTimeouts):
        return given
    if not isinstance(given, dict):
        raise Invalid.at("timeouts", "give an object of numbers of seconds")
    values = cast("dict[str, float]", given)
    known = _names(SmtpTimeouts)
    for name in values:
        if name not in known:
            raise Invalid.at(f"timeouts.{name}", f"unknown; there are: {', '.join(known)}")
    return SmtpTimeouts(**values)


def _is_positive(value: object, *, most: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 < value <= most


def _names(of: SmtpTimeouts | type[SmtpTimeouts]) -> list[str]:
    return [item.name for item in dataclasses.fields(of)]


def _choice(name: str, value: object, choices: type[_E]) -> _E:
    try:
        return choices(value)
    except ValueError:
        raise Invalid.at(name, f"must be one of: {', '.join(choices)}") from None


def is_host(host: object) -> bool:
    """It can be the name or the address of a server."""
    if not isinstance(host, str):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # All digits and dots, yet no address: a mistyped one, not a name.
        return bool(_HOST.match(host)) and not re.fullmatch(r"[\d.]+", host)
    return True


def is_loopback(host: object) -> bool:
    """It is this machine."""
    if not isinstance(host, str):
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
