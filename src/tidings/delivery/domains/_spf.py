"""SPF (RFC 7208): who may send for a domain, and whether the record stays within the limits."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from tidings.delivery.domains._dns import Resolver

MOST_LOOKUPS = 10
"""§4.6.4: terms that ask the DNS, counted over all included records."""
_MOST_MX = 10
_ENOUGH = 40  # where counting a hopeless record ends

_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::([^/\s]\S*?))?(/\d{1,3})?(//\d{1,3})?", re.IGNORECASE
)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(\S*)", re.IGNORECASE)
_ADDRESSED = re.compile(r"([+?~-]?)(ip4|ip6):(\S+)", re.IGNORECASE)

Address = IPv4Address | IPv6Address


@dataclass(slots=True)
class SpfFinding:
    """What a record comes to. `result` is for the address asked about, or of `all` when none was."""

    records: list[str] = field(default_factory=list)
    result: str = "none"
    lookups: int = 0
    problems: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    """Terms with macros, which only a message could fill in."""


async def check_spf(resolver: Resolver, domain: str, ip: str | None = None) -> SpfFinding:
    """Follow a domain's record to its end, as a receiver would that met no match before. Raises Unanswered."""
    finding = SpfFinding()
    finding.records = await _records(resolver, domain)
    finding.result = await _evaluate(resolver, domain, ip_address(ip) if ip else None, finding, (domain,))
    if finding.lookups > MOST_LOOKUPS:
        finding.problems.append(
            f"it takes {finding.lookups} look-ups, and receivers stop at {MOST_LOOKUPS} with a permanent error"
        )
    return finding


async def _records(resolver: Resolver, domain: str) -> list[str]:
    return [one for one in await resolver.lookup(domain, "TXT") if one.lower().split(" ")[0] == "v=spf1"]


async def _evaluate(
    resolver: Resolver, domain: str, ip: Address | None, finding: SpfFinding, path: tuple[str, ...]
) -> str:
    records = await _records(resolver, domain)
    if len(records) != 1:
        if records:
            finding.problems.append(f"{domain} has {len(records)} SPF records, and only one is allowed")
        return "permerror" if records else "none"
    result, redirect = "", ""
    for term in records[0].split()[1:]:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
            continue
        matched = await _term(resolver, term, domain, ip, finding, path)
        if matched and not result:
            result = matched
        if re.fullmatch(r"[+?~-]?all", term, re.IGNORECASE):
            redirect = ""  # §6.1: what stands after `all` is never reached, and redirect is ignored
            break
    if redirect:
        inner = await _follow(resolver, redirect, ip, finding, path)
        result = result or ("permerror" if inner == "none" else inner)
    return result or "neutral"


async def _follow(
    resolver: Resolver, target: str, ip: Address | None, finding: SpfFinding, path: tuple[str, ...]
) -> str:
    finding.lookups += 1
    target = target.rstrip(".").lower()
    if "%" in target:
        finding.unsure.append(target)
        return "neutral"
    if target in path:
        finding.problems.append(f"{target} includes itself")
        return "permerror"
    if finding.lookups > _ENOUGH:
        return "permerror"
    inner = await _evaluate(resolver, target, ip, finding, (*path, target))
    if inner == "none":
        finding.problems.append(f"{target} is included and has no SPF record")
    return inner


async def _term(
    resolver: Resolver, term: str, domain: str, ip: Address | None, finding: SpfFinding, path: tuple[str, ...]
) -> str:
    """The result if this mechanism matches; '' if not."""
    addressed = _ADDRESSED.fullmatch(term)
    if addressed is not None:
        try:
            network = ip_network(addressed[3], strict=False)
        except ValueError:
            network = None
        if network is None or network.version != int(addressed[2][2]):
            finding.problems.append(f"{term!r} in the record of {domain} is no address")
            return ""
        return _RESULTS[addressed[1] or "+"] if ip is not None and ip in network else ""
    match = _TERM.fullmatch(term)
    if match is None or match[2].lower() in {"ip4", "ip6"}:
        finding.problems.append(f"{term!r} in the record of {domain} is no SPF")
        return ""
    kind, result, target = match[2].lower(), _RESULTS[match[1] or "+"], match[3] or domain
    if kind == "all":
        return result
    if kind in {"include", "exists"} and not match[3]:
        finding.problems.append(f"{term!r} in the record of {domain} names no domain")
        return ""
    if kind == "include":
        return result if await _follow(resolver, target, ip, finding, path) == "pass" else ""
    finding.lookups += 1
    if kind == "ptr":
        finding.problems.append(f"ptr in the record of {domain} is not to be used (§5.5)")
        return ""
    if "%" in target:
        finding.unsure.append(term)
        return ""
    if kind == "exists":
        return result if await resolver.lookup(target, "A") else ""
    if ip is None or finding.lookups > _ENOUGH:
        return ""
    hosts = [target]
    if kind == "mx":
        hosts = [one.split()[-1] for one in await resolver.lookup(target, "MX")]
        if len(hosts) > _MOST_MX:
            finding.problems.append(f"{target} has more than {_MOST_MX} mail servers")
            hosts = hosts[:_MOST_MX]
    length = (match[4] if ip.version == 4 else (match[5] or "")[1:]) or ""
    for host in hosts:
        for found in await resolver.lookup(host, "A" if ip.version == 4 else "AAAA"):
            try:
                if ip in ip_network(f"{found}{length}", strict=False):
                    return result
            except ValueError:
                finding.problems.append(f"{term!r} in the record of {domain} is no SPF")
                return ""
    return ""
