"""Segments: every kind of condition runs; who is in them; what is refused, and where."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.accounts import SYSTEM
from tidings.audience import segments
from tidings.audience.segments import SegmentExists, SegmentInUse, SegmentInvalid, SegmentNotFound
from tidings.core.db import Database, Tx
from tidings.core.ids import SegmentId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def members(tx: Tx, workspace: int, conditions: Any) -> set[int]:
    found = await segments.conditions_members(
        tx, workspace=WorkspaceId(workspace), conditions=conditions, first=2, now=NOW
    )
    return {row["id"] for row in await tx.fetch(found.sql, workspace, *found.values)}


async def problems(tx: Tx, workspace: int, conditions: Any) -> dict[str, str]:
    with pytest.raises(SegmentInvalid) as caught:
        await members(tx, workspace, conditions)
    return {problem.field: problem.message for problem in caught.value.fields}


async def make(tx: Tx, workspace: int, name: str, conditions: Any) -> SegmentId:
    by = SYSTEM(WorkspaceId(workspace))
    made = await segments.create_segment(
        tx, workspace=WorkspaceId(workspace), name=name, conditions=conditions, by=by, now=NOW
    )
    return made.id


KINDS: list[dict[str, Any]] = [
    {"field": "email", "operator": "ends_with", "value": "@x.test"},
    {"field": "first_name", "operator": "is not set"},
    {"field": "tags", "operator": "in", "value": ["vip", "old"]},
    {"field": "status", "operator": "!=", "value": "active"},
    {"field": "created_at", "operator": "in_the_last", "value": {"months": 2}},
    {"field": "created_at", "operator": "anniversary", "value": [0, 7]},
    {"field": "attributes.points", "operator": ">", "value": 5},
    {"field": "attributes.born", "operator": "anniversary"},
    {"field": "attributes.born", "operator": "between", "value": ["1970-01-01", "1980-01-01"]},
    {"field": "attributes.plan", "operator": "in", "value": ["gold", "Silver"]},
    {"field": "attributes.vip", "operator": "=", "value": True},
    {"field": "contact", "operator": "random_sample", "value": [10, 20], "seed": "x"},
    {"field": "lists", "operator": "is_set"},
    {"field": "subscribed_at", "operator": "before", "value": "2026-01-01T00:00:00Z"},
    *({"field": kind, "operator": "is_set"} for kind in ("received", "opened", "clicked", "bounced", "complained", "unsubscribed")),
    *({"field": kind, "operator": "<=", "value": 2, "last": "30 days"} for kind in ("received", "opened", "clicked", "bounced")),
    {"field": "clicked", "operator": ">=", "value": 2, "since": "2026-01-01", "until": "2026-02-01", "machines": True},
    {"field": "clicked", "operator": "is_set", "link": "https://x.test/a"},
    {"field": "event.bought", "operator": ">=", "value": 2, "where": [{"property": "sku", "operator": "=", "value": "a"}]},
    {"field": "event.bought", "operator": "<", "value": 99.5, "aggregate": "sum", "property": "price", "last": 30},
    {"field": "event.bought", "operator": "=", "value": "a", "aggregate": "last", "property": "sku"},
    {"field": "event.bought", "operator": "before", "value": "2026-01-01", "aggregate": "first"},
]  # fmt: skip


async def test_every_kind_runs_alone_negated_and_within_or(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
               SELECT $1, i || '@x.test', decode(md5(i::text), 'hex'), $2, $2 FROM generate_series(1, 50) i""",
            workspace,
            NOW,
        )
        for kind in KINDS:
            inside = await members(tx, workspace, {"and": [kind]})
            outside = await members(tx, workspace, {"not": kind})
            assert len(inside) + len(outside) == 50, kind
            assert not inside & outside, kind
            mixed = {"or": [kind, {"field": "email", "operator": "=", "value": "1@X.test"}]}
            assert inside <= await members(tx, workspace, mixed)
        assert len(await members(tx, workspace, KINDS[0])) == 50


