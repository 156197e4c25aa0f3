"""Amazon SES over HTTP, sent to by send workers in four processes: what SES says that the account may is never exceeded."""

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery_world import eventually, world
from scripted_http import SECRETS
from sending_processes import four_workers, most_in
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database

RATE, QUOTA, ALREADY = 50, 1000, 780
LEFT = QUOTA - ALREADY
_TO = re.compile(rb'"ToAddresses":\["([^"]+)"\]')


@dataclass
class SesStub:
    """GetAccount and SendEmail of an account with a rate and a quota, which refuses what goes over either, as SES does."""

    port: int = 0
    asked: int = 0
    taken: list[tuple[float, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                status, answer = self._account() if head.startswith(b"GET") else self._take(body)
                text = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _account(self) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        sent = ALREADY + len(self.taken)
        quota = {"Max24HourSend": float(QUOTA), "MaxSendRate": float(RATE), "SentLast24Hours": float(sent)}
        return 200, {"SendQuota": quota, "SendingEnabled": True, "ProductionAccessEnabled": True}

    def _take(self, body: bytes) -> tuple[int, dict[str, Any]]:
        found = _TO.search(body)
        assert found
        if len(self.taken) >= LEFT:
            self.refused.append("quota")
            return 429, {"__type": "TooManyRequestsException", "message": "Daily message quota exceeded."}
        self.taken.append((time.time(), found[1].decode()))
        return 200, {"MessageId": f"0102-{len(self.taken)}"}


async def test_four_workers_keep_to_what_ses_says_of_the_account(db: Database, tmp_path: Path) -> None:
    stub = SesStub()
    async with (
        await asyncio.start_server(stub.serve, "127.0.0.1", 0) as server,
        world(db, tmp_path, working=False) as w,
    ):
        stub.port = server.sockets[0].getsockname()[1]
        async with db.transaction() as tx:
            made = await delivery.add_provider(
                tx, workspace=w.workspace, name="ses", kind="ses",
                config={"region": "eu-west-1", "endpoint": f"http://127.0.0.1:{stub.port}", "connections": 16},
                secret=SECRETS["ses"], is_default=True, keys=w.app.keys, by=SYSTEM(w.workspace), now=utc_now(),
            )  # fmt: skip
        await delivery.Accounts(db, w.app.keys).refresh(now=utc_now())
        assert stub.asked == 1
        await w.contacts(*(f"reader{n}@{n % 7}.example" for n in range(400)))
        await w.launch(await w.campaign())
        owners = set[str]()

        async def went() -> int:
            async with db.connection() as connection:
                owners.update(
                    row["owner"] for row in await connection.fetch("SELECT owner FROM chunks WHERE owner IS NOT NULL")
                )
            return len(stub.taken)

        async with four_workers(w, tmp_path, chunk_size=20):
            await eventually(went, lambda many: many >= LEFT - 10, seconds=30)
            await asyncio.sleep(2)  # in which more would go, if more could
        times = [at for at, _ in stub.taken]
        assert len(owners) == 4
        # Of arrival, on a machine that may be busy with more: what came late in one second is as much too much in the next.
        assert most_in(times, 3.0) <= 3 * RATE
        assert most_in(times, 1.0) <= 1.2 * RATE
        assert stub.refused == []
        assert LEFT - 10 <= len(times) <= LEFT
        assert len(times) >= 0.75 * RATE * (times[-1] - times[0])
        assert max(Counter(to for _, to in stub.taken).values()) == 1
        states = Counter(state for state, _ in (await w.states()).values())
        assert states["sent"] == len(times), states
        assert states["sent"] + states["pending"] + states["deferred"] == 400, states
        async with db.connection() as connection:
            (use,) = await delivery.provider_limits(connection, workspace=w.workspace, provider=made.id, now=utc_now())
        assert (use.limit.per_second, use.limit.per_day) == (RATE, LEFT)
