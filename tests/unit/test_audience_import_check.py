"""Checking a column at a time says the same as asking `clean_contact` of each row; columns find their targets."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.audience.exports._reading import STANDARD
from tidings.audience.fields import ContactField, FieldType, clean_contact
from tidings.audience.imports import _plan
from tidings.audience.imports._check import Checker
from tidings.audience.imports._mapping import Column, apply_mapping, source_of, suggest, written_here
from tidings.audience.imports._plan import STAGED, Checked, Plan
from tidings.audience.imports._tables import Rows
from tidings.audience.imports._values import (
    infer_type,
    read_list_names,
    read_lists,
    read_status,
    split_name,
    split_tags,
    to_date,
    to_number,
)
from tidings.audience.spreadsheets import neutralised, plain_again
from tidings.core.errors import Invalid
from tidings.core.ids import FieldId

NAMES = ["email", "first_name", "last_name", "phone", "language", "time_zone", "tags", "field:n:number", "field:x"]


def columns(*targets: str) -> list[Column]:
    blank = [Column(f"c{i}", "ignore") for i in range(len(targets))]
    return apply_mapping(blank, {f"c{i}": target for i, target in enumerate(targets)}, declared={})


def check(rows: list[list[Any]], *targets: str, overwrite: bool = False, skip: bool = False) -> Checked:
    plan = Plan(columns(*targets), "active", overwrite, skip, {})
    return Checker(plan, b"k").check(Rows(rows, list(range(2, len(rows) + 2)), 2, {}), 0)


def staged(done: Checked) -> list[dict[str, Any]]:
    """What COPY would read, by an independent reading of its text format."""
    people: list[dict[str, Any]] = []
    for line in done.data.decode().split("\n")[:-1]:
        cells = [
            None
            if cell == "\\N"
            else cell.encode().decode("unicode_escape").encode("latin-1").decode()
            if cell.isascii()
            else cell.replace("\\\\", "\\")
            for cell in line.split("\t")
        ]
        person: dict[str, Any] = dict(zip(STAGED, cells, strict=True))
        if person["attributes"] is not None:
            person["attributes"] = orjson.loads(person["attributes"])
        people.append(person)
    return people


NASTY = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", " a ", "x\ty", "a\\b", "\\N", "line\nbreak", "é", "x" * 300, "\u200e", "\0", "\udcff", "en", "UTC"]
    ),
)
EMAILS = st.one_of(
    st.from_regex(r" ?[A-Za-z]{1,3}@[xy]\.(test|com)", fullmatch=True),
    st.sampled_from(["", "a@b", "ö@ü.de", "a@x.test\n"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            EMAILS,
            NASTY,
            NASTY,
            NASTY,
            st.sampled_from(["", "en", " pt-BR", "no language"]),
            st.sampled_from(["", "UTC", "Europe/Riga ", "Mars"]),
            NASTY,
            st.sampled_from(["", "7", "1,5", "many"]),
            NASTY,
        ).map(list),
        min_size=1,
        max_size=6,
    )
)
def test_columns_say_what_clean_contact_says(rows: list[list[Any]]) -> None:
    # The oracle: each row told to the judge by itself, the first word of an address kept (skip).
    expected: dict[str, Any] = {}
    rejected: list[int] = []
    for number, row in enumerate(rows):
        try:
            attributes: dict[str, Any] = {}
            if row[7]:
                try:
                    attributes["n"] = to_number(row[7])
                except ValueError:
                    raise Invalid.at("n", "no number") from None
            if row[8].strip():
                attributes["x"] = row[8].strip()
            told = dict(zip(NAMES[:6], row, strict=False)) | {
                "tags": list(split_tags(row[6])),
                "attributes": attributes,
            }
            for cell in row[:7]:
                try:
                    cell.encode()
                except UnicodeEncodeError:
                    raise Invalid.at("", "bytes") from None
            fields = clean_contact(told)
            if not fields.email:
                raise Invalid.at("email", "is required")
        except Invalid:
            rejected.append(number)
        else:
            expected.setdefault(fields.email, fields)
    done = check(rows, *NAMES, skip=True)
    assert [reject[0] for reject in done.rejects] == rejected
    assert all(reject[3] for reject in done.rejects)
    found = staged(done)
    assert [p["email"] for p in found] == sorted(expected)
    assert done.size == done.people + done.updated + done.unchanged + len(done.rejects)
    for person in found:
        fields = expected[person["email"]]
        for name in NAMES[1:6]:
            assert person[name] == getattr(fields, name), name
        assert person["attributes"] == (fields.attributes or None)
        assert (person["tags"] is None) == (not fields.tags)


def test_rows_of_one_address_by_each_policy() -> None:
    rows = [["a@x.test", "A", "t"], ["A@x.test", "", "u"], ["a@x.test", "B", ""]]
    targets = ("email", "first_name", "tags")
    assert [(p["first_name"], p["tags"]) for p in staged(check(rows, *targets))] == [("B", '{"t","u"}')]
    assert [(p["first_name"], p["tags"]) for p in staged(check(rows, *targets, skip=True))] == [("A", '{"t"}')]
    assert [(p["first_name"], p["tags"]) for p in staged(check(rows, *targets, overwrite=True))] == [("B", "{}")]


def test_statuses_of_other_systems() -> None:
    rows = [["a@x.test", "Subscribed", ""], ["b@x.test", "cleaned", ""], ["c@x.test", "", "2024-01-01"],
            ["d@x.test", "pending", ""], ["e@x.test", "wat", ""], ["f@x.test", "bounced", "2024"]]  # fmt: skip
    done = check([list(r) for r in rows], "email", "status", "unsubscribed_at")
    assert {p["email"][0]: p["status"] for p in staged(done)} == {
        "a": None, "b": "bounced", "c": "unsubscribed", "d": "unlisted", "f": "unsubscribed"}  # fmt: skip
    assert (done.out, done.unlisted, [r[2] for r in done.rejects]) == (True, True, ["c1"])
    assert read_status("Do Not Contact") == "unsubscribed"


def test_a_rejected_row_names_its_column_and_line() -> None:
    rows = [["a@x.test", "1"], ["b@x.test", "many"], ["nope", "1"]]
    done = Checker(Plan(columns("email", "field:n:number"), "active", False, False, {}), b"k").check(
        Rows(rows, None, 2, {}), 100
    )
    assert [(r[0], r[1], r[2]) for r in done.rejects] == [(101, 3, "c1"), (102, 4, "c0")]
    assert done.rejects[0][4] == ["b@x.test", "many"]
    assert "number" in done.rejects[0][3]


def targets(header: str, *rows: str, declared: Any = None) -> list[str]:
    return [c.target for c in suggest(header.split(","), [r.split(",") for r in rows], declared=declared or {})]


def test_a_type_that_is_none_is_not_taken_for_a_part_of_the_name() -> None:
    columns = suggest(["email", "No"], [["a@x.test", "1"]], declared={})
    with pytest.raises(
        Invalid, match=r"mapping\.No: money is no type; a field kunde may be text, number, boolean, date"
    ):
        apply_mapping(columns, {"No": "field:kunde:money"}, declared={})
    named = apply_mapping(columns, {"No": "field:utm:source:text"}, declared={})
    assert (named[1].custom, named[1].type) == ("utm:source", "text"), "with its type, a name may have a colon"


def test_exports_are_recognised() -> None:
    mailchimp = "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,TIMEZONE,LEID,EUID,NOTES,TAGS,UNSUB_TIME,CLEAN_TIME"
    assert source_of(mailchimp.split(",")) == "mailchimp"
    assert targets(mailchimp) == ["email", "first_name", "last_name", "field:member_rating", "field:optin_time",
                                  "time_zone", "ignore", "ignore", "field:notes", "tags",
                                  "unsubscribed_at", "bounced_at"]  # fmt: skip
    listmonk = "uuid,email,name,attributes,status,created_at,updated_at"
    assert source_of(listmonk.split(",")) == "listmonk"
    assert targets(listmonk) == ["ignore", "email", "full_name", "attributes", "status", "ignore", "ignore"]
    mautic = "id,firstname,lastname,email,preferred_locale,points,company"
    assert source_of(mautic.split(",")) == "mautic"
    assert targets(mautic)[1:6] == ["first_name", "last_name", "email", "language", "field:points"]
    assert targets(mautic)[6] == "field:company"


def test_headers_of_many_languages_and_of_none() -> None:
    assert targets("E-Mail-Adresse,Vorname,Nachname,Telefonnummer") == ["email", "first_name", "last_name", "phone"]
    assert targets("Correo electrónico,Nombre,Apellidos,Etiquetas") == ["email", "first_name", "last_name", "tags"]
    assert targets("Электронная почта,Имя,Фамилия") == ["email", "first_name", "last_name"]
    assert targets("Column 1,Column 2", "a@x.test,Ann", "b@x.test,Bob") == ["email", "field:column_2"]
    assert targets("Email,Work email,id,Plan") == ["email", "field:work_email", "field:original_id", "field:plan"]
    field = ContactField(FieldId(1), "plan", "", FieldType.CHOICE, ("gold", "free"))
    (_, plan) = suggest(["email", "Plan"], [], declared={"plan": field})
    assert (plan.target, plan.type, plan.choices) == ("field:plan", "choice", ["gold", "free"])


def test_values_become_what_they_look_like() -> None:
    assert split_name("Ann Lee") == split_name("Lee, Ann") == ("Ann", "Lee")
    assert split_name("Ludwig van Beethoven") == ("Ludwig", "van Beethoven")
    assert split_name("Cher") == ("Cher", "")
    assert split_tags('"VIP","Blog"') == split_tags("VIP; Blog") == split_tags('["VIP", "Blog"]') == ("VIP", "Blog")
    # Mailchimp's, and ours: what stands between the tags may stand in one.
    assert split_tags('"vip","news, weekly"') == split_tags('vip,"news, weekly"') == ("vip", "news, weekly")
    assert split_tags('"a;b";c') == ("a;b", "c")
    assert split_tags('"say ""hi""",x') == ('say "hi"', "x")
    assert split_tags('a, "b, c') == ("a", "b", "c")
    assert [to_number(t) for t in ("7", "-1.5", "1,234.50", "1.234,5", "1 234,5", "1,5")] == [
        7,
        -1.5,
        1234.5,
        1234.5,
        1234.5,
        1.5,
    ]
    assert {to_date(t) for t in ("2026-03-01", "2026-03-01T10:00:00Z", "1.3.2026", "2026/3/1")} == {"2026-03-01"}
    assert to_date("25/12/2026") == to_date("12/25/2026") == "2026-12-25"
    kinds = {
        ("1", "2.5"): "number",
        ("01234", "5"): "text",
        ("yes", "no"): "boolean",
        ("1.3.2026",): "date",
        ("+49 1",): "text",
    }
    assert {values: infer_type(values) for values in kinds} == kinds
    assert _plan.OUT == ("unsubscribed", "bounced", "complained")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NASTY.filter(lambda text: "\udcff" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "\0"]), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(JSON, min_size=8, max_size=8), min_size=1, max_size=4), st.booleans())
