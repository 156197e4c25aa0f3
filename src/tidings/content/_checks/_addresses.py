"""Web addresses as they are written: what is wrong with one can be seen without asking the network."""

import re
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


class Trouble(StrEnum):
    """What can be wrong with an address."""

    EMPTY = "empty"
    FRAGMENT = "fragment"
    RELATIVE = "relative"
    SCHEME = "scheme"
    MALFORMED = "malformed"
    INSECURE = "insecure"
    PRIVATE = "private"
    PLACEHOLDER = "placeholder"
    SHORTENER = "shortener"
    NUMERIC = "numeric"
    CREDENTIALS = "credentials"


_LONG = 2000
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30}):", re.IGNORECASE)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.IGNORECASE)
_FOLLOWED = frozenset({"mailto", "tel", "sms", "geo", "webcal", "whatsapp"})
_HERE = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "arpa"})
# RFC 2606 and RFC 6761 keep these for examples and tests; the rest are what builders of templates put in.
_EXAMPLES = """
example.com example.org example.net yourdomain.com your-domain.com yoursite.com mysite.com yourcompany.com
domain.com website.com placeholder.com via.placeholder.com placehold.it placehold.co placekitten.com
dummyimage.com picsum.photos lorempixel.com link.com url.com
"""
_EXAMPLE_DOMAINS = frozenset(_EXAMPLES.split())
_EXAMPLE_ENDS = frozenset({"example", "test", "invalid"})
_TO_FILL_IN = re.compile(
    r"\b(?:todo|tbd|lorem|placeholder|your[-_]?(?:link|url|domain)|insert[-_]?(?:link|url)|xxx+)\b", re.IGNORECASE
)
_SHORT = """
bit.ly bitly.com t.co tinyurl.com goo.gl ow.ly is.gd v.gd buff.ly rebrand.ly cutt.ly t.ly shorturl.at rb.gy
tiny.cc s.id bl.ink lnkd.in fb.me adf.ly dlvr.it soo.gd clck.ru qr.ae tiny.one short.io shorte.st ouo.io
"""
SHORTENERS = frozenset(_SHORT.split())
"""Services that hide where a link leads: spam filters list their domains, and any one of their users can get them listed."""


def troubles(address: str) -> tuple[Trouble, ...]:
    """What is wrong with a static address, the gravest alone where it makes the others void."""
    return tuple(_troubles(address)) if len(address) > _LONG else _remembered(address)


@lru_cache(maxsize=2048)
def _remembered(address: str) -> tuple[Trouble, ...]:
    return tuple(_troubles(address))


def _troubles(address: str) -> list[Trouble]:
    url = re.sub(r"[\t\r\n]", "", address).strip()
    if not url:
        return [Trouble.EMPTY]
    if url.startswith("#"):
        return [Trouble.FRAGMENT]
    scheme = _SCHEME.match(url)
    if scheme is None:
        return [Trouble.RELATIVE]
    name = scheme[1].lower()
    if name in _FOLLOWED:
        return [] if len(url) > scheme.end() else [Trouble.MALFORMED]
    if name not in {"http", "https"}:
        # `shop.example:8080/x` has no scheme, and `htps://x` none that exists.
        return [Trouble.RELATIVE] if "." in name and not url.startswith(f"{name}://") else [Trouble.SCHEME]
    parsed = split(url)
    if parsed is None:
        return [Trouble.MALFORMED]
    found = [Trouble.INSECURE] if name == "http" else []
    if parsed.username is not None:
        found.append(Trouble.CREDENTIALS)
    host = (parsed.hostname or "").rstrip(".")
    if Trouble.PRIVATE in (where := _whereabouts(host)):
        return where
    if _TO_FILL_IN.search(url):
        where.append(Trouble.PLACEHOLDER)
    return [*found, *dict.fromkeys(where)]


def split(url: str) -> SplitResult | None:
    """The parts of an http(s) address; None if it has no usable host or port."""
    try:
        parsed = urlsplit(url)
        host, _ = parsed.hostname or "", parsed.port
        if not host or any(char.isspace() for char in url):
            return None
        if ":" in host:
            ip_address(host)
        elif not _HOST.fullmatch(host) and not _idna(host):
            return None
    except ValueError:
        return None
    return parsed


def host_of(address: str) -> str:
    """The host of an http(s) address in lower case, without `www.`; '' if there is none."""
    parsed = split(address.strip())
    return (parsed.hostname or "").rstrip(".").removeprefix("www.") if parsed else ""


def _idna(host: str) -> bool:
    try:
        return bool(_HOST.fullmatch(host.encode("idna").decode()))
    except UnicodeError:
        return False


def _whereabouts(host: str) -> list[Trouble]:
    try:
        number = ip_address(host)
    except ValueError:
        labels = host.split(".")
        if len(labels) == 1 or labels[-1] in _HERE:
            return [Trouble.PRIVATE]
        bare = host.removeprefix("www.")
        base = ".".join(labels[-2:])
        if bare in _EXAMPLE_DOMAINS or base in _EXAMPLE_DOMAINS or labels[-1] in _EXAMPLE_ENDS:
            return [Trouble.PLACEHOLDER]
        return [Trouble.SHORTENER] if bare in SHORTENERS else []
    return [Trouble.NUMERIC] if number.is_global else [Trouble.PRIVATE]
