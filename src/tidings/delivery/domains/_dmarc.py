"""DMARC: finding a domain's policy by walking up the tree (RFC 9989 §4.10, before it RFC 7489)."""

import re
from dataclasses import dataclass

from tidings.delivery.domains._dns import Resolver

_MOST_QUERIES = 8
_POLICIES = {"none", "quarantine", "reject"}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s,!]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Policy:
    """The record that applies to a domain, and its organisational domain."""

    at: str
    """Where it was found; '' if nowhere."""
    tags: dict[str, str]
    organisation: str
    several: bool = False
    """The domain has more than one record, so that none counts."""

    @property
    def policy(self) -> str:
        """none, quarantine or reject, as it applies to the domain asked about; '' if DMARC does not apply to it.

        A record with a policy that is missing or unknown, `sp` and `np` too, counts as none if it asks for reports, else it
        does not count (RFC 9989 §4.10.1).
        """
        if not self.at:
            return ""
        told = self.tags.get("p", "").lower()
        if told in _POLICIES and all(self.tags.get(name, "none").lower() in _POLICIES for name in ("sp", "np")):
            return told
        return "none" if any(_URI.match(one.strip()) for one in self.tags.get("rua", "").split(",")) else ""

    @property
    def applied(self) -> str:
        """What receivers do: one step milder than the policy while `t=y` says that it is being tried (RFC 9989 §4.7)."""
        milder = {"reject": "quarantine", "quarantine": "none"}
        return milder.get(self.policy, self.policy) if self.tags.get("t", "n").lower() == "y" else self.policy


def tags(record: str) -> dict[str, str]:
    """`a=b; c=d` as a dictionary, names in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip())
    return found


async def find_policy(resolver: Resolver, domain: str) -> Policy:
    """The policy for messages from a domain. Raises Unanswered."""
    found: list[tuple[str, dict[str, str]]] = []
    several = False
    for name in _walk(domain):
        records = [
            one
            for one in await resolver.lookup(f"_dmarc.{name}", "TXT")
            if one.partition(";")[0].replace(" ", "") == "v=DMARC1"
        ]
        several = several or (name == domain and len(records) > 1)
        if len(records) == 1:
            found.append((name, tags(records[0])))
            if found[-1][1].get("psd", "u").lower() in {"n", "y"}:
                break  # RFC 9989 §4.10, steps 2 and 6
    organisation = _organisation(domain, found)
    by_name = dict(found)
    for name in dict.fromkeys((domain, organisation, found[-1][0] if found else "")):
        if name in by_name:
            told = dict(by_name[name])
            if name != domain and told.get("p", "").lower() in _POLICIES:
                # np is for subdomains that do not exist; without it, and for all others, sp; without that, p (§4.7).
                absent = "np" in told and not await _exists(resolver, domain)
                told["p"] = told["np"] if absent else told.get("sp", told["p"])
            return Policy(name, told, organisation, several)
    return Policy("", {}, organisation, several)


async def organisation_of(resolver: Resolver, domain: str) -> str:
    """The organisational domain, by which relaxed alignment compares. Raises Unanswered."""
    return (await find_policy(resolver, domain)).organisation


async def _exists(resolver: Resolver, domain: str) -> bool:
    """Whether there is an address or a mail server of this name (RFC 9989 §3.2)."""
    for kind in ("A", "AAAA", "MX"):
        if await resolver.lookup(domain, kind):
            return True
    return False


def _organisation(domain: str, found: list[tuple[str, dict[str, str]]]) -> str:
    for name, told in found:
        psd = told.get("psd", "u").lower()
        if psd == "n":
            return name
        if psd == "y" and name != domain:
            return domain.removesuffix(f".{name}").rpartition(".")[2] + f".{name}"
    return found[-1][0] if found else domain


def _walk(domain: str) -> list[str]:
    """The domain and those above it: at most eight, long names are cut to seven labels after the first."""
    labels = domain.split(".")
    rest = labels[1:] if len(labels) <= _MOST_QUERIES else labels[-(_MOST_QUERIES - 1) :]
    return [domain, *(".".join(rest[index:]) for index in range(len(rest)))]