def test_any_values_are_taken_or_refused_in_words(rows: list[list[Any]], overwrite: bool) -> None:
    rows = [["" if cell is None else cell for cell in row] for row in rows]
    suggested = suggest([f"c{i}" for i in range(8)], rows, declared={})
    assert len(suggested) == 8
    rows = [["a@x.test", *row] for row in rows]
    targets = (
        "email",
        "full_name",
        "tags",
        "status",
        "attributes",
        "field:x:text",
        "field:n:number",
        "field:d:date",
        "phone",
    )
    done = check(rows, *targets, overwrite=overwrite)
    assert done.size == done.people + done.updated + done.unchanged + len(done.rejects)
    assert all(reject[3] for reject in done.rejects)
    orjson.dumps(done.rejects)
    for line in done.data.decode().split("\n")[:-1]:
        assert len(line.split("\t")) == len(STAGED)


def test_what_we_wrote_is_read_as_it_was() -> None:
    ours = [*STANDARD, "Plan Name", "state", "attributes.email"]
    assert source_of(ours) == "tidings"
    assert {c.name: c.target for c in suggest(ours, [], declared={})} == {
        **dict.fromkeys(STANDARD, "ignore"),
        **{name: name for name in [*NAMES[:7], "status", "lists", "unsubscribed_lists"]},
        "Plan Name": "field:Plan Name",
        "state": "field:state",
        "attributes.email": "field:original_email",
    }
    rejected = ["email", "x", "rejected_line", "rejected_column", "rejected_reason"]
    assert [c.target for c in suggest(rejected, [], declared={})][2:] == ["ignore"] * 3
    assert written_here(ours)
    assert written_here(rejected)
    assert not written_here(["email", "status", "x"])


