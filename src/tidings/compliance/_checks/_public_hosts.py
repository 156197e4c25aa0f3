"""Only what the public can reach: a link in a template must not make this server look into its own network."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = IPv6Network("64:ff9b::/96")
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv6Network("fec0::/10"))
"""Not public, though not every Python knows: of protocols (RFC 6890), where a cloud has its metadata; site-local (RFC 3879)."""


class NotPublic(OSError):
    """The name leads to no public address."""


def is_public(address: str) -> bool:
    """Is it an address of the public Internet, whatever it is wrapped in (IPv4-mapped, 6to4, Teredo, NAT64)?"""
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, IPv6Address) and (inner := _wrapped(number)) is not None:
        return is_public(str(inner))
    if any(number in network for network in _SPECIAL):
        return False
    return number.is_global and not number.is_multicast and not number.is_reserved


def _wrapped(number: IPv6Address) -> IPv4Address | None:
    if number in _NAT64:
        return IPv4Address(int(number) & 0xFFFFFFFF)
    return number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)


class PublicResolver(AbstractResolver):
    """Names to public addresses only. The connection is made to what is returned here, so that no second answer of the
    DNS counts (DNS rebinding). A name of which one address is private is refused as a whole.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver. Raises NotPublic, OSError."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(is_public(one["host"]) for one in found):
            raise NotPublic(f"{host} leads to no public address")
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._inner.close()
