"""Is a domain ready to send? What receivers look up, with advice in plain words."""

import asyncio
import re
from base64 import b64decode
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tidings.core.errors import Invalid
from tidings.delivery.domains._dmarc import Policy, find_policy, organisation_of, tags
from tidings.delivery.domains._dns import Resolver, Unanswered
from tidings.delivery.domains._domains import DkimKey, KeyState
from tidings.delivery.domains._spf import check_spf


class CheckState(StrEnum):
    """`fail` costs deliveries, `warn` may, or could not be found out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """One thing that was looked at: what was found, and how to mend it ('' when nothing is to be done)."""

    name: str
    state: CheckState
    found: str
    advice: str = ""


async def check_domain(
    resolver: Resolver,
    *,
    domain: str,
    keys: Sequence[DkimKey] = (),
    selectors: Sequence[str] = (),
    ip: str | None = None,
    return_path: str | None = None,
) -> list[DomainCheck]:
    """Look at a domain as receivers do.

    `keys` are ours, whose published records are compared; `selectors` are looked at besides. `ip` is an address that
    mail leaves from, `return_path` the domain of the envelope's sender if it is another. Raises Invalid for no address.
    """
    if ip is not None:
        try:
            ip_address(ip)
        except ValueError:
            raise Invalid.at("ip", f"must be an IP address, not {ip[:60]!r}") from None
    expected = {key.selector: key.record for key in keys if key.state is not KeyState.RETIRED}
    names = list(dict.fromkeys([*expected, *selectors]))
    sender = return_path or domain
    dkim: list[Awaitable[DomainCheck]] = [
        _asked(f"dkim {name}", _dkim(resolver, domain, name, expected.get(name))) for name in names
    ]
    back = [_asked("bounce mx", _mx(resolver, sender, "bounce mx"))] if sender != domain else []
    spf, dmarc, mx, sts, tls, bimi, *rest = await asyncio.gather(
        _asked("spf", _spf(resolver, sender, ip)),
        _asked("dmarc", _dmarc(resolver, domain)),
        _asked("mx", _mx(resolver, domain)),
        _asked("mta-sts", _mta_sts(resolver, domain)),
        _asked("tls-rpt", _tls_rpt(resolver, domain)),
        _asked("bimi", _bimi(resolver, domain)),
        *dkim,
        *back,
        *([_asked("ptr", _ptr(resolver, ip))] if ip is not None else []),
    )
    signed = rest[: len(names)] or [
        DomainCheck("dkim", CheckState.WARN, "no selector to look for", "add the domain to Tidings, or name a selector")
    ]
    alignment = await _asked("alignment", _alignment(resolver, domain, sender, signed, spf))
    return [spf, *signed, dmarc, alignment, mx, *rest[len(names) :], sts, tls, bimi]


async def _asked(name: str, check: Awaitable[DomainCheck]) -> DomainCheck:
    try:
        return await check
    except Unanswered as error:
        return DomainCheck(name, CheckState.WARN, f"the DNS did not answer ({error.message})", "try again later")


async def _spf(resolver: Resolver, domain: str, ip: str | None) -> DomainCheck:
    finding = await check_spf(resolver, domain, ip)
    if not finding.records:
        return DomainCheck(
            "spf", CheckState.FAIL, f"{domain} has no SPF record", 'publish TXT "v=spf1 include:<your provider> ~all"'
        )
    said = f"{finding.records[0]} ({finding.lookups} of 10 look-ups)"
    if finding.problems:
        return DomainCheck("spf", CheckState.FAIL, said, "; ".join(dict.fromkeys(finding.problems)))
    if ip is not None and finding.result != "pass":
        if finding.unsure:
            return DomainCheck("spf", CheckState.WARN, said, f"depends on the message: {', '.join(finding.unsure)}")
        return DomainCheck("spf", CheckState.FAIL, f"{said}: {finding.result} for {ip}", f"let it name {ip}")
    if ip is None and finding.result == "pass":
        return DomainCheck("spf", CheckState.FAIL, said, "+all lets everybody send in your name: end it with ~all")
    if ip is None and finding.result == "neutral" and not finding.unsure:
        return DomainCheck("spf", CheckState.WARN, said, "it says nothing of others: end it with ~all or -all")
    return DomainCheck("spf", CheckState.OK, said)


async def _dkim(resolver: Resolver, domain: str, selector: str, expected: str | None) -> DomainCheck:
    name, place = f"dkim {selector}", f"{selector}._domainkey.{domain}"
    records = await resolver.lookup(place, "TXT")
    publish = f'publish at {place}: TXT "{expected}"' if expected else f"publish the key's record at {place}"
    if not records:
        return DomainCheck(name, CheckState.FAIL, f"nothing is published at {place}", publish)
    if len(records) > 1:
        return DomainCheck(name, CheckState.FAIL, f"{len(records)} records at {place}", "leave only one")
    told = tags(records[0])
    key = re.sub(r"\s", "", told.get("p", ""))
    if not key:
        return DomainCheck(name, CheckState.FAIL, "the key is revoked, or p= is missing", publish)
    if told.get("v", "DKIM1") != "DKIM1":
        return DomainCheck(name, CheckState.FAIL, f"v={told['v']} is no DKIM record", publish)
    if expected is not None and key != tags(expected)["p"]:
        return DomainCheck(
            name, CheckState.FAIL, "another key is published than ours, or part of it is missing", publish
        )
    if "h" in told and "sha256" not in _words(told["h"]):
        return DomainCheck(name, CheckState.FAIL, f"h={told['h']} leaves SHA-256 out (RFC 8301)", "take h= out of it")
    if "s" in told and not {"email", "*"} & _words(told["s"]):
        return DomainCheck(name, CheckState.FAIL, f"s={told['s']}: the key is not for mail", "take s= out of it")
    algorithm = told.get("k", "rsa").lower()
    size = _key_bits(algorithm, key)
    if size is None:
        return DomainCheck(name, CheckState.FAIL, f"p= is no {algorithm} key", publish)
    if algorithm == "rsa" and size < 1024:
        return DomainCheck(name, CheckState.FAIL, f"an RSA key of {size} bits", "receivers refuse it: rotate to 2048")
    if algorithm == "rsa" and size < 2048:
        return DomainCheck(name, CheckState.WARN, f"an RSA key of {size} bits", "rotate to a key of 2048 bits")
    if "y" in told.get("t", "").lower().split(":"):
        return DomainCheck(name, CheckState.WARN, f"{algorithm}, {size} bits, in test mode", "take t=y out of it")
    return DomainCheck(name, CheckState.OK, f"{algorithm}, {size} bits")


def _words(value: str) -> set[str]:
    return {one.strip().lower() for one in value.split(":")}


def _key_bits(algorithm: str, text: str) -> int | None:
    try:
        raw = b64decode(text, validate=True)
        if algorithm == "ed25519":
            return 256 if len(raw) == 32 else None
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.key_size if algorithm == "rsa" and isinstance(key, RSAPublicKey) else None


async def _dmarc(resolver: Resolver, domain: str) -> DomainCheck:
    policy = await find_policy(resolver, domain)
    if policy.several:
        return DomainCheck(
            "dmarc", CheckState.FAIL, "more than one record: receivers ignore them all", "leave only one"
        )
    if not policy.at:
        return DomainCheck(
            "dmarc",
            CheckState.FAIL,
            "no policy: Gmail, Yahoo and Microsoft refuse bulk mail without one",
            f'publish at _dmarc.{domain}: TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"',
        )
    if not policy.policy:
        return DomainCheck(
            "dmarc",
            CheckState.FAIL,
            f"the record at _dmarc.{policy.at} does not count: a policy in it is missing or unknown, and it has no rua=",
            "say p=none, quarantine or reject, and name an address for reports with rua=mailto:…",
        )
    said = f"p={policy.policy} at _dmarc.{policy.at}"
    advice = [f"{old}= is no longer part of DMARC: leave it out" for old in ("pct", "rf", "ri") if old in policy.tags]
    if policy.tags.get("p", "").lower() not in {"none", "quarantine", "reject"}:
        advice.append("p= is missing or unknown, and counts as none: say p=none, quarantine or reject")
    elif policy.policy == "none":
        advice.append("when its reports look right, go on to p=quarantine")
    if "rua" not in policy.tags:
        advice.append("name an address for reports with rua=mailto:…")
    if policy.applied != policy.policy or policy.tags.get("t", "n").lower() == "y":
        advice.append(f"t=y asks for p={policy.applied} instead: take it out when tests are over")
    if policy.at == domain and policy.tags.get("psd", "u").lower() == "y":
        advice.append("psd=y is for those who give out names below this one: leave it out")
    targets = [one.strip() for name in ("rua", "ruf") for one in policy.tags.get(name, "").split(",")]
    if any("!" in one for one in targets):
        advice.append("a size behind an address (!10m) is no longer part of DMARC: leave it out")
    advice += await _reports_elsewhere(resolver, policy, targets)
    return DomainCheck("dmarc", CheckState.WARN if advice else CheckState.OK, said, "; ".join(advice))


async def _reports_elsewhere(resolver: Resolver, policy: Policy, targets: Sequence[str]) -> list[str]:
    """Whoever gets reports about others' domains must have agreed to it in the DNS (RFC 9990 §4)."""
    domains = {one.partition("!")[0].rpartition("@")[2].lower() for one in targets if one.lower().startswith("mailto:")}
    missing: list[str] = []
    for target in sorted(domains - {policy.at, policy.organisation}):
        if await organisation_of(resolver, target) == policy.organisation:
            continue
        name = f"{policy.at}._report._dmarc.{target}"
        if not any(tags(one).get("v") == "DMARC1" for one in await resolver.lookup(name, "TXT")):
            missing.append(f'reports are not sent to {target} until it publishes at {name}: TXT "v=DMARC1"')
    return missing


