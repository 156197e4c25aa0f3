"""Return paths: whose report it is, and that nobody can make one up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.core.crypto import Keyring
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.delivery.bounces import ReturnPathInvalid, ReturnPaths
from tidings.tracking import Subject

PATHS = ReturnPaths(Keyring("a secret"))
subjects = st.builds(
    Subject,
    st.integers(0, 2**32 - 1).map(WorkspaceId),
    st.integers(0, 2**40 - 1).map(SendId),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40 - 1).map(ContactId),
)
SUBJECT = Subject(WorkspaceId(1), SendId(22), 333, ContactId(4444))
BASE = "bounces@sender.example"


@given(subjects)
def test_says_whose(subject: Subject) -> None:
    address = PATHS.make(BASE, subject)
    assert address.endswith("@sender.example")
    assert len(address.partition("@")[0].encode()) <= 64
    assert PATHS.read(address) == subject


@given(subjects)
def test_survives_what_mail_systems_do_to_it(subject: Subject) -> None:
    address = PATHS.make(BASE, subject)
    local, _, domain = address.partition("@")
    assert PATHS.read(address.upper()) == subject
    assert PATHS.read(f"<{address}>") == subject
    assert PATHS.read(f"SRS0=Hash=TT={domain}={local}@forwarder.example") == subject
    assert PATHS.read(f"prvs=0123abcdef={address}") == subject


@given(st.integers(0, 43), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_character_that_is_another_makes_it_nobodys(at: int, other: str) -> None:
    local, _, domain = PATHS.make(BASE, SUBJECT).partition("@")
    head, _, token = local.partition("+")
    forged = token[:at] + other + token[at + 1 :]
    found = PATHS.read(f"{head}+{forged}@{domain}")
    assert found == (SUBJECT if forged == token else None)


@given(st.text(max_size=100))
def test_anything_else_is_nobodys(address: str) -> None:
    assert PATHS.read(address) is None
    assert PATHS.read(f"bounces+{address}@sender.example") is None


def test_another_installations_is_nobodys() -> None:
    assert ReturnPaths(Keyring("another secret")).read(PATHS.make(BASE, SUBJECT)) is None


@pytest.mark.parametrize(
    "base", ["", "bounces", "@sender.example", "bounces@", "a" * 20 + "@sender.example", "é" * 10 + "@s.example"]
)
def test_an_address_that_cannot_carry_one(base: str) -> None:
    with pytest.raises(ReturnPathInvalid):
        PATHS.make(base, SUBJECT)
    PATHS.make("a" * 19 + "@sender.example", SUBJECT)
