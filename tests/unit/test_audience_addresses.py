"""One spelling for each address, and the fast way agrees with the library."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from tidings.audience.addresses import _PLAIN, address_hash, normalise_email
from tidings.core.errors import Invalid


@pytest.mark.parametrize(
    ("told", "normal"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Smith+News@Example.COM\n", "ann.smith+news@example.com"),
        ("jörg@MÜNCHEN.de", "jörg@xn--mnchen-3ya.de"),
        ("x@xn--MNCHEN-3ya.de", "x@xn--mnchen-3ya.de"),
        ("x@faß.de", "x@xn--fa-hia.de"),
        ("o'neil@sub.mail.example.co.uk", "o'neil@sub.mail.example.co.uk"),
        ("e\u0301ve@example.com", "éve@example.com"),
        ("reader@shop.test", "reader@shop.test"),
    ],
)
def test_one_spelling(told: str, normal: str) -> None:
    assert normalise_email(told) == normal


@pytest.mark.parametrize(
    "told",
    [
        "", "@", "ann", "ann@", "@example.com", "ann@@example.com", "ann@example", "ann@localhost", "ann@test",
        "a b@example.com", "ann@exa mple.com", ".ann@example.com", "ann.@example.com", "a..n@example.com",
        "ann@-example.com", "ann@example-.com", "ann@example..com", "ann@.example.com", "ann@example.com.",
        "ann@example.c0m1", "ann@1.2.3.4", "ann@[1.2.3.4]", '"ann"@example.com', "Ann <ann@example.com>",
        "ann@example.com,bob@example.com", "ann@example.com\r\nBcc: bob@example.com", "ann\0@example.com",
        "ann@exam\u0000ple.com", "x" * 65 + "@example.com", "ann@" + "x" * 64 + ".com", "ann@" + "x." * 130 + "com",
        "ann@corp.local", "ann@a.onion", "ann@a.invalid", "ann@xn--a.de", "ann@ab--cd.de", "ann@example.xn--x",
        "ann\ud800@example.com", "ann\u202e@example.com", "ann(comment)@example.com", "ann@ex_ample.com",
    ],
)  # fmt: skip
def test_no_address(told: str) -> None:
    with pytest.raises(Invalid) as caught:
        normalise_email(told)
    assert caught.value.fields[0].field == "email"
    assert caught.value.fields[0].message


local = st.text(st.sampled_from("abz09.!#$%&'*+/=?^_`{|}~-AZ \"()<>,;:\\@éß"), min_size=1, max_size=12)
label = st.text(st.sampled_from("abxn09-AZ_éßü."), min_size=1, max_size=8)
tld = st.sampled_from(["com", "de", "test", "local", "arpa", "xn--p1ai", "c0m", "a", "42", "рф", "invalid", "x-y"])
addresses = st.builds(lambda a, b, c: f"{a}@{b}.{c}", local, label, tld)


@given(addresses | st.text() | st.emails())
@example("a@x--y.com")
@example("a@b.c-d")
@example("İ@x.com")
def test_normal_form_is_stable_and_the_fast_way_agrees_with_the_library(told: str) -> None:
    try:
        normal = normalise_email(told)
    except Invalid:
        assert not _PLAIN.fullmatch(told.strip().lower()) or len(told.strip()) > 254
        return
    assert normalise_email(normal) == normal
    assert normal == normal.lower()
    assert normal.count("@") == 1
    assert normal.rpartition("@")[2].isascii()
    assert normal.isprintable()
    try:
        theirs = validate_email(told.strip().lower(), check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise AssertionError(f"{told!r} was let through: {error}") from error
    assert normal == f"{theirs.local_part}@{theirs.ascii_domain}"


@given(st.emails(), st.emails())
def test_the_hash_tells_addresses_apart_and_nothing_else(a: str, b: str) -> None:
    key = b"k" * 32
    assert (address_hash(key, a) == address_hash(key, b)) == (a == b)
    assert len(address_hash(key, a)) == 16
    assert address_hash(key, a) != address_hash(b"l" * 32, a)
