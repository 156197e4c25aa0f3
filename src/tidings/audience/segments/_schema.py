"""The language as a JSON Schema, for the OpenAPI document: a list of alternatives, one a kind of field."""

from collections.abc import Iterable
from typing import Any

from tidings.audience.segments import _compare, _contact_fields, _custom_events, _engagement, _limits, _times
from tidings.audience.segments._json_values import UNDECLARED
from tidings.audience.segments._operators import Operator
from tidings.audience.states import ContactStatus, SubscriptionStatus

_REF = "#/components/schemas/"
ROOT = "SegmentConditions"
"""The name of the schema of conditions."""

_DURATION = {
    "description": '30 (days), "30 days", "12 hours", or {"months": 3}',
    "oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "object"}],
}
_WHEN = {
    "last": _DURATION,
    "since": {"type": "string", "description": "a day (UTC) or a moment; included"},
    "until": {"type": "string", "description": "a day (UTC), all of it, or a moment"},
}


def schemas() -> dict[str, Any]:
    """Schemas by name; `ROOT` is the one that the others belong to."""
    conditions = {
        "SegmentTextCondition": _condition(
            _contact_fields.TEXTS,
            _compare.with_negatives(_compare.TEXT),
            "Text; case never matters",
            {"field": "email", "operator": "ends_with", "value": "@example.com"},
        ),
        "SegmentDateCondition": _condition(
            _contact_fields.MOMENTS,
            _compare.with_negatives(_compare.MOMENT),
            "Moments; a day is all of that day in UTC",
            {"field": "created_at", "operator": "in_the_last", "value": "30 days"},
        ),
        "SegmentStatusCondition": _condition(
            ["status"],
            [Operator.IS, Operator.IS_NOT, Operator.IN, Operator.NOT_IN],
            f"One of {', '.join(ContactStatus)}",
            {"field": "status", "operator": "=", "value": "active"},
        ),
        "SegmentTagsCondition": _condition(
            ["tags"],
            _compare.with_negatives(frozenset({Operator.IS, Operator.CONTAINS, Operator.IN, Operator.IS_SET})),
            "Tags, as they are written",
            {"field": "tags", "operator": "in", "value": ["vip", "trial"]},
        ),
        "SegmentListsCondition": _condition(
            ["lists"],
            _compare.with_negatives(frozenset({Operator.IS, Operator.CONTAINS, Operator.IN, Operator.IS_SET})),
            "On a list, or on any of some",
            {"field": "lists", "operator": "contains", "value": "list_1"},
            status={"type": "string", "enum": list(SubscriptionStatus), "default": "subscribed"},
        ),
        "SegmentSubscribedCondition": _condition(
            ["subscribed_at", "unsubscribed_at"],
            _compare.with_negatives(_compare.MOMENT),
            "Since when on a list, or off it",
            {"field": "subscribed_at", "operator": "in_the_last", "value": "7 days", "lists": ["list_1"]},
            lists=_ids("list"),
        ),
        "SegmentSegmentCondition": _condition(
            ["segment"],
            [Operator.IS, Operator.IS_NOT, Operator.IN, Operator.NOT_IN],
            "In another segment",
            {"field": "segment", "operator": "=", "value": "segment_1"},
        ),
        "SegmentSampleCondition": _condition(
            ["contact"],
            [Operator.RANDOM_SAMPLE],
            "A stable share of all contacts in per cent, or [from, to]",
            {"field": "contact", "operator": "random_sample", "value": 10, "seed": "spring"},
            seed={"type": "string"},
        ),
        "SegmentEngagementCondition": _condition(
            _engagement.KINDS,
            _times.COUNTS | {Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST, Operator.BEFORE, Operator.AFTER},
            "How often something happened, of any campaign or of some, at any time or within a window; people alone count",
            {"field": "opened", "operator": ">=", "value": 3, "last": "90 days"},
            campaigns=_ids("campaign"),
            link={"description": "clicked: the address, or its place in the message", "type": ["string", "integer"]},
            machines={"type": "boolean", "default": False, "description": "opened, clicked: count machines, too"},
            **_WHEN,
        ),
        "SegmentAttributeCondition": _condition(
            None,
            _compare.with_negatives(UNDECLARED),
            "A declared custom field, or attributes.NAME",
            {"field": "attributes.plan", "operator": "=", "value": "gold"},
        ),
        "SegmentEventCondition": _event(),
    }  # fmt: skip
    part = {"$ref": _REF + ROOT}
    many = {"type": "array", "items": part, "minItems": 1, "maxItems": _limits.CONDITIONS}
    groups = {
        f"Segment{word.title()}": {
            "type": "object",
            "title": f"Segment{word.title()}",
            "description": text,
            "additionalProperties": False,
            "required": [word],
            "properties": {word: schema},
        }
        for word, schema, text in (
            ("and", many, "All of these hold"),
            ("or", many, "At least one of these holds"),
            ("not", part, "This does not hold"),
        )
    }
    root = {
        "title": ROOT,
        "description": "Conditions of a segment, nested as deep as ten groups. docs/reference/segments.md explains each.",
        "oneOf": [{"$ref": _REF + name} for name in (*groups, *conditions)],
        "examples": [
            {
                "and": [
                    conditions[name]["examples"][0] for name in ("SegmentStatusCondition", "SegmentEngagementCondition")
                ]
            }
        ],
    }
    return {ROOT: root, **groups, **conditions}


