"""The body of a POST: forms in both encodings (RFC 8058 allows both for leaving), and the JSON that programs send instead."""

import re
from typing import Any
from urllib.parse import parse_qs

import orjson

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]+)"?', re.IGNORECASE)
_MOST_PARTS = 1200


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name. Whatever cannot be read is left out: leaving must never fail on it."""
    return {name: values[0] for name, values in read_fields(content_type, body).items()}


def read_fields(content_type: str, body: bytes, *, json: bool = False) -> dict[str, list[str]]:
    """The fields of a form with all their values; of an object too, if `json`. Whatever cannot be read is left out."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        boundary = _BOUNDARY.search(content_type)
        return _multipart(boundary[1].encode(), body) if boundary else {}
    if json and kind == "application/json":
        return _json(body)
    return parse_qs(body.decode("utf-8", "replace"), max_num_fields=None)


def _multipart(boundary: bytes, body: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in body.split(b"--" + boundary)[1:_MOST_PARTS]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            text = value.removesuffix(b"\r\n").decode("utf-8", "replace")
            found.setdefault(name[1].decode("utf-8", "replace"), []).append(text)
    return found


def _json(body: bytes) -> dict[str, list[str]]:
    """An object of texts, numbers, yes and no, or lists of these, as a form would say it."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(told, dict):
        return {}
    found = {
        name: [text for item in _items(value) if (text := _text(item)) is not None] for name, value in told.items()
    }
    return {name: values for name, values in found.items() if values}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "on" if value else None
    return str(value) if isinstance(value, (str, int, float)) else None
