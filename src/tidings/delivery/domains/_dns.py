"""Questions to the DNS, behind an interface, so that tests bring answers of their own."""

from typing import Literal, Protocol

from tidings.core.errors import Unavailable

RecordType = Literal["A", "AAAA", "MX", "PTR", "TXT"]


class Unanswered(Unavailable):
    """The DNS gave no answer, not even that there is none: a time-out, SERVFAIL, or no network."""

    code = "dns_unanswered"


class Resolver(Protocol):
    """Who answers."""

    async def lookup(self, name: str, kind: RecordType) -> list[str]:
        """All records: TXT with its strings joined, MX as `10 host`, names without the last dot.

        Empty when there are none. Raises Unanswered.
        """
        ...


class SystemResolver:
    """The resolvers that this host uses."""

    def __init__(self, *, timeout_seconds: float = 5.0) -> None:
        self._timeout_seconds = timeout_seconds

    async def lookup(self, name: str, kind: RecordType) -> list[str]:
        """See Resolver."""
        from dns import exception, resolver
        from dns.asyncresolver import Resolver as Asker

        try:
            answer = await Asker().resolve(name, kind, lifetime=self._timeout_seconds)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return []
        except (exception.DNSException, OSError, ValueError) as error:
            raise Unanswered(f"{kind} {name}: {type(error).__name__}") from None
        if kind == "TXT":
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        return [_without_dot(record.to_text()) for record in answer]


def _without_dot(text: str) -> str:
    """A record without its name's last dot, but for the root's, as in a null MX (RFC 7505): `0 .`."""
    return text if text == "." or text.endswith(" .") else text.rstrip(".")
