"""The public API as the demo uses it: over HTTP, like any program of a customer's."""

import asyncio
from typing import Any, Self

import aiohttp

from tidings.core.errors import Unavailable


class Api:
    """One customer's client. Raises Unavailable with the problem's own words when the API says no."""

    def __init__(self, session: aiohttp.ClientSession, base: str, key: str) -> None:
        self._session = session
        self._base = base
        self._headers = {"Authorization": f"Bearer {key}"}

    def as_(self, key: str) -> Self:
        """The same API with another key."""
        return type(self)(self._session, self._base, key)

    async def get(self, path: str) -> dict[str, Any]:
        """Read something."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make or do something."""
        return await self._ask("POST", path, body)

    async def wait_for_import(self, import_id: str) -> None:
        """Until every row of an import is in."""
        while True:
            seen = await self.get(f"/contacts/import/{import_id}")
            if seen["status"] == "done":
                return
            if seen["status"] in {"failed", "cancelled"}:
                raise Unavailable(f"the import {seen['status']}: {seen}")
            await asyncio.sleep(0.05)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with self._session.request(method, self._base + path, json=body, headers=self._headers) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise Unavailable(f"{method} {path}: {response.status} {answer.get('detail') or answer}")
            return answer