@given(st.text(max_size=6) | st.text("'=+-@\t1a", max_size=6))
def test_apostrophes_before_formulas_go_as_they_came(text: str) -> None:
    assert plain_again(neutralised(text)) == text


def test_only_our_own_files_lose_apostrophes() -> None:
    for escaped, kept in ((True, "=1"), (False, "'=1")):
        plan = Plan(columns("email", "first_name"), "active", overwrite=False, skip=False, declared={}, escaped=escaped)
        done = Checker(Plan.of(plan.as_json()), b"k").check(Rows([["a@x.test", "'=1"]], None, 2, {}), 0)
        assert staged(done)[0]["first_name"] == kept


def test_an_empty_address_is_called_empty() -> None:
    [reject] = check([[" ", "x"]], "email", "first_name").rejects
    assert reject[3] == "is empty; every row needs an address"


def test_names_of_lists_as_our_exports_write_them() -> None:
    assert read_list_names('News,"Offers, ""special""", Jobs,News') == ["News", 'Offers, "special"', "Jobs"]
    told = [{"name": "A", "status": "unsubscribed"}, {"name": "B", "status": "subscribed"}]
    assert read_list_names(orjson.dumps(told).decode()) == ["A"]
    assert read_list_names("[]") == []
    for wrong in ('"open', 7, "[{]", '[{"status": "unsubscribed"}]', "a\0b", "x" * 256):
        with pytest.raises(ValueError, match="must be"):
            read_list_names(wrong)
    [reject] = check([["a@x.test", '"open']], "email", "unsubscribed_lists").rejects
    assert reject[2:4] == ["c1", "must be names of lists with commas between them: unexpected end of data"]
    done = check([["a@x.test", "A"], ["b@x.test", ""], ["a@x.test", "B"]], "email", "unsubscribed_lists")
    assert (done.people, done.left) == (2, ["A", "B"])
    assert done.data.splitlines()[0].endswith(b'\t{"A","B"}')


