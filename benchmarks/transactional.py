"""How long it takes from `POST /api/v1/messages` to the arrival of the message at a server: idle, and during a campaign.

    python benchmarks/transactional.py --seconds 10 --recipients 100000

The server is a counting sink in a process of its own, which notes when it sees a message with a number of ours. Prints one
JSON object: percentiles in milliseconds. With SMTP's two round trips a connection that was opened for it is in the figures.
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import socket
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import uvloop

from tidings import accounts, campaigns
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.bench._system import System, throw_away_system
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.ids import CampaignId, WorkspaceId

PER_SECOND = 20
_NUMBER = re.compile(rb"^X-Number: (\d+)\r$", re.MULTILINE)


class _Sink(asyncio.Protocol):
    """Says yes to everything, and notes when the dot of a numbered message came (`time.monotonic` is the machine's)."""

    arrived: dict[int, float] = {}  # noqa: RUF012 - one sink a process

    def connection_made(self, transport: Any) -> None:
        self._transport, self._buffer, self._reading = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            if self._reading:
                end = self._buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                message, self._buffer, self._reading = self._buffer[:end], self._buffer[end + 5 :], False
                if (found := _NUMBER.search(message, 0, 2000)) is not None:
                    self.arrived[int(found[1])] = time.monotonic()
                self._transport.write(b"250 2.0.0 ok\r\n")
                continue
            line, newline, rest = self._buffer.partition(b"\r\n")
            if not newline:
                return
            self._buffer = rest
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._transport.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                self._reading = True
                self._transport.write(b"354 go on\r\n")
            elif verb == b"QUIT":
                self._transport.write(b"221 bye\r\n")
                self._transport.close()
                return
            else:
                self._transport.write(b"250 ok\r\n")


def _serve(listener: socket.socket, pipe: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Sink, sock=listener)
        while not pipe.poll():
            await asyncio.sleep(0.1)
        pipe.send(_Sink.arrived)
        server.close()

    uvloop.run(serve())


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="From a request to the arrival at a server.")
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe, theirs = multiprocessing.Pipe()
    sink = multiprocessing.Process(target=_serve, args=(listener, theirs), daemon=True)
    sink.start()
    sent: dict[int, float] = {}
    async with throw_away_system() as system:
        provider: dict[str, object] = {"host": "127.0.0.1", "port": listener.getsockname()[1], "tls": "none"}
        workspace, campaign = await prepare(
            system.app.db, system.app.keys, recipients=options.recipients, size="5kb", provider=provider
        )
        async with system.app.db.transaction() as tx:
            key = await accounts.create_api_key(tx, workspace=workspace, name="bench", scopes=["*"], now=utc_now())
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            idle = asyncio.create_task(asyncio.sleep(options.seconds))
            await _post(system, session, sent, until=idle)
            during = len(sent)
            sending = asyncio.create_task(_send(system, workspace, campaign))
            await _post(system, session, sent, until=sending)
            rate = options.recipients / await sending
        await asyncio.sleep(2)
    pipe.send(None)
    arrived: dict[int, float] = await asyncio.to_thread(pipe.recv)
    taken = {number: (arrived[number] - begun) * 1000 for number, begun in sent.items() if number in arrived}
    print(
        json.dumps(
            {
                "idle": _percentiles([ms for number, ms in taken.items() if number < during]),
                "sending": _percentiles([ms for number, ms in taken.items() if number >= during]),
                "lost": len(sent) - len(taken),
                "messages_per_second": round(rate),
            }
        )
    )


async def _post(
    system: System, session: aiohttp.ClientSession, sent: dict[int, float], *, until: asyncio.Task[Any]
) -> None:
    """Queue messages, evenly spaced, until something ends."""
    url = f"http://127.0.0.1:{system.settings.api_port}/api/v1/messages"
    while not until.done():
        number = len(sent)
        sent[number] = begun = time.monotonic()
        body = {
            "to": f"buyer{number}@example.com",
            "subject": "Your order {{ number }}",
            "html_content": "<p>Dear {{ first_name }}, order {{ number }} is on its way.</p>" * 20,
            "variables": {"number": number, "first_name": "Ada"},
            "headers": {"X-Number": str(number)},
            "sender_email": "shop@example.org",
        }
        async with session.post(url, json=body) as response:
            assert response.status == 202, await response.text()
            await response.read()
        await asyncio.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - begun)))


async def _send(system: System, workspace: WorkspaceId, campaign: CampaignId) -> float:
    async with system.app.db.transaction() as tx:
        await campaigns.launch(
            tx,
            workspace=workspace,
            campaign=campaign,
            public_url=system.settings.public_url,
            by=SYSTEM(workspace),
            now=utc_now(),
        )
    begun = time.perf_counter()
    while True:
        await asyncio.sleep(0.5)
        async with system.app.db.connection() as connection:
            seen = await campaigns.get_campaign(connection, workspace=workspace, campaign=campaign)
        if seen.status != CampaignStatus.SENDING:
            assert seen.status == CampaignStatus.SENT, seen.status
            return time.perf_counter() - begun


def _percentiles(taken: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100)
    return {"messages": len(taken), "p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(taken), 1)}


if __name__ == "__main__":
    uvloop.run(main())
