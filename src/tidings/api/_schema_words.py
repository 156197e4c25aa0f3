"""A JSON schema in words: its fields by dotted names, and for each what it may hold."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_DEEP = 3
_LINE = 90
_IDS = re.compile(r"\^(\w+)_\[1-9\]\[0-9\]\*\$")


@dataclass(frozen=True, slots=True)
class Field:
    """One field or parameter. `kind` has its type, limits and default."""

    name: str
    required: bool
    kind: str
    description: str


class Schemas:
    """The schemas of an OpenAPI document, by name."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._schemas = schemas

    def field(self, name: str, schema: Schema, *, required: bool, place: str = "", description: str = "") -> Field:
        """One field in words; `place` says where it goes (path, query …)."""
        kind = self._kind(schema)
        if place:  # null cannot be written in an address or a header: there it means left out
            kind = kind.removesuffix(" or null")
        kind = ", ".join(part for part in (place, kind, _example(schema), _default(schema)) if part)
        told = (one.get("description", "") for one in (schema, *schema.get("anyOf", [])))
        return Field(name, required, kind, description or next(filter(None, told), ""))

    def fields(self, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Field]:
        """Every field, those of objects within under dotted names. Only of what is sent it is told what is required."""
        required = schema.get("required", []) if schema.get("additionalProperties") is False else []
        for name, part in schema.get("properties", {}).items():
            yield self.field(f"{prefix}{name}", part, required=name in required)
            inner = self.resolved(part.get("items", part))
            if depth < _DEEP and "properties" in inner:
                yield from self.fields(inner, f"{prefix}{name}{'[]' if 'items' in part else ''}.", depth + 1)

    def resolved(self, schema: Schema | None) -> Schema:
        """What a reference, or the one thing besides null, stands for; empty for None."""
        while schema is not None and ("$ref" in schema or "anyOf" in schema):
            schema = self._schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
        return schema or {}

    def _kind(self, schema: Schema) -> str:
        if "anyOf" in schema:
            return " or ".join(self._kind(one) for one in schema["anyOf"])
        schema = self.resolved(schema)
        if "enum" in schema or "const" in schema:
            return " or ".join(map(str, schema.get("enum") or [schema["const"]]))
        if ids := _IDS.fullmatch(schema.get("pattern", "")):
            return f"id such as {ids[1]}_123"
        if schema.get("type") == "array":
            items = self._kind(schema.get("items", {})).replace("id such", "ids such")
            return f"list of {items}{_limits(schema, 'minItems', 'maxItems', ' items')}"
        if schema.get("format") == "date-time":
            return "time such as 2030-01-01T09:00:00+01:00"
        kind = {None: "anything", "string": "text"}.get(schema.get("type"), schema.get("type"))
        return f"{kind}{_limits(schema, 'minLength', 'maxLength', ' characters')}{_limits(schema, 'minimum', 'maximum', '')}"


def json_text(value: Any, indent: str = "  ") -> str:
    """JSON to be read: what is short stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= _LINE or not value or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {json_text(v, indent + '  ')}" for k, v in value.items()]
        return f"{{\n{indent}" + f",\n{indent}".join(parts) + f"\n{indent[2:]}}}"
    return f"[\n{indent}" + f",\n{indent}".join(json_text(v, indent + "  ") for v in value) + f"\n{indent[2:]}]"


def _limits(schema: Schema, least: str, most: str, unit: str) -> str:
    low, high = (f"{schema[key]:,.0f}" if key in schema else "" for key in (least, most))
    if low and high:
        return f", {low} to {high}{unit}"
    return f", at least {low}{unit}" if low else f", up to {high}{unit}" if high else ""


def _example(schema: Schema) -> str:
    example = next(iter(schema.get("examples", [])), None)
    return f"such as {example}" if isinstance(example, str) and not _IDS.fullmatch(schema.get("pattern", "")) else ""


def _default(schema: Schema) -> str:
    return f"else {json.dumps(schema['default'])}" if schema.get("default") not in (None, "") else ""