async def _alignment(
    resolver: Resolver, domain: str, sender: str, signed: Sequence[DomainCheck], spf: DomainCheck
) -> DomainCheck:
    """Messages pass DMARC by a signature of the From domain, or by an SPF pass of a domain that belongs to it."""
    # A short key, or one in test mode, signs as well: only what fails or was not answered does not.
    if any(one.state is CheckState.OK or (one.state is CheckState.WARN and " bits" in one.found) for one in signed):
        return DomainCheck("alignment", CheckState.OK, f"signatures of {domain} are aligned with From")
    policy: Policy = await find_policy(resolver, domain)
    strict = policy.tags.get("aspf", "r").lower() == "s"
    same = sender == domain or (not strict and policy.organisation == await organisation_of(resolver, sender))
    if same and spf.state is not CheckState.FAIL:
        return DomainCheck(
            "alignment", CheckState.WARN, "only SPF is aligned, which forwarding breaks", "sign with DKIM as well"
        )
    return DomainCheck(
        "alignment",
        CheckState.FAIL,
        f"neither a signature nor the return path {sender} speaks for {domain}",
        "publish a DKIM key, so that DMARC can pass",
    )


async def _mx(resolver: Resolver, domain: str, name: str = "mx") -> DomainCheck:
    servers = [one.split()[-1] for one in await resolver.lookup(domain, "MX")]
    mend = "name a mail server: replies and bounces come back to this domain"
    if servers == ["."]:
        return DomainCheck(name, CheckState.FAIL, "a null MX: the domain takes no mail (RFC 7505)", mend)
    if not servers:
        if await _addresses(resolver, domain):
            return DomainCheck(name, CheckState.WARN, "no MX; mail goes to the domain's own address", mend)
        return DomainCheck(name, CheckState.FAIL, "neither MX nor address", mend)
    found = await asyncio.gather(*(_addresses(resolver, server) for server in servers))
    dead = [server for server, addresses in zip(servers, found, strict=True) if not addresses]
    said = ", ".join(servers)
    if dead:
        state = CheckState.FAIL if len(dead) == len(servers) else CheckState.WARN
        return DomainCheck(name, state, said, f"without an address: {', '.join(dead)}")
    return DomainCheck(name, CheckState.OK, said)


