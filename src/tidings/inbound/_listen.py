"""Where to listen, as the setting says it: `0.0.0.0:25, lmtp:127.0.0.1:2424`."""

from dataclasses import dataclass

from tidings.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Listen:
    """One port and what is spoken there."""

    host: str
    port: int
    lmtp: bool


def read_listen(text: str, *, at: str = "TIDINGS_INBOUND_LISTEN") -> list[Listen]:
    """The ports of the setting; none if it is empty. Raises Invalid."""
    return [_one(part.strip(), at) for part in text.split(",") if part.strip()]


def _one(text: str, at: str) -> Listen:
    kind, colon, rest = text.partition(":")
    lmtp = bool(colon) and kind.lower() == "lmtp"
    host, colon, port = (rest if lmtp else text).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise Invalid.at(at, f"must be host:port or lmtp:host:port, separated by commas, not {text[:80]!r}")
    return Listen(host, int(port), lmtp)
