"""Return paths: whose report it is, and that nobody can make one up."""

from datetime import UTC, datetime, timedelta

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
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BASE = "bounces@sender.example"


@given(subjects)
def test_says_whose(subject: Subject) -> None:
    address = PATHS.make(BASE, subject, now=NOW)
    assert address.endswith("@sender.example")
    assert len(address.partition("@")[0].encode()) <= 64
    assert PATHS.read(address, now=NOW) == subject


@given(subjects)
def test_survives_what_mail_systems_do_to_it(subject: Subject) -> None:
    address = PATHS.make(BASE, subject, now=NOW)
    local, _, domain = address.partition("@")
    assert PATHS.read(address.upper(), now=NOW) == subject
    assert PATHS.read(f"<{address}>", now=NOW) == subject
    assert PATHS.read(f"SRS0=Hash=TT={domain}={local}@forwarder.example", now=NOW) == subject
    assert PATHS.read(f"prvs=0123abcdef={address}", now=NOW) == subject


@given(st.integers(0, 47), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_character_that_is_another_makes_it_nobodys(at: int, other: str) -> None:
    local, _, domain = PATHS.make(BASE, SUBJECT, now=NOW).partition("@")
    head, _, token = local.partition("+")
    forged = token[:at] + other + token[at + 1 :]
    found = PATHS.read(f"{head}+{forged}@{domain}", now=NOW)
    assert found == (SUBJECT if forged == token else None)


@given(st.text(max_size=100))
def test_anything_else_is_nobodys(address: str) -> None:
    assert PATHS.read(address, now=NOW) is None
    assert PATHS.read(f"bounces+{address}@sender.example", now=NOW) is None


def test_another_installations_is_nobodys() -> None:
    assert ReturnPaths(Keyring("another secret")).read(PATHS.make(BASE, SUBJECT, now=NOW), now=NOW) is None


@pytest.mark.parametrize(
    "base", ["", "bounces", "@sender.example", "bounces@", "a" * 16 + "@sender.example", "é" * 10 + "@s.example"]
)
def test_an_address_that_cannot_carry_one(base: str) -> None:
    with pytest.raises(ReturnPathInvalid):
        PATHS.make(base, SUBJECT, now=NOW)
    PATHS.make("a" * 15 + "@sender.example", SUBJECT, now=NOW)


def test_is_good_for_half_a_year_and_not_before_it_was_made() -> None:
    address = PATHS.make(BASE, SUBJECT, now=NOW)
    assert PATHS.read(address, now=NOW + timedelta(weeks=26)) == SUBJECT
    for other in (timedelta(weeks=27), timedelta(weeks=52), timedelta(weeks=-2)):
        assert PATHS.read(address, now=NOW + other) is None


@given(st.lists(subjects, min_size=1, max_size=3), st.datetimes(datetime(2026, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001 - bounds must be naive
def test_one_maker_for_all_recipients_of_a_send(some: list[Subject], when: datetime) -> None:
    now = when.replace(tzinfo=UTC)
    first = some[0]
    path = PATHS.for_send(BASE, workspace=first.workspace, send=first.send, now=now)
    for one in some:
        expected = Subject(first.workspace, first.send, one.n, one.contact)
        assert PATHS.read(path(one.n, one.contact).decode(), now=now) == expected