def test_lists_that_people_are_on_and_those_they_left_in_one_cell() -> None:
    told = [
        {"name": "A", "status": "unsubscribed"},
        {"name": "B", "status": "subscribed"},
        {"name": "C", "status": "pending"},
        {"name": "A", "status": "subscribed"},
    ]
    assert read_lists(told) == read_lists(orjson.dumps(told).decode()) == (["B"], ["A"])
    assert read_lists('B, "A, too"') == (["B", "A, too"], [])
    rows = [["a@x.test", "A", "X"], ["b@x.test", "", ""], ["a@x.test", "B", ""], ["c@x.test", '"open', ""]]
    done = check(rows, "email", "lists", "unsubscribed_lists")
    assert (done.people, done.on, done.left) == (2, ["A", "B"], ["X"])
    assert done.data.splitlines()[0].endswith(b'\t{"X"}\t{"A","B"}')
    assert [reject[2] for reject in done.rejects] == ["c1"]
    done = check([["a@x.test", told], ["b@x.test", "B"]], "email", "lists")
    assert (done.on, done.left) == (["B"], ["A"])
    done = check([["a@x.test", told, "X"], ["b@x.test", told, ""]], "email", "lists", "unsubscribed_lists")
    assert (done.on, sorted(done.left)) == (["B"], ["A", "X"])


@pytest.mark.parametrize(
    "header", ["Unsubscribed", "Opt-Out", "Do not contact", "DNC", "emailBlacklisted", "Abgemeldet"]
)
def test_a_column_that_says_who_is_out_keeps_them_out(header: str) -> None:
    assert suggest(["email", header], [["a@x.test", "1"]], declared={})[1].target == "unsubscribed_at"
    out = ("1", "yes", "ja", "x", "true", "2024-05-01", "Unsubscribed", "bounced", True, 1)
    on = ("", "0", "no", "nein", "false", "Contactable", "subscribed", "never", False, 0)
    for cells, expected in ((out, "unsubscribed"), (on, None)):
        rows = [[f"p{i}@x.test", cell] for i, cell in enumerate(cells)]
        assert {one["status"] for one in staged(check(rows, "email", "unsubscribed_at"))} == {expected}


def test_do_not_contact_of_mautic() -> None:
    names = ["id", "firstname", "lastname", "email", "points", "dnc"]
    assert source_of(names) == "mautic"
    assert suggest(names, [], declared={})[5].target == "unsubscribed_at"
