"""What the pages have in common: looking things up in time, who is asking, and in which language."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from tidings import accounts
from tidings.bootstrap import App
from tidings.compliance import SignupTokens, pick_language
from tidings.core.client_address import network_of
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId
from tidings.edge._patience import within
from tidings.tracking import Tokens

_LOOKUP_SECONDS = 10.0
_REMEMBERED = 2048

T = TypeVar("T")


class Site:
    """The application, as pages use it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.tokens = Tokens(app.keys, app.public_url)
        self.signup_tokens = SignupTokens(app.keys)
        self._senders: OrderedDict[int, str] = OrderedDict()

    async def lookup(self, find: Callable[[Tx], Awaitable[T]]) -> T:
        """One read, on a connection of its own. Raises TimeoutError."""

        async def work() -> T:
            async with self.app.db.connection() as connection:
                return await find(connection)

        return await within(_LOOKUP_SECONDS, work())

    async def change(self, do: Callable[[Tx], Awaitable[T]]) -> T:
        """One transaction. Raises TimeoutError."""
        return await within(_LOOKUP_SECONDS, self.app.db.transact(do))

    async def sender(self, workspace: WorkspaceId) -> str:
        """The name by which people know whoever writes. Raises WorkspaceNotFound."""
        name = self._senders.get(workspace)
        if name is None:
            owner = await self.lookup(partial(accounts.get_workspace, workspace=workspace))
            name = owner.sender_name or owner.name
            remember(self._senders, workspace, name)
        return name

    def client(self, scope: Any) -> tuple[str, str]:
        """Address and network of whoever is asking; '' where it is not known."""
        proxies = self.app.proxies
        values = [str(value) for value in scope.headers.get_all(proxies.header)] if proxies.networks else []
        address = proxies.client(scope.client or "", values)
        return address, network_of(address)


def language(scope: Any, fixed: str = "") -> str:
    """The fixed one, or what the browser likes best of those we speak."""
    return pick_language(fixed, scope.headers.get("accept-language") or "")


def user_agent(scope: Any) -> str:
    """What the browser calls itself."""
    return (scope.headers.get("user-agent") or "")[:400]


def remember(kept: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    """Keep it, and let go of what was put in first."""
    kept[key] = value
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
