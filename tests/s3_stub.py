"""A bucket that checks signatures by itself, from the specification, misbehaves as told, and keeps what it was given.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+very-secret"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


@dataclass
class Bucket:
    """`faults` are answered first, one a request: a status, or "close"."""

    name: str = "pictures"
    region: str = "eu-central-1"
    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return f"s3://{self.name}/some/where?region={self.region}&endpoint=http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.method)
        self.connections.add(request.transport)
        body = await request.read()
        if self.faults:
            fault = self.faults.pop(0)
            if fault == "close":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.Response(status=int(fault), text="<Error><Code>SlowDown</Code></Error>")
        if (problem := self._forged(request, body)) is not None:
            return web.Response(status=403, text=f"<Error><Code>{problem}</Code></Error>")
        bucket, _, key = request.path.lstrip("/").partition("/")
        if bucket != self.name:
            return web.Response(status=404, text="<Error><Code>NoSuchBucket</Code></Error>")
        match request.method:
            case "PUT":
                self.objects[key] = (body, request.headers["Content-Type"])
                return web.Response()
            case "GET" if key in self.objects:
                return web.Response(body=self.objects[key][0])
            case "GET":
                return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
            case _:
                self.objects.pop(key, None)
                return web.Response(status=204)

    def _forged(self, request: web.Request, body: bytes) -> str | None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if found is None:
            return "AccessDenied"
        who, day, region, names, signature = found.groups()
        sent = request.headers["x-amz-date"]
        age = datetime.now(UTC) - datetime.strptime(sent, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if who != ACCESS or region != self.region or not sent.startswith(day) or abs(age.total_seconds()) > 900:
            return "InvalidAccessKeyId"
        if request.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return "XAmzContentSHA256Mismatch"
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";")):
            return "AccessDenied"
        told = "\n".join(
            (
                request.method,
                request.rel_url.raw_path,
                request.rel_url.raw_query_string,
                *(f"{name}:{request.headers[name].strip()}" for name in names.split(";")),
                "",
                names,
                request.headers["x-amz-content-sha256"],
            )
        )
        scope = f"{day}/{region}/s3/aws4_request"
        key = f"AWS4{SECRET}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = f"AWS4-HMAC-SHA256\n{sent}\n{scope}\n{hashlib.sha256(told.encode()).hexdigest()}"
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if token := request.headers.get("x-amz-security-token"):
            self.tokens.append(token)
            if "x-amz-security-token" not in names.split(";"):
                return "AccessDenied"
        return None if hmac.compare_digest(expected, signature) else "SignatureDoesNotMatch"


@asynccontextmanager
async def bucket() -> AsyncIterator[Bucket]:
    """A bucket on a real port."""
    there = Bucket()
    app = web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{tail:.*}", there.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.port = runner.addresses[0][1]
    try:
        yield there
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
