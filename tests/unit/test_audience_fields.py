"""What is said of contacts is checked in one place, and every fault is named."""

from typing import Any

import pytest

from tidings.audience import ContactFields, clean_contact
from tidings.core.errors import Invalid


def test_what_is_said_is_tidied() -> None:
    told = {
        "email": " Ann@Example.com ",
        "first_name": " Ann ",
        "last_name": None,
        "phone": "+49 30 1",
        "language": "pt-BR",
        "time_zone": "Europe/Berlin",
        "tags": ["vip", " vip", "new"],
        "attributes": {"plan": "gold", "address": {"city": "Köln"}},
    }
    assert clean_contact(told) == ContactFields(
        email="ann@example.com",
        first_name="Ann",
        phone="+49 30 1",
        language="pt-BR",
        time_zone="Europe/Berlin",
        tags=["vip", "new"],
        attributes={"plan": "gold", "address": {"city": "Köln"}},
    )


@pytest.mark.parametrize(
    ("told", "field", "word"),
    [
        ({"email": 7}, "email", "text"),
        ({"email": "ann"}, "email", "@-sign"),
        ({"first_name": "x" * 256}, "first_name", "255"),
        ({"first_name": "Ann\r\nBcc: x"}, "first_name", "one line"),
        ({"first_name": "a\u2028b"}, "first_name", "one line"),
        ({"last_name": ["x"]}, "last_name", "text"),
        ({"phone": "1" * 51}, "phone", "50"),
        ({"phone": 491234}, "phone", "text"),
        ({"language": "english please"}, "language", "pt-BR"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "IANA"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "IANA"),
        ({"tags": "vip"}, "tags", "list"),
        ({"tags": ["vip", ""]}, "tags[1]", "empty"),
        ({"tags": ["vip", 3]}, "tags[1]", "text"),
        ({"tags": ["x" * 101]}, "tags[0]", "100"),
        ({"tags": [str(i) for i in range(101)]}, "tags", "100"),
        ({"attributes": []}, "attributes", "object"),
        ({"attributes": {"a": "x" * 17_000}}, "attributes", "16384"),
        ({"attributes": {"a": [[[[[1]]]]]}}, "attributes.a", "nest"),
        ({"attributes": {"": 1}}, "attributes", "name"),
        ({"attributes": {"a": "b\0c"}}, "attributes", "NUL"),
        ({"attributes": {"a": object()}}, "attributes", "JSON"),
        ({"attributes": {"a": "\ud800"}}, "attributes", "JSON"),
        ({"plan": "gold"}, "plan", "attributes"),
    ],
)
def test_every_fault_has_its_field_and_a_mend(told: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_contact({"email": "ann@example.com"} | told, at="contacts[3].")
    (problem,) = caught.value.fields
    assert problem.field == f"contacts[3].{field}"
    assert word in problem.message


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        clean_contact({"email": "x", "phone": 1, "tags": [""]})
    assert [p.field for p in caught.value.fields] == ["email", "phone", "tags[0]"]


def test_names_of_all_scripts_are_welcome() -> None:
    for name in ("Zoë", "李小龙", "محمد", "👩‍🚀 Ada", "O\u00a0Brien", "न\u200dत"):
        assert clean_contact({"first_name": name}).first_name == name
