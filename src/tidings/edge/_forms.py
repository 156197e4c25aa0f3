"""The body of an unsubscribing POST: RFC 8058 allows two encodings, and all we want from it is an optional reason."""

import re
from urllib.parse import parse_qs

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]+)"?', re.IGNORECASE)


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name. Whatever cannot be read is left out: leaving must never fail on it."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        boundary = _BOUNDARY.search(content_type)
        return _multipart(boundary[1].encode(), body) if boundary else {}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=None)
    return {name: values[0] for name, values in fields.items()}


def _multipart(boundary: bytes, body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in body.split(b"--" + boundary)[1:50]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            found.setdefault(name[1].decode("utf-8", "replace"), value.removesuffix(b"\r\n").decode("utf-8", "replace"))
    return found
