"""Which mailbox provider a domain belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.delivery.limits._mailbox_providers import NAMES, by_domain, by_mx


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("gmail.com", "google"),
        ("hotmail.fr", "microsoft"),
        ("live.co.uk", "microsoft"),
        ("yahoo.com.br", "yahoo"),
        ("yahoo.co.jp", "yahoo japan"),
        ("me.com", "apple"),
        ("live.example.com", None),
        ("yahoo.news.example.com", None),
        ("example.com", None),
        ("com", None),
        ("", None),
    ],
)
def test_well_known_domains(domain: str, provider: str | None) -> None:
    assert by_domain(domain) == provider


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["1 ASPMX.L.GOOGLE.COM."], "google"),
        (["0 acme-com.mail.protection.outlook.com"], "microsoft"),
        (["20 mx.example.net", "10 mx1.mail.icloud.com"], "apple"),
        (["10 mx0a-001.pphosted.com", "20 aspmx.l.google.com"], "proofpoint"),
        (["10 mail.notgoogle.com"], None),
        (["0 ."], None),
        ([], None),
    ],
)
def test_by_where_the_mail_goes(hosts: list[str], provider: str | None) -> None:
    assert by_mx(hosts) == provider


@given(st.text(max_size=40), st.lists(st.text(max_size=30), max_size=5))
def test_anything_has_an_answer(domain: str, hosts: list[str]) -> None:
    assert by_domain(domain) in {None, *NAMES}
    assert by_mx(hosts) in {None, *NAMES}
