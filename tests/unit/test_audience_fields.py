"""What is said of contacts is checked in one place, and every fault is named."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.audience.fields import ContactField, ContactFields, FieldType, clean_contact
from tidings.core.errors import Invalid
from tidings.core.ids import FieldId


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


def declared(type_: FieldType, *choices: str) -> dict[str, ContactField]:
    return {"x": ContactField(FieldId(1), "x", "", type_, choices)}


@pytest.mark.parametrize(
    ("type_", "told", "kept"),
    [
        (FieldType.NUMBER, " -1234.50 ", -1234.5),
        (FieldType.NUMBER, "+7", 7),
        (FieldType.NUMBER, 10**17, 10**17),
        (FieldType.NUMBER, "", None),
        (FieldType.BOOLEAN, "YES", True),
        (FieldType.BOOLEAN, "f", False),
        (FieldType.BOOLEAN, 1, True),
        (FieldType.DATE, "2024-2-29", "2024-02-29"),
        (FieldType.DATE, "2024/12/01 10:00", "2024-12-01"),
        (FieldType.DATE, date(2024, 2, 29), "2024-02-29"),
        (FieldType.DATE, datetime(2024, 2, 29, 23, tzinfo=UTC), "2024-02-29"),
        (FieldType.TEXT, 7.5, "7.5"),
        (FieldType.TEXT, True, "true"),
        (FieldType.TEXT, "", ""),
        (FieldType.CHOICE, "blue", "Blue"),
        (FieldType.CHOICE, "BLUE", "BLUE"),
        (FieldType.CHOICE, None, None),
    ],
)
def test_attributes_become_what_is_declared(type_: FieldType, told: Any, kept: Any) -> None:
    fields = declared(type_, *(["Blue", "BLUE", "blau"] if type_ is FieldType.CHOICE else []))
    clean = clean_contact({"attributes": {"x": told, "other": told}}, fields=fields) if told is not None else None
    if clean is None:
        assert clean_contact({"attributes": {"x": None}}, fields=fields).attributes == {"x": None}
    else:
        assert clean.attributes is not None
        assert clean.attributes["x"] == kept
        assert type(clean.attributes["x"]) is type(kept)
        assert clean.attributes["other"] is told


@pytest.mark.parametrize(
    ("type_", "told", "word"),
    [
        (FieldType.NUMBER, "1,234", "point"),
        (FieldType.NUMBER, True, "number"),
        (FieldType.NUMBER, "1e5", "number"),
        (FieldType.NUMBER, "٣", "number"),
        (FieldType.BOOLEAN, 2, "true or false"),
        (FieldType.BOOLEAN, 1.0, "true or false"),
        (FieldType.DATE, "2023-02-29", "date"),
        (FieldType.DATE, "29.02.2024", "date"),
        (FieldType.DATE, 20240229, "date"),
        (FieldType.TEXT, ["a"], "text"),
        (FieldType.CHOICE, "green", "one of Blue"),
        (FieldType.CHOICE, {"a": 1}, "one of Blue"),
    ],
)
def test_what_cannot_become_it_is_named(type_: FieldType, told: Any, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_contact({"attributes": {"x": told}}, at="contacts[3].", fields=declared(type_, "Blue"))
    (problem,) = caught.value.fields
    assert problem.field == "contacts[3].attributes.x"
    assert word in problem.message


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    told=st.dictionaries(st.sampled_from([*ContactFields.__slots__, "x", "plan"]), ANYTHING, max_size=4)
    | st.fixed_dictionaries({"attributes": st.dictionaries(st.sampled_from(["x", "y"]), ANYTHING, max_size=2)}),
    type_=st.sampled_from(FieldType),
    choices=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_whatever_is_told_is_clean_once_cleaned_or_refused(
    told: dict[str, Any], type_: FieldType, choices: list[str]
) -> None:
    fields = declared(type_, *choices)
    clean, refused = None, None
    try:
        clean = clean_contact(told, fields=fields)
    except Invalid as error:
        refused = [problem.field.partition(".")[0].partition("[")[0] for problem in error.fields]
    if clean is None:
        assert refused
        assert set(refused) <= told.keys()
        return
    again = {name: value for name in ContactFields.__slots__ if (value := getattr(clean, name)) is not None}
    assert clean_contact(again, fields=fields) == clean
    value = (clean.attributes or {}).get("x")
    expected = {
        FieldType.TEXT: str,
        FieldType.NUMBER: (int, float),
        FieldType.BOOLEAN: bool,
        FieldType.DATE: str,
        FieldType.CHOICE: str,
    }[type_]
    assert value is None or isinstance(value, expected)
    if type_ is FieldType.DATE and value is not None:
        assert date.fromisoformat(value).isoformat() == value
    if type_ is FieldType.CHOICE and value is not None:
        assert value in choices
