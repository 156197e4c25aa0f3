"""From the JSON of conditions to nodes: groups, fields, and what each field's conditions are compiled by."""

from collections.abc import Mapping
from typing import Any

from tidings.audience.segments import _belonging, _contact_fields, _custom_events, _engagement, _limits, _values
from tidings.audience.segments._condition import BARE, Condition, Context
from tidings.audience.segments._nodes import All, Members, Node, Not, Some
from tidings.audience.segments._operators import Operator, operator, refuse
from tidings.audience.segments._problems import Problems, Wrong
from tidings.core.ids import SegmentId

_ATTRIBUTE = "attributes."
_EVENT = "event."
_ALIASES = {"tag": "tags", "list": "lists", "segments": "segment", "timezone": "time_zone", "sample": "contact"}
_SEGMENT = frozenset({Operator.IS, Operator.IS_NOT, Operator.IN, Operator.NOT_IN})
_PLAIN = (
    *_contact_fields.TEXTS,
    *_contact_fields.MOMENTS,
    "status",
    "tags",
    "lists",
    "subscribed_at",
    "unsubscribed_at",
    "segment",
    "contact",
    *_engagement.KINDS,
)


class Compiler:
    """Compiles conditions, and those of the segments that they name. `problems` has what was wrong; `named` the segments."""

    def __init__(self, context: Context, segments: Mapping[SegmentId, Any]) -> None:
        self.problems = Problems()
        self._context = context
        self._segments = segments
        self._conditions = 0
        self._sets = 0

    def compile(self, conditions: Any, *, path: str = "conditions", within: tuple[SegmentId, ...] = ()) -> Node:
        """The node of these conditions. `within`: the segments that led here."""
        return self._node(conditions, path, 0, within)

    def segment(self, id_: SegmentId, *, within: tuple[SegmentId, ...] = (), depth: int = 0) -> Node:
        """The node of a segment that is there."""
        return self._node(self._segments[id_], f"segment_{id_}.conditions", depth, (*within, id_))

    def _node(self, told: Any, path: str, depth: int, within: tuple[SegmentId, ...]) -> Node:
        with self.problems.at(path):
            if depth > _limits.DEPTH:
                raise Wrong("", f"groups may nest {_limits.DEPTH} deep at most, those of other segments included")
            if isinstance(told, list):
                told = {"and": told}
                path = path.removesuffix(".and")
            if not isinstance(told, dict):
                raise Wrong(
                    "", 'must be an object: {"and": […]}, {"or": […]}, {"not": …} or {"field", "operator", "value"}'
                )
            groups = [word for word in ("and", "or", "not") if word in told]
            if not groups:
                return self._condition(told, path, depth, within)
            if len(told) > 1:
                raise Wrong("", f"must have {groups[0]} and nothing beside it; nest groups to combine them")
            word = groups[0]
            if word == "not":
                return Not(self._node(told[word], f"{path}.not", depth + 1, within))
            parts = told[word]
            if not isinstance(parts, list) or not parts:
                raise Wrong(word, "must be a list of at least one condition or group")
            if len(parts) > _limits.CONDITIONS:
                raise Wrong(word, f"must be a list of at most {_limits.CONDITIONS}")
            nodes = tuple(self._node(part, f"{path}.{word}[{n}]", depth + 1, within) for n, part in enumerate(parts))
            return All(nodes) if word == "and" else Some(nodes)
        return All(())  # was wrong: noted, never run

    def _condition(self, told: dict[str, Any], path: str, depth: int, within: tuple[SegmentId, ...]) -> Node:
        self._conditions += 1
        if self._conditions > _limits.CONDITIONS:
            raise Wrong(
                "", f"a segment may have {_limits.CONDITIONS} conditions at most, those of other segments included"
            )
        options = {key: value for key, value in told.items() if key not in {"field", "operator", "value"}}
        field = told.get("field")
        if not isinstance(field, str) or not field.strip():
            raise Wrong(
                "field", f"is required: one of {', '.join(_PLAIN)}, a custom field, attributes.NAME or event.NAME"
            )
        condition = Condition(_ALIASES.get(field, field), operator(told.get("operator")), told.get("value"), options)
        if condition.operator in BARE and condition.value is not None:
            raise Wrong("value", f"must be left out with {condition.operator}")
        if condition.operator not in {*BARE, Operator.ANNIVERSARY} and condition.value is None:
            raise Wrong("value", "is required")
        self._context.path = path
        node = self._of_field(condition, path, depth, within)
        self._sets += isinstance(node.part if isinstance(node, Not) else node, Members)
        if self._sets > _limits.SETS:
            raise Wrong("", f"a segment may have {_limits.SETS} conditions on lists, engagement and events at most")
        return node

    def _of_field(self, told: Condition, path: str, depth: int, within: tuple[SegmentId, ...]) -> Node:
        field, context = told.field, self._context
        if field in _contact_fields.TEXTS:
            return _contact_fields.text(told, context)
        if field in _contact_fields.MOMENTS:
            return _contact_fields.moment(told, context)
        if field in _engagement.KINDS:
            return _engagement.engagement(told, context)
        if field in {"subscribed_at", "unsubscribed_at"}:
            return _belonging.since(told, context)
        if field == "status":
            return _contact_fields.status(told, context)
        if field == "tags":
            return _contact_fields.tags(told, context)
        if field == "lists":
            return _belonging.lists(told, context)
        if field == "contact":
            return _contact_fields.sample(told, context)
        if field == "segment":
            return self._segment_condition(told, path, depth, within)
        if field.startswith(_EVENT) and len(field) > len(_EVENT):
            return _custom_events.custom_event(told, context, event=_values.some_text(field[len(_EVENT) :], "field"))
        if field.startswith(_ATTRIBUTE) and len(field) > len(_ATTRIBUTE):
            name = _values.some_text(field[len(_ATTRIBUTE) :], "field")
            self._almost(name)
            return _contact_fields.attribute(told, context, name=name)
        if field in context.fields:
            return _contact_fields.attribute(told, context, name=field)
        self._almost(field)
        raise Wrong(
            "field", f"there is no field {field[:60]!r}; an attribute that is not declared is attributes.{field[:60]}"
        )

    def _almost(self, name: str) -> None:
        """Attributes need not be declared; but one that differs from a declared one by case only is meant to be that."""
        meant = [one for one in self._context.fields if one != name and one.casefold() == name.casefold()]
        if meant and name not in self._context.fields:
            raise Wrong("field", f"there is no field {name[:60]!r}; did you mean {meant[0]!r}?")

    def _segment_condition(self, told: Condition, path: str, depth: int, within: tuple[SegmentId, ...]) -> Node:
        told.only()
        if told.operator not in _SEGMENT:
            raise refuse(told.operator, told.field, _SEGMENT)
        parts: list[Node] = []
        for number in _values.ids("segment", told.value, most=10):
            id_ = SegmentId(number)
            if id_ in within:
                raise Wrong("value", f"segment_{id_} would contain itself")
            if id_ not in self._segments:
                raise Wrong("value", f"there is no segment_{id_}")
            before = len(self.problems.found)
            parts.append(self.segment(id_, within=within, depth=depth + 1))
            if len(self.problems.found) > before:  # one line at the place that the caller can see
                inner = self.problems.found[before]
                del self.problems.found[before:]
                self.problems.add(f"{path}.value", f"{inner.field}: {inner.message}")
        node = Some(tuple(parts))
        return Not(node) if told.operator in {Operator.IS_NOT, Operator.NOT_IN} else node
