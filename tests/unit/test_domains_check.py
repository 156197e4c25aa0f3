"""What `tidings doctor domain` says of domains in a made-up DNS."""

import asyncio
from typing import Any

import orjson
import pytest

from tidings.cli import doctor
from tidings.core.errors import Invalid
from tidings.delivery.domains._check import check_domain
from tidings.delivery.domains._dmarc import find_policy
from tidings.delivery.domains._dns import Unanswered, _without_dot
from tidings.delivery.domains._spf import check_spf
from tidings.delivery.signing._keys import DkimAlgorithm, generate, public_record

RSA = public_record(generate(DkimAlgorithm.RSA))
GOOD = {
    ("acme.example", "TXT"): ["other", "v=spf1 mx include:_spf.p.example ~all"],
    ("_spf.p.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
    ("acme.example", "MX"): ["10 mx.acme.example"],
    ("mx.acme.example", "A"): ["198.51.100.1"],
    ("s1._domainkey.acme.example", "TXT"): [RSA],
    ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:d@acme.example"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["out.acme.example"],
    ("out.acme.example", "A"): ["192.0.2.7"],
    ("_mta-sts.acme.example", "TXT"): ["v=STSv1; id=1"],
    ("mta-sts.acme.example", "A"): ["198.51.100.2"],
    ("_smtp._tls.acme.example", "TXT"): ["v=TLSRPTv1; rua=mailto:t@acme.example"],
    ("default._bimi.acme.example", "TXT"): ["v=BIMI1; l=https://acme.example/l.svg"],
}


class Zone:
    def __init__(self, records: dict[tuple[str, str], list[str]], *, dead: str = "") -> None:
        self.records, self.dead, self.asked = records, dead, [""]

    async def lookup(self, name: str, kind: str) -> list[str]:
        self.asked.append(name)
        if name == self.dead:
            raise Unanswered(f"{kind} {name}: timeout")
        return self.records.get((name, kind), [])


def states(records: dict[tuple[str, str], list[str]], *, dead: str = "", **asked: Any) -> dict[str, str]:
    found = asyncio.run(
        check_domain(
            Zone(records, dead=dead), domain="acme.example", **({"selectors": ["s1"], "ip": "192.0.2.7"} | asked)
        )
    )
    assert all(one.advice for one in found if one.state != "ok")
    return {one.name: str(one.state) for one in found}


def test_a_domain_in_order_is_all_well() -> None:
    assert set(states(GOOD).values()) == {"ok"}
    assert len(states(GOOD)) == 9


@pytest.mark.parametrize(
    ("change", "name", "state"),
    [
        ({("acme.example", "TXT"): []}, "spf", "fail"),
        ({("acme.example", "TXT"): ["v=spf1 -all", "v=spf1 ~all"]}, "spf", "fail"),
        ({("acme.example", "TXT"): ["v=spf1 ip4:203.0.113.1 -all"]}, "spf", "fail"),
        ({("acme.example", "TXT"): ["v=spf1 ip4:300.1.1.1 include:_spf.p.example -all"]}, "spf", "fail"),
        ({("acme.example", "TXT"): ["v=spf1 redirect=_spf.p.example"]}, "spf", "ok"),
        ({("acme.example", "TXT"): ["v=spf1 include:gone.example include:_spf.p.example -all"]}, "spf", "fail"),
        ({("acme.example", "TXT"): ["v=spf1 a:out.acme.example/30 -all"]}, "spf", "ok"),
        ({("s1._domainkey.acme.example", "TXT"): []}, "dkim s1", "fail"),
        ({("s1._domainkey.acme.example", "TXT"): ["v=DKIM1; p="]}, "dkim s1", "fail"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA[:200]]}, "dkim s1", "fail"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA + "; t=y"]}, "dkim s1", "warn"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA + "; t=y"]}, "alignment", "ok"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA + "; h=sha1"]}, "dkim s1", "fail"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA + "; h=sha1 : SHA256; s=email"]}, "dkim s1", "ok"),
        ({("s1._domainkey.acme.example", "TXT"): [RSA + "; s=other"]}, "dkim s1", "fail"),
        ({("_dmarc.acme.example", "TXT"): []}, "dmarc", "fail"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none; rua=mailto:a@b.c"] * 2}, "dmarc", "fail"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none; rua=mailto:a@b.c"]}, "dmarc", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; pct=5; rua=mailto:a@b.c"]}, "dmarc", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none"]}, "bimi", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=strict; rua=mailto:a@b.c"]}, "dmarc", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=strict"]}, "dmarc", "fail"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; rua=nonsense"]}, "dmarc", "fail"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; sp=odd; rua=mailto:a@b.c"]}, "bimi", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=quarantine; t=y; rua=mailto:a@acme.example"]}, "bimi", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; t=y; rua=mailto:a@acme.example"]}, "bimi", "ok"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; t=y; rua=mailto:a@acme.example"]}, "dmarc", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rf=afrf; rua=mailto:a@acme.example"]}, "dmarc", "warn"),
        (
            {("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; ri=86400; rua=mailto:a@acme.example"]},
            "dmarc",
            "warn",
        ),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; psd=y; rua=mailto:a@acme.example"]}, "dmarc", "warn"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; psd=n; rua=mailto:a@acme.example"]}, "dmarc", "ok"),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@acme.example!10m"]}, "dmarc", "warn"),
        (
            {("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; np=reject; rua=mailto:a@in.acme.example"]},
            "dmarc",
            "ok",
        ),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@b.example"]}, "dmarc", "warn"),
        (
            {
                ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@b.example"],
                ("acme.example._report._dmarc.b.example", "TXT"): ["v=DMARC1"],
            },
            "dmarc",
            "ok",
        ),
        ({("acme.example", "MX"): ["0 ."]}, "mx", "fail"),
        ({("acme.example", "MX"): []}, "mx", "fail"),
        ({("mx.acme.example", "A"): []}, "mx", "fail"),
        ({("7.2.0.192.in-addr.arpa", "PTR"): []}, "ptr", "fail"),
        ({("out.acme.example", "A"): ["192.0.2.8"]}, "ptr", "fail"),
        ({("_mta-sts.acme.example", "TXT"): ["v=STSv1"]}, "mta-sts", "fail"),
        ({("mta-sts.acme.example", "A"): []}, "mta-sts", "fail"),
        ({("_smtp._tls.acme.example", "TXT"): ["v=TLSRPTv1; rua=x"]}, "tls-rpt", "fail"),
        ({("default._bimi.acme.example", "TXT"): ["v=BIMI1; l=http://a/b.svg"]}, "bimi", "fail"),
    ],
)
def test_what_is_wrong_is_named(change: dict[tuple[str, str], list[str]], name: str, state: str) -> None:
    assert states(GOOD | change)[name] == state


