"""A client of the API for tests: one key, real sockets, answers as they are."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
import orjson
from yarl import URL

from tidings.core.ids import WorkspaceId


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def problem(self) -> Any:
        """The body, which must be a problem of RFC 9457 that fits the status."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        body = self.json
        assert body["status"] == self.status
        assert {"type", "title", "detail", "code"} <= body.keys()
        return body

    @property
    def fields(self) -> list[str]:
        """The fields that the problem names."""
        return [error["field"] for error in self.problem.get("errors", [])]


class Client:
    """Speaks to the API with one key."""

    def __init__(self, session: aiohttp.ClientSession, key: str | None, workspace: WorkspaceId) -> None:
        self._session = session
        self.key = key
        self.workspace = workspace

    def with_key(self, key: str | None, workspace: WorkspaceId | None = None) -> "Client":
        return Client(self._session, key, self.workspace if workspace is None else workspace)

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`path` is below /api/v1, or absolute if it starts with `//`. A body of bytes is sent as it is."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        raw = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        data = None if raw is None else BytesIO(raw)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = URL(f"http://api{path[1:] if path.startswith('//') else f'/api/v1{path}'}", encoded=True)
        async with self._session.request(method, url, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())
