"""Custom fields in the database: what Python makes of a value, the set-based conversion makes of it too."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidings.audience import fields
from tidings.audience.fields import ContactField, FieldType
from tidings.audience.fields._types import Misfit, coerce
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import FieldId, WorkspaceId

NUMBERS = st.one_of(
    st.integers(-(10**18), 10**18), st.floats(allow_nan=False, allow_infinity=False), st.integers(-2, 2)
)
TEXTS = st.one_of(
    st.text(max_size=12).filter(lambda text: "\0" not in text),
    st.from_regex(r"\A ?[+-]?[0-9]{1,17}([.,][0-9]{0,3})? ?\Z"),
    st.from_regex(r"\A[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(T00:00)?\Z"),
    st.sampled_from(
        ["yes", "No", " TRUE ", "on", "red", "RED", "Blue", "blue", "", " ", "null", "0000-01-01", "2023-02-29"]
    ),
)
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.lists(TEXTS, max_size=1), st.just({"a": 1}))


def field(type_: FieldType) -> ContactField:
    return ContactField(FieldId(1), "x", "", type_, ("Red", "blue", "Blue", "1", "true"))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=10, max_size=60))
@example(
    ["2024-02-29", "1900-02-29", "2000-2-9", "2024/01/02", "2024-01/02", "2024-13-01", "2024-01-02T10:00:00Z", "İ"]
)
@example(["0.0", "-0.0", "5.0", "+5.00", "12.50", "-0.10", "999999999999999.999999999999999", "000.5"])
async def test_python_and_the_database_make_the_same_of_a_value(db: Database, values: list[Any]) -> None:
    async with db.connection() as connection:
        for type_ in FieldType:
            declared = field(type_)
            rows = await connection.fetch(
                "SELECT contact_field_value(v, $2, $3) AS made FROM jsonb_array_elements($1) WITH ORDINALITY t (v, o) ORDER BY o",
                values,
                type_,
                list(declared.choices),
            )
            for value, row in zip(values, rows, strict=True):
                try:
                    expected = coerce(value, declared)
                except Misfit:
                    expected = None
                if isinstance(value, float) and expected is not None:
                    assert float(row["made"]) == value  # as text, 1e+16 has another spelling in each
                else:
                    assert row["made"] == expected, (type_, value)
                    assert type(row["made"]) is type(expected) or isinstance(value, (int, float)), (type_, value)


async def test_what_an_import_infers_is_declared_unless_a_value_speaks_against_it(
    db: Database, workspace: WorkspaceId
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, attributes, created_at, updated_at)
               VALUES ($1, 'a@x.test', 'a', '{"age": "41", "plan": "gold", "on": "yes", "nested": {"age": null}}', now(), now()),
                      ($1, 'b@x.test', 'b', '{"age": "", "plan": "7", "on": null}', now(), now())""",
            workspace,
        )
        wanted = [
            ("age", FieldType.NUMBER, "Age"),
            ("plan", FieldType.NUMBER, "Plan"),
            ("on", FieldType.BOOLEAN, ""),
            ("new", FieldType.DATE, "  What\nis new" + "!" * 300),
        ]
        for _ in range(2):
            known = await fields.declare_fields(tx, workspace=workspace, fields=wanted, now=utc_now())
            assert {name: field.type for name, field in known.items()} == {
                "age": FieldType.NUMBER,
                "on": FieldType.BOOLEAN,
                "new": FieldType.DATE,
            }
        known = await fields.declared_fields(tx, workspace=workspace)
        labels = {name: field.label for name, field in known.items()}
        assert labels == {"age": "Age", "on": "", "new": ("What is new" + "!" * 300)[:255]}
        rows = await tx.fetch("SELECT attributes FROM contacts ORDER BY email")
    assert [row["attributes"] for row in rows] == [
        {"age": 41, "plan": "gold", "on": True, "nested": {"age": None}},
        {"plan": "7"},
    ]


@pytest.mark.parametrize("name", ["email", "First_Name", "", " x", "a\nb", "x" * 256])
async def test_names_that_no_field_can_have_are_refused(db: Database, workspace: WorkspaceId, name: str) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Invalid) as caught:
            await fields.declare_fields(
                tx, workspace=workspace, fields=[("ok", FieldType.TEXT, ""), (name, FieldType.TEXT, "")], now=utc_now()
            )
    assert [p.field for p in caught.value.fields] == ["fields[1].name"]
