"""Reading JSON strictly (RFC 8259), so that what reaches a model can also be stored: no NUL, no lone surrogate, no NaN."""

import json
import math
from typing import Any

import orjson

from tidings.core.errors import Invalid

NESTING_LIMIT = 200
"""Levels that a body may have."""

_DEEP = 100
"""Levels of nesting in which the culprit is looked for."""


class MalformedJson(Invalid):
    """The body is not JSON."""

    code = "malformed_json"


def read_json(body: bytes) -> Any:
    """The value in `body`. Raises MalformedJson with line and column, and Invalid naming the field of text that is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _explained(body, error) from None
    if body.count(b"[") + body.count(b"{") > NESTING_LIMIT:
        _refuse_depth(value)
    if b"\\u0000" in body:
        _refuse_nul(value, "")
    return value


def _refuse_depth(value: Any) -> None:
    """What is read may be nested deeper than what can be written again: orjson ends at 254 levels, those we put around it
    counted."""
    for _ in range(254 - NESTING_LIMIT):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise Invalid.at("body", f"must not nest deeper than {NESTING_LIMIT} levels") from None


def _explained(body: bytes, error: orjson.JSONDecodeError) -> Invalid:
    """orjson says where, not which field: find the field if the text is JSON in all but its strings and numbers."""
    try:
        strange = _strange(json.loads(body, parse_int=float), "", 0)
    except (ValueError, RecursionError):
        strange = None
    if strange is not None:
        return Invalid.at(*strange)
    where = f"line {error.lineno}, column {error.colno}"
    reason = str(error).partition(": line ")[0]
    return MalformedJson(
        f"the body is not JSON: {reason} at {where}", fields=Invalid.at("body", f"is not JSON at {where}").fields
    )


def _strange(value: Any, path: str, depth: int) -> tuple[str, str] | None:
    """The first lone surrogate, NaN or infinity: where, and what to say. None if there is none (or it is too deep)."""
    if depth > _DEEP:
        return None
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return path or "body", "holds half of a surrogate pair, which is no character"
    if isinstance(value, float) and not math.isfinite(value):
        return path or "body", "must be a finite number"
    for child, where in _children(value, path):
        if (found := _strange(child, where, depth + 1)) is not None:
            return found
    return None


def _refuse_nul(value: Any, path: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid.at(path or "body", "must not hold the character NUL (\\u0000)")
        return
    for child, where in _children(value, path):
        _refuse_nul(child, where)


def _children(value: Any, path: str) -> list[tuple[Any, str]]:
    if isinstance(value, list):
        return [(child, f"{path}[{index}]") for index, child in enumerate(value)]
    if isinstance(value, dict):
        shown = {key: key.encode("ascii", "backslashreplace").decode() for key in value}
        named = [(key, f"{path}.{shown[key]}" if path else shown[key]) for key in value]
        # A name is text as much as a value is.
        return [*((key, where) for key, where in named), *((value[key], where) for key, where in named)]
    return []