@pytest.mark.parametrize(
    ("name", "wanted"), [("\u212aate", "kate"), ("IAN\u0130", "iani"), ("ÄNNE", "änne"), ("\u212a", "\u212a")]
)
@pytest.mark.parametrize("field", ["first_name", "attributes.name"])
async def test_case_never_matters_whatever_the_letter(
    db: Database, workspace: int, field: str, name: str, wanted: str
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO contacts (workspace_id, email, address_hash, first_name, attributes, created_at, updated_at)
               SELECT $1, lower(v) || '@x.test', decode(md5(v), 'hex'), v, jsonb_build_object('name', v), $2, $2
               FROM unnest($3::text[]) AS v""",
            workspace,
            NOW,
            [name, "xyz"],
        )
        for operator, value in (
            ("=", wanted),
            ("=", wanted.upper()),
            ("in", ["other", wanted]),
            ("contains", wanted[1:] or wanted),
            ("starts_with", wanted[:2]),
            ("ends_with", wanted[-2:].upper()),
        ):
            assert len(await members(tx, workspace, {"field": field, "operator": operator, "value": value})) == 1, (
                operator
            )
            others = f"not_{operator}" if operator in ("in", "contains") else None
            if others:
                assert len(await members(tx, workspace, {"field": field, "operator": others, "value": value})) == 1


async def test_a_declared_field_in_another_case_is_a_slip(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO contact_fields (workspace_id, name, type, created_at, updated_at) VALUES ($1, 'points', 'number', $2, $2)",
            workspace,
            NOW,
        )
        for name in ("attributes.Points", "POINTS"):
            told = await problems(tx, workspace, {"field": name, "operator": ">", "value": 5})
            assert "did you mean 'points'?" in told["conditions.field"]
        for name in ("attributes.points", "points", "attributes.pints"):
            assert await members(tx, workspace, {"field": name, "operator": ">", "value": 5}) == set()


async def test_what_is_wrong_is_named_where_it_is(db: Database, workspace: int) -> None:
    good = KINDS[0]
    async with db.transaction() as tx:
        assert set(await problems(tx, workspace, {"and": [good, good, good | {"operator": "likes"}]})) == {
            "conditions.and[2].operator"
        }
        told = await problems(
            tx,
            workspace,
            {
                "or": [
                    {"field": "emial", "operator": "=", "value": "x"},
                    {"not": {"field": "created_at", "operator": "before", "value": "yesterday"}},
                    {"field": "opened", "operator": ">", "value": "often"},
                    {"field": "lists", "operator": "=", "value": "list_999"},
                    {"field": "email", "operator": "=", "value": "x", "agent": "any"},
                    {"field": "event.e", "operator": ">", "value": 1, "where": [{"property": "p", "operator": "?"}]},
                ]
            },
        )
        assert set(told) == {
            "conditions.or[0].field",
            "conditions.or[1].not.value",
            "conditions.or[2].value",
            "conditions.or[3].value",
            "conditions.or[4].agent",
            "conditions.or[5].where[0].operator",
        }


async def test_segments_within_segments(db: Database, workspace: int) -> None:
    by = SYSTEM(WorkspaceId(workspace))
    async with db.transaction() as tx:
        first = await make(tx, workspace, "First", KINDS[0])
        second = await make(tx, workspace, "Second", {"field": "segment", "operator": "=", "value": f"segment_{first}"})
        with pytest.raises(SegmentInvalid, match="contain itself"):
            await segments.update_segment(
                tx,
                workspace=WorkspaceId(workspace),
                segment=first,
                conditions={"not": {"field": "segment", "operator": "in", "value": [f"segment_{second}"]}},
                by=by,
                now=NOW,
            )
        with pytest.raises(SegmentInUse, match=f"segment_{second}"):
            await segments.delete_segment(tx, workspace=WorkspaceId(workspace), segment=first, by=by, now=NOW)
        with pytest.raises(SegmentExists):
            await make(tx, workspace, "First", KINDS[0])
        await segments.delete_segment(tx, workspace=WorkspaceId(workspace), segment=second, by=by, now=NOW)
        await segments.delete_segment(tx, workspace=WorkspaceId(workspace), segment=first, by=by, now=NOW)
        with pytest.raises(SegmentNotFound):
            await segments.get_segment(tx, workspace=WorkspaceId(workspace), segment=first)
