"""An HTTP server that speaks as SES, SendGrid or Mailgun do, misbehaves as told, and keeps what it was sent."""

import asyncio
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SECRETS = {
    "ses": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI-very-secret"},
    "sendgrid": {"api_key": "SG.very-secret"},
    "mailgun": {"api_key": "key-very-secret"},
}
CONFIGS: dict[str, dict[str, Any]] = {
    "ses": {"region": "eu-west-1", "configuration_set": "events"},
    "sendgrid": {"categories": ["news"]},
    "mailgun": {"domain": "mg.example.com", "region": "eu", "tags": ["news"]},
}
PATHS = {
    "ses": "/v2/email/outbound-emails",
    "sendgrid": "/v3/mail/send",
    "mailgun": "/v3/mg.example.com/messages.mime",
}
ACCEPTED = {
    "ses": (200, {}, b'{"MessageId":"0102-abc"}'),
    "sendgrid": (202, {"X-Message-Id": "0102-abc"}, b""),
    "mailgun": (200, {}, b'{"id":"<0102-abc>","message":"Queued. Thank you."}'),
}
Step = tuple[int, dict[str, str], bytes] | str
"""An answer; or "close", "reset", "stall", "half" (a half of the status line), "cut" (an accepting head, then the end)."""


def number_in(kind: str, path: str, head: str, body: bytes) -> int:
    """The number of the message in a request, which must be in the provider's form."""
    assert path == PATHS[kind]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
    match kind:
        case "ses":
            assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            told = json.loads(body)
            assert told["ConfigurationSetName"] == "events"
            assert b64decode(told["Content"]["Raw"]["Data"]).startswith(b"From: ")
            (to,) = told["Destination"]["ToAddresses"]
        case "sendgrid":
            assert headers["authorization"] == "Bearer SG.very-secret"
            told = json.loads(body)
            to = told["personalizations"][0]["to"][0]["email"]
        case _:
            assert headers["authorization"].startswith("Basic ")
            found = re.search(rb'name="to"\r\n\r\n([^\r]+)', body)
            assert found
            assert b"Message-ID: <" in body
            to = found[1].decode()
    return int(to.removeprefix("reader").partition("@")[0])


@dataclass
class HttpWorld:
    """What is answered to which attempt at which message; by default it is accepted."""

    kind: str
    plans: Mapping[int, list[Step]] = field(default_factory=dict[int, list[Step]])
    port: int = 0
    connections: int = 0
    heard: Counter[int] = field(default_factory=Counter)
    bodies: dict[int, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:  # noqa: BLE001 - the test must see it
            self.problems.append(repr(error))
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        body = await reader.readexactly(length)
        n = number_in(self.kind, head.split()[1], head, body)
        self.heard[n] += 1
        self.bodies[n] = body
        steps = self.plans.get(n, [])
        step = steps[self.heard[n] - 1] if self.heard[n] <= len(steps) else ACCEPTED[self.kind]
        match step:
            case "close":
                return False
            case "reset":
                writer.transport.abort()
                return False
            case "stall":
                await asyncio.sleep(60)
                return False
            case "half":
                writer.write(b"HTTP/1.1 20")
                return False
            case "cut":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
                await writer.drain()
                return False
            case str():
                raise AssertionError(step)
            case (status, headers, text):
                lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        return True


@asynccontextmanager
async def http_serving(world: HttpWorld) -> AsyncGenerator[HttpWorld]:
    """The server on a free port of loopback."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await world.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    world.port = server.sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert world.problems == []
