"""The frame around every endpoint: strict JSON in, one transaction, idempotency, JSON out.

It stands between FastAPI's validation and the endpoint, so a broken request never opens a transaction, and the answer is
known before the commit, so that it can be kept in it.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial, wraps
from typing import Any, ClassVar, get_type_hints

import orjson
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from tidings.api._deps import Call, admit
from tidings.api._idempotency import Once
from tidings.api._json import read_json
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType
from tidings.core.db import Tx
from tidings.core.errors import FieldProblem, Invalid

_JSON = "application/json"


class Route(APIRoute):
    """Give it to a router as `route_class`. Endpoints are async and return a model, None (204) or a Response."""

    body_limit: ClassVar[int] = 4 * 1024 * 1024
    """Bytes that a request body may have."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if (mark := _mark(endpoint)) is not None:
            told = {"x-scope": mark.scope} | ({} if mark.tx else {"x-own-transactions": True})
            options["openapi_extra"] = {**(options.get("openapi_extra") or {}), **told}
        super().__init__(path, _framed(endpoint, options.get("status_code") or 200), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, with the body read our way before it."""
        handle = super().get_route_handler()
        reads_json = self.body_field is not None
        needs_key = "x-scope" in (self.openapi_extra or {})
        parameters = _parameters(self.dependant)

        async def strictly(request: Request) -> Response:
            # Without a key it is a stranger who leaves, or a probe: what somebody on the way added must not turn them away.
            if needs_key and (unknown := [name for name in request.query_params if name not in parameters]):
                await admit(request)
                raise _no_parameters(unknown, parameters, body=reads_json)
            if reads_json:
                if needs_key:  # strangers are turned away before their megabytes are read; remembered until asked again
                    await admit(request)
                request = _JsonRequest(request.scope, request.receive)
                await request.prepare(self.body_limit)
            return await handle(request)

        return strictly


class BulkRoute(Route):
    """A route that takes many things at once."""

    body_limit = 32 * 1024 * 1024


class _JsonRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def prepare(self, limit: int) -> None:
        """Read the body. Raises BodyTooLarge, UnsupportedMediaType, MalformedJson, Invalid."""
        body = bytearray()
        async for part in self.stream():
            body += part
            if len(body) > limit:
                raise BodyTooLarge(f"the body of this request may have {limit} bytes; send less at once")
        self._body = bytes(body)
        kind = self.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if body and kind != _JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise UnsupportedMediaType(f"send the body as JSON, with Content-Type: {_JSON}")
        self._json = read_json(self._body) if body else None


def _framed(endpoint: Callable[..., Any], status: int) -> Callable[..., Coroutine[Any, Any, Response]]:
    @wraps(endpoint)
    async def framed(**values: Any) -> Response:
        call = next((value for value in values.values() if isinstance(value, Call)), None)
        if call is None:
            return _answer(await endpoint(**values), status)
        if not call.wants_tx:
            response = _answer(await endpoint(**values), status)
        elif call.request.method == "GET":
            async with call.app.db.connection() as connection:
                call.enter(connection)
                response = _answer(await endpoint(**values), status)
        else:
            response = await call.app.db.transact(partial(_worked, endpoint, values, status, call))
        await call.afterwards()
        return response

    return framed


async def _worked(endpoint: Callable[..., Any], values: dict[str, Any], status: int, call: Call, tx: Tx) -> Response:
    """The endpoint's answer inside a transaction, or that of the first request with its Idempotency-Key."""
    call.enter(tx)
    once = Once.of(call)
    if once is not None and (earlier := await once.earlier()) is not None:
        return earlier
    response = _answer(await endpoint(**values), status)
    if once is not None:
        await once.remember(response)
    return response


def _parameters(dependant: Dependant) -> dict[str, None]:
    """The names of the query parameters that an endpoint takes, its dependencies' among them."""
    names = {field.alias: None for field in dependant.query_params}
    for one in dependant.dependencies:
        names |= _parameters(one)
    return names


def _no_parameters(unknown: Sequence[str], known: Mapping[str, None], *, body: bool) -> Invalid:
    """What was not understood must not be left out: of a filter misspelt, everything would be the answer."""
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    mend = f"is not a query parameter of this request; {takes}" + (", and a JSON body" if body else "")
    problems = tuple(FieldProblem(name[:100], mend) for name in dict.fromkeys(unknown))
    return Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems[:100])


def _mark(endpoint: Callable[..., Any]) -> Any:
    """The endpoint's `needs(…)`, for the documentation."""
    for annotation in get_type_hints(endpoint, include_extras=True).values():
        for mark in getattr(annotation, "__metadata__", ()):
            if hasattr(found := getattr(mark, "dependency", None), "scope"):
                return found
    return None


def _answer(result: Any, status: int) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=204)
    body = result.__pydantic_serializer__.to_json(result) if isinstance(result, BaseModel) else orjson.dumps(result)
    return Response(body, status_code=status, media_type=_JSON)