async def _addresses(resolver: Resolver, name: str) -> list[str]:
    return [*await resolver.lookup(name, "A"), *await resolver.lookup(name, "AAAA")]


async def _ptr(resolver: Resolver, ip: str) -> DomainCheck:
    address = ip_address(ip)
    names = await resolver.lookup(address.reverse_pointer, "PTR")
    if not names:
        return DomainCheck("ptr", CheckState.FAIL, f"{ip} has no name", "ask whoever gave you the address for a PTR")
    kind = "A" if address.version == 4 else "AAAA"
    for name in names[:10]:
        if any(ip_address(found) == address for found in await resolver.lookup(name, kind)):
            return DomainCheck("ptr", CheckState.OK, f"{ip} is {name}, and {name} is {ip}")
    return DomainCheck(
        "ptr", CheckState.FAIL, f"{ip} is {names[0]}, which leads elsewhere", f"let {names[0]} have {kind} {ip}"
    )


async def _mta_sts(resolver: Resolver, domain: str) -> DomainCheck:
    records = [one for one in await resolver.lookup(f"_mta-sts.{domain}", "TXT") if tags(one).get("v") == "STSv1"]
    if not records:
        return DomainCheck(
            "mta-sts", CheckState.WARN, "none", "optional: lets others send to you over TLS only (RFC 8461)"
        )
    if len(records) > 1 or not tags(records[0]).get("id"):
        return DomainCheck("mta-sts", CheckState.FAIL, "; ".join(records), "one record, with an id=")
    if not await _addresses(resolver, f"mta-sts.{domain}"):
        return DomainCheck(
            "mta-sts", CheckState.FAIL, records[0], f"mta-sts.{domain} must serve /.well-known/mta-sts.txt"
        )
    return DomainCheck("mta-sts", CheckState.OK, f"{records[0]} (the policy's file was not fetched)")


