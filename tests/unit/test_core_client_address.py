"""Whose address counts: nobody can write themselves another one."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.core.client_address import Proxies, network_of, read_proxies
from tidings.core.errors import Invalid

PROXIES = read_proxies("10.0.0.0/8, 2001:db8:1::/48 192.0.2.9", "x-forwarded-for")
BY_RFC = Proxies(PROXIES.networks, "forwarded")
ADDRESSES = st.ip_addresses().map(str)
OUTSIDE = ADDRESSES.filter(
    lambda text: not any(ip_address(text) in network for network in PROXIES.networks) and not _mapped(text)
)


def _mapped(text: str) -> bool:
    address = ip_address(text)
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


@pytest.mark.parametrize(
    ("peer", "values", "client"),
    [
        ("203.0.113.5:4711", [], "203.0.113.5"),
        ("[2001:db8::1]:4711", [], "2001:db8::1"),
        ("2001:db8::1", [], "2001:db8::1"),
        ("::ffff:203.0.113.5", [], "203.0.113.5"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("", ["203.0.113.5"], ""),
        # Who is no proxy can say what they like.
        ("203.0.113.5:1", ["198.51.100.1"], "203.0.113.5"),
        # What a client wrote before the proxy added its address is not read.
        ("10.0.0.1:1", ["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1:1", ["1.1.1.1", "203.0.113.5"], "203.0.113.5"),
        # Through several proxies.
        ("10.0.0.1:1", ["1.1.1.1, 203.0.113.5, 2001:db8:1::7, 10.3.3.3"], "203.0.113.5"),
        ("[2001:db8:1::1]:1", ["2001:db8:ffff::5"], "2001:db8:ffff::5"),
        ("10.0.0.1:1", ["[2001:db8:ffff::5]:80"], "2001:db8:ffff::5"),
        ("10.0.0.1:1", ["203.0.113.5:8080"], "203.0.113.5"),
        ("10.0.0.1:1", ["::ffff:10.0.0.2"], "10.0.0.2"),
        # Nothing readable: the last one that is known.
        ("10.0.0.1:1", [], "10.0.0.1"),
        ("10.0.0.1:1", ["203.0.113.5, unknown"], "10.0.0.1"),
        ("10.0.0.1:1", ["unknown, 10.0.0.2"], "10.0.0.2"),
    ],
)
def test_x_forwarded_for(peer: str, values: list[str], client: str) -> None:
    assert PROXIES.client(peer, values) == client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("for=203.0.113.5", "203.0.113.5"),
        ("for=1.1.1.1, for=203.0.113.5;proto=https;by=10.0.0.1", "203.0.113.5"),
        ('FOR="[2001:db8:ffff::5]:4711"', "2001:db8:ffff::5"),
        ('proto=https; for="203.0.113.5:80"', "203.0.113.5"),
        ('for="1.1.1.1, for=2.2.2.2";x="a;b,c\\"", for=203.0.113.5', "203.0.113.5"),
        ("for=203.0.113.5, for=_hidden", "10.0.0.1"),
        ("for=203.0.113.5, proto=https", "10.0.0.1"),
        ("203.0.113.5", "10.0.0.1"),
        # A quote that the client opened must not swallow what the proxy wrote.
        ('for=1.1.1.1;x=", for=203.0.113.5', "10.0.0.1"),
    ],
)
def test_forwarded(value: str, client: str) -> None:
    assert BY_RFC.client("10.0.0.1:1", [value]) == client


@given(st.lists(st.text() | ADDRESSES, max_size=5), OUTSIDE)
def test_whatever_a_client_writes_the_proxys_own_word_counts(written: list[str], client: str) -> None:
    """An honest proxy adds its caller at the right end, in the same line or in one of its own."""
    for values in ([*written, client], [", ".join([*written, client])]):
        assert PROXIES.client("10.0.0.1:1", values) == client
    quoted = f'for="[{client}]"' if ":" in client else f"for={client}"
    assert BY_RFC.client("10.0.0.1:1", [*written, quoted]) == client


@given(st.text(), st.lists(st.text(), max_size=5))
def test_nonsense_is_no_address_and_no_crash(peer: str, values: list[str]) -> None:
    for proxies in (PROXIES, BY_RFC):
        for one in (peer, "10.0.0.1:5"):
            answer = proxies.client(one, values)
            assert answer == "" or ip_address(answer)


@given(st.ip_addresses(v=6), st.ip_addresses(v=4))
def test_one_host_is_one_network(six: IPv6Address, four: IPv4Address) -> None:
    neighbour = IPv6Address(int(six) ^ 0xFFFF)
    if six.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert network_of(str(six)) == network_of(str(neighbour))
        assert network_of(str(six)) != network_of(str(IPv6Address(int(six) ^ (1 << 64))))
    assert network_of(str(four)) == str(four)


def test_networks_that_are_none_are_refused() -> None:
    assert read_proxies("", "forwarded").networks == ()
    for text in ("10.0.0.0/99", "proxy.example.com", "10.0.0.1/8"):
        with pytest.raises(Invalid) as refused:
            read_proxies(text, "x-forwarded-for")
        assert refused.value.fields[0].field == "TIDINGS_TRUSTED_PROXIES"