def test_everything_is_said_although_the_dns_does_not_answer() -> None:
    assert states(GOOD, dead="_dmarc.acme.example")["dmarc"] == "warn"
    assert states(GOOD, dead="_spf.p.example")["spf"] == "warn"


def test_names_lose_their_last_dot_and_a_null_mx_does_not() -> None:
    records = {
        "10 mx.acme.example.": "10 mx.acme.example",
        "mx.acme.example.": "mx.acme.example",
        "0 .": "0 .",
        ".": ".",
    }
    assert {text: _without_dot(text) for text in records} == records


def test_alignment_without_a_signature_is_that_of_the_return_path() -> None:
    unsigned = GOOD | {
        ("s1._domainkey.acme.example", "TXT"): [],
        ("b.acme.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
    }
    assert states(unsigned)["alignment"] == "warn"
    assert states(unsigned, return_path="b.acme.example")["alignment"] == "warn"
    strict = unsigned | {("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; aspf=s"]}
    assert states(strict, return_path="b.acme.example")["alignment"] == "fail"
    away = unsigned | {("p.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"]}
    assert states(away, return_path="p.example")["alignment"] == "fail"


def test_the_eleventh_look_up_is_too_much() -> None:
    def zone(count: int) -> Zone:
        inner = {(f"i{n}.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"] for n in range(count)}
        names = " ".join(f"include:i{n}.example" for n in range(count))
        return Zone(inner | {("acme.example", "TXT"): [f"v=spf1 {names} ~all"]})

    assert asyncio.run(check_spf(zone(10), "acme.example")).problems == []
    assert "11 look-ups" in asyncio.run(check_spf(zone(11), "acme.example")).problems[0]


def test_a_record_that_includes_itself_ends() -> None:
    looped = Zone({("acme.example", "TXT"): ["v=spf1 include:acme.example -all"]})
    assert "itself" in asyncio.run(check_spf(looped, "acme.example")).problems[0]


def test_the_walk_up_the_tree_takes_eight_questions_at_most() -> None:
    zone = Zone({("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"]})
    policy = asyncio.run(find_policy(zone, "a.b.c.d.e.f.g.h.i.j.mail.example.com"))
    assert (policy.at, policy.policy, policy.organisation) == ("example.com", "quarantine", "example.com")
    assert len(zone.asked[1:]) == 8
    assert zone.asked[1:3] == ["_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com", "_dmarc.g.h.i.j.mail.example.com"]


@pytest.mark.parametrize(
    ("record", "exists", "policy"),
    [
        ("v=DMARC1; p=none; sp=quarantine; np=reject", True, "quarantine"),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", False, "reject"),
        ("v=DMARC1; p=quarantine; np=reject", True, "quarantine"),
        ("v=DMARC1; p=quarantine; np=reject", False, "reject"),
        ("v=DMARC1; p=quarantine; sp=none", False, "none"),
    ],
)
def test_a_subdomain_that_does_not_exist_has_a_policy_of_its_own(record: str, exists: bool, policy: str) -> None:
    there: dict[tuple[str, str], list[str]] = {("mail.example.com", "MX"): ["10 mx.example.com"]} if exists else {}
    zone = Zone({("_dmarc.example.com", "TXT"): [record]} | there)
    assert asyncio.run(find_policy(zone, "mail.example.com")).policy == policy


def test_below_a_public_suffix_stands_the_organisation() -> None:
    zone = Zone({("_dmarc.co.example", "TXT"): ["v=DMARC1; p=reject; psd=y"]})
    policy = asyncio.run(find_policy(zone, "mail.acme.co.example"))
    assert (policy.at, policy.organisation) == ("co.example", "acme.co.example")


def test_the_walk_stops_at_a_public_suffix_that_asks_for_itself() -> None:
    # RFC 9989 §4.10 step 2: not a question more, and what stands above it is none of its business.
    records = {
        ("_dmarc.co.example", "TXT"): ["v=DMARC1; p=reject; psd=y"],
        ("_dmarc.example", "TXT"): ["v=DMARC1; p=none"],
    }
    zone = Zone(records)
    policy = asyncio.run(find_policy(zone, "co.example"))
    assert (policy.at, policy.policy, policy.organisation) == ("co.example", "reject", "co.example")
    assert zone.asked[1:] == ["_dmarc.co.example"]


def test_only_addresses_are_addresses() -> None:
    with pytest.raises(Invalid):
        states(GOOD, ip="nonsense")


@pytest.mark.parametrize("json", [True, False])
def test_the_doctor_prints_it(json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def well(records: dict[tuple[str, str], list[str]]) -> bool:
        asked = {"domain": "Acme.example", "selectors": ["s1"], "ip": None, "return_path": None}
        return asyncio.run(doctor.run(**asked, json=json, resolver=Zone(records)))  # type: ignore[arg-type]

    assert well(GOOD)
    assert "TLSRPTv1" in (said := capsys.readouterr().out)
    assert not json or orjson.loads(said)["ok"] is True
    assert not well(GOOD | {("acme.example", "MX"): []})
    if not json:  # what is to be copied stands in one piece, however narrow the screen
        long = "s" * 60
        capsys.readouterr()
        asyncio.run(
            doctor.run(domain="acme.example", selectors=[long], ip=None, return_path=None, json=json, resolver=Zone({}))
        )
        said = capsys.readouterr().out
        assert f"nothing is published at {long}._domainkey.acme.example\n" in said
        assert 'publish at _dmarc.acme.example: TXT "v=DMARC1; p=none; rua=mailto:dmarc@acme.example"\n' in said
