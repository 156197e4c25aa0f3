"""Who is at the other end: the socket's peer, or, behind proxies that are known, whom they say it is.

A header can be written by anybody. Each proxy adds the address it was called from at the right end, so the list is read from
the right, as long as those who wrote are known (RFC 7239 §8.1). Only the one header that the proxies are set up to write is
read: the other would come through them as the client wrote it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias

from tidings.core.errors import Invalid

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
Header: TypeAlias = Literal["x-forwarded-for", "forwarded"]

_MOST_HOPS = 50
_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*')


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks whose word is believed, and the header in which they give it."""

    networks: tuple[Network, ...] = ()
    header: Header = "x-forwarded-for"

    def client(self, peer: str, values: Sequence[str]) -> str:
        """The client's address. `peer` is the socket's (`192.0.2.1:80`, `[::1]:80`, or without a port; '' on a Unix socket),
        `values` those of the header, first line first. '' where nothing is known."""
        address = _parse(peer)
        if address is None:
            return ""
        if not self._trusts(address):
            return str(address)
        hops = _forwarded(values) if self.header == "forwarded" else _x_forwarded_for(values)
        for hop in reversed(hops[-_MOST_HOPS:]):
            parsed = _parse(hop)
            if parsed is None:
                break  # "unknown", or something hidden: what stands left of it nobody vouches for
            address = parsed
            if not self._trusts(address):
                break
        return str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


NO_PROXIES = Proxies()
"""Nobody's word is believed."""


def read_proxies(networks: str, header: Header) -> Proxies:
    """From settings: networks separated by commas or spaces (`10.0.0.0/8, 2001:db8::/32`, or single addresses). Raises Invalid."""
    found: list[Network] = []
    for text in re.split(r"[,\s]+", networks.strip()):
        if text:
            try:
                found.append(ip_network(text))
            except ValueError as error:
                raise Invalid.at(
                    "TIDINGS_TRUSTED_PROXIES", f"{text!r} is no network such as 10.0.0.0/8: {error}"
                ) from None
    return Proxies(tuple(found), header)


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one, all of which one host may use (RFC 4291 §2.5.1)."""
    parsed = _parse(address)
    if parsed is None:
        return ""
    return str(parsed) if isinstance(parsed, IPv4Address) else f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def _x_forwarded_for(values: Sequence[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]


def _forwarded(values: Sequence[str]) -> list[str]:
    """The `for` of each element (RFC 7239 §4); '' for one without, or that cannot be read."""
    hops: list[str] = []
    for value in values:
        for element in _split(value, ","):
            hop = ""
            for pair in _split(element, ";"):
                match = _PAIR.fullmatch(pair)
                if match and match[1].lower() == "for":
                    hop = re.sub(r"\\(.)", r"\1", match[2].removeprefix('"').removesuffix('"'))
            hops.append(hop)
    return hops


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator is not within quotes. What comes after a quote that is never closed is left out: a client may
    have opened it, to hide what a proxy wrote behind it."""
    parts = [""]
    quoted = escaped = False
    for character in text:
        if character == separator and not quoted:
            parts.append("")
            continue
        parts[-1] += character
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
    if quoted:
        parts[-1] = ""
    return parts


def _parse(text: str) -> Address | None:
    """An address, with or without a port, IPv6 with or without brackets. IPv4 within IPv6 is IPv4; a zone is left out."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
