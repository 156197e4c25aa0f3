"""What an account of Amazon SES may send, as SES tells it (GetAccount): in the fields of AWS's own model of the API."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from delivery_world import world
from scripted_http import SECRETS
from scripted_smtp import CheckingSource
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Unavailable
from tidings.delivery.limits._caps import Cap
from tidings.delivery.providers import open_provider
from tidings.delivery.providers._ses import SesAccount, SesProvider
from tidings.delivery.quotas._accounts import caps_of

TOLD: dict[str, Any] = {
    "DedicatedIpAutoWarmupEnabled": False,
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 120.0},
    "SendingEnabled": True,
}


async def ask(answer: bytes, status: int = 200) -> tuple[SesAccount, str]:
    """The account that the adapter reads out of an answer, and the head of its request."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        provider = open_provider("ses", {"region": "eu-west-1", "endpoint": f"http://127.0.0.1:{port}"}, SECRETS["ses"])
        assert isinstance(provider, SesProvider)
        provider.start(CheckingSource([]))
        try:
            return await provider.account(), heard[0]
        finally:
            await provider.close(grace_seconds=1)


async def test_quota_and_rate() -> None:
    account, head = await ask(json.dumps(TOLD).encode())
    assert account == SesAccount(50000.0, 14.0, 120.0, production=True, enabled=True)
    assert head.startswith("GET /v2/email/account HTTP/1.1\r\n")
    assert "Credential=AKIDEXAMPLE/" in head
    assert "/eu-west-1/ses/aws4_request" in head
    unlimited = {**TOLD, "ProductionAccessEnabled": False, "SendQuota": {**TOLD["SendQuota"], "Max24HourSend": -1}}
    account, _ = await ask(json.dumps(unlimited).encode())
    assert (account.most_per_day, account.production) == (-1, False)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b'{"__type":"TooManyRequestsException"}', 429),
        (b'{"message":"no"}', 403),
        (b"not json", 200),
        (b"[]", 200),
        (b"{}", 200),
        (json.dumps({**TOLD, "SendQuota": {"Max24HourSend": "many"}}).encode(), 200),
    ],
)
async def test_an_account_that_does_not_tell(answer: bytes, status: int) -> None:
    with pytest.raises(Unavailable) as caught:
        await ask(answer, status)
    assert not any(value in str(caught.value) for value in SECRETS["ses"].values())


async def test_the_quota_is_held_and_the_sandbox_is_told(db: Database, tmp_path: Path) -> None:
    told = {**TOLD, "ProductionAccessEnabled": False}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = json.dumps(told).encode()
        writer.write(f"HTTP/1.1 200 X\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, world(db, tmp_path, working=False) as w:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with db.transaction() as tx:
            made = await delivery.add_provider(
                tx, workspace=w.workspace, name="ses", kind="ses", config={"region": "eu-west-1", "endpoint": url},
                secret=SECRETS["ses"], is_default=False, keys=w.app.keys, by=SYSTEM(w.workspace), now=utc_now(),
            )  # fmt: skip
        accounts = delivery.Accounts(db, w.app.keys)
        await accounts.refresh(now=utc_now())
        async with db.connection() as connection:
            (use,) = await delivery.provider_limits(connection, workspace=w.workspace, provider=made.id, now=utc_now())
            seen = await delivery.get_provider(connection, workspace=w.workspace, provider=made.id)
        # 120 were sent by others.
        assert (use.scope, use.limit.per_second, use.limit.per_day) == ("", 14.0, 49_880)
        assert use.why == "the account's quota"
        assert "sandbox" in seen.health
        told["ProductionAccessEnabled"] = True
        again = delivery.Accounts(db, w.app.keys)
        await again.refresh(now=utc_now())
        async with db.connection() as connection:
            assert (await delivery.get_provider(connection, workspace=w.workspace, provider=made.id)).health == ""


def test_what_others_sent_is_taken_off() -> None:
    account = SesAccount(200.0, 1.0, 150.0, production=False, enabled=True)
    assert caps_of(account, ours=100)[""].per_day == 150
    assert caps_of(account, ours=500)[""].per_day == 200
    assert caps_of(SesAccount(100.0, 1.0, 150.0, production=True, enabled=True), ours=0)[""].per_day == 1
    assert caps_of(SesAccount(-1.0, 5.0, 9.0, production=True, enabled=True), ours=0)[""] == Cap(
        5.0, None, "the account's quota"
    )
