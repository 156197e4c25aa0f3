"""How much one address may try: token buckets in the process, for guesses at keys and for what needs no key.

An address is the socket's peer. Forwarded headers are not believed, so behind a proxy all its clients are one address:
the allowances are generous, and no key that is known to be good is ever held up by them.
"""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from tidings.core.errors import RateLimited

_CAPACITY = 10_000


class Allowance:
    """So many tries a minute for each address; after a rest, a minute's worth at once. Remembers 10,000 addresses."""

    def __init__(self, *, per_minute: int, told: str) -> None:
        self._most = float(per_minute)
        self._told = told
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require(self, address: str) -> None:
        """Raises RateLimited unless this address has a try left."""
        left = self._now(_network(address))
        if left < 1.0:
            raise RateLimited(self._told, retry_after_seconds=(1.0 - left) * 60.0 / self._most)

    def spend(self, address: str) -> None:
        """It tried. Raises RateLimited if it had no try left."""
        self.require(address)
        network = _network(address)
        self._left[network] = (self._now(network) - 1.0, time.monotonic())
        self._left.move_to_end(network)
        if len(self._left) > _CAPACITY:
            self._left.popitem(last=False)

    def _now(self, network: str) -> float:
        left, at = self._left.get(network, (self._most, 0.0))
        return min(self._most, left + (time.monotonic() - at) * self._most / 60.0)


def _network(address: str) -> str:
    """One host has a whole /64 of IPv6 to itself (RFC 4291 §2.5.1): it counts as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or f"{int(parsed) >> 64:x}::/64")