async def _tls_rpt(resolver: Resolver, domain: str) -> DomainCheck:
    records = [one for one in await resolver.lookup(f"_smtp._tls.{domain}", "TXT") if tags(one).get("v") == "TLSRPTv1"]
    if not records:
        return DomainCheck("tls-rpt", CheckState.WARN, "none", "optional: reports on TLS to your servers (RFC 8460)")
    if len(records) > 1 or not re.match(r"(mailto|https):", tags(records[0]).get("rua", "")):
        return DomainCheck("tls-rpt", CheckState.FAIL, "; ".join(records), "one record, with rua=mailto:… or https:…")
    return DomainCheck("tls-rpt", CheckState.OK, records[0])


async def _bimi(resolver: Resolver, domain: str) -> DomainCheck:
    records = [one for one in await resolver.lookup(f"default._bimi.{domain}", "TXT") if tags(one).get("v") == "BIMI1"]
    if not records:
        return DomainCheck("bimi", CheckState.WARN, "none", "optional: shows your logo beside your messages")
    logo = tags(records[0]).get("l", "")
    if len(records) > 1 or (logo and not logo.lower().startswith("https://")):
        return DomainCheck("bimi", CheckState.FAIL, "; ".join(records), "one record, with l=https://….svg")
    policy = await find_policy(resolver, domain)
    if policy.applied not in {"quarantine", "reject"}:
        return DomainCheck("bimi", CheckState.WARN, records[0], "shown only with DMARC p=quarantine or reject")
    return DomainCheck("bimi", CheckState.OK, records[0])