def _condition(
    fields: Iterable[str] | None, operators: Iterable[Operator], text: str, example: dict[str, Any], **options: Any
) -> dict[str, Any]:
    allowed = set(operators)
    field: dict[str, Any] = {"type": "string"} if fields is None else {"type": "string", "enum": list(fields)}
    if fields is None:
        taken = [*_contact_fields.TEXTS, *_contact_fields.MOMENTS, "status", "tags", "lists", "subscribed_at"]
        field["not"] = {
            "anyOf": [
                {"enum": [*taken, "unsubscribed_at", "segment", "contact", *_engagement.KINDS]},
                {"pattern": "^event\\."},
            ]
        }
    return {
        "type": "object",
        "description": text,
        "additionalProperties": False,
        "required": ["field", "operator"],
        "properties": {
            "field": field,
            "operator": {"type": "string", "enum": [str(one) for one in Operator if one in allowed]},
            "value": {"description": "by the operator: one value, a list, or none"},
            **options,
        },
        "examples": [example],
    }


def _event() -> dict[str, Any]:
    operators = _compare.with_negatives(UNDECLARED)
    where = {
        "type": "array",
        "maxItems": _limits.FILTERS,
        "items": {
            "type": "object",
            "required": ["property", "operator"],
            "additionalProperties": False,
            "properties": {
                "property": {"type": "string"},
                "operator": {"type": "string", "enum": [str(one) for one in Operator if one in operators]},
                "value": {"description": "by the operator"},
            },
        },
    }
    schema = _condition(
        (),
        operators,
        "How often a custom event was told (count), the sum of a property, or its last or first",
        {
            "field": "event.bought", "operator": ">", "value": 100, "aggregate": "sum", "property": "price", "last": "30 days",
            "where": [{"property": "category", "operator": "=", "value": "shoes"}],
        },
        aggregate={"type": "string", "enum": list(_custom_events.AGGREGATES), "default": "count"},
        property={"type": "string"},
        where=where,
        **_WHEN,
    )  # fmt: skip
    schema["properties"]["field"] = {"type": "string", "pattern": "^event\\..+"}
    return schema


def _ids(kind: str) -> dict[str, Any]:
    return {
        "type": "array",
        "maxItems": _limits.REFERENCES,
        "items": {"type": "string", "pattern": f"^{kind}_[1-9][0-9]*$"},
    }
