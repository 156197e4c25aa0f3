"""Amazon SES as somebody else understands it: moto's server, in an environment of its own (`make .venv-moto/.ready`)."""

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from scripted_smtp import CheckingSource, Job, job, run
from tidings.core.errors import Unavailable
from tidings.delivery.providers import Accepted, Fault, Rejected, open_provider
from tidings.delivery.providers._ses import SesProvider

_SERVER = Path(__file__).parents[2] / ".venv-moto/bin/moto_server"
SECRET = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret"}

pytestmark = pytest.mark.skipif(not _SERVER.exists(), reason="moto is not installed: make .venv-moto/.ready")


class Moto:
    """The server, asked as its own users ask it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """What it answers. It looks at a signature no further than for region and service."""
        scope = "20260101/eu-west-1/ses/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders=host, Signature=x"
        request = Request(self.url + path, body, {"Authorization": signed, "Content-Type": kind}, method=method)  # noqa: S310
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - our own URL
            return answer.read()

    def sent(self) -> list[dict[str, Any]]:
        """The raw messages that it has, in no order."""
        return json.loads(self.ask("GET", "/moto-api/data.json"))["ses"].get("RawMessage", [])


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [_SERVER, "-H", "127.0.0.1", "-p", str(port)],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            asyncio.run(asyncio.sleep(0.05))
        yield Moto(port)
    finally:
        process.terminate()
        process.wait(20)


def letter(n: int, sender: str = "news@example.com") -> Job:
    text = (
        b"From: News <%s>\r\nTo: <reader%d@reader.test>\r\nSubject: Hello %d\r\nMessage-ID: <1.%d.2@example.com>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n..dot =C3=B6\r\n" % (sender.encode(), n, n, n)
    )
    return job(n, text=text)


def provider(moto: Moto, **more: Any) -> SesProvider:
    config = {"region": "eu-west-1", "endpoint": moto.url, "connections": 4, **more}
    opened = open_provider("ses", config, SECRET)
    assert isinstance(opened, SesProvider)
    return opened


async def test_raw_messages_arrive_as_they_were_written(moto: Moto) -> None:
    moto.ask("POST", "/v2/email/identities", b'{"EmailIdentity":"example.com"}')
    before = _sent_of_quota(moto)
    outcomes = await run(provider(moto, tags={"team": "news"}), CheckingSource([letter(n) for n in range(20)]))
    assert all(isinstance(one, Accepted) and len(one.reply) > 20 for one in outcomes.values()), outcomes
    assert len({one.reply for one in outcomes.values() if isinstance(one, Accepted)}) == 20
    kept = {one["destinations"][0]: one["raw_data"] for one in moto.sent()}
    assert set(kept) == {f"reader{n}@reader.test" for n in range(20)}
    for n in range(20):
        text = letter(n).message.replace(b"\r\n..", b"\r\n.").decode()
        assert kept[f"reader{n}@reader.test"] == text
    assert _sent_of_quota(moto) >= before + 20  # moto counts the header To beside the recipient


async def test_a_sender_that_is_not_verified_is_nobodys_fault_but_ours(moto: Moto) -> None:
    outcomes = await run(provider(moto), CheckingSource([letter(1, "news@elsewhere.example")]))
    found = outcomes[1]
    assert isinstance(found, Rejected)
    assert found.fault is not Fault.RECIPIENT
    assert "MessageRejected" in found.reply


async def test_an_account_that_does_not_tell_its_quota_is_unavailable(moto: Moto) -> None:
    """moto 5.2 knows GetAccount no more than a proxy would: an HTML page, with 404."""
    opened = provider(moto)
    opened.start(CheckingSource([]))
    with pytest.raises(Unavailable, match="HTTP 404"):
        await opened.account()
    await opened.close(grace_seconds=1)


def _sent_of_quota(moto: Moto) -> float:
    """As API v1 tells it, which moto has."""
    told = moto.ask(
        "POST", "/", b"Action=GetSendQuota&Version=2010-12-01", "application/x-www-form-urlencoded"
    ).decode()
    return float(told.partition("<SentLast24Hours>")[2].partition("<")[0])
