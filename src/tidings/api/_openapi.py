"""What the generated OpenAPI document cannot know by itself: scopes, Idempotency-Key, and that errors are problems."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from tidings.api import _problem_codes
from tidings.api._examples import EXAMPLES
from tidings.api._idempotency import HEADER
from tidings.api.problems import MEDIA_TYPE
from tidings.audience.segments import conditions_schemas
from tidings.content import document_schemas

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` says which field and why.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Repeat the request with the same key as often as you like: it is done once, and answered alike, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


_KEEP_THEIR_ANSWER = {"upload_import"}
"""Work in transactions of their own, and see to the key themselves."""


def complete(api: FastAPI) -> None:
    """Make `api.openapi()` tell the whole story."""
    generate: Callable[[], dict[str, Any]] = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = _completed(generate())
        return api.openapi_schema

    api.openapi = openapi


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    assert "Problem" not in schemas, "a model of that name would be described as an RFC 9457 problem"
    schemas["Problem"] = _PROBLEM
    schemas.update(conditions_schemas())
    schemas.update(document_schemas())
    _refer(document)
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    known, expected = _problem_codes.known(), set[str]()
    for path in document["paths"].values():
        for method, operation in path.items():
            operation["summary"] = _summary(operation)
            if scope := operation.get("x-scope"):
                told = operation.get("description", "")
                operation["description"] = f"{told}\n\nNeeds the scope `{scope}`.".strip()
                own = operation.pop("x-own-transactions", False)
                if method == "post" and (not own or operation["operationId"] in _KEEP_THEIR_ANSWER):
                    operation.setdefault("parameters", []).append(_KEY)
                elif method == "post":
                    operation["description"] += " Takes no `Idempotency-Key`: doing it again is harmless."
            codes = sorted(_problem_codes.codes(operation), key=lambda code: (known[code][0], code))
            expected.update(codes)
            operation["responses"].pop("422", None)
            operation["responses"].update(_problems(codes, known))
    document["x-problems"] = [
        {"status": known[code][0], "code": code, "description": known[code][1]}
        for code in sorted(expected, key=lambda code: (known[code][0], code))
    ]
    return document


def _refer(part: Any) -> None:
    """`{"x-schema": NAME}` becomes a reference to a schema that no model makes."""
    if isinstance(part, dict):
        if name := part.pop("x-schema", None):
            part.pop("title", None)
            part["$ref"] = f"#/components/schemas/{name}"
        for inner in part.values():
            _refer(inner)
    elif isinstance(part, list):
        for inner in part:
            _refer(inner)


def _summary(operation: dict[str, Any]) -> str:
    """The one given; or else made from the name of the operation: FastAPI Writes Such In Capitals."""
    name: str = operation["operationId"]
    if operation["summary"] != name.replace("_", " ").title():
        return operation["summary"]
    return name.replace("put_", "update_").replace("_", " ").capitalize().replace("api", "API")


def _problems(codes: list[str], known: dict[str, tuple[int, str]]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {}
    for code in codes:
        one = found.setdefault(str(known[code][0]), {"description": "", "x-codes": [], "content": content})
        one["x-codes"].append(code)
        one["description"] = " or ".join(f"`{code}`" for code in one["x-codes"])
    return {**found, "default": {"description": "Another problem", "content": content}}
