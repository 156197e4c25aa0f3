"""What an endpoint gets: a `Call`, with the application, who calls, the transaction and the time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tidings.accounts import Principal
from tidings.api._auth import Doorkeeper
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId

_bearer = HTTPBearer(auto_error=False, scheme_name="apiKey", description="An API key of the workspace: `tk_…`.")


@dataclass(slots=True, eq=False)
class Call:
    """One authenticated request. Its transaction commits before the answer is sent, and rolls back on any error."""

    app: App
    principal: Principal
    now: datetime
    request: Request
    wants_tx: bool
    _tx: Tx | None = None
    _afterwards: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def workspace(self) -> WorkspaceId:
        """The caller's workspace: the only one this request may see."""
        return self.principal.workspace

    @property
    def tx(self) -> Tx:
        """The request's transaction; for GET a connection in autocommit. None is open if `needs(…, tx=False)`."""
        assert self._tx is not None, "this endpoint declared needs(…, tx=False)"
        return self._tx

    def enter(self, tx: Tx) -> None:
        """The frame opened a transaction; the one before it, if there was one, was undone."""
        self._tx = tx
        self._afterwards.clear()

    def after_commit(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run this once the transaction is committed and its connection given back, before the answer is sent."""
        self._afterwards.append(work)

    async def afterwards(self) -> None:
        """The frame committed: do what waited for it, in order."""
        self._tx = None
        for work in self._afterwards:
            await work()


def application(request: Request) -> App:
    """The App that this process serves: for endpoints without authentication."""
    return request.app.state.tidings


def doorkeeper(request: Request) -> Doorkeeper:
    """Who authenticates in this process."""
    return request.app.state.doorkeeper


def bearer(request: Request) -> str | None:
    """The API key that came with the request (RFC 6750 §2.1)."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def address(request: Request) -> str:
    """The client's address: the socket's peer, whatever the headers say. Empty on a Unix socket."""
    return request.client.host if request.client else ""


async def admit(request: Request) -> Principal:
    """Who calls. Raises Unauthenticated, RateLimited."""
    return await doorkeeper(request).admit(bearer(request), address=address(request))


def needs(scope: str, *, tx: bool = True) -> Any:
    """The marker for an endpoint's `Call`: `call: Annotated[Call, needs("lists:write")]`.

    401 without a good key, 403 without the scope. `tx=False` for endpoints whose one call opens its own transaction.
    """

    async def call(
        request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Call:
        principal = await admit(request)
        principal.require(scope)
        return Call(application(request), principal, utc_now(), request, tx)

    call.scope, call.tx = scope, tx  # pyright: ignore[reportFunctionMemberAccess] - read by _route.py
    return Depends(call)
