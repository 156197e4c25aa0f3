"""Every error as `application/problem+json` (RFC 9457): kinds to status in one table, and what frameworks raise besides.

Members: type, title, status, detail, `code` (stable, for programs) and, where input is at fault, `errors`: a list of
{field, message}, `field` being the path in the request (`contacts[3].email`).
"""

import logging
import math
import re
from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tidings.core import errors
from tidings.core.db import LOST
from tidings.core.errors import FieldProblem, TidingsError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_HTTP = {
    400: ("malformed_request", "Malformed request"),
    404: ("no_such_route", "No such address"),
    405: ("method_not_allowed", "Method not allowed"),
}

_BUSY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.TooManyConnectionsError, TimeoutError)


class UnsupportedMediaType(TidingsError):
    """The body is not JSON."""

    code = "unsupported_media_type"


class BodyTooLarge(TidingsError):
    """The body is larger than this address takes."""

    code = "body_too_large"


KINDS: tuple[tuple[type[TidingsError], int, str], ...] = (
    (errors.NotFound, 404, "Not found"),
    (errors.Conflict, 409, "Conflict"),
    (errors.Invalid, 422, "Invalid input"),
    (errors.Unauthenticated, 401, "Not authenticated"),
    (errors.Forbidden, 403, "Not allowed"),
    (errors.RateLimited, 429, "Too many requests"),
    (errors.Unavailable, 503, "Temporarily unavailable"),
    (UnsupportedMediaType, 415, "Unsupported media type"),
    (BodyTooLarge, 413, "Body too large"),
)


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    fields: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """The response for one problem."""
    body: dict[str, Any] = {
        "type": f"urn:tidings:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if fields:
        body["errors"] = [{"field": f.field, "message": f.message} for f in fields]
    return Response(_dump(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(api: FastAPI) -> None:
    """Answer every error of this application as a problem."""
    api.add_exception_handler(TidingsError, _tidings)
    api.add_exception_handler(RequestValidationError, _validation)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(asyncpg.DataError, _data)
    api.add_exception_handler(asyncpg.IntegrityConstraintViolationError, _overtaken)
    for kind in (*LOST, *_BUSY):
        api.add_exception_handler(kind, _unavailable)
    api.add_exception_handler(Exception, _unexpected)


def field_path(location: Sequence[str | int]) -> str:
    """`("body", "contacts", 3, "email")` as `contacts[3].email`; the body itself is `body`."""
    parts = list(location)
    if len(parts) > 1 and parts[0] in {"body", "query", "path", "header"}:
        del parts[0]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


async def _tidings(_request: Request, error: Exception) -> Response:
    assert isinstance(error, TidingsError)
    status, title = next(((s, t) for kind, s, t in KINDS if isinstance(error, kind)), (500, "Internal error"))
    headers: dict[str, str] = {}
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    elif isinstance(error, errors.Unavailable):
        headers["Retry-After"] = "1"
    return problem(
        status, code=error.code, title=title, detail=error.message, fields=error.fields, headers=headers or None
    )


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [FieldProblem(field_path(e["loc"]), _sentence(e)) for e in error.errors()]
    first = fields[0]
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    detail = f"{first.field}: {first.message}{more}"
    return problem(422, code="invalid", title="Invalid input", detail=detail, fields=fields[:100])


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, title = _HTTP.get(error.status_code, ("http_error", "Error"))
    detail = error.detail if error.detail != title else ""
    if error.status_code == 404:
        detail = "there is nothing at this address; the API is below /api/v1, described by /api/v1/openapi.json"
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, code=code, title=title, detail=detail or title, headers=headers)


async def _data(request: Request, error: Exception) -> Response:
    # Input that PostgreSQL cannot hold and that a model let through: the caller's fault, but our model's gap.
    _log.warning("%s %s: PostgreSQL refused a value: %s", request.method, request.url.path, error)
    detail = "a value in the request cannot be stored (out of range, or not text)"
    return problem(422, code="invalid", title="Invalid input", detail=detail)


async def _overtaken(request: Request, error: Exception) -> Response:
    # What was there when we looked was changed or deleted by someone else before we wrote.
    _log.warning("%s %s: %s", request.method, request.url.path, error)
    detail = "something that this request refers to was changed or deleted at the same moment; look again and repeat"
    return problem(409, code="conflict", title="Conflict", detail=detail)


async def _unavailable(request: Request, error: Exception) -> Response:
    _log.warning("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    detail = "the database did not answer; nothing was changed, or all of it: repeat with the same Idempotency-Key"
    return problem(
        503, code="unavailable", title="Temporarily unavailable", detail=detail, headers={"Retry-After": "1"}
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, code="internal_error", title="Internal error", detail="this is our fault; it was logged")


def _sentence(error: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        return "is not a field of this request; check its spelling"
    if error["type"] in {"model_attributes_type", "dict_type", "model_type"}:
        return "must be a JSON object"
    if error["type"] in {"bool_type", "bool_parsing"}:
        return "must be true or false"
    if error["type"] in {"timezone_aware", "timezone_offset"}:
        return "must say its offset from UTC, such as 2030-01-01T09:00:00+01:00"
    if error["type"] == "literal_error":  # of members of enums it shows their names in Python
        message = re.sub(r"<[\w.]+: ('[^']*')>", r"\1", message)
    if error["type"] in {"too_short", "too_long"}:
        bound, limit = ("least", "min_length") if error["type"] == "too_short" else ("most", "max_length")
        number, has = error["ctx"][limit], error["ctx"]["actual_length"] or "none"
        return f"must have at {bound} {number} {'item' if number == 1 else 'items'}; it has {has}"
    return (
        message[:1].lower() + message[1:] if message.startswith(("Input ", "String ", "List ", "Field ")) else message
    )


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate in what we quote back
        import json

        return json.dumps(body).encode("ascii")
