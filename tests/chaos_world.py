"""What is around a system in chaos: providers in processes of their own, an edge for SES's notifications, people who leave."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chaotic_notices import SIGNING_KEY, TOPIC
from running_system import RunningSystem
from tidings.bootstrap import secret_of
from tidings.core.ids import SendId, WorkspaceId
from tidings.tracking import Tokens
from tidings.up import free_ports

_HERE = Path(__file__).parent


@dataclass
class ChaoticProvider:
    """One of them. `taken` is the file of what it took."""

    kind: str
    taken: Path
    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def config(self) -> dict[str, Any]:
        """How Tidings reaches it."""
        there = f"http://127.0.0.1:{self.port}"
        match self.kind:
            case "smtp":
                return {"host": "127.0.0.1", "port": self.port, "tls": "none"}
            case "ses":
                return {"region": "eu-west-1", "endpoint": there, "topic_arns": [TOPIC]}
            case _:
                return {"domain": "mg.example.com", "endpoint": there}

    @property
    def secret(self) -> dict[str, str]:
        """What it asks for."""
        secrets = {
            "ses": {"access_key_id": "AKIA", "secret_access_key": "s"},
            "mailgun": {"api_key": "k", "signing_key": SIGNING_KEY},
        }
        return secrets.get(self.kind, {})

    def notify(self, url: str, key: str = "") -> None:
        """From now on it tells what became of its messages."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"url": url, "key": key}).encode() + b"\n")
        self.process.stdin.flush()

    def lines(self, of: str = "") -> list[list[str]]:
        """Of what it took (''), of what it owes us to tell ('-owed'), of what it told ('-told')."""
        file = Path(f"{self.taken}{of}")
        return [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []

    def count(self, of: str = "") -> int:
        """How many lines."""
        file = Path(f"{self.taken}{of}")
        return file.read_bytes().count(b"\n") if file.exists() else 0


@contextlib.contextmanager
def chaotic_providers(folder: Path, kinds: Sequence[str]) -> Generator[list[ChaoticProvider]]:
    """One of each kind."""
    started: list[ChaoticProvider] = []
    try:
        for number, kind in enumerate(kinds):
            taken = folder / f"taken-{number}"
            words = [sys.executable, str(_HERE / "chaotic_provider.py"), kind, str(taken), str(number)]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdout is not None
            started.append(ChaoticProvider(kind, taken, process, int(process.stdout.readline())))
        yield started
    finally:
        for one in started:
            one.process.kill()
            one.process.wait()
            for pipe in (one.process.stdin, one.process.stdout):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@dataclass
class SesEdge:
    """An edge that trusts a certificate of ours for SNS; started again whenever it was killed."""

    system: RunningSystem
    folder: Path
    key: str = ""
    port: int = 0
    kills: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Make key and certificate, and begin."""
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateBuilder(
            name, name, key.public_key(), 1, now - dt.timedelta(days=1), now + dt.timedelta(days=1)
        )
        self.folder.mkdir()
        (self.folder / "sns.pem").write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        (self.port,) = free_ports(1)
        self._begin()

    def keep(self) -> None:
        """Begin anew if it is dead."""
        assert self._process is not None
        if self._process.poll() is not None:
            self._begin()

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.kills += 1
        self._begin()

    def stop(self) -> None:
        """In the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _begin(self) -> None:
        settings = {
            "TIDINGS_DATABASE_URL": self.system.postgres.url,
            "TIDINGS_DATA_DIR": str(self.folder),
            "TIDINGS_SECRET": secret_of(self.system.data_dir),
            "TIDINGS_EDGE_PORT": str(self.port),
        }
        words = [sys.executable, str(_HERE / "chaos_edge.py"), str(self.folder / "sns.pem"), "101"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words,
                env=os.environ | self.system.environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@dataclass
class Leavers:
    """People who leave, one after the other, by the button of their mailbox provider (RFC 8058)."""

    edge: str
    workspace: WorkspaceId
    send: SendId
    tokens: Tokens
    people: list[tuple[str, int, int]]
    """Address, n and contact of each, in the order in which they leave."""
    pause_seconds: float
    gone: dict[str, float] = field(default_factory=dict)
    """When each was told that they left."""

    async def leave(self) -> None:
        """One after the other, until cancelled; an edge that was killed is asked again."""
        token_of = self.tokens.for_send(self.workspace, self.send)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for address, n, contact in self.people:
                url = f"{self.edge}/u/{token_of(n, contact)}"
                while True:
                    try:
                        async with session.post(url, data={"List-Unsubscribe": "One-Click"}) as response:
                            assert response.status in {200, 503}, await response.text()
                            if response.status == 200:
                                self.gone[address] = time.time()
                                break
                    except (aiohttp.ClientError, TimeoutError):
                        pass
                    await asyncio.sleep(0.2)
                await asyncio.sleep(self.pause_seconds)

    @classmethod
    async def of(
        cls, system: RunningSystem, *, workspace: WorkspaceId, many: int, seconds: float, dice: random.Random
    ) -> "Leavers":
        """A random choice of a launched campaign's recipients, of whom nothing else is expected."""
        while True:
            async with system.database() as db, db.connection() as connection:
                rows = await connection.fetch(
                    """
                    SELECT d.send_id, d.n, c.id, c.email FROM deliveries AS d
                    JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id
                    WHERE d.workspace_id = $1 AND c.email LIKE 'reader%' ORDER BY d.n
                    """,
                    workspace,
                )
            if rows:
                break
            await asyncio.sleep(0.05)
        chosen = dice.sample(rows, many)
        return cls(
            f"http://127.0.0.1:{system.environment['TIDINGS_EDGE_PORT']}",
            workspace,
            SendId(rows[0]["send_id"]),
            Tokens(system.keys, ""),
            [(row["email"], row["n"], row["id"]) for row in chosen],
            seconds / many,
        )
