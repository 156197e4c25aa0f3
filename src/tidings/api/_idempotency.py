"""`Idempotency-Key` on every POST: the endpoint's transaction claims the key and keeps the answer, or finds the first one.

Stored answers are sealed: one of them may hold a new API key, which exists nowhere else in readable form.
"""

import hashlib

import orjson
from fastapi import Request, Response

from tidings import accounts
from tidings.accounts import Answer
from tidings.api._deps import Call

HEADER = "Idempotency-Key"
_PURPOSE = "idempotency"


class Once:
    """One POST with an Idempotency-Key, inside its transaction."""

    def __init__(self, call: Call, key: str, content: bytes | None) -> None:
        self._call = call
        self._key = key
        self._content = content

    @staticmethod
    def of(call: Call, content: bytes | None = None) -> "Once | None":
        """None for requests that have no such key, or no use for one. `content` stands for a body that was streamed."""
        key = call.request.headers.get(HEADER) if call.request.method == "POST" else None
        return None if key is None else Once(call, key, content)

    async def earlier(self) -> Response | None:
        """The answer of the first such request; None if this is the first. Raises KeyReused, StillRunning, Invalid."""
        call = self._call
        answer = await accounts.claim_key(
            call.tx,
            workspace=call.workspace,
            key=self._key,
            request_hash=await _fingerprint(call.request, self._content),
            now=call.now,
        )
        if answer is None:
            return None
        body, media_type = orjson.loads(call.app.keys.unseal(_PURPOSE, answer.body))
        return Response(
            body.encode(), status_code=answer.status, media_type=media_type, headers={"Idempotent-Replayed": "true"}
        )

    async def remember(self, response: Response) -> None:
        """Keep this answer, in the transaction of the work."""
        call = self._call
        kept = orjson.dumps([bytes(response.body).decode(), response.media_type])
        answer = Answer(response.status_code, call.app.keys.seal(_PURPOSE, kept))
        await accounts.remember_answer(call.tx, workspace=call.workspace, key=self._key, answer=answer)


async def _fingerprint(request: Request, content: bytes | None) -> bytes:
    url = request.url
    head = f"{request.method} {url.path}?{url.query}\n".encode()
    return hashlib.sha256(head + (await request.body() if content is None else content)).digest()
