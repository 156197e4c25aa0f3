"""Filters that python-liquid has and does not load by itself, of use in mails."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from liquid.exceptions import FilterArgumentError
from liquid.extra import JSON, index, sort_numeric
from liquid.filter import int_arg

from tidings.content._limits import MAX_CHARACTERS

_json = cast("Callable[..., str]", JSON())


def json(value: object, indent: object = None) -> str:
    """A value as JSON: `{{ product | json }}`. Raises FilterArgumentError for what JSON has no form for, or is too long."""
    try:
        text = _json(value)
        # A line for each item, and each line indented: that may be as long as memory goes.
        if indent and len(text) + _lines(text) * _depth(value) * int_arg(indent) > MAX_CHARACTERS:
            raise FilterArgumentError(f"what comes out may be {MAX_CHARACTERS:,} characters at most", token=None)
        return _json(value, indent) if indent else text
    except (TypeError, RecursionError) as error:
        raise FilterArgumentError(str(error), token=None) from error


def _lines(text: str) -> int:
    return text.count(",") + 2 * (text.count("{") + text.count("["))


def _depth(value: object) -> int:
    items = list(cast("dict[object, object]", value).values()) if isinstance(value, dict) else value
    return 1 + max(map(_depth, cast("list[object]", items)), default=0) if isinstance(items, (list, tuple)) else 0


EXTRA: Mapping[str, Callable[..., Any]] = MappingProxyType({"json": json, "index": index, "sort_numeric": sort_numeric})
"""By the names that templates use."""
